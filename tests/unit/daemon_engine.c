/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/backend.c host-backend/daemon/disk.c host-backend/daemon/engine*.c host-backend/daemon/log.c */
/* sources: host-backend/daemon/queue.c host-backend/daemon/uring.c host-backend/daemon/medium.c host-backend/daemon/serve.c host-backend/daemon/session.c */
/* sources: host-backend/daemon/shared.c host-backend/daemon/watch.c host-backend/common/notify.c host-backend/daemon/window.c host-backend/daemon/place.c host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/image/[a-z]*.c */
/* sources: host-backend/examples/memory.c proto/control.c proto/request.c tests/unit/fake_backend.c tests/unit/fake_moves.c */
/* libs: -luring -lpthread */
/*
 * Other storage engines than files: the example, and one that ends its I/O late, in another order, from a thread of its own, in pieces and
 * with errors, as one over a network might.
 */
#include "unit.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "daemon_requests.h"
#include "host-backend/daemon/engine.h"

#define BLOCKS 200u
#define WAITS  5u /* I/O that the late engine lets wait before it does the last that came */

static char name[64];
static bool have_uring;

/* What the next late engine refuses; inherited by the daemon's process. */
static enum { NOTHING, DATA_WRITES, SYNCS } refuses;

/* ------------------------------------------------------------------ the late engine */

static struct {
	struct image_io io; /* of the memory engine below it */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	struct engine_io *first; /* the last that came */
	uint32_t count;
	bool end;
} late = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* A whole multiple of 64, less than all if it is more than that. */
static int do_a_part(const struct engine_io *io)
{
	size_t size = io->size > 64 ? io->size / 128 * 64 : io->size;

	if (refuses == SYNCS && io->op == ENGINE_SYNC)
		return -EREMOTEIO;
	if (refuses == DATA_WRITES && io->op == ENGINE_WRITE && !io->meta)
		return -ENOSPC;
	if (io->op == ENGINE_SYNC)
		return late.io.sync(io->context);
	if (io->op == ENGINE_WRITE)
		return late.io.write(io->context, io->data, size, io->offset) ? -EIO : (int)size;
	return late.io.read(io->context, io->data, size, io->offset) ? -EIO : (int)size;
}

static void *work_late(void *unused)
{
	struct timespec soon = { .tv_nsec = 1000000 };
	struct engine_io *io;

	pthread_mutex_lock(&late.lock);
	while (!late.end) {
		if (!late.first) {
			pthread_cond_wait(&late.changed, &late.lock);
			continue;
		}
		io = late.first;
		late.first = io->next;
		late.count--;
		pthread_mutex_unlock(&late.lock);
		if (late.count < WAITS)
			nanosleep(&soon, NULL);
		engine_done(io, do_a_part(io));
		pthread_mutex_lock(&late.lock);
	}
	pthread_mutex_unlock(&late.lock);
	return unused;
}

static int late_open(struct image_io *io, const struct engine_where *where, struct image_error *error)
{
	int result = engine_find("memory")->open(&late.io, where, error);

	*io = late.io;
	return result ? result : -pthread_create(&late.thread, NULL, work_late, NULL);
}

static void late_close(void *context)
{
	pthread_mutex_lock(&late.lock);
	late.end = true;
	pthread_cond_signal(&late.changed);
	pthread_mutex_unlock(&late.lock);
	pthread_join(late.thread, NULL);
	engine_find("memory")->close(context);
}

static void late_submit(struct engine_io *io)
{
	assert_false(io->fixed);
	pthread_mutex_lock(&late.lock);
	io->next = late.first;
	late.first = io;
	late.count++;
	pthread_cond_signal(&late.changed);
	pthread_mutex_unlock(&late.lock);
}

static const struct engine engine_late = { .name = "late", .help = "", .open = late_open, .close = late_close, .submit = late_submit };
ENGINE(late);

/* ------------------------------------------------------------------ tests */

static int group_setup(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "tessera-test-%d", getpid());
	have_uring = fake_init();
	return 0;
}

static int setup(void **state)
{
	const struct engine_where where = { .name = name, .create = image_bytes(BLOCKS) };
	const uint8_t id[16] = { 3 };
	struct image_error error;
	struct image_io io;

	(void)state;
	assert_int_equal(engine_find("memory")->open(&io, &where, &error), 0);
	assert_int_equal(image_create(&io, BLOCKS, id, false, &error), 0);
	engine_find("memory")->close(io.context);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	refuses = NOTHING;
	return shm_unlink(name);
}

static bool begin(const char *engine)
{
	fake_engine = engine;
	if (!have_uring)
		return false;
	fake_start(name, false);
	assert_int_equal(fake_session(), TSR_BLK_BACKEND_READY);
	return true;
}

static int run(uint32_t queue, const struct tsr_blk_request *r)
{
	fake_push(queue, r);
	fake_notify(queue, guest.queue[queue].sq_tail - 1);
	return fake_pop(queue).status;
}

static int do_write(uint32_t queue, uint64_t block, uint32_t count, uint32_t version, uint8_t flags)
{
	push_write(queue, 3, block, count, version, flags);
	fake_notify(queue, guest.queue[queue].sq_tail - 1);
	return fake_pop(queue).status;
}

/* The version of each of count blocks, whose data has to be that of it. */
static void expect(uint32_t queue, uint64_t block, uint32_t count, uint32_t version)
{
	struct tsr_blk_request r = request(TSR_BLK_READ, 5, block, count);

	memset(fake_data(queue, 5), 0xee, count * 4096);
	assert_int_equal(run(queue, &r), TSR_BLK_OK);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(fake_seals(queue, 5)[i].counter, version);
		assert_int_equal(fake_data(queue, 5)[i * 4096], version ? (uint8_t)((block + i) * 7 + version) : 0xee);
		assert_memory_equal(fake_data(queue, 5) + i * 4096, fake_data(queue, 5) + i * 4096 + 1, 4095);
	}
}

static void keeps_blocks(const char *engine)
{
	struct tsr_blk_request flush = request(TSR_BLK_FLUSH, 0, 0, 0);

	if (!begin(engine))
		skip();
	expect(0, 17, 32, 0);
	assert_int_equal(do_write(0, 17, 32, 1, 0), TSR_BLK_OK);
	assert_int_equal(do_write(1, 20, 1, 2, TSR_BLK_FUA), TSR_BLK_OK);
	/* Both queues at once, full. */
	for (uint32_t queue = 0; queue < FAKE_QUEUES; queue++) {
		uint32_t old = guest.queue[queue].sq_tail;

		for (uint16_t id = 0; id < FAKE_DEPTH; id++)
			push_write(queue, id, 100 + queue * 50 + id * 6, 6, 9, 0);
		fake_notify(queue, old);
	}
	for (uint32_t i = 0; i < FAKE_QUEUES * FAKE_DEPTH; i++)
		assert_int_equal(fake_pop(i % FAKE_QUEUES).status, TSR_BLK_OK);
	assert_int_equal(run(0, &flush), TSR_BLK_OK);
	expect(1, 17, 3, 1);
	expect(1, 20, 1, 2);
	assert_int_equal(fake_counter(TSR_BACKEND_COUNT_direct_in), 0);
	assert_int_equal(fake_signal(SIGTERM), 1);

	assert_true(begin(engine));
	expect(0, 20, 1, 2);
	expect(0, 21, 28, 1);
	for (uint32_t queue = 0; queue < FAKE_QUEUES; queue++)
		expect(queue, 100 + queue * 50, 32, 9);
	assert_int_equal(fake_guest_ends(), 0);
}

static void the_example_keeps_blocks(void **state)
{
	(void)state;
	keeps_blocks("memory");
}

static void an_engine_may_answer_late_in_pieces_and_from_a_thread(void **state)
{
	(void)state;
	keeps_blocks("late");
}

static void a_killed_daemon_leaves_the_example_whole(void **state)
{
	(void)state;
	if (!begin("memory"))
		skip();
	assert_int_equal(do_write(0, 0, 32, 1, TSR_BLK_FUA), TSR_BLK_OK);
	fake_kill();
	assert_true(begin("memory"));
	expect(0, 0, 32, 1);
	assert_int_equal(fake_guest_ends(), 0);
}

/* [BLK-20] The old pairs stay; and no more than that is lost. */
static void a_refused_write_leaves_the_old_blocks(void **state)
{
	(void)state;
	if (!begin("late"))
		skip();
	assert_int_equal(do_write(0, 0, 8, 1, TSR_BLK_FUA), TSR_BLK_OK);
	assert_int_equal(fake_signal(SIGTERM), 1);
	refuses = DATA_WRITES;
	assert_true(begin("late"));
	assert_int_equal(do_write(0, 0, 8, 2, 0), TSR_BLK_E_NOSPACE);
	expect(1, 0, 8, 1);
	assert_int_equal(fake_signal(SIGTERM), 1);
	refuses = NOTHING;
	assert_true(begin("late"));
	expect(1, 0, 8, 1);
	assert_int_equal(fake_guest_ends(), 0);
}

static void a_failed_sync_is_final(void **state)
{
	struct tsr_blk_request flush = request(TSR_BLK_FLUSH, 0, 0, 0);

	(void)state;
	refuses = SYNCS;
	if (!begin("late"))
		skip();
	assert_int_equal(do_write(0, 0, 1, 1, 0), TSR_BLK_OK);
	assert_int_equal(run(0, &flush), TSR_BLK_E_IO);
	assert_int_equal(do_write(1, 1, 1, 1, 0), TSR_BLK_E_IO);
	expect(1, 0, 1, 1);
	assert_int_equal(fake_guest_ends(), 0);
}

static void the_example_has_one_user_at_a_time(void **state)
{
	const struct engine_where where = { .name = name };
	const struct engine *memory = engine_find("memory");
	struct image_error error;
	struct image_io first, second;

	(void)state;
	assert_int_equal(memory->open(&first, &where, &error), 0);
	assert_true(memory->open(&second, &where, &error) < 0);
	memory->close(first.context);
	assert_int_equal(memory->open(&second, &where, &error), 0);
	memory->close(second.context);
	assert_null(engine_find("nothing"));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_example_keeps_blocks),
		TEST(an_engine_may_answer_late_in_pieces_and_from_a_thread),
		TEST(a_killed_daemon_leaves_the_example_whole),
		TEST(a_refused_write_leaves_the_old_blocks),
		TEST(a_failed_sync_is_final),
		TEST(the_example_has_one_user_at_a_time),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
