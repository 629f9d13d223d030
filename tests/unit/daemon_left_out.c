/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/daemon/engine.c host-backend/daemon/disk.c host-backend/daemon/medium.c host-backend/daemon/shared.c */
/* sources: host-backend/daemon/log.c host-backend/daemon/place.c host-backend/image/[a-z]*.c proto/request.c tests/unit/simdisk.c */
/* libs: -Wl,--wrap=tsr_blk_request_check,--wrap=tsr_blk_segments_check,--wrap=shared_live_range */
/*
 * Negative controls of the back-end: each attack is made with the check that stops it and without, where it succeeds. The linker takes the checks away,
 * so that the sources are what they are everywhere.
 */
#include "unit.h"
#include <errno.h>
#include "host-backend/daemon/queue.h"
#include "host-backend/daemon/shared.h"
#include "simdisk.h"

#define BLOCKS 64u
#define PAGES  16u

static struct simdisk medium;
static struct image image;
static struct disk disk;
static struct queue queue;
static struct work work;
static struct tsr_backend_page page;
static struct image_error why;
/* The guest's pages, and what lies behind them: the daemon's. */
static uint8_t memory[(PAGES + 8) * 4096] __attribute__((aligned(4096)));
static uint8_t seals[TSR_BLK_SEAL_SLOT] __attribute__((aligned(4096)));
static uint8_t buffer[TSR_BLK_MAX_BLOCKS * 4096] __attribute__((aligned(4096)));
static int completed;
static enum { NOTHING, REQUESTS, SEGMENTS, MARKS } left_out;

enum tsr_blk_status __real_tsr_blk_request_check(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits);
enum tsr_blk_status __wrap_tsr_blk_request_check(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits);
bool __real_tsr_blk_segments_check(const struct tsr_blk_request *request, const struct tsr_blk_segment *segment, const struct tsr_blk_limits *limits);
bool __wrap_tsr_blk_segments_check(const struct tsr_blk_request *request, const struct tsr_blk_segment *segment, const struct tsr_blk_limits *limits);
bool __real_shared_live_range(const void *from, size_t size);
bool __wrap_shared_live_range(const void *from, size_t size);

enum tsr_blk_status __wrap_tsr_blk_request_check(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	return left_out == REQUESTS ? TSR_BLK_OK : __real_tsr_blk_request_check(request, limits);
}

bool __wrap_tsr_blk_segments_check(const struct tsr_blk_request *request, const struct tsr_blk_segment *segment, const struct tsr_blk_limits *limits)
{
	return left_out == SEGMENTS || __real_tsr_blk_segments_check(request, segment, limits);
}

bool __wrap_shared_live_range(const void *from, size_t size)
{
	return left_out == MARKS || __real_shared_live_range(from, size);
}

static void submit(struct engine_io *io)
{
	(void)io; /* the test looks at work.op */
}

static const struct engine engine = { .name = "test", .submit = submit };

void engine_done(struct engine_io *io, int result)
{
	(void)io;
	fail_msg("%d", result);
}

void queue_complete(struct work *done, enum tsr_blk_status status)
{
	(void)done;
	completed = status;
}

void queue_revoked(struct queue *unused, struct work *done)
{
	(void)unused;
	(void)done;
	completed = -ESTALE;
}

static int setup(void **state)
{
	const uint8_t id[16] = { 7 };
	struct medium how = { .mode = TSR_BACKEND_DIRECT };

	(void)state;
	assert_true(shared_init());
	simdisk_init(&medium, image_bytes(BLOCKS), 1);
	assert_int_equal(image_create(&medium.io, BLOCKS, id, false, &why), 0);
	assert_int_equal(image_load(&image, &medium.io, false, &why), 0);
	memset(&queue, 0, sizeof(queue));
	disk_init(&disk, &image, &engine, &how, &page);
	queue.disk = &disk;
	queue.data = memory;
	queue.seals = seals;
	queue.counters = page.counter[0];
	queue.mode = TSR_BACKEND_DIRECT;
	queue.limits = (struct tsr_blk_limits){ .depth = 1, .data_pages = PAGES, .blocks = BLOCKS };
	queue.waiting_end = &queue.waiting;
	memset(memory, 0x11, PAGES * 4096);
	memset(memory + PAGES * 4096, 0xdd, sizeof(memory) - PAGES * 4096);
	for (uint32_t i = 0; i < TSR_BLK_DIRECT_BLOCKS; i++)
		((struct tsr_seal *)seals)[i] = (struct tsr_seal){ .counter = 1, .epoch = 1 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	image_drop(&image);
	simdisk_fini(&medium);
	return 0;
}

/* Until it ends, or until a piece of it does what it must never do. */
static int serve(struct tsr_blk_request request, unsigned without)
{
	left_out = without;
	completed = -1;
	memset(&work, 0, sizeof(work));
	work.queue = &queue;
	work.buffer = buffer;
	work.request = request;
	work_start(&(struct work *){ &work }, 1);
	work_unpin(&queue);
	while (work.pending) {
		uint32_t ops = work.ops;

		for (uint32_t i = 0; i < ops; i++) {
			struct engine_io *io = &work.op[i].io;
			bool write = io->op == ENGINE_WRITE;

			assert_int_equal(write ? medium.io.write(&medium, io->data, io->size, io->offset) :
						 medium.io.read(&medium, io->data, io->size, io->offset), 0);
			work_op_done(&work.op[i], (int)io->size);
		}
	}
	return completed;
}

static uint8_t stored(uint32_t block)
{
	uint8_t data[TSR_BLOCK_SIZE];
	struct tsr_seal seal;

	assert_int_equal(image_read(&image, block, &seal, data), 0);
	return data[0];
}

/* [RING-13] [BLK-16] */
static void the_daemons_own_memory_is_stored_for_the_guest(void **state)
{
	struct tsr_blk_request r = { .op = TSR_BLK_WRITE, .block = 4, .count = 1, .data_page = PAGES };

	(void)state;
	assert_int_equal(serve(r, NOTHING), TSR_BLK_E_INVALID);
	assert_int_equal(stored(4), 0);
	assert_int_equal(serve(r, REQUESTS), TSR_BLK_OK);
	assert_int_equal(stored(4), 0xdd);
}

/* [RING-16] [BLK-29] */
static void a_table_names_pages_behind_the_run(void **state)
{
	struct tsr_blk_request r = { .op = TSR_BLK_WRITE, .flags = TSR_BLK_INDIRECT, .block = 5, .count = 1, .segments = 1 };
	struct tsr_blk_segment *table = (struct tsr_blk_segment *)memory;
	struct tsr_seal *seal = (struct tsr_seal *)(memory + TSR_BLK_TABLE_SEALS);

	(void)state;
	*table = (struct tsr_blk_segment){ .page = PAGES + 2, .count = 1 };
	*seal = (struct tsr_seal){ .counter = 1, .epoch = 1 };
	assert_int_equal(serve(r, NOTHING), TSR_BLK_E_INVALID);
	assert_int_equal(serve(r, SEGMENTS), TSR_BLK_OK);
	assert_int_equal(stored(5), 0xdd);
}

/* [STORE-8] [RING-13] What a revoke has left in place of the guest's words is stored under the guest's seal. */
static void pages_that_were_taken_back_are_stored(void **state)
{
	struct tsr_blk_request r = { .op = TSR_BLK_WRITE, .block = 6, .count = 1 };
	uint8_t data[TSR_BLOCK_SIZE];
	struct tsr_seal seal;

	(void)state;
	shared_fill(memory, 4096);
	assert_int_equal(serve(r, NOTHING), -ESTALE);
	assert_int_equal(serve(r, MARKS), TSR_BLK_OK);
	assert_int_equal(image_read(&image, 6, &seal, data), 0);
	assert_memory_equal(data, memory, sizeof(data));
}

static int put(struct image *on, uint32_t block, uint8_t version)
{
	struct tsr_seal seal = { .counter = version, .epoch = 1 };
	uint8_t data[TSR_BLOCK_SIZE];

	memset(data, version, sizeof(data));
	return image_write(on, block, 1, &seal, data);
}

/* [STORE-7] Two back-ends on one image, which this medium does not lock: a file's lock keeps the second one out (image_store). */
static void without_the_lock_a_second_back_end_loses_what_the_first_has_made_durable(void **state)
{
	struct image second;

	(void)state;
	assert_int_equal(image_load(&second, &medium.io, false, &why), 0);
	assert_int_equal(put(&image, 7, 1), 0);
	assert_int_equal(image_flush(&image), 0);
	assert_int_equal(stored(7), 1);
	assert_int_equal(put(&second, 8, 2), 0); /* into the same slot */
	assert_int_equal(image_close(&second), 0);
	image_drop(&image);
	assert_int_equal(image_load(&image, &medium.io, false, &why), 0);
	assert_int_equal(image.store.map[7], STORE_NONE);
	assert_int_equal(stored(8), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_daemons_own_memory_is_stored_for_the_guest),
		TEST(a_table_names_pages_behind_the_run),
		TEST(pages_that_were_taken_back_are_stored),
		TEST(without_the_lock_a_second_back_end_loses_what_the_first_has_made_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
