/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/backend.c host-backend/daemon/disk.c host-backend/daemon/engine*.c host-backend/daemon/log.c host-backend/daemon/queue.c host-backend/daemon/uring.c */
/* sources: host-backend/daemon/medium.c host-backend/daemon/serve.c host-backend/daemon/session.c host-backend/daemon/shared.c */
/* sources: host-backend/daemon/watch.c host-backend/common/notify.c host-backend/daemon/window.c host-backend/daemon/place.c */
/* sources: host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/image/[a-z]*.c proto/control.c proto/request.c tests/unit/fake_backend.c tests/unit/fake_moves.c */
/* libs: -luring -lpthread */
/* Strict and copied sessions on the daemon's whole path. */
#include "unit.h"

#define BLOCKS 400u
#include "daemon_image.h"

static void begin(void **state, enum tsr_blk_mode mode)
{
	(void)state;
	if (!have_uring)
		skip();
	unlink(path);
	assert_int_equal(image_file_create(path, BLOCKS, NULL, &why), 0);
	fake_asks = mode;
	fake_start(path, false);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
}

/* A strict request's token, of where its data is. */
static struct tsr_blk_request with_token(struct tsr_blk_request r)
{
	r.token = fake_token(guest.queue[0].data + (size_t)r.data_page * 4096);
	return r;
}

static struct tsr_blk_request filled(uint16_t id, uint64_t block, uint32_t count, uint32_t version)
{
	for (uint32_t i = 0; i < count; i++)
		fill(0, id, i, block + i, version);
	return request(TSR_BLK_WRITE, id, block, count);
}

/* [BLK-40] */
static void a_strict_requests_pages_are_mapped_for_it(void **state)
{
	struct tsr_blk_request w, r;

	begin(state, TSR_BLK_STRICT);
	w = with_token(filled(3, 50, 8, 2));
	assert_int_equal(run(0, &w), TSR_BLK_OK);
	fake_revoke(fake_data(0, 3));
	memset(fake_data(0, 3), 0xee, 8 * 4096);
	r = with_token(request(TSR_BLK_READ, 5, 48, 16));
	memset(fake_data(0, 5), 0xee, 16 * 4096);
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(fake_data(0, 5)[i * 4096 + 9], i >= 2 && i < 10 ? (uint8_t)((48 + i) * 7 + 2) : 0xee);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_granted), 2);
	/* The same place again, with another token's pages over what the daemon has not unmapped. */
	fake_revoke(fake_data(0, 5));
	memset(fake_data(0, 5), 0, 4096);
	r = with_token(request(TSR_BLK_READ, 5, 50, 1));
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	assert_int_equal(fake_data(0, 5)[0], (uint8_t)(50 * 7 + 2));
	assert_int_equal(fake_guest_ends(), 0);
}

/* [BLK-40] [BLK-16] */
static void a_bad_token_fails_its_request_and_no_other(void **state)
{
	struct tsr_blk_request bad, good, none = request(TSR_BLK_READ, 4, 0, 1), flush = request(TSR_BLK_FLUSH, 6, 0, 0);
	uint32_t tail;

	begin(state, TSR_BLK_STRICT);
	bad = with_token(filled(3, 50, 2, 2));
	bad.token.generation++;
	good = with_token(filled(2, 60, 2, 2));
	tail = guest.queue[0].sq_tail;
	fake_push(0, &bad);
	fake_push(0, &good);
	fake_push(0, &none);
	flush.token = good.token;
	fake_push(0, &flush);
	fake_notify(0, tail);
	for (int i = 0; i < 4; i++) {
		struct tsr_blk_completion completion = fake_pop(0);

		assert_int_equal(completion.status, completion.id == 2 ? TSR_BLK_OK : TSR_BLK_E_INVALID);
	}
	good = with_token(request(TSR_BLK_READ, 5, 50, 1));
	assert_int_equal(run(0, &good), TSR_BLK_OK);
	assert_int_equal(fake_seals(0, 5)->counter, 0); /* nothing was written */
	assert_int_equal(fake_guest_ends(), 0);
}

/* [BLK-40] [BLK-13] */
static void a_session_that_ends_leaves_no_page_mapped(void **state)
{
	struct tsr_blk_request w;

	begin(state, TSR_BLK_STRICT);
	w = with_token(filled(3, 50, 8, 2));
	assert_int_equal(run(0, &w), TSR_BLK_OK);
	/* Not revoked: the daemon has to let go by itself, before it uses the window for anything else. */
	fake_asks = TSR_BLK_POOLED;
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	w = filled(3, 70, 8, 3);
	assert_int_equal(run(0, &w), TSR_BLK_OK);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [BLK-42] */
static void in_copy_mode_the_hypervisor_moves_all_data(void **state)
{
	struct tsr_blk_request w, r, header = request(TSR_BLK_HEADER_WRITE, 1, 1, TSR_HEADER_BLOCKS);

	begin(state, TSR_BLK_COPIED);
	w = filled(3, 50, 8, 2);
	assert_int_equal(run(0, &w), TSR_BLK_OK);
	memset(fake_data(0, 1), 0x5a, TSR_HEADER_SIZE);
	assert_int_equal(run(0, &header), TSR_BLK_OK);
	memset(fake_data(0, 1), 0, TSR_HEADER_SIZE);
	header.op = TSR_BLK_HEADER_READ;
	assert_int_equal(run(0, &header), TSR_BLK_OK);
	assert_int_equal(fake_data(0, 1)[TSR_HEADER_SIZE - 1], 0x5a);
	memset(fake_data(0, 5), 0xee, 16 * 4096);
	r = request(TSR_BLK_READ, 5, 48, 16);
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(fake_data(0, 5)[i * 4096 + 9], i >= 2 && i < 10 ? (uint8_t)((48 + i) * 7 + 2) : 0xee);
	assert_int_equal(fake_seals(0, 5)[2].counter, 2);
	assert_int_equal(fake_guest_ends(), 0);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_hv_in), 8 + 16);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_hv_out), 8 + 16);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_copied_in) + fake_counter(TSR_BACKEND_COUNT_copied_out), 0);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_direct_in) + fake_counter(TSR_BACKEND_COUNT_direct_out), 0);
}

/* [BLK-42] [BLK-36] Reads and writes wait; what was read arrives. */
static void a_copy_for_which_the_host_has_no_memory_is_tried_again(void **state)
{
	fake_starves = 3;
	in_copy_mode_the_hypervisor_moves_all_data(state);
	fake_starves = 0;
}

/* [BLK-42] [BLK-29] */
static void a_table_is_copied_too(void **state)
{
	struct tsr_blk_request r = { .id = 0, .op = TSR_BLK_WRITE, .flags = TSR_BLK_INDIRECT, .count = 40, .block = 100, .data_page = 200, .segments = 2 };
	struct tsr_blk_segment *segment;
	struct tsr_seal *seal;

	begin(state, TSR_BLK_COPIED);
	segment = (struct tsr_blk_segment *)(guest.queue[0].data + 200 * 4096);
	seal = (struct tsr_seal *)(guest.queue[0].data + 200 * 4096 + TSR_BLK_TABLE_SEALS);
	segment[0] = (struct tsr_blk_segment){ 10, 39 };
	segment[1] = (struct tsr_blk_segment){ 90, 1 };
	for (uint32_t i = 0; i < 40; i++) {
		memset(guest.queue[0].data + (i < 39 ? 10 + i : 90) * 4096, (int)i + 1, 4096);
		seal[i] = (struct tsr_seal){ .counter = i + 1, .epoch = 1 };
	}
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	memset(guest.queue[0].data + 10 * 4096, 0, 81 * 4096);
	memset(seal, 0, 40 * sizeof(*seal));
	r.op = TSR_BLK_READ;
	assert_int_equal(run(0, &r), TSR_BLK_OK);
	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(guest.queue[0].data[(i < 39 ? 10 + i : 90) * 4096 + 4095], i + 1);
		assert_int_equal(seal[i].counter, i + 1);
	}
	segment[1].page = 256;
	assert_int_equal(run(0, &r), TSR_BLK_E_INVALID);
	assert_int_equal(fake_guest_ends(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_strict_requests_pages_are_mapped_for_it, teardown),
		cmocka_unit_test_teardown(a_bad_token_fails_its_request_and_no_other, teardown),
		cmocka_unit_test_teardown(a_session_that_ends_leaves_no_page_mapped, teardown),
		cmocka_unit_test_teardown(in_copy_mode_the_hypervisor_moves_all_data, teardown),
		cmocka_unit_test_teardown(a_copy_for_which_the_host_has_no_memory_is_tried_again, teardown),
		cmocka_unit_test_teardown(a_table_is_copied_too, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
