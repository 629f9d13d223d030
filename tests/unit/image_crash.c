/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/image/[a-z]*.c tests/unit/simdisk.c */
/*
 * Power cuts. Writes in flight, some at the same block, and syncs that overlap them are driven step by step in random order, as the daemon
 * drives them; then the power goes, at any step. After each restart every block must hold a pair that belongs together and is no older
 * than what was flushed or seen before.
 */
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include "host-backend/image/crc32c.h"
#include "simdisk.h"

#define BLOCKS  48u
#define WRITERS 6u
#define STEPS   900
#define CRASHES 6
#define SEEDS   60
#define SPARE   40 /* free slots that the test leaves: each is used again and again */

struct writer {
	bool active;
	struct store_write write;
	uint64_t version[STORE_MAX_BLOCKS];
	uint32_t todo;  /* pieces not yet written: bit 2i data, bit 2i+1 record of block i */
	uint8_t data[4][TSR_BLOCK_SIZE];
};

static struct simdisk disk;
static struct image image;
static struct writer writer[WRITERS];
static struct {
	uint64_t begun;     /* newest version */
	uint64_t committed; /* newest version that completed */
	uint64_t floor;     /* a crash may not go back behind this one */
	uint64_t at_sync;   /* committed when the sync in progress began */
} block[BLOCKS];
static bool syncing;
static struct store_sync sync_state;
static size_t sync_mark;

static bool is_zero_version(uint64_t version)
{
	return version % 5 == 0;
}

static void make_pair(uint32_t number, uint64_t version, struct tsr_seal *seal, uint8_t *data)
{
	memset(seal, 0, sizeof(*seal));
	seal->counter = version;
	seal->epoch = number + 1;
	seal->flags = is_zero_version(version) ? TSR_SEAL_ZERO : 0;
	for (uint32_t i = 0; i < TSR_BLOCK_SIZE; i += 8) {
		uint64_t word = is_zero_version(version) ? 0 : version << 16 | number;

		memcpy(data + i, &word, 8);
	}
}

static void begin_write(struct writer *w)
{
	uint32_t count = 1 + simdisk_random(&disk, 4), first = simdisk_random(&disk, BLOCKS - count + 1);
	struct tsr_seal seal[4];

	for (uint32_t i = 0; i < count; i++) {
		w->version[i] = block[first + i].begun + 1;
		make_pair(first + i, w->version[i], &seal[i], w->data[i]);
	}
	if (!store_begin(&image.store, &w->write, first, count, seal))
		return; /* no slots: a sync will come */
	w->active = true;
	w->todo = 0;
	for (uint32_t i = 0; i < count; i++) {
		bool data = !is_zero_version(w->version[i]);

		block[first + i].begun = w->version[i];
		store_seal(&image.store, &w->write, i, data ? crc32c(0, w->data[i], TSR_BLOCK_SIZE) : 0);
		w->todo |= (data ? 3u : 2u) << 2 * i;
	}
}

static void write_piece(struct writer *w)
{
	const struct store *store = &image.store;
	uint32_t bit = simdisk_random(&disk, 8);

	while (!(w->todo & 1u << bit))
		bit = (bit + 1) % 8;
	w->todo &= ~(1u << bit);
	if (bit & 1)
		disk.io.write(&disk, &store->record[w->write.slot[bit / 2]], IMAGE_RECORD_SIZE, image_record_at(w->write.slot[bit / 2]));
	else
		disk.io.write(&disk, w->data[bit / 2], TSR_BLOCK_SIZE, image_data_at(store->super.slots, w->write.slot[bit / 2]));
}

static void commit(struct writer *w)
{
	store_commit(&image.store, &w->write);
	w->active = false;
	for (uint32_t i = 0; i < w->write.count; i++)
		if (w->version[i] > block[w->write.block + i].committed)
			block[w->write.block + i].committed = w->version[i];
}

static void begin_sync(void)
{
	syncing = true;
	sync_state = store_sync_begin(&image.store);
	sync_mark = simdisk_mark(&disk);
	for (uint32_t i = 0; i < BLOCKS; i++)
		block[i].at_sync = block[i].committed;
}

static void end_sync(void)
{
	syncing = false;
	simdisk_sync_to(&disk, sync_mark);
	store_sync_end(&image.store, sync_state);
	for (uint32_t i = 0; i < BLOCKS; i++)
		block[i].floor = block[i].at_sync;
	if (simdisk_random(&disk, 3) == 0)
		assert_int_equal(image_checkpoint(&image), 0);
}

static void step(void)
{
	struct writer *w = &writer[simdisk_random(&disk, WRITERS)];

	if (simdisk_random(&disk, 40) == 0) {
		if (syncing)
			end_sync();
		else
			begin_sync();
	} else if (!w->active) {
		begin_write(w);
	} else if (w->todo) {
		write_piece(w);
	} else {
		commit(w);
	}
}

static void check_all(uint64_t seed, int crash)
{
	for (uint32_t i = 0; i < BLOCKS; i++) {
		struct tsr_seal seal, expected;
		uint8_t data[TSR_BLOCK_SIZE], wanted[TSR_BLOCK_SIZE];

		assert_int_equal(image_read(&image, i, &seal, data), 0);
		if (seal.counter < block[i].floor || seal.counter > block[i].begun)
			fail_msg("seed %llu crash %d block %u: version %llu, flushed %llu, begun %llu", (unsigned long long)seed, crash, i,
				 (unsigned long long)seal.counter, (unsigned long long)block[i].floor, (unsigned long long)block[i].begun);
		if (seal.counter) {
			make_pair(i, seal.counter, &expected, wanted);
			assert_memory_equal(&seal, &expected, sizeof(seal));
			assert_memory_equal(data, wanted, sizeof(data));
		}
		block[i].floor = block[i].committed = seal.counter;
	}
}

/* Takes most free slots away. */
static void crowd(void)
{
	struct store *store = &image.store;

	for (uint32_t slot = 0; slot < store->super.slots && store->free.count > SPARE; slot++) {
		if (store->slot[slot].state != STORE_FREE || slot % 3 == 0)
			continue;
		store->slot[slot].state = STORE_WRITING;
		free_remove(&store->free, slot);
	}
	for (uint32_t slot = 0; slot < store->super.slots && store->free.count > SPARE; slot++) {
		if (store->slot[slot].state != STORE_FREE)
			continue;
		store->slot[slot].state = STORE_WRITING;
		free_remove(&store->free, slot);
	}
}

static void restart(uint64_t seed, int crash)
{
	struct image_error error;

	image_drop(&image);
	memset(writer, 0, sizeof(writer));
	syncing = false;
	assert_int_equal(image_load(&image, &disk.io, false, &error), 0);
	assert_int_equal(image.report.broken, 0); /* a record is never torn: it lies within a sector */
	check_all(seed, crash);
	crowd();
}

static void kill_daemon(uint64_t seed, int crash)
{
	for (uint32_t i = 0; i < BLOCKS; i++)
		block[i].floor = block[i].committed;
	restart(seed, crash);
}

static void power_cut(uint64_t seed, int crash)
{
	simdisk_crash(&disk);
	restart(seed, crash);
}

/* [STORE-1] [STORE-2] */
static void after_any_power_cut_each_block_is_its_old_or_new_pair(void **state)
{
	struct image_error error;
	uint8_t id[16] = { 42 };

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		simdisk_init(&disk, image_bytes(BLOCKS), seed);
		memset(block, 0, sizeof(block));
		memset(writer, 0, sizeof(writer));
		syncing = false;
		assert_int_equal(image_create(&disk.io, BLOCKS, id, true, &error), 0);
		assert_int_equal(image_load(&image, &disk.io, false, &error), 0);
		for (int crash = 0; crash < CRASHES; crash++) {
			for (uint64_t n = 1 + simdisk_random(&disk, 3 * STEPS); n; n--)
				step();
			(simdisk_random(&disk, 3) ? power_cut : kill_daemon)(seed, crash);
		}
		image_drop(&image);
		simdisk_fini(&disk);
	}
}

/* [STORE-1] A daemon that was killed loses nothing that completed: the kernel still has it. */
static void after_a_kill_everything_completed_is_there(void **state)
{
	struct image_error error;
	uint8_t id[16] = { 43 };

	(void)state;
	simdisk_init(&disk, image_bytes(BLOCKS), 7);
	memset(block, 0, sizeof(block));
	memset(writer, 0, sizeof(writer));
	syncing = false;
	assert_int_equal(image_create(&disk.io, BLOCKS, id, false, &error), 0);
	assert_int_equal(image_load(&image, &disk.io, false, &error), 0);
	for (int kill = 0; kill < 20; kill++) {
		for (int n = 0; n < STEPS; n++)
			step();
		kill_daemon(7, kill);
	}
	image_drop(&image);
	simdisk_fini(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_any_power_cut_each_block_is_its_old_or_new_pair),
		cmocka_unit_test(after_a_kill_everything_completed_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
