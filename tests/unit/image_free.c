/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/image/bits.c host-backend/image/free.c */
/* Which free slots a write gets: runs as long as itself where there are such, whatever comes where there are none, and never one twice. */
#include "unit.h"
#include <stdlib.h>
#include "host-backend/image/free.h"

#define SLOTS 20011u /* no multiple of anything */

static struct free_slots slots;
static bool used[SLOTS];
static uint32_t taken[256];
static uint64_t seed;

static uint32_t random_below(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static int setup(void **state)
{
	(void)state;
	seed = 1;
	memset(used, 0, sizeof(used));
	return free_init(&slots, SLOTS) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free_fini(&slots);
	return 0;
}

static void take(uint32_t count)
{
	uint64_t before = slots.count;

	free_take(&slots, taken, count);
	assert_int_equal(slots.count, before - count);
	for (uint32_t i = 0; i < count; i++) {
		assert_true(taken[i] < SLOTS);
		assert_false(used[taken[i]]);
		used[taken[i]] = true;
	}
}

static void put(uint32_t slot)
{
	assert_true(used[slot]);
	used[slot] = false;
	free_put(&slots, slot);
}

static void put_range(uint32_t from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		put(from + i);
}

static void take_all(void)
{
	while (slots.count)
		take(slots.count < 256 ? (uint32_t)slots.count : 256);
}

static uint32_t runs(uint32_t count)
{
	uint32_t n = 1;

	for (uint32_t i = 1; i < count; i++)
		n += taken[i] != taken[i - 1] + 1;
	return n;
}

/* In an empty image one write lies behind the other, whatever their sizes. */
static void what_follows_in_time_follows_in_place(void **state)
{
	uint32_t next = 0;

	(void)state;
	for (uint32_t count = 1; count <= 150; next += count++) {
		take(count);
		assert_int_equal(taken[0], next);
		assert_int_equal(runs(count), 1);
	}
}

/* Single slots everywhere and one run: large writes get the run, small ones leave it. */
static void a_large_write_finds_the_run(void **state)
{
	(void)state;
	take_all();
	for (uint32_t slot = 0; slot < SLOTS; slot += 3)
		put(slot);
	for (uint32_t slot = 15000; slot < 15064; slot++)
		if (used[slot])
			put(slot);
	slots.cursor = 100;
	take(4);
	assert_int_equal(taken[0], 102);
	take(32);
	assert_int_equal(runs(32), 1);
	assert_true(taken[0] >= 15000 && taken[0] < 15008);
	take(24);
	assert_int_equal(runs(24), 1);
}

static void from_its_place_round_to_before_it(void **state)
{
	(void)state;
	take_all();
	put_range(64, 256);
	slots.cursor = 10000;
	take(256);
	assert_int_equal(taken[0], 64);
	assert_int_equal(runs(256), 1);
	/* Over a word's end. */
	put_range(4096 + 40, 128);
	take(128);
	assert_int_equal(runs(128), 1);
}

/* None is long enough: half as long, twice. */
static void without_such_a_run_shorter_ones_do(void **state)
{
	(void)state;
	take_all();
	for (uint32_t slot = 800; slot < 8000; slot += 80)
		put_range(slot, 16);
	slots.cursor = 0;
	take(32);
	assert_int_equal(runs(32), 2);
	take(40);
	assert_int_equal(runs(40), 3);
}

static void a_fully_fragmented_image_gives_what_it_has(void **state)
{
	(void)state;
	take_all();
	for (uint32_t slot = 1; slot < SLOTS; slot += 2)
		put(slot);
	for (uint32_t n = slots.count / 256; n; n--)
		take(256);
	take_all();
}

static void a_nearly_full_image_gives_its_last_slot(void **state)
{
	(void)state;
	take_all();
	for (uint32_t slot = 0; slot < SLOTS; slot += 61) {
		put(slot);
		slots.cursor = random_below(SLOTS + 1);
		take(1);
		assert_int_equal(taken[0], slot);
	}
}

/* As many as one likes of any size, given back in any order. */
static void nothing_is_given_twice_or_lost(void **state)
{
	(void)state;
	for (int round = 0; round < 3000; round++) {
		uint32_t count = 1 + random_below(round % 2 ? 256 : 9);

		if (slots.count >= count)
			take(count);
		for (uint32_t i = random_below(300), at = random_below(SLOTS); i; i--, at = round % 3 ? random_below(SLOTS) : (at + 1) % SLOTS)
			if (used[at])
				put(at);
	}
	take_all();
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		put(slot);
	assert_int_equal(slots.count, SLOTS);
	assert_int_equal(bits_count(&slots.slot, 0, UINT64_MAX), SLOTS);
	assert_int_equal(bits_count(&slots.group, 0, UINT64_MAX), SLOTS / FREE_GROUP);
}

/* Held against a look at every number. */
static void the_search_finds_the_first(void **state)
{
	static bool member[5000];
	struct bits bits;

	(void)state;
	assert_true(bits_init(&bits, 5000));
	for (uint32_t i = 0; i < 5000; i++) {
		member[i] = random_below(1000) < (i < 2500 ? 900 : 40);
		if (!member[i])
			bits_clear(&bits, i);
	}
	for (uint32_t run = 1; run <= 64; run++) {
		for (uint32_t from = 0, at; from < 5100; from += 1 + random_below(40)) {
			uint32_t words = 1000, have = 0;

			for (at = from; at < 5000 && have < run; at++)
				have = member[at] ? have + 1 : 0;
			assert_int_equal(bits_run(&bits, from, run, &words), have == run ? at - run : BITS_NONE);
			if (run == 1)
				assert_int_equal(bits_next(&bits, from), have ? at - 1 : BITS_NONE);
		}
	}
	bits_fini(&bits);
}

static void the_search_is_bounded(void **state)
{
	uint32_t words = 3;

	(void)state;
	for (uint32_t slot = 0; slot < SLOTS; slot += 2)
		bits_clear(&slots.slot, slot);
	assert_int_equal(bits_run(&slots.slot, 0, 2, &words), BITS_NONE);
	assert_int_equal(words, 0);
	assert_int_equal(bits_run(&slots.slot, 0, 1, &words), BITS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_follows_in_time_follows_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_write_finds_the_run, setup, teardown),
		cmocka_unit_test_setup_teardown(from_its_place_round_to_before_it, setup, teardown),
		cmocka_unit_test_setup_teardown(without_such_a_run_shorter_ones_do, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fully_fragmented_image_gives_what_it_has, setup, teardown),
		cmocka_unit_test_setup_teardown(a_nearly_full_image_gives_its_last_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_given_twice_or_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(the_search_finds_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(the_search_is_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
