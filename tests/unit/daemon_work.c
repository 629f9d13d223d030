/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/stage.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/daemon/engine.c host-backend/daemon/disk.c host-backend/daemon/medium.c host-backend/daemon/shared.c */
/* sources: host-backend/daemon/log.c host-backend/daemon/place.c host-backend/image/[a-z]*.c proto/request.c tests/unit/simdisk.c */
/*
 * Requests step by step, with the test in the place of io_uring and of the disk's DMA: so pages can be revoked, or changed, and the power cut, at
 * any point between.
 */
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "host-backend/daemon/queue.h"
#include "host-backend/daemon/shared.h"
#include "host-backend/daemon/stage.h"
#include "simdisk.h"

#define BLOCKS 64u
#define COUNT  4u
#define FIRST  8u

static struct simdisk medium;
static struct image image;
static struct disk disk;
static struct queue queue;
static struct work work;
static struct tsr_backend_page page;
static struct image_error why;
static uint8_t data[COUNT * 4096] __attribute__((aligned(4096)));
static uint8_t seals[TSR_BLK_SEAL_SLOT] __attribute__((aligned(4096)));
static uint8_t buffer[TSR_BLK_MAX_BLOCKS * 4096] __attribute__((aligned(4096)));
static int completed, revoked; /* status of the completion, or -1; times revoked */

/* What was submitted; most tests look at work.op instead. */
static struct engine_io *submitted[16];
static uint32_t submissions;

static void submit(struct engine_io *io)
{
	submitted[submissions++ % 16] = io;
}

static struct engine engine = { .name = "test", .submit = submit };

void engine_done(struct engine_io *io, int result)
{
	(void)io;
	fail_msg("%d", result);
}

void queue_complete(struct work *done, enum tsr_blk_status status)
{
	assert_ptr_equal(done, &work);
	completed = status;
}

void queue_revoked(struct queue *unused, struct work *done)
{
	(void)unused;
	assert_ptr_equal(done, &work);
	revoked++;
}

static void begin(enum tsr_backend_mode mode)
{
	struct medium how = { .mode = mode };

	memset(&page, 0, sizeof(page));
	memset(&queue, 0, sizeof(queue));
	memset(&work, 0, sizeof(work));
	disk_init(&disk, &image, &engine, &how, &page);
	queue.disk = &disk;
	queue.data = data;
	queue.seals = seals;
	queue.counters = page.counter[0];
	queue.mode = mode;
	queue.limits = (struct tsr_blk_limits){ .depth = 2, .data_pages = COUNT, .blocks = BLOCKS };
	queue.waiting_end = &queue.waiting;
	work.queue = &queue;
	work.buffer = buffer;
}

static int setup(void **state)
{
	const uint8_t id[16] = { 7 };

	(void)state;
	simdisk_init(&medium, image_bytes(BLOCKS), 1);
	assert_int_equal(image_create(&medium.io, BLOCKS, id, false, &why), 0);
	assert_int_equal(image_load(&image, &medium.io, false, &why), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	image_drop(&image);
	simdisk_fini(&medium);
	return 0;
}

static uint8_t byte_of(uint32_t index, uint32_t version)
{
	return index * 16 + version;
}

/* The front-end's part of a write. */
static void fill(uint32_t version)
{
	struct tsr_seal *seal = (struct tsr_seal *)seals;

	for (uint32_t i = 0; i < COUNT; i++) {
		memset(data + i * 4096, byte_of(i, version), 4096);
		seal[i] = (struct tsr_seal){ .counter = version, .epoch = 1 };
	}
}

static void start(uint8_t op)
{
	completed = -1;
	revoked = 0;
	work.request = (struct tsr_blk_request){ .op = op, .block = FIRST, .count = COUNT };
	work_start(&(struct work *){ &work }, 1);
	work_unpin(&queue);
	stage_flush(&queue);
}

/* What the disk does for one piece. Returns whether it was one of slots' data. */
static bool do_io(const struct op *op)
{
	if (op->io.op == ENGINE_WRITE)
		assert_int_equal(medium.io.write(&medium, op->io.data, op->io.size, op->io.offset), 0);
	else
		assert_int_equal(medium.io.read(&medium, op->io.data, op->io.size, op->io.offset), 0);
	return !op->io.meta;
}

/* Does all that is pending and tells the work so, until nothing more comes. */
static void finish(void)
{
	while (work.pending) {
		uint32_t ops = work.ops;

		for (uint32_t i = 0; i < ops; i++)
			do_io(&work.op[i]);
		for (uint32_t i = 0; i < ops; i++)
			work_op_done(&work.op[i], work.op[i].io.size);
		work_unpin(&queue);
		stage_flush(&queue);
	}
}

static void take_back(void)
{
	shared_fill(data, sizeof(data));
}

/* All blocks have this version's pair, or none before the first. */
static void expect_pairs(uint32_t version)
{
	uint8_t found[4096], expected[4096];
	struct tsr_seal seal;

	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(image_read(&image, FIRST + i, &seal, found), 0);
		assert_int_equal(seal.counter, version);
		memset(expected, version ? byte_of(i, version) : 0, sizeof(expected));
		assert_memory_equal(found, expected, sizeof(expected));
	}
}

static void reload(void)
{
	image_drop(&image);
	assert_int_equal(image_load(&image, &medium.io, false, &why), 0);
}

static void written(uint32_t version)
{
	fill(version);
	start(TSR_BLK_WRITE);
	finish();
	assert_int_equal(completed, TSR_BLK_OK);
	expect_pairs(version);
}

static bool in(const uint8_t *area, size_t size, const uint8_t *at)
{
	return at >= area && at < area + size;
}

/* [BLK-26] Where the pieces of slots' data come from and go to. */
static void expect_places(bool fixed, const uint8_t *area)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < work.ops; i++) {
		if (work.op[i].io.meta)
			continue;
		assert_int_equal(work.op[i].io.fixed, fixed);
		assert_true(in(area, sizeof(data), work.op[i].io.data));
		seen += work.op[i].io.size;
	}
	assert_int_equal(seen, sizeof(data));
}

static uint64_t counter(enum tsr_backend_counter which)
{
	return page.counter[0][which];
}

static void data_moves_as_chosen(void **state)
{
	static const enum tsr_backend_mode modes[] = { TSR_BACKEND_COPY, TSR_BACKEND_BOUNCE, TSR_BACKEND_DIRECT };

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		bool direct_in = modes[i] == TSR_BACKEND_DIRECT, direct_out = modes[i] != TSR_BACKEND_COPY;

		begin(modes[i]);
		fill(i + 1);
		start(TSR_BLK_WRITE);
		expect_places(direct_in, direct_in ? data : buffer);
		finish();
		assert_int_equal(completed, TSR_BLK_OK);
		expect_pairs(i + 1);
		memset(data, 0xee, sizeof(data));
		start(TSR_BLK_READ);
		expect_places(direct_out, direct_out ? data : buffer);
		finish();
		assert_int_equal(completed, TSR_BLK_OK);
		for (uint32_t k = 0; k < COUNT; k++)
			assert_int_equal(data[k * 4096 + 4095], byte_of(k, i + 1));
		assert_int_equal(counter(TSR_BACKEND_COUNT_direct_in), direct_in ? COUNT : 0);
		assert_int_equal(counter(TSR_BACKEND_COUNT_copied_in), direct_in ? 0 : COUNT);
		assert_int_equal(counter(TSR_BACKEND_COUNT_direct_out), direct_out ? COUNT : 0);
		assert_int_equal(counter(TSR_BACKEND_COUNT_copied_out), direct_out ? 0 : COUNT);
	}
}

/* [STORE-8] [BLK-28] before the DMA, and between it and its end */
static void pages_revoked_around_the_dma_are_never_stored(void **state)
{
	(void)state;
	begin(TSR_BACKEND_DIRECT);
	written(1);
	take_back();
	start(TSR_BLK_WRITE);
	assert_int_equal(revoked, 1);
	assert_int_equal(work.pending, 0);
	expect_pairs(1);

	for (int dma_first = 0; dma_first < 2; dma_first++) {
		fill(2);
		start(TSR_BLK_WRITE);
		assert_true(work.pending > 0);
		for (uint32_t i = 0; dma_first && i < work.ops; i++)
			do_io(&work.op[i]);
		take_back();
		finish();
		assert_int_equal(revoked, 1);
		assert_int_equal(completed, -1); /* the guest sends it again in the next session */
		assert_int_equal(disk.image->store.free.count, image.store.super.slots - COUNT);
		expect_pairs(1);
		reload();
		expect_pairs(1);
	}
	assert_int_equal(counter(TSR_BACKEND_COUNT_direct_in), COUNT);
	written(3);
}

/* [STORE-1] The power goes after each piece of a write whose pages were revoked under it. */
static void a_crash_with_pages_revoked_leaves_the_old_pairs(void **state)
{
	(void)state;
	begin(TSR_BACKEND_DIRECT);
	written(1);
	assert_int_equal(image_flush(&image), 0);
	for (uint32_t order = 0; order < 2; order++) {
		for (uint32_t pieces = 0; pieces <= 2; pieces++) {
			fill(2);
			start(TSR_BLK_WRITE);
			assert_int_equal(work.ops, 2); /* the slots are neighbours */
			take_back();
			for (uint32_t i = 0; i < pieces; i++)
				do_io(&work.op[order ? i : 1 - i]);
			simdisk_sync_to(&medium, simdisk_mark(&medium)); /* all of it has reached the disk */
			simdisk_crash(&medium);
			reload();
			expect_pairs(1);
			begin(TSR_BACKEND_DIRECT);
		}
	}
}

/* [BLK-27] With a private copy, a guest that changes its pages meanwhile changes nothing of what is written; without one, only its own blocks. */
static void a_guest_that_changes_its_pages_meanwhile(void **state)
{
	(void)state;
	begin(TSR_BACKEND_BOUNCE);
	fill(1);
	start(TSR_BLK_WRITE);
	memset(data, 0x55, sizeof(data));
	finish();
	assert_int_equal(completed, TSR_BLK_OK);
	expect_pairs(1);
	assert_int_equal(image_flush(&image), 0);

	begin(TSR_BACKEND_DIRECT);
	fill(2);
	start(TSR_BLK_WRITE);
	memset(data, 0x55, sizeof(data));
	finish();
	assert_int_equal(completed, TSR_BLK_OK);
	simdisk_sync_to(&medium, simdisk_mark(&medium));
	simdisk_crash(&medium);
	reload(); /* the records tell that this is not what the guest asked for */
	assert_int_equal(image.report.rejected, COUNT);
	expect_pairs(1);
}

static int write_that_fails(int error)
{
	uint32_t ops;

	fill(2);
	start(TSR_BLK_WRITE);
	ops = work.ops;
	for (uint32_t i = 0; i < ops; i++)
		work_op_done(&work.op[i], error);
	finish(); /* what undoes it */
	return completed;
}

/* [BLK-36] [STORE-5] */
static void errors_of_the_medium_are_told_by_the_table(void **state)
{
	static const struct {
		int error, status;
	} table[] = {
		{ ENOSPC, TSR_BLK_E_NOSPACE }, { EDQUOT, TSR_BLK_E_NOSPACE }, { EFBIG, TSR_BLK_E_NOSPACE },   { EROFS, TSR_BLK_E_READONLY },
		{ EPERM, TSR_BLK_E_READONLY }, { EIO, TSR_BLK_E_IO },	      { ETIMEDOUT, TSR_BLK_E_IO },    { ENOLINK, TSR_BLK_E_IO },
		{ EOPNOTSUPP, TSR_BLK_E_IO },  { EINVAL, TSR_BLK_E_IO },      { ENOMEM, TSR_BLK_E_IO },
	};

	(void)state;
	begin(TSR_BACKEND_COPY);
	written(1);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(write_that_fails(-table[i].error), table[i].status);
		expect_pairs(1);
		start(TSR_BLK_READ);
		work_op_done(&work.op[0], -table[i].error);
		assert_int_equal(completed, table[i].status);
	}
	reload();
	expect_pairs(1);
}

/* [BLK-33] */
static void writing_through_syncs_each_write(void **state)
{
	(void)state;
	begin(TSR_BACKEND_COPY);
	disk.through = true;
	fill(1);
	start(TSR_BLK_WRITE);
	finish();
	assert_int_equal(completed, -1); /* the sync is under way */
	assert_int_equal(counter(TSR_BACKEND_COUNT_syncs), 1);
	work_sync_done(&work, 0);
	assert_int_equal(completed, TSR_BLK_OK);
	start(TSR_BLK_READ);
	finish();
	assert_int_equal(counter(TSR_BACKEND_COUNT_syncs), 1);
}

static int group_setup(void **state)
{
	(void)state;
	return shared_init() ? 0 : -1;
}

/* Every other slot is taken: a write of COUNT blocks goes to scattered ones. */
static void scatter(void)
{
	for (uint32_t slot = image.store.free.cursor + 1; slot < image.store.free.cursor + 4 * COUNT; slot += 2) {
		if (image.store.slot[slot].state == STORE_FREE)
			free_remove(&image.store.free, slot);
		image.store.slot[slot].state = STORE_LIVE;
	}
}

static void end(uint32_t i, int result)
{
	if (result > 0)
		assert_int_equal(medium.io.write(&medium, submitted[i]->data, submitted[i]->size, submitted[i]->offset), 0);
	work_io_done(submitted[i], result);
}

/* [STORE-1] Records with others between them are one write where the engine says so; if that fails, each is tried by itself. */
static void scattered_records_are_written_as_one(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		begin(TSR_BACKEND_DIRECT);
		scatter();
		engine.late_reads = late;
		fill(late + 1);
		submissions = 0;
		start(TSR_BLK_WRITE);
		assert_int_equal(submissions, late ? COUNT + 1 : 2 * COUNT);
		for (uint32_t i = 0, all = submissions; i < all; i++) {
			uint32_t size = submitted[i]->size;

			if (submitted[i]->meta)
				assert_int_equal(size, (late ? 2 * COUNT - 1 : 1) * IMAGE_RECORD_SIZE);
			end(i, late && submitted[i]->meta ? -EIO : (int)size);
		}
		for (uint32_t i = COUNT + 1; late && i < 2 * COUNT + 1; i++) {
			assert_int_equal(work.pending, 2 * COUNT + 1 - i);
			assert_int_equal(submitted[i]->size, IMAGE_RECORD_SIZE);
			end(i, IMAGE_RECORD_SIZE);
		}
		assert_int_equal(submissions, late ? 2 * COUNT + 1 : 2 * COUNT);
		assert_int_equal(completed, TSR_BLK_OK);
		expect_pairs(late + 1);
	}
	reload();
	expect_pairs(2);
	engine.late_reads = false;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(data_moves_as_chosen),
		TEST(scattered_records_are_written_as_one),
		TEST(pages_revoked_around_the_dma_are_never_stored),
		TEST(a_crash_with_pages_revoked_leaves_the_old_pairs),
		TEST(a_guest_that_changes_its_pages_meanwhile),
		TEST(errors_of_the_medium_are_told_by_the_table),
		TEST(writing_through_syncs_each_write),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
