/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: none */
#include "unit.h"
#include "proto/ring.h"

/* [RING-1] */
static void depth_is_a_power_of_two_in_range(void **state)
{
	uint32_t valid = 0;

	(void)state;
	for (uint32_t depth = 0; depth < 2000; depth++)
		valid += tsr_ring_depth_valid(depth);
	assert_int_equal(valid, 8); /* 2, 4, ... 256 */
	assert_true(tsr_ring_depth_valid(2));
	assert_true(tsr_ring_depth_valid(256));
	assert_false(tsr_ring_depth_valid(0));
	assert_false(tsr_ring_depth_valid(1));
	assert_false(tsr_ring_depth_valid(512));
	assert_false(tsr_ring_depth_valid(0x80000000u));
}

/* [RING-2] */
static void parts_start_on_page_boundaries_and_do_not_overlap(void **state)
{
	(void)state;
	for (uint32_t depth = 2; depth <= TSR_RING_MAX_DEPTH; depth *= 2) {
		assert_int_equal(tsr_ring_sq_at(0, depth), 4096);
		assert_int_equal(tsr_ring_cq_at(0, depth) % 4096, 0);
		assert_true(tsr_ring_sq_at(depth - 1, depth) + 64 <= tsr_ring_cq_at(0, depth));
		assert_true(tsr_ring_cq_at(depth - 1, depth) + 16 <= TSR_RING_PAGES(depth) * 4096);
	}
	assert_int_equal(TSR_RING_PAGES(2), 3);
	assert_int_equal(TSR_RING_PAGES(64), 3);
	assert_int_equal(TSR_RING_PAGES(128), 4);
	assert_int_equal(TSR_RING_PAGES(256), 6);
}

/* [RING-3] */
static void each_side_has_its_own_cache_line(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct tsr_ring_header, sq_tail), 0);
	assert_int_equal(offsetof(struct tsr_ring_header, cq_head), 4);
	assert_int_equal(offsetof(struct tsr_ring_header, cq_event), 8);
	assert_int_equal(offsetof(struct tsr_ring_header, sq_head), 64);
	assert_int_equal(offsetof(struct tsr_ring_header, cq_tail), 68);
	assert_int_equal(offsetof(struct tsr_ring_header, sq_event), 72);
}

/* [RING-5] */
static void places_are_masked_over_the_wrap(void **state)
{
	(void)state;
	assert_int_equal(tsr_ring_sq_at(0xffffffffu, 8), 4096 + 7 * 64);
	assert_int_equal(tsr_ring_sq_at(0, 8), 4096);
	assert_int_equal(tsr_ring_sq_at(8, 8), 4096);
	assert_int_equal(tsr_ring_cq_at(9, 8), 8192 + 16);
}

/* [RING-5] [RING-11] */
static void a_tail_may_claim_at_most_one_ring_full(void **state)
{
	(void)state;
	assert_int_equal(tsr_ring_new(5, 5, 8), 0);
	assert_int_equal(tsr_ring_new(6, 5, 8), 1);
	assert_int_equal(tsr_ring_new(13, 5, 8), 8);
	assert_int_equal(tsr_ring_new(14, 5, 8), TSR_RING_BROKEN);
	assert_int_equal(tsr_ring_new(4, 5, 8), TSR_RING_BROKEN); /* backwards */
	assert_int_equal(tsr_ring_new(3, 0xfffffffeu, 8), 5);
	assert_int_equal(tsr_ring_new(7, 0xfffffffeu, 8), TSR_RING_BROKEN);
	assert_int_equal(tsr_ring_new(0x80000005u, 5, 8), TSR_RING_BROKEN);
}

/* The definition, step by step. */
static bool passes(uint32_t event, uint32_t now, uint32_t old)
{
	for (uint32_t at = old; at != now; at++)
		if (at == event)
			return true;
	return false;
}

/* [RING-18] */
static void a_notification_is_due_when_the_tail_passes_the_event(void **state)
{
	(void)state;
	for (uint32_t base = 0xfffffff0u; base != 0x10; base++)
		for (uint32_t moved = 0; moved < 12; moved++)
			for (uint32_t offset = 0; offset < 24; offset++)
				assert_int_equal(tsr_ring_need_event(base - 6 + offset, base + moved, base),
						 passes(base - 6 + offset, base + moved, base));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_is_a_power_of_two_in_range),
		cmocka_unit_test(parts_start_on_page_boundaries_and_do_not_overlap),
		cmocka_unit_test(each_side_has_its_own_cache_line),
		cmocka_unit_test(places_are_masked_over_the_wrap),
		cmocka_unit_test(a_tail_may_claim_at_most_one_ring_full),
		cmocka_unit_test(a_notification_is_due_when_the_tail_passes_the_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
