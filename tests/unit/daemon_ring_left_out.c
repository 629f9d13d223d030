/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/backend.c host-backend/daemon/disk.c host-backend/daemon/engine*.c host-backend/daemon/log.c host-backend/daemon/queue.c */
/* sources: host-backend/daemon/medium.c host-backend/daemon/serve.c host-backend/daemon/session.c host-backend/daemon/shared.c */
/* sources: host-backend/daemon/op.c host-backend/daemon/uring.c host-backend/daemon/watch.c host-backend/common/notify.c host-backend/daemon/window.c host-backend/daemon/place.c */
/* sources: host-backend/daemon/stage.c host-backend/daemon/work.c host-backend/image/[a-z]*.c proto/control.c proto/request.c tests/unit/fake_backend.c tests/unit/fake_moves.c */
/* libs: -luring -lpthread -Wl,--wrap=tsr_blk_request_id_valid,--wrap=queue_stop */
/*
 * Negative controls of the daemon's whole path: a guest's lie about its ring, and a session that comes while the one before is at work. With what stops
 * them the daemon goes on; without, it falls, which the sanitizers see where the kernel would not.
 */
#include "unit.h"
#include <signal.h>
#include "host-backend/daemon/queue.h"

#define BLOCKS 200u
#include "daemon_image.h"

static enum { NOTHING, IDS, STOP } left_out; /* as it is when the daemon starts */

bool __real_tsr_blk_request_id_valid(const struct tsr_blk_request *request, uint32_t depth);
bool __wrap_tsr_blk_request_id_valid(const struct tsr_blk_request *request, uint32_t depth);
void __real_queue_stop(struct queue *queue);
void __wrap_queue_stop(struct queue *queue);

bool __wrap_tsr_blk_request_id_valid(const struct tsr_blk_request *request, uint32_t depth)
{
	return left_out == IDS || __real_tsr_blk_request_id_valid(request, depth);
}

void __wrap_queue_stop(struct queue *queue)
{
	static int before = -1;
	const uint64_t one = 1;

	if (left_out != STOP) {
		__real_queue_stop(queue);
		return;
	}
	/* The thread of the one before wakes now that its memory is gone: it may have had nothing left to do, and slept on. */
	if (before >= 0)
		assert_int_equal(write(before, &one, sizeof(one)), sizeof(one));
	before = queue->kick;
}

static int start(void **state)
{
	left_out = NOTHING;
	return setup(state);
}

/* Another one, without a part of it. */
static void start_without(unsigned what)
{
	fake_kill();
	left_out = what;
	fake_start(path, false);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
}

static void push_an_id_that_no_ring_has(void)
{
	struct tsr_blk_request r = request(TSR_BLK_FLUSH, 0xfffe, 0, 0);

	fake_push(0, &r);
	fake_doorbell(0);
}

/* [RING-13] [RING-15] */
static void an_id_reaches_beyond_the_ring(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	push_an_id_that_no_ring_has();
	while (guest.control->state != TSR_BLK_BACKEND_FAILED)
		fake_raised(FAKE_EVENT, true);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	start_without(IDS);
	push_an_id_that_no_ring_has();
	assert_int_not_equal(fake_ends(), 0);
}

static void push_flushes_and_connect(void)
{
	for (uint16_t id = 0; id < FAKE_DEPTH; id++) {
		struct tsr_blk_request r = request(TSR_BLK_FLUSH, id, 0, 0);

		fake_push(0, &r);
	}
	fake_doorbell(0);
	fake_prepare();
	fake_connect();
}

/* [STORE-10] */
static void a_session_begins_while_requests_of_the_one_before_are_under_way(void **state)
{
	NEEDS_URING();
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	push_flushes_and_connect();
	assert_int_equal(fake_answer(), TSR_BLK_BACKEND_READY);
	start_without(STOP);
	push_flushes_and_connect();
	assert_int_not_equal(fake_ends(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_id_reaches_beyond_the_ring, start, teardown),
		cmocka_unit_test_setup_teardown(a_session_begins_while_requests_of_the_one_before_are_under_way, start, teardown),
	};

	return _cmocka_run_group_tests("daemon", tests, sizeof(tests) / sizeof(tests[0]), group_setup, NULL);
}
