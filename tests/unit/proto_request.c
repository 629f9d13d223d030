/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: proto/request.c */
#include "unit.h"
#include "proto/request.h"

static const struct tsr_blk_limits limits = { .depth = 8, .data_pages = 64, .blocks = 1000 };

static struct tsr_blk_request request(uint8_t op, uint32_t count, uint64_t block, uint32_t page)
{
	return (struct tsr_blk_request){ .id = 7, .op = op, .count = count, .block = block, .data_page = page };
}

static int status(uint8_t op, uint32_t count, uint64_t block, uint32_t page)
{
	struct tsr_blk_request r = request(op, count, block, page);

	return tsr_blk_request_check(&r, &limits);
}

static void right_requests_pass(void **state)
{
	(void)state;
	assert_int_equal(status(TSR_BLK_READ, 1, 0, 0), TSR_BLK_OK);
	assert_int_equal(status(TSR_BLK_READ, 32, 968, 32), TSR_BLK_OK);
	assert_int_equal(status(TSR_BLK_WRITE, 1, 999, 63), TSR_BLK_OK);
	assert_int_equal(status(TSR_BLK_WRITE_ZEROES, 32, 0, 0), TSR_BLK_OK);
	assert_int_equal(status(TSR_BLK_FLUSH, 0, 0, 0), TSR_BLK_OK);
	assert_int_equal(status(TSR_BLK_HEADER_READ, 16, 0, 0), TSR_BLK_OK);
	assert_int_equal(status(TSR_BLK_HEADER_WRITE, 16, 1, 48), TSR_BLK_OK);
}

/* [BLK-16] */
static void counts_are_bounded(void **state)
{
	const uint8_t ops[] = { TSR_BLK_READ, TSR_BLK_WRITE, TSR_BLK_WRITE_ZEROES };

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(status(ops[i], 0, 0, 0), TSR_BLK_E_INVALID);
		assert_int_equal(status(ops[i], 33, 0, 0), TSR_BLK_E_INVALID);
		assert_int_equal(status(ops[i], 0xffffffffu, 0, 0), TSR_BLK_E_INVALID);
	}
	assert_int_equal(status(TSR_BLK_FLUSH, 1, 0, 0), TSR_BLK_E_INVALID);
	assert_int_equal(status(TSR_BLK_HEADER_READ, 15, 0, 0), TSR_BLK_E_INVALID);
	assert_int_equal(status(TSR_BLK_HEADER_WRITE, 17, 0, 0), TSR_BLK_E_INVALID);
}

static void blocks_stay_within_the_capacity_without_overflow(void **state)
{
	(void)state;
	assert_int_equal(status(TSR_BLK_READ, 1, 1000, 0), TSR_BLK_E_RANGE);
	assert_int_equal(status(TSR_BLK_WRITE, 2, 999, 0), TSR_BLK_E_RANGE);
	assert_int_equal(status(TSR_BLK_READ, 32, UINT64_MAX - 15, 0), TSR_BLK_E_RANGE);
	assert_int_equal(status(TSR_BLK_WRITE_ZEROES, 1, UINT64_MAX, 0), TSR_BLK_E_RANGE);
	assert_int_equal(status(TSR_BLK_HEADER_READ, 16, 2, 0), TSR_BLK_E_RANGE);
	assert_int_equal(status(TSR_BLK_FLUSH, 0, 1, 0), TSR_BLK_E_INVALID);
}

static void a_capacity_smaller_than_the_request_is_no_underflow(void **state)
{
	const struct tsr_blk_limits small = { .depth = 8, .data_pages = 64, .blocks = 3 };
	struct tsr_blk_request r = request(TSR_BLK_READ, 4, 0, 0);

	(void)state;
	assert_int_equal(tsr_blk_request_check(&r, &small), TSR_BLK_E_RANGE);
}

static void data_pages_stay_within_the_run_without_overflow(void **state)
{
	(void)state;
	assert_int_equal(status(TSR_BLK_READ, 1, 0, 64), TSR_BLK_E_INVALID);
	assert_int_equal(status(TSR_BLK_WRITE, 32, 0, 33), TSR_BLK_E_INVALID);
	assert_int_equal(status(TSR_BLK_WRITE, 2, 0, 0xffffffffu), TSR_BLK_E_INVALID);
	assert_int_equal(status(TSR_BLK_HEADER_WRITE, 16, 0, 49), TSR_BLK_E_INVALID);
	assert_int_equal(status(TSR_BLK_WRITE_ZEROES, 1, 0, 1), TSR_BLK_E_INVALID);
	assert_int_equal(status(TSR_BLK_FLUSH, 0, 0, 1), TSR_BLK_E_INVALID);
}

/* [BLK-16] */
static void unknown_operations_are_unsupported(void **state)
{
	(void)state;
	for (int op = 0; op < 256; op++)
		if (op < TSR_BLK_READ || op > TSR_BLK_HEADER_WRITE)
			assert_int_equal(status(op, 1, 0, 0), TSR_BLK_E_UNSUPPORTED);
}

static void flags_and_reserved_fields_are_checked(void **state)
{
	struct tsr_blk_request r = request(TSR_BLK_WRITE, 1, 0, 0);

	(void)state;
	r.flags = TSR_BLK_FUA;
	assert_int_equal(tsr_blk_request_check(&r, &limits), TSR_BLK_OK);
	for (uint32_t flag = TSR_BLK_UNMAP; flag < 0x100; flag <<= 1) {
		r.flags = flag;
		assert_int_equal(tsr_blk_request_check(&r, &limits), TSR_BLK_E_INVALID);
	}
	r = request(TSR_BLK_READ, 1, 0, 0);
	r.flags = TSR_BLK_FUA;
	assert_int_equal(tsr_blk_request_check(&r, &limits), TSR_BLK_E_INVALID);
	r.flags = 0;
	r.segments = 1;
	assert_int_equal(tsr_blk_request_check(&r, &limits), TSR_BLK_E_INVALID);
	r.segments = 0;
	for (size_t at = offsetof(struct tsr_blk_request, reserved1); at < sizeof(r); at++) {
		((uint8_t *)&r)[at] = 1;
		assert_int_equal(tsr_blk_request_check(&r, &limits), TSR_BLK_E_INVALID);
		((uint8_t *)&r)[at] = 0;
	}
	assert_int_equal(tsr_blk_request_check(&r, &limits), TSR_BLK_OK);
}

static struct tsr_blk_request large(uint8_t op, uint32_t count, uint32_t page, uint32_t segments)
{
	return (struct tsr_blk_request){ .id = 7, .op = op, .flags = TSR_BLK_INDIRECT, .count = count, .data_page = page, .segments = segments };
}

static int large_status(uint8_t op, uint32_t count, uint32_t page, uint32_t segments)
{
	const struct tsr_blk_limits room = { .depth = 8, .data_pages = 512, .blocks = 1000 };
	struct tsr_blk_request r = large(op, count, page, segments);

	return tsr_blk_request_check(&r, &room);
}

/* [BLK-1] [BLK-29] */
static void large_requests_have_a_table(void **state)
{
	const uint8_t ops[] = { TSR_BLK_READ, TSR_BLK_WRITE };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(large_status(ops[i], 256, 0, 1), TSR_BLK_OK);
		assert_int_equal(large_status(ops[i], 256, 509, 256), TSR_BLK_OK);
		assert_int_equal(large_status(ops[i], 1, 510, 1), TSR_BLK_OK);
		assert_int_equal(large_status(ops[i], 257, 0, 1), TSR_BLK_E_INVALID);
		assert_int_equal(large_status(ops[i], 0, 0, 0), TSR_BLK_E_INVALID);
		assert_int_equal(large_status(ops[i], 256, 510, 1), TSR_BLK_E_INVALID); /* the table reaches over the run's end */
		assert_int_equal(large_status(ops[i], 256, 0xffffffffu, 1), TSR_BLK_E_INVALID);
		assert_int_equal(large_status(ops[i], 256, 0, 0), TSR_BLK_E_INVALID);
		assert_int_equal(large_status(ops[i], 4, 0, 5), TSR_BLK_E_INVALID);
	}
	assert_int_equal(large_status(TSR_BLK_WRITE_ZEROES, 256, 0, 0), TSR_BLK_OK);
	assert_int_equal(large_status(TSR_BLK_WRITE_ZEROES, 256, 0, 1), TSR_BLK_E_INVALID);
	assert_int_equal(large_status(TSR_BLK_HEADER_READ, 16, 0, 0), TSR_BLK_E_INVALID);
	assert_int_equal(large_status(TSR_BLK_FLUSH, 0, 0, 0), TSR_BLK_E_INVALID);
}

/* [BLK-29] */
static void segments_name_as_many_pages_as_there_are_blocks(void **state)
{
	struct tsr_blk_request r = large(TSR_BLK_WRITE, 10, 0, 3);
	struct tsr_blk_segment right[] = { { 20, 4 }, { 63, 1 }, { 10, 5 } }, s[3];

	(void)state;
	assert_true(tsr_blk_segments_check(&r, right, &limits));
#define BAD(change)                                              \
	do {                                                     \
		memcpy(s, right, sizeof(s));                     \
		change;                                          \
		assert_false(tsr_blk_segments_check(&r, s, &limits)); \
	} while (0)
	BAD(s[0].count = 3);
	BAD(s[2].count = 6);
	BAD(s[1].count = 0; s[2].count = 6);
	BAD(s[1].page = 64);
	BAD(s[2].page = 0xfffffffeu);
	BAD(s[0].count = 0xffffffffu);
	BAD(s[0].count = 0xfffffffcu; s[1].count = 14);
	BAD(s[0].page = 61);
	r.segments = 2; /* the third is not looked at */
	BAD(s[2].count = 5);
}

static void a_read_only_disk_takes_reads_and_flushes_only(void **state)
{
	const struct tsr_blk_limits read_only = { .depth = 8, .data_pages = 64, .blocks = 1000, .read_only = true };
	const int expected[] = { [TSR_BLK_READ] = TSR_BLK_OK, [TSR_BLK_WRITE] = TSR_BLK_E_READONLY, [TSR_BLK_FLUSH] = TSR_BLK_OK,
				 [TSR_BLK_WRITE_ZEROES] = TSR_BLK_E_READONLY, [TSR_BLK_HEADER_READ] = TSR_BLK_OK,
				 [TSR_BLK_HEADER_WRITE] = TSR_BLK_E_READONLY };

	(void)state;
	for (int op = TSR_BLK_READ; op <= TSR_BLK_HEADER_WRITE; op++) {
		struct tsr_blk_request r = request(op, op >= TSR_BLK_HEADER_READ ? 16 : op == TSR_BLK_FLUSH ? 0 : 1, 0, 0);

		assert_int_equal(tsr_blk_request_check(&r, &read_only), expected[op]);
	}
}

/* [RING-7] [RING-13] */
static void ids_are_below_the_depth(void **state)
{
	struct tsr_blk_request r = request(TSR_BLK_FLUSH, 0, 0, 0);

	(void)state;
	r.id = 7;
	assert_true(tsr_blk_request_id_valid(&r, 8));
	r.id = 8;
	assert_false(tsr_blk_request_id_valid(&r, 8));
	r.id = 0xffff;
	assert_false(tsr_blk_request_id_valid(&r, 256));
}

/* [STORE-9] */
static void seals_suit_their_request(void **state)
{
	struct tsr_blk_request write = request(TSR_BLK_WRITE, 1, 0, 0), zeroes = request(TSR_BLK_WRITE_ZEROES, 1, 0, 0);
	struct tsr_seal data = { .flags = 0 }, zero = { .flags = TSR_SEAL_ZERO }, odd = { .flags = 2 }, both = { .flags = 3 };

	(void)state;
	assert_true(tsr_blk_seal_suits(&write, &data));
	assert_false(tsr_blk_seal_suits(&write, &zero));
	assert_false(tsr_blk_seal_suits(&write, &odd));
	assert_false(tsr_blk_seal_suits(&zeroes, &data));
	assert_true(tsr_blk_seal_suits(&zeroes, &zero));
	assert_false(tsr_blk_seal_suits(&zeroes, &both));
}

static void pages_are_moved_where_there_is_data(void **state)
{
	struct tsr_blk_request r = request(TSR_BLK_WRITE, 5, 0, 0);

	(void)state;
	assert_int_equal(tsr_blk_request_pages(&r), 5);
	r.op = TSR_BLK_WRITE_ZEROES;
	assert_int_equal(tsr_blk_request_pages(&r), 0);
	r.op = TSR_BLK_FLUSH;
	assert_int_equal(tsr_blk_request_pages(&r), 0);
	r = large(TSR_BLK_READ, 128, 0, 1);
	assert_int_equal(tsr_blk_request_pages(&r), 2);
	r = large(TSR_BLK_WRITE_ZEROES, 129, 0, 0);
	assert_int_equal(tsr_blk_request_pages(&r), 3);
}

/* [BLK-40] */
static void a_strict_request_brings_a_token_of_just_its_pages(void **state)
{
	struct tsr_blk_limits strict = { .depth = 8, .data_pages = 512, .blocks = 1000, .mode = TSR_BLK_STRICT }, pooled = strict;
	struct tsr_blk_request r = { .op = TSR_BLK_WRITE, .count = 5, .data_page = 507, .token = { .generation = 1 } };
	struct tsr_blk_segment segment = { .page = 13, .count = 128 };

	(void)state;
	pooled.mode = TSR_BLK_POOLED;
	assert_int_equal(tsr_blk_token_pages(&r), 5);
	assert_int_equal(tsr_blk_token_dir(&r), TSR_DIR_READ);
	assert_int_equal(tsr_blk_request_check(&r, &strict), TSR_BLK_OK);
	assert_int_equal(tsr_blk_request_check(&r, &pooled), TSR_BLK_E_INVALID);
	r.token.generation = 0;
	assert_int_equal(tsr_blk_request_check(&r, &strict), TSR_BLK_E_INVALID);
	assert_int_equal(tsr_blk_request_check(&r, &pooled), TSR_BLK_OK);
	r.op = TSR_BLK_READ;
	assert_int_equal(tsr_blk_token_dir(&r), TSR_DIR_WRITE);
	r = (struct tsr_blk_request){ .op = TSR_BLK_FLUSH, .token = { .generation = 1 } };
	assert_int_equal(tsr_blk_request_check(&r, &strict), TSR_BLK_E_INVALID);
	r.token.generation = 0;
	assert_int_equal(tsr_blk_request_check(&r, &strict), TSR_BLK_OK);

	r = (struct tsr_blk_request){ .op = TSR_BLK_READ, .flags = TSR_BLK_INDIRECT, .count = 128, .data_page = 11, .segments = 1,
				      .token = { .generation = 1 } };
	assert_int_equal(tsr_blk_token_pages(&r), 2 + 128);
	assert_int_equal(tsr_blk_token_dir(&r), TSR_DIR_BOTH);
	assert_int_equal(tsr_blk_request_check(&r, &strict), TSR_BLK_OK);
	assert_true(tsr_blk_segments_check(&r, &segment, &strict));
	segment.page++;
	assert_false(tsr_blk_segments_check(&r, &segment, &strict)); /* not of its token */
	assert_true(tsr_blk_segments_check(&r, &segment, &pooled));
	r.data_page = 384;
	assert_int_equal(tsr_blk_request_check(&r, &strict), TSR_BLK_E_INVALID);
}

/* [RING-14] */
static void completions_are_checked(void **state)
{
	struct tsr_blk_completion c = { .id = 7, .status = TSR_BLK_E_UNSUPPORTED };

	(void)state;
	assert_true(tsr_blk_completion_check(&c, 8));
	c.status++;
	assert_false(tsr_blk_completion_check(&c, 8));
	c = (struct tsr_blk_completion){ .id = 8 };
	assert_false(tsr_blk_completion_check(&c, 8));
	for (size_t at = offsetof(struct tsr_blk_completion, reserved0); at < sizeof(c); at++) {
		c = (struct tsr_blk_completion){ .id = 7 };
		((uint8_t *)&c)[at] = 0x80;
		assert_false(tsr_blk_completion_check(&c, 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_requests_pass),
		cmocka_unit_test(counts_are_bounded),
		cmocka_unit_test(blocks_stay_within_the_capacity_without_overflow),
		cmocka_unit_test(a_capacity_smaller_than_the_request_is_no_underflow),
		cmocka_unit_test(data_pages_stay_within_the_run_without_overflow),
		cmocka_unit_test(unknown_operations_are_unsupported),
		cmocka_unit_test(flags_and_reserved_fields_are_checked),
		cmocka_unit_test(large_requests_have_a_table),
		cmocka_unit_test(segments_name_as_many_pages_as_there_are_blocks),
		cmocka_unit_test(a_read_only_disk_takes_reads_and_flushes_only),
		cmocka_unit_test(ids_are_below_the_depth),
		cmocka_unit_test(seals_suit_their_request),
		cmocka_unit_test(pages_are_moved_where_there_is_data),
		cmocka_unit_test(a_strict_request_brings_a_token_of_just_its_pages),
		cmocka_unit_test(completions_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
