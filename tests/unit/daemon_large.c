/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/backend.c host-backend/daemon/disk.c host-backend/daemon/engine*.c host-backend/daemon/log.c host-backend/daemon/queue.c host-backend/daemon/uring.c */
/* sources: host-backend/daemon/medium.c host-backend/daemon/serve.c host-backend/daemon/session.c host-backend/daemon/shared.c */
/* sources: host-backend/daemon/watch.c host-backend/common/notify.c host-backend/daemon/window.c host-backend/daemon/place.c */
/* sources: host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/image/[a-z]*.c proto/control.c proto/request.c tests/unit/fake_backend.c tests/unit/fake_moves.c */
/* libs: -luring -lpthread */
/* Large requests and their tables, on the daemon's whole path. */
#include "unit.h"
#include <sys/stat.h>

#define BLOCKS 1000u
#define TABLE  250u /* first page of the table, near the end of the data run of 256 */
#include "daemon_image.h"

static uint8_t *page(uint32_t number)
{
	return guest.queue[0].data + (size_t)number * 4096;
}

static struct tsr_blk_segment *segments(void)
{
	return (struct tsr_blk_segment *)page(TABLE);
}

static struct tsr_seal *seals(void)
{
	return (struct tsr_seal *)(page(TABLE) + TSR_BLK_TABLE_SEALS);
}

/* Blocks' pages in no order that a table would have by itself: a few long segments, many of one page, all backwards. */
static uint32_t page_of(uint32_t index)
{
	return index < 100 ? 100 + index : index < 150 ? 99 - (index - 100) : 200 + (index - 150) % 50;
}

static struct tsr_blk_request large(uint8_t op, uint64_t block, uint32_t count)
{
	struct tsr_blk_request r = { .id = 2, .op = op, .flags = TSR_BLK_INDIRECT, .block = block, .count = count, .data_page = TABLE };

	for (uint32_t i = 0; i < count && op != TSR_BLK_WRITE_ZEROES; i++) {
		if (i && page_of(i) == page_of(i - 1) + 1)
			segments()[r.segments - 1].count++;
		else
			segments()[r.segments++] = (struct tsr_blk_segment){ page_of(i), 1 };
	}
	return r;
}

static uint8_t byte_of(uint64_t block, uint32_t version)
{
	return block * 7 + version;
}

static void fill_large(uint64_t block, uint32_t count, uint32_t version, uint32_t flags)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!(flags & TSR_SEAL_ZERO))
			memset(page(page_of(i)), byte_of(block + i, version), 4096);
		seals()[i] = (struct tsr_seal){ .tag = { version }, .counter = version, .epoch = block + i + 1, .flags = flags };
	}
}

#define LARGE 200u

static void expect_large(uint64_t block, uint32_t version, bool zero)
{
	struct tsr_blk_request r = large(TSR_BLK_READ, block, LARGE);

	for (uint32_t i = 0; i < LARGE; i++)
		memset(page(page_of(i)), 0xee, 4096);
	memset(seals(), 0, LARGE * sizeof(struct tsr_seal));
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	for (uint32_t i = 0; i < LARGE; i++) {
		uint8_t byte = zero ? 0xee : byte_of(block + i, version);

		assert_int_equal(seals()[i].counter, version);
		assert_int_equal(seals()[i].epoch, block + i + 1);
		assert_int_equal(page(page_of(i))[0], byte);
		assert_int_equal(page(page_of(i))[4095], byte);
	}
}

/* [BLK-1] [BLK-29] [BLK-17] [STORE-1] */
static void a_large_request_is_written_and_read_by_its_table(void **state)
{
	struct tsr_blk_request r;

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t version = 1; version <= 12; version++) { /* more than there are spare slots, and so fragmented */
		uint64_t block = version % 3 * 150;

		fill_large(block, LARGE, version, 0);
		r = large(TSR_BLK_WRITE, block, LARGE);
		r.flags |= version & 1 ? TSR_BLK_FUA : 0;
		assert_int_equal(run(0, &r), TSR_BLK_OK);
		expect_large(block, version, false);
		push_write(0, 1, block + version * 3, 1, version, 0); /* a hole in the middle */
		fake_notify(0, guest.queue[0].sq_tail - 1);
		assert_int_equal(fake_pop(0).status, TSR_BLK_OK);
	}
	fake_kill();
	fake_start(path, false);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	expect_large(0, 12, false);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [SEAL-5] Zero seals come by the table, without data, and are pairs as any other; the daemon never makes one up. */
static void large_zeroes_bring_their_seals(void **state)
{
	struct tsr_blk_request r;

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	fill_large(300, LARGE, 1, 0);
	r = large(TSR_BLK_WRITE, 300, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	fill_large(300, LARGE, 2, TSR_SEAL_ZERO);
	seals()[150].flags = 0;
	r = large(TSR_BLK_WRITE_ZEROES, 300, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	expect_large(300, 1, false);
	fill_large(300, LARGE, 2, TSR_SEAL_ZERO);
	r.flags |= TSR_BLK_UNMAP;
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	expect_large(300, 2, true);
	assert_int_equal(seals()[0].flags, TSR_SEAL_ZERO);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [BLK-29] [BLK-16] */
static void a_wrong_table_is_refused_and_changes_nothing(void **state)
{
	struct tsr_blk_request r;

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	fill_large(0, LARGE, 1, 0);
	r = large(TSR_BLK_WRITE, 0, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	fill_large(0, LARGE, 2, 0);
	segments()[0].count--;
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	r = large(TSR_BLK_WRITE, 0, LARGE);
	segments()[1].page = 256;
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	r = large(TSR_BLK_WRITE, 0, LARGE);
	r.data_page = 254;
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	expect_large(0, 1, false);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [RING-12] The table flips between right and wrong while the daemon reads it. */
static void a_table_that_changes_while_it_is_read_does_no_harm(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t i = 0; i < 200; i++) {
		struct tsr_blk_request r = large(i & 1 ? TSR_BLK_READ : TSR_BLK_WRITE, 0, LARGE);
		volatile struct tsr_blk_segment *segment = &segments()[i % r.segments];

		fill_large(0, LARGE, 1, 0);
		fake_push(0, &r);
		fake_doorbell(0);
		while (!fake_completed(0)) {
			segment->page ^= 1u << (i % 32);
			segment->count ^= 1u << (i % 32);
		}
		assert_in_range(fake_pop(0).status, TSR_BLK_OK, TSR_BLK_E_INVALID);
	}
	assert_int_equal(guest.control->state, TSR_BLK_BACKEND_READY);
	assert_int_equal(fake_guest_ends(), 0);
}

static long long allocated(void)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_blocks * 512ll;
}

/* Zeroes the disk over and over, so that each slot is used again; how many bytes of the image are stored then. */
static long long zero_often(uint8_t flags)
{
	struct tsr_blk_request flush = { .op = TSR_BLK_FLUSH }, r;

	for (uint32_t version = 10; version < 26; version++) {
		fill_large(0, LARGE, version, TSR_SEAL_ZERO);
		r = large(TSR_BLK_WRITE_ZEROES, 0, LARGE);
		r.flags |= flags;
		assert_int_equal(run(0, &r), TSR_BLK_OK);
		assert_int_equal(run(0, &flush), TSR_BLK_OK);
	}
	expect_large(0, 25, true);
	return allocated();
}

/* UNMAP gives space back, and its absence keeps it. */
static void space_is_given_back_when_it_is_not_needed(void **state)
{
	struct tsr_blk_request flush = { .op = TSR_BLK_FLUSH }, r;
	long long kept;

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	fill_large(0, LARGE, 1, 0);
	r = large(TSR_BLK_WRITE, 0, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	fill_large(300, LARGE, 3, 0);
	r = large(TSR_BLK_WRITE, 300, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	assert_int_equal(run(0, &flush), TSR_BLK_OK);
	kept = zero_often(0);
	assert_true(kept >= 2 * LARGE * 4096ll);
	assert_true(zero_often(TSR_BLK_UNMAP) <= kept - LARGE * 4096ll);
	expect_large(300, 3, false);
	assert_int_equal(fake_guest_ends(), 0);
}

static void expect_nothing(void)
{
	struct tsr_blk_request r = large(TSR_BLK_READ, 0, LARGE);

	assert_int_equal(run(0, &r), TSR_BLK_OK);
	for (uint32_t i = 0; i < LARGE; i++)
		assert_int_equal(seals()[i].epoch | seals()[i].flags | seals()[i].counter, 0);
}

/* [BLK-34] */
static void a_guest_that_only_reads_is_taken_at_its_word(void **state)
{
	struct tsr_blk_request r;

	NEEDS_URING();
	fake_prepare();
	guest.control->reading = 1;
	guest.control->features = 0xfffffff0u; /* [BLK-33] of a later version */
	fake_connect();
	assert_int_equal(fake_answer(), TSR_BLK_BACKEND_READY);
	assert_int_equal(guest.control->backend_features, 0);
	assert_int_equal(guest.control->read_only, 0);
	fill_large(0, LARGE, 1, 0);
	r = large(TSR_BLK_WRITE, 0, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_E_READONLY);
	r = large(TSR_BLK_WRITE_ZEROES, 0, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_E_READONLY);
	r = (struct tsr_blk_request){ .op = TSR_BLK_HEADER_WRITE, .count = TSR_HEADER_BLOCKS };
	assert_int_equal(run(0, &r), TSR_BLK_E_READONLY);
	expect_nothing();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY); /* it says so for each session anew */
	fill_large(0, LARGE, 1, 0);
	r = large(TSR_BLK_WRITE, 0, LARGE);
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	assert_int_equal(fake_guest_ends(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_large_request_is_written_and_read_by_its_table),
		TEST(large_zeroes_bring_their_seals),
		TEST(a_wrong_table_is_refused_and_changes_nothing),
		TEST(a_table_that_changes_while_it_is_read_does_no_harm),
		TEST(space_is_given_back_when_it_is_not_needed),
		TEST(a_guest_that_only_reads_is_taken_at_its_word),
	};

	return run_moving(tests, sizeof(tests) / sizeof(tests[0]));
}
