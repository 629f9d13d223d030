/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/backend.c host-backend/daemon/disk.c host-backend/daemon/engine*.c host-backend/daemon/log.c host-backend/daemon/queue.c host-backend/daemon/uring.c */
/* sources: host-backend/daemon/medium.c host-backend/daemon/serve.c host-backend/daemon/session.c host-backend/daemon/shared.c */
/* sources: host-backend/daemon/watch.c host-backend/common/notify.c host-backend/daemon/window.c host-backend/daemon/place.c */
/* sources: host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/image/[a-z]*.c proto/control.c proto/request.c tests/unit/fake_backend.c tests/unit/fake_moves.c */
/* libs: -luring -lpthread */
/* The daemon's whole path, from a request in a ring to a file and back, with well-behaved guests, hostile ones, and kills. */
#include "unit.h"
#include <signal.h>

#define BLOCKS 200u
#include "daemon_image.h"

static int do_write(uint32_t queue, uint64_t block, uint32_t count, uint32_t version, uint8_t flags)
{
	push_write(queue, 3, block, count, version, flags);
	fake_notify(queue, guest.queue[queue].sq_tail - 1);
	return fake_pop(queue).status;
}

/* Reads block and checks that its data fits its seal. The version, 0 for a block never written. */
static uint32_t do_read(uint32_t queue, uint64_t block)
{
	struct tsr_blk_request r = request(TSR_BLK_READ, 5, block, 1);
	uint8_t expected[4096];
	struct tsr_seal *seal = fake_seals(queue, 5);

	memset(fake_data(queue, 5), 0xee, 4096);
	assert_int_equal(run(queue, &r), TSR_BLK_OK);
	memset(expected, seal->counter && !(seal->flags & TSR_SEAL_ZERO) ? (int)(uint8_t)(block * 7 + seal->counter) : 0xee, 4096);
	assert_memory_equal(fake_data(queue, 5), expected, 4096); /* nothing is moved for zero seals */
	return seal->counter;
}

/* Pages to and from the disk, as the daemon's way of moving them has it. */
static void expect_moved(uint64_t in, uint64_t out)
{
	bool direct_in = fake_mode == TSR_BACKEND_DIRECT, direct_out = fake_mode != TSR_BACKEND_COPY;

	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_direct_in), direct_in ? in : 0);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_copied_in), direct_in ? 0 : in);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_direct_out), direct_out ? out : 0);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_copied_out), direct_out ? 0 : out);
}

/* [RING-6] [RING-10] [STORE-4] [BLK-17] [BLK-18] */
static void what_was_written_is_read_back(void **state)
{
	struct tsr_blk_request zeroes = request(TSR_BLK_WRITE_ZEROES, 1, 40, 4);

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(guest.control->blocks, BLOCKS);
	assert_int_equal(guest.control->read_only, 0);
	assert_int_equal(do_read(0, 17), 0);
	assert_int_equal(do_write(0, 17, 32, 1, 0), TSR_BLK_OK);
	assert_int_equal(do_write(1, 20, 1, 2, TSR_BLK_FUA), TSR_BLK_OK);
	for (uint32_t i = 0; i < 4; i++)
		fake_seals(1, 1)[i] = (struct tsr_seal){ .counter = 9, .flags = TSR_SEAL_ZERO };
	assert_int_equal(run(1, &zeroes), TSR_BLK_OK);
	memset(fake_data(0, 3), 0x77, 32 * 4096);
	assert_int_equal(do_read(1, 17), 1);
	assert_int_equal(do_read(0, 20), 2);
	for (uint32_t i = 0; i < 32 * 4096; i++)
		assert_int_equal(fake_data(0, 3)[i], 0x77);
	assert_int_equal(do_read(0, 41), 9);
	assert_int_equal(do_read(0, 48), 1);
	assert_int_equal(do_read(0, 49), 0);
	assert_int_equal(fake_guest_ends(), 0);
	expect_moved(33, 3);
}

/* [RING-8] Of what a request named, only that is touched. */
static void a_read_of_many_blocks_gathers_pairs_and_leaves_the_rest(void **state)
{
	struct tsr_blk_request read_all = request(TSR_BLK_READ, 2, 60, 8);

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(do_write(0, 66, 1, 4, 0), TSR_BLK_OK);
	assert_int_equal(do_write(0, 60, 1, 5, 0), TSR_BLK_OK);
	assert_int_equal(do_write(0, 62, 3, 6, 0), TSR_BLK_OK);
	memset(fake_data(0, 2), 0xee, 8 * 4096);
	assert_int_equal(run(0, &read_all), TSR_BLK_OK);
	for (uint32_t i = 0; i < 8; i++) {
		const uint32_t versions[] = { 5, 0, 6, 6, 6, 0, 4, 0 };
		uint8_t byte = versions[i] ? (60 + i) * 7 + versions[i] : 0xee;

		assert_int_equal(fake_seals(0, 2)[i].counter, versions[i]);
		assert_int_equal(fake_data(0, 2)[i * 4096], byte);
		assert_int_equal(fake_data(0, 2)[i * 4096 + 4095], byte);
	}
	assert_int_equal(fake_guest_ends(), 0);
}

/* [STORE-2] [BLK-19] */
static void everything_is_there_after_sigterm_and_a_new_start(void **state)
{
	struct tsr_blk_request flush = request(TSR_BLK_FLUSH, 0, 0, 0);
	struct image_file file;
	struct image image;

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(do_write(0, 0, 32, 1, 0), TSR_BLK_OK);
	assert_int_equal(do_write(1, 10, 5, 2, 0), TSR_BLK_OK);
	assert_int_equal(run(0, &flush), TSR_BLK_OK);
	fake_signal(SIGUSR1);
	assert_int_equal(fake_signal(SIGTERM), 1); /* SERVE_STOPPED */
	assert_int_equal(image_file_open(&file, path, true, NULL, &why), 0);
	assert_int_equal(image_load(&image, &file.io, true, &why), 0);
	assert_int_equal(image.report.unverified, 0); /* it wrote a checkpoint */
	assert_int_equal(image.report.pairs, 32);
	image_drop(&image);
	image_file_close(&file);

	fake_start(path, false);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t i = 0; i < 32; i++)
		assert_int_equal(do_read(i & 1, i), i >= 10 && i < 15 ? 2 : 1);
	assert_int_equal(fake_guest_ends(), 0);
}

static void submit_all(uint32_t round)
{
	for (uint32_t queue = 0; queue < FAKE_QUEUES; queue++) {
		uint32_t old = guest.queue[queue].sq_tail;

		for (uint16_t id = 0; id < FAKE_DEPTH; id++)
			push_write(queue, id, queue * 100 + id * 10, 8, round, id & 1 ? TSR_BLK_FUA : 0);
		fake_notify(queue, old);
	}
}

/* [STORE-1] [STORE-7] A guest whose daemon is killed sends everything again to the next one, and nothing is lost. */
static void killed_with_requests_in_flight_nothing_is_lost(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t round = 1; round <= 10; round++) {
		submit_all(round);
		if (round & 1)
			fake_pop(0);
		fake_kill();
		fake_start(path, false);
		assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
		submit_all(round);
		for (uint32_t queue = 0; queue < FAKE_QUEUES; queue++)
			for (uint32_t id = 0; id < FAKE_DEPTH; id++)
				assert_int_equal(fake_pop(queue).status, TSR_BLK_OK);
		for (uint32_t queue = 0; queue < FAKE_QUEUES; queue++)
			for (uint32_t id = 0; id < FAKE_DEPTH; id++)
				for (uint32_t i = 0; i < 8; i++)
					assert_int_equal(do_read(queue, queue * 100 + id * 10 + i), round);
	}
	assert_int_equal(fake_guest_ends(), 0);
}

/* [STORE-3] */
static void header_slots_are_kept(void **state)
{
	struct tsr_blk_request write_header = request(TSR_BLK_HEADER_WRITE, 1, 1, TSR_HEADER_BLOCKS);
	struct tsr_blk_request read_header = request(TSR_BLK_HEADER_READ, 2, 1, TSR_HEADER_BLOCKS);

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t i = 0; i < TSR_HEADER_SIZE; i++)
		fake_data(0, 1)[i] = i * 13 + (i >> 8);
	assert_int_equal(run(0, &write_header), TSR_BLK_OK);
	fake_kill();
	fake_start(path, false);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(run(1, &read_header), TSR_BLK_OK);
	for (uint32_t i = 0; i < TSR_HEADER_SIZE; i++)
		assert_int_equal(fake_data(1, 2)[i], (uint8_t)(i * 13 + (i >> 8)));
	read_header.block = 0;
	assert_int_equal(run(1, &read_header), TSR_BLK_OK);
	assert_int_equal(fake_data(1, 2)[5], 0);
	assert_int_equal(fake_guest_ends(), 0);
}

/* Overwriting far more often than there are spare slots, without a flush. */
static void writes_that_find_no_slot_wait_for_one(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t round = 0; round < 40; round++) {
		for (uint32_t queue = 0; queue < FAKE_QUEUES; queue++) {
			uint32_t old = guest.queue[queue].sq_tail;

			for (uint16_t id = 0; id < FAKE_DEPTH; id++)
				push_write(queue, id, queue * 100 + (id & 1) * 40, 32, 1 + round % 200, 0);
			fake_notify(queue, old);
		}
		for (uint32_t queue = 0; queue < FAKE_QUEUES; queue++)
			for (uint32_t id = 0; id < FAKE_DEPTH; id++)
				assert_int_equal(fake_pop(queue).status, TSR_BLK_OK);
	}
	assert_int_equal(do_read(0, 0), 40);
	assert_int_equal(do_read(1, 140), 40);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [STORE-9] [BLK-16] */
static void wrong_requests_are_refused_one_by_one(void **state)
{
	struct tsr_blk_request r;

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	r = request(TSR_BLK_READ, 1, BLOCKS, 1);
	assert_int_equal(run(0, &r), TSR_BLK_E_RANGE);
	r = request(77, 1, 0, 1);
	assert_int_equal(run(0, &r), TSR_BLK_E_UNSUPPORTED);
	r = request(TSR_BLK_WRITE, 1, 0, 33);
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	r = request(TSR_BLK_WRITE, 1, 0, 1);
	fill(0, 1, 0, 0, 1);
	fake_seals(0, 1)->flags = TSR_SEAL_ZERO;
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	r = request(TSR_BLK_WRITE_ZEROES, 1, 0, 1);
	fake_seals(0, 1)->flags = 0;
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	assert_int_equal(do_read(0, 0), 0);
	assert_int_equal(do_write(0, 0, 1, 1, 0), TSR_BLK_OK); /* and it goes on */
	assert_int_equal(fake_guest_ends(), 0);
}

static void a_read_only_disk_is_one(void **state)
{
	struct tsr_blk_request flush = request(TSR_BLK_FLUSH, 0, 0, 0);

	NEEDS_URING();
	assert_int_equal(fake_guest_ends(), 0);
	fake_start(path, true);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(guest.control->read_only, 1);
	assert_int_equal(do_write(0, 0, 1, 1, 0), TSR_BLK_E_READONLY);
	assert_int_equal(run(0, &flush), TSR_BLK_OK);
	assert_int_equal(do_read(0, 0), 0);
	assert_int_equal(fake_guest_ends(), 0);
}

static void expect_failed_then_recovers(void)
{
	while (guest.control->state != TSR_BLK_BACKEND_FAILED)
		fake_raised(FAKE_EVENT, true);
	assert_int_equal(guest.control->error, TSR_BLK_E_INVALID);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(do_write(1, 7, 1, 3, 0), TSR_BLK_OK);
	assert_int_equal(do_read(0, 7), 3);
}

/* [RING-11] [RING-13] [RING-15] [BLK-14] */
static void a_broken_ring_ends_its_session_only(void **state)
{
	struct tsr_blk_request r = request(TSR_BLK_FLUSH, 8, 0, 0);

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	fake_push(0, &r); /* an id out of range */
	fake_doorbell(0);
	expect_failed_then_recovers();
	guest.queue[1].sq_tail += FAKE_DEPTH; /* a tail too far */
	fake_push(1, &r);
	fake_doorbell(1);
	expect_failed_then_recovers();
	for (int i = 0; i < 8; i++) /* an id used again before it was answered: some of eight are in flight together */
		push_write(0, 4, 0, 32, 1, TSR_BLK_FUA);
	fake_doorbell(0);
	expect_failed_then_recovers();
	assert_int_equal(fake_guest_ends(), 0);
}

/* [RING-12] Every field flips between right and wrong while the daemon reads it. */
static void a_request_that_changes_while_it_is_read_does_no_harm(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(do_write(1, 100, 1, 1, 0), TSR_BLK_OK);
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t at = guest.queue[0].sq_tail % FAKE_DEPTH;
		volatile struct tsr_blk_request *r = (volatile struct tsr_blk_request *)(guest.queue[0].ring + 4096 + at * 64);
		volatile struct tsr_seal *seal = fake_seals(0, 3);

		push_write(0, 3, 0, 1, 1, 0);
		fake_doorbell(0);
		while (!fake_completed(0)) {
			r->block ^= 1ull << (i % 64);
			r->count ^= 1u << (i % 32);
			r->data_page ^= 1u << (i % 32);
			seal->flags ^= TSR_SEAL_ZERO;
		}
		assert_in_range(fake_pop(0).status, TSR_BLK_OK, TSR_BLK_E_RANGE);
	}
	assert_int_equal(guest.control->state, TSR_BLK_BACKEND_READY);
	assert_int_equal(do_read(1, 100) > 0, 1);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [RING-4] [RING-9] The heads that the front-end writes say nothing that the daemon depends on. */
static void wrong_heads_change_nothing(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_true(((struct tsr_ring_header *)guest.queue[0].ring)->cq_tail == 0);
	for (uint32_t i = 0; i < 3 * FAKE_DEPTH; i++) {
		((struct tsr_ring_header *)guest.queue[0].ring)->cq_head = 0x12345678u * i;
		((struct tsr_ring_header *)guest.queue[0].ring)->sq_head = 0x87654321u * i;
		assert_int_equal(do_write(0, i, 1, i + 1, 0), TSR_BLK_OK);
	}
	for (uint32_t i = 0; i < 3 * FAKE_DEPTH; i++)
		assert_int_equal(do_read(1, i), i + 1);
	assert_int_equal(fake_guest_ends(), 0);
}

static void a_wrong_control_page_is_refused_and_the_next_served(void **state)
{
	NEEDS_URING();
	fake_prepare();
	guest.control->depth = 3;
	fake_connect();
	assert_int_equal(fake_answer(), TSR_BLK_BACKEND_FAILED);
	assert_int_equal(guest.control->error, TSR_BLK_E_INVALID);
	fake_prepare();
	guest.control->queue[1].data.generation++; /* a token that is not there */
	fake_connect();
	assert_int_equal(fake_answer(), TSR_BLK_BACKEND_FAILED);
	assert_int_equal(guest.control->error, TSR_BLK_E_IO);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(do_write(0, 7, 1, 3, 0), TSR_BLK_OK);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [RING-17] [STORE-8] */
static void pages_revoked_before_the_copy_are_never_stored(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(do_write(0, 30, 32, 1, 0), TSR_BLK_OK);
	fake_revoke(guest.queue[0].data);
	push_write(0, 3, 30, 32, 2, 0);
	fake_doorbell(0);
	assert_int_equal(do_read(1, 30), 1); /* the other queue still runs */

	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	assert_int_equal(do_read(0, 30), 1);
	fake_revoke(guest.queue[0].seals);
	push_write(0, 3, 30, 32, 2, 0);
	fake_doorbell(0);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t i = 30; i < 62; i++)
		assert_int_equal(do_read(0, i), 1);

	fake_revoke(guest.queue[0].ring); /* what the daemon then sees there is no broken ring either */
	fake_doorbell(0);
	assert_int_equal(do_read(1, 31), 1);
	assert_int_equal(guest.control->state, TSR_BLK_BACKEND_READY);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [STORE-10] [BLK-13] Nothing of the old session is written once the new one is open. */
static void a_new_session_starts_when_the_old_ones_requests_have_ended(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	for (uint32_t round = 1; round <= 20; round++) {
		submit_all(2 * round);
		/* Of the old session's writes some were taken, some were not; the new one's must stand. */
		assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
		assert_int_equal(do_write(0, 0, 1, 2 * round + 1, 0), TSR_BLK_OK);
		assert_int_equal(do_read(1, 0), 2 * round + 1);
	}
	assert_int_equal(fake_guest_ends(), 0);
}

/* [RING-16] [RING-18] [RING-19] [RING-20] [RING-21] */
static void notifications_come_when_asked_for(void **state)
{
	struct tsr_blk_request flush = request(TSR_BLK_FLUSH, 0, 0, 0);
	struct tsr_ring_header *header;

	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	fake_doorbell(0); /* without entries: nothing happens */
	fake_doorbell(1);
	header = (struct tsr_ring_header *)guest.queue[0].ring;
	assert_int_equal(do_read(1, 0), 0);
	fake_raised(FAKE_EVENT + 1, false);
	__atomic_store_n(&header->cq_event, 1000, __ATOMIC_SEQ_CST); /* not before the thousandth */
	for (int i = 0; i < 20; i++) {
		fake_push(0, &flush);
		fake_doorbell(0);
		while (!fake_completed(0))
			usleep(100);
		fake_pop(0);
	}
	assert_int_equal(fake_raised(FAKE_EVENT + 1, false), 0);
	__atomic_store_n(&header->cq_event, guest.queue[0].cq_head, __ATOMIC_SEQ_CST);
	fake_push(0, &flush);
	fake_doorbell(0);
	assert_int_equal(fake_raised(FAKE_EVENT + 1, true), 1);
	fake_pop(0);
	assert_int_equal(fake_guest_ends(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read_back),
		TEST(a_read_of_many_blocks_gathers_pairs_and_leaves_the_rest),
		TEST(everything_is_there_after_sigterm_and_a_new_start),
		TEST(killed_with_requests_in_flight_nothing_is_lost),
		TEST(header_slots_are_kept),
		TEST(writes_that_find_no_slot_wait_for_one),
		TEST(wrong_requests_are_refused_one_by_one),
		TEST(a_read_only_disk_is_one),
		TEST(a_broken_ring_ends_its_session_only),
		TEST(a_request_that_changes_while_it_is_read_does_no_harm),
		TEST(wrong_heads_change_nothing),
		TEST(a_wrong_control_page_is_refused_and_the_next_served),
		TEST(pages_revoked_before_the_copy_are_never_stored),
		TEST(a_new_session_starts_when_the_old_ones_requests_have_ended),
		TEST(notifications_come_when_asked_for),
	};

	return run_moving(tests, sizeof(tests) / sizeof(tests[0]));
}
