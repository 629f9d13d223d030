/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Freshness words and claims: BLK-21 to BLK-24 of spec/block.md. */
/* sources: none */
/* libs: -lpthread */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "proto/fresh.h"

static struct tsr_seal with_tag(uint64_t first)
{
	struct tsr_seal seal = { .counter = 1, .epoch = 1 };

	memcpy(seal.tag, &first, sizeof(first));
	return seal;
}

/* A tag that would read as "unknown", "lost" or "claimed" must not be taken for it. */
static void test_no_tag_is_a_special_word(void **state)
{
	const uint64_t tags[] = { TSR_FRESH_UNKNOWN, TSR_FRESH_LOST, TSR_FRESH_CLAIMED, 1, 2, 0x8000000000000000ull };

	(void)state;
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct tsr_seal seal = with_tag(tags[i]);
		uint64_t word = tsr_fresh_word(&seal);

		assert_true(word != TSR_FRESH_UNKNOWN && word != TSR_FRESH_LOST && word != TSR_FRESH_CLAIMED);
		assert_true(tsr_fresh_accepts(word, &seal));
		assert_true(tsr_fresh_accepts(TSR_FRESH_UNKNOWN, &seal));
		assert_false(tsr_fresh_accepts(TSR_FRESH_LOST, &seal));
		assert_false(tsr_fresh_accepts(TSR_FRESH_CLAIMED, &seal));
	}
}

static void test_another_tag_is_refused(void **state)
{
	struct tsr_seal old = with_tag(0x1111), new = with_tag(0x2222);

	(void)state;
	assert_false(tsr_fresh_accepts(tsr_fresh_word(&new), &old));
}

/* A claim that meets a claimed block leaves every word as it was. */
static void test_a_claim_is_all_or_nothing(void **state)
{
	uint64_t words[8] = { 10, 11, 12, 13, 14, 15, 16, 17 }, before[8], other[1];

	(void)state;
	assert_true(tsr_fresh_claim(&words[5], 1, other));
	assert_int_equal(other[0], 15);
	assert_false(tsr_fresh_claim(words, 8, before));
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(words[i], i == 5 ? TSR_FRESH_CLAIMED : 10 + i);
	assert_true(tsr_fresh_claim(words, 5, before));
	assert_false(tsr_fresh_claim(&words[4], 1, other));
	tsr_fresh_release(words, 5, before);
	assert_int_equal(words[4], 14);
}

#define WORDS   16
#define THREADS 4
#define ROUNDS  20000

static uint64_t shared[WORDS];
static int owner[WORDS]; /* touched by whoever has the claim only: a race is seen by its value */

static void *hammer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	uint64_t before[WORDS];
	uintptr_t failed = 0;

	for (int n = 0; n < ROUNDS; n++) {
		uint32_t from, count;

		seed = seed * 1103515245u + 12345u;
		from = (seed >> 16) % WORDS;
		count = 1 + (seed >> 8) % (WORDS - from);
		if (!tsr_fresh_claim(&shared[from], count, before))
			continue;
		for (uint32_t i = from; i < from + count; i++) {
			failed += owner[i] != 0;
			owner[i] = 1;
		}
		for (uint32_t i = from; i < from + count; i++)
			owner[i] = 0;
		for (uint32_t i = 0; i < count; i++)
			before[i]++;
		tsr_fresh_release(&shared[from], count, before);
	}
	return (void *)failed;
}

static void test_a_block_has_one_owner(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hammer, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		void *failed;

		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	for (int i = 0; i < WORDS; i++)
		assert_true(shared[i] != TSR_FRESH_CLAIMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_tag_is_a_special_word),
		cmocka_unit_test(test_another_tag_is_refused),
		cmocka_unit_test(test_a_claim_is_all_or_nothing),
		cmocka_unit_test(test_a_block_has_one_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
