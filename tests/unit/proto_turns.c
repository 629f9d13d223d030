/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: none */
#include "unit.h"
#include "proto/turns.h"

#define DEPTH 64u
#define LIMIT 6u
#define REQUESTS 5000u

static uint32_t lowest_free(const uint32_t *request)
{
	uint32_t slot = 0;

	while (request[slot])
		slot++;
	return slot;
}

/*
 * Requests enter the lowest free slot, as in the block driver, and the limit lets LIMIT of them go at a time. The most that went of those which came later
 * than one that still waited. first: takes from turns the slot that goes next.
 */
static uint32_t most_overtakers(uint32_t (*first)(const struct tsr_turns *turns))
{
	uint32_t request[DEPTH] = { 0 }, overtakers[REQUESTS + 1] = { 0 }, next = 1, most = 0;
	struct tsr_turns turns = { 0 };

	while (next < REQUESTS) {
		while (turns.count < DEPTH && next < REQUESTS) {
			uint32_t slot = lowest_free(request);

			request[slot] = next++;
			tsr_turns_wait(&turns, (uint16_t)slot);
		}
		for (uint32_t n = 0; n < LIMIT; n++) {
			uint32_t at = first(&turns), slot = turns.slot[at];

			for (uint32_t i = 0; i < DEPTH; i++)
				if (request[i] && request[i] < request[slot] && ++overtakers[request[i]] > most)
					most = overtakers[request[i]];
			request[slot] = 0;
			turns.slot[at] = turns.slot[0];
			tsr_turns_served(&turns, 1);
		}
	}
	return most;
}

static uint32_t longest_waiting(const struct tsr_turns *turns)
{
	(void)turns;
	return 0;
}

static uint32_t lowest_slot(const struct tsr_turns *turns)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < turns->count; i++)
		if (turns->slot[i] < turns->slot[at])
			at = i;
	return at;
}

/* [BLK-43] */
static void nobody_is_overtaken_at_a_limit(void **state)
{
	(void)state;
	assert_int_equal(most_overtakers(longest_waiting), 0);
	/* Control: by slots' numbers the highest waits until the load ends. */
	assert_true(most_overtakers(lowest_slot) > REQUESTS / 2);
}

static void what_is_left_keeps_its_order(void **state)
{
	struct tsr_turns turns = { 0 };

	(void)state;
	for (uint16_t slot = 0; slot < TSR_TURNS_MAX; slot++)
		tsr_turns_wait(&turns, (uint16_t)(TSR_TURNS_MAX - 1 - slot));
	tsr_turns_served(&turns, 0);
	tsr_turns_served(&turns, 60);
	assert_int_equal(turns.count, 4);
	tsr_turns_wait(&turns, 60);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(turns.slot[i], 3 - i);
	assert_int_equal(turns.slot[4], 60);
	tsr_turns_served(&turns, 5);
	assert_int_equal(turns.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_overtaken_at_a_limit),
		cmocka_unit_test(what_is_left_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
