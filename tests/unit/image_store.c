/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/image/[a-z]*.c tests/unit/simdisk.c */
/* Images one step at a time: slots, loading, refusals, failing media. The power cuts are in image_crash.c. */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "host-backend/image/crc32c.h"
#include "host-backend/image/file.h"
#include "simdisk.h"

#define BLOCKS 100u

static const uint8_t id[16] = { 7 };
static struct simdisk disk;
static struct image image;
static struct image_error why;

static int setup(void **state)
{
	(void)state;
	simdisk_init(&disk, image_bytes(BLOCKS), 1);
	assert_int_equal(image_create(&disk.io, BLOCKS, id, true, &why), 0);
	assert_int_equal(image_load(&image, &disk.io, false, &why), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	image_drop(&image);
	simdisk_fini(&disk);
	return 0;
}

static void reload(void)
{
	image_drop(&image);
	assert_int_equal(image_load(&image, &disk.io, false, &why), 0);
}

static struct tsr_seal seal_of(uint64_t counter, uint32_t flags)
{
	return (struct tsr_seal){ .tag = { counter }, .counter = counter, .epoch = 1, .flags = flags };
}

static int put(uint64_t block, uint64_t counter, uint32_t flags)
{
	struct tsr_seal seal = seal_of(counter, flags);
	uint8_t data[TSR_BLOCK_SIZE];

	memset(data, counter, sizeof(data));
	return image_write(&image, block, 1, &seal, data);
}

/* The counter of what a block holds, its data being right; 0: never written. */
static uint64_t get(uint64_t block)
{
	struct tsr_seal seal;
	uint8_t data[TSR_BLOCK_SIZE], wanted[TSR_BLOCK_SIZE];

	assert_int_equal(image_read(&image, block, &seal, data), 0);
	memset(wanted, seal.flags & TSR_SEAL_ZERO ? 0 : seal.counter, sizeof(wanted));
	assert_memory_equal(data, wanted, sizeof(wanted));
	return seal.counter;
}

static void crc32c_is_castagnolis(void **state)
{
	uint8_t bytes[32];

	(void)state;
	/* RFC 3720, B.4 */
	memset(bytes, 0, 32);
	assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
	assert_int_equal(crc32c_table(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	assert_int_equal(crc32c_table(0, bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
	assert_int_equal(crc32c(crc32c(0, bytes, 13), bytes + 13, 19), 0x46dd794e);
	assert_int_equal(crc32c_table(crc32c_table(0, bytes, 13), bytes + 13, 19), 0x46dd794e);
}

static void the_layout_does_not_overlap(void **state)
{
	(void)state;
	assert_int_equal(image_slots(100), 1124);
	assert_int_equal(image_slots(1 << 20), (1 << 20) + (1 << 16));
	for (uint64_t slots = 1025; slots < 1300; slots++) {
		assert_true(image_record_at(slots) <= image_data_at(slots, 0));
		assert_int_equal(image_data_at(slots, 0) % 4096, 0);
		assert_int_equal(image_size(slots) - image_data_at(slots, slots - 1), 4096);
	}
	assert_int_equal(image_record_at(0), 65536 + 2 * 65536);
}

/* [STORE-4] */
static void a_block_never_written_has_no_pair(void **state)
{
	(void)state;
	assert_int_equal(get(0), 0);
	assert_int_equal(get(BLOCKS - 1), 0);
}

static void pairs_and_zero_seals_come_back_after_a_reload(void **state)
{
	(void)state;
	assert_int_equal(put(3, 10, 0), 0);
	assert_int_equal(put(4, 11, TSR_SEAL_ZERO), 0);
	assert_int_equal(put(3, 12, 0), 0);
	reload();
	assert_int_equal(get(3), 12);
	assert_int_equal(get(4), 11);
	assert_int_equal(image.report.pairs, 2);
	assert_int_equal(image.report.zeros, 1);
	assert_int_equal(image.report.unverified, 3);
	assert_int_equal(image.report.rejected, 0);
	assert_int_equal(image_close(&image), 0);
	assert_int_equal(image_load(&image, &disk.io, true, &why), 0);
	assert_int_equal(image.report.unverified, 0);
	assert_int_equal(get(3), 12);
}

/* A reader's slot keeps its contents however often its block is written meanwhile. */
static void a_pinned_slot_is_not_used_again(void **state)
{
	struct store *store = &image.store;
	uint32_t slot;

	(void)state;
	assert_int_equal(put(5, 1, 0), 0);
	slot = store_pin(store, 5);
	assert_int_equal(store_pin(store, 5), slot);
	assert_int_equal(put(5, 2, 0), 0);
	assert_int_equal(image_flush(&image), 0);
	for (uint64_t i = 0; i < 3 * store->super.slots; i++)
		assert_int_equal(put(i % BLOCKS, 3 + i % 200, 0), 0);
	assert_int_equal(store->record[slot].seal.counter, 1);
	assert_int_equal(store->slot[slot].state, STORE_RELEASED);
	assert_false(store_unpin(store, slot));
	assert_true(store_unpin(store, slot));
	assert_int_equal(store->slot[slot].state, STORE_FREE);
}

static void a_pin_without_a_later_write_frees_nothing(void **state)
{
	uint32_t slot;

	(void)state;
	assert_int_equal(put(5, 1, 0), 0);
	slot = store_pin(&image.store, 5);
	assert_false(store_unpin(&image.store, slot));
	assert_int_equal(store_pin(&image.store, 6), STORE_NONE);
	assert_int_equal(get(5), 1);
}

static void without_free_slots_nothing_begins_and_nothing_changes(void **state)
{
	struct store *store = &image.store;
	struct tsr_seal seals[32] = { { .counter = 1 } };
	struct store_write write[40];
	uint32_t begun = 0;

	(void)state;
	while (store_begin(store, &write[begun], 0, 32, seals))
		begun++;
	assert_int_equal(begun, image.store.super.slots / 32);
	assert_int_equal(store->free.count, image.store.super.slots % 32);
	assert_true(store_begin(store, &write[begun], 0, store->free.count, seals));
	assert_int_equal(store->free.count, 0);
	for (uint32_t i = 0; i <= begun; i++)
		store_abort(store, &write[i], true);
	assert_int_equal(store->free.count, store->super.slots);
	assert_null(store->oldest);
	assert_null(store->newest);
	assert_false(store->tainted);
}

/* [STORE-5] */
static void a_refused_write_keeps_the_old_pair_over_a_restart(void **state)
{
	(void)state;
	for (int succeeds = 0; succeeds < 4; succeeds++) {
		struct tsr_seal seals[2] = { seal_of(20, 0), seal_of(21, 0) };
		uint8_t data[2 * TSR_BLOCK_SIZE];

		assert_int_equal(put(8, 1, 0), 0);
		assert_int_equal(put(9, 2, 0), 0);
		memset(data, 20, TSR_BLOCK_SIZE);
		memset(data + TSR_BLOCK_SIZE, 21, TSR_BLOCK_SIZE);
		disk.fail_writes = ENOSPC;
		disk.fail_after = succeeds;
		/* A medium that is full for data; the records' places exist: here the first failing write only. */
		assert_int_equal(image_write(&image, 8, 2, seals, data), -ENOSPC);
		assert_true(image.store.tainted);
		disk.fail_writes = 0;
		assert_int_equal(get(8), 1);
		assert_int_equal(get(9), 2);
		assert_int_equal(image_flush(&image), 0);
		assert_int_equal(image.store.durable, image.store.super.checkpoint); /* tainted: stays */
		reload();
	}
}

/* [STORE-5] */
static void an_undone_write_leaves_no_record(void **state)
{
	struct tsr_seal seal = seal_of(20, 0);
	struct store_write write;
	uint8_t data[TSR_BLOCK_SIZE];

	(void)state;
	assert_int_equal(put(8, 1, 0), 0);
	memset(data, 20, sizeof(data));
	/* Both halves landed, then the request was refused for another reason. */
	assert_true(store_begin(&image.store, &write, 8, 1, &seal));
	store_seal(&image.store, &write, 0, crc32c(0, data, sizeof(data)));
	disk.io.write(&disk, data, sizeof(data), image_data_at(image.store.super.slots, write.slot[0]));
	disk.io.write(&disk, &image.store.record[write.slot[0]], 64, image_record_at(write.slot[0]));
	store_void(&image.store, &write);
	disk.io.write(&disk, &image.store.record[write.slot[0]], 64, image_record_at(write.slot[0]));
	store_abort(&image.store, &write, true);
	assert_false(image.store.tainted);
	reload();
	assert_int_equal(get(8), 1);
}

static void a_record_of_another_slot_or_image_does_not_count(void **state)
{
	struct image_record record;
	uint32_t slot;

	(void)state;
	assert_int_equal(put(8, 1, 0), 0);
	slot = image.store.map[8];
	record = image.store.record[slot];
	record.sequence += 100;
	image_record_seal(&record, id, slot);
	disk.io.write(&disk, &record, 64, image_record_at(slot + 1)); /* sealed for its own slot */
	record.block = BLOCKS;
	image_record_seal(&record, id, slot + 2);
	disk.io.write(&disk, &record, 64, image_record_at(slot + 2)); /* beyond the capacity */
	record.block = 8;
	image_record_seal(&record, (const uint8_t[16]){ 8 }, slot + 3);
	disk.io.write(&disk, &record, 64, image_record_at(slot + 3)); /* another image's */
	record.sequence = IMAGE_MAX_SEQUENCE;
	image_record_seal(&record, id, slot + 4);
	disk.io.write(&disk, &record, 64, image_record_at(slot + 4));
	reload();
	assert_int_equal(image.report.broken, 4);
	assert_int_equal(get(8), 1);
}

/* What would be written next has to count when it is read again. */
static void an_image_whose_numbers_are_used_up_is_refused(void **state)
{
	struct image_record record;
	uint32_t slot;

	(void)state;
	assert_int_equal(put(8, 1, 0), 0);
	slot = image.store.map[8];
	record = image.store.record[slot];
	record.sequence = IMAGE_LAST_SEQUENCE - 1;
	image_record_seal(&record, id, slot);
	disk.io.write(&disk, &record, 64, image_record_at(slot));
	reload();
	assert_int_equal(put(8, 2, 0), 0);
	image_drop(&image);
	assert_int_equal(image_load(&image, &disk.io, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "as often as an image can be"));
	assert_int_equal(image_load(&image, &disk.io, true, &why), 0);
	assert_int_equal(get(8), 2);
}

static void a_superblock_whose_numbers_are_used_up_is_refused(void **state)
{
	struct image_super super;

	(void)state;
	super = image.store.super;
	super.generation = IMAGE_LAST_SEQUENCE + 1;
	image_super_seal(&super);
	disk.io.write(&disk, &super, sizeof(super), 0);
	image_drop(&image);
	assert_int_equal(image_load(&image, &disk.io, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "as often as an image can be"));
	assert_int_equal(image_grow(&disk.io, 2 * BLOCKS, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "as often as an image can be"));
	/* One that no series of writes leads to is not taken at all: the other copy serves. */
	super.generation = UINT64_MAX;
	image_super_seal(&super);
	disk.io.write(&disk, &super, sizeof(super), 0);
	assert_int_equal(image_load(&image, &disk.io, false, &why), 0);
	assert_int_equal(image.store.super.generation, 1);
}

static void the_older_superblock_serves_when_the_newer_is_torn(void **state)
{
	uint8_t junk[512] = { 1 };

	(void)state;
	assert_int_equal(put(1, 1, 0), 0);
	assert_int_equal(image_flush(&image), 0);
	assert_int_equal(image_checkpoint(&image), 0); /* generation 2: copy 0 */
	disk.io.write(&disk, junk, sizeof(junk), 512);
	reload();
	assert_int_equal(image.store.super.generation, 1);
	assert_int_equal(get(1), 1);
	disk.io.write(&disk, junk, sizeof(junk), 4096 + 512);
	image_drop(&image);
	assert_int_equal(image_load(&image, &disk.io, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "superblock damaged"));
}

static void a_cut_or_foreign_image_is_refused(void **state)
{
	struct image other;

	(void)state;
	disk.io.size -= 4096;
	assert_int_equal(image_load(&other, &disk.io, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "cut short"));
	disk.io.size += 4096;
	disk.io.write(&disk, "x", 1, 0);
	disk.io.write(&disk, "x", 1, 4096);
	assert_int_equal(image_load(&other, &disk.io, false, &why), -EINVAL);
	assert_non_null(strstr(why.text, "not a Tessera disk image"));
	assert_int_equal(image_create(&disk.io, 0, id, true, &why), -EINVAL);
	assert_int_equal(image_create(&disk.io, IMAGE_MAX_BLOCKS + 1, id, true, &why), -EINVAL);
	assert_int_equal(image_create(&disk.io, BLOCKS + 1, id, true, &why), -ENOSPC);
}

/* [STORE-6] is the daemon's; here: a failed sync frees no slot. */
static void a_failed_sync_frees_nothing(void **state)
{
	uint64_t free_before;

	(void)state;
	assert_int_equal(put(1, 1, 0), 0);
	assert_int_equal(put(1, 2, 0), 0);
	free_before = image.store.free.count;
	disk.fail_syncs = 1;
	assert_int_equal(image_flush(&image), -EIO);
	assert_int_equal(image.store.free.count, free_before);
	disk.fail_syncs = 0;
	assert_int_equal(image_flush(&image), 0);
	assert_int_equal(image.store.free.count, free_before + 1);
}

/* Before the free slots are used up, and once for each quarter of the spare ones. */
static void a_sync_is_due_when_enough_slots_wait_for_it(void **state)
{
	struct store *store = &image.store;
	uint64_t quarter = (store->super.slots - store->super.blocks) / 4, waiting = 0;
	struct store_sync sync;

	(void)state;
	assert_int_equal(put(1, 9, 0), 0);
	for (int round = 0; round < 2; round++) {
		while (waiting < quarter) {
			assert_int_equal(put(1, 9, 0), 0);
			assert_int_equal(store_wants_sync(store), ++waiting == quarter);
		}
		sync = store_sync_begin(store);
		assert_false(store_wants_sync(store));
		assert_int_equal(put(1, 9, 0), 0);
		waiting = 1;
		store_sync_end(store, sync);
		assert_false(store_wants_sync(store));
	}
}

/* [STORE-3] */
static void a_header_slot_is_durable_when_written(void **state)
{
	static uint8_t header[TSR_HEADER_SIZE], back[TSR_HEADER_SIZE];

	(void)state;
	memset(header, 0x5a, sizeof(header));
	assert_int_equal(image_header_write(&image, 1, header), 0);
	simdisk_crash(&disk);
	assert_int_equal(image_header_read(&image, 1, back), 0);
	assert_memory_equal(header, back, sizeof(header));
	assert_int_equal(image_header_read(&image, 0, back), 0);
	assert_int_equal(back[0], 0);
}

static void a_check_finds_rotten_data(void **state)
{
	struct image_report report;

	(void)state;
	assert_int_equal(put(1, 1, 0), 0);
	assert_int_equal(put(2, 2, TSR_SEAL_ZERO), 0);
	assert_int_equal(image_close(&image), 0);
	assert_int_equal(image_check(&disk.io, NULL, &report, &why), 0);
	assert_int_equal(report.pairs, 2);
	assert_int_equal(report.rejected, 0);
	disk.io.write(&disk, "\xff", 1, image_data_at(image_slots(BLOCKS), 0) + 100);
	assert_int_equal(image_check(&disk.io, NULL, &report, &why), 0);
	assert_int_equal(report.lost, 1);
	assert_int_equal(report.pairs, 1);
	assert_int_equal(report.free, image_slots(BLOCKS) - 1);
	assert_int_equal(image_load(&image, &disk.io, true, &why), 0);
}

/* [STORE-7] */
static void a_file_is_made_once_and_opened_by_one(void **state)
{
	char path[256];
	struct image_file one, two;

	(void)state;
	snprintf(path, sizeof(path), "%s/image_store.%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", getpid());
	assert_int_equal(image_file_create(path, BLOCKS, NULL, &why), 0);
	assert_int_equal(image_file_create(path, BLOCKS, NULL, &why), -EEXIST);
	assert_int_equal(image_file_open(&one, path, false, NULL, &why), 0);
	assert_int_equal(image_file_open(&two, path, false, NULL, &why), -EAGAIN);
	assert_int_equal(image_file_open(&two, path, true, NULL, &why), -EAGAIN);
	image_file_close(&one);
	assert_int_equal(image_file_open(&one, path, true, NULL, &why), 0);
	assert_int_equal(image_file_open(&two, path, true, NULL, &why), 0);
	assert_int_equal(one.io.size, image_bytes(BLOCKS));
	image_file_close(&one);
	image_file_close(&two);
	unlink(path);
	assert_int_equal(image_file_open(&one, path, true, NULL, &why), -ENOENT);
	assert_int_equal(image_file_open(&one, "/dev/null", true, NULL, &why), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c_is_castagnolis),
		cmocka_unit_test(the_layout_does_not_overlap),
		TEST(a_block_never_written_has_no_pair),
		TEST(pairs_and_zero_seals_come_back_after_a_reload),
		TEST(a_pinned_slot_is_not_used_again),
		TEST(a_pin_without_a_later_write_frees_nothing),
		TEST(without_free_slots_nothing_begins_and_nothing_changes),
		TEST(a_refused_write_keeps_the_old_pair_over_a_restart),
		TEST(an_undone_write_leaves_no_record),
		TEST(a_record_of_another_slot_or_image_does_not_count),
		TEST(an_image_whose_numbers_are_used_up_is_refused),
		TEST(a_superblock_whose_numbers_are_used_up_is_refused),
		TEST(the_older_superblock_serves_when_the_newer_is_torn),
		TEST(a_cut_or_foreign_image_is_refused),
		TEST(a_failed_sync_frees_nothing),
		TEST(a_sync_is_due_when_enough_slots_wait_for_it),
		TEST(a_header_slot_is_durable_when_written),
		TEST(a_check_finds_rotten_data),
		cmocka_unit_test(a_file_is_made_once_and_opened_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
