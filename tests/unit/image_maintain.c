/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/image/[a-z]*.c tests/unit/simdisk.c */
/* Images that are repaired, and images that grow. */
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "host-backend/image/file.h"
#include "simdisk.h"

#define BLOCKS 100u
#define LARGER 5000u
#define ROOM   (32u << 20)

static const uint8_t id[16] = { 9 };
static struct simdisk disk;
static struct image image;
static struct image_error why;
static struct image_report report;
static uint64_t lost[8];
static uint32_t losses;

static void note(uint64_t block)
{
	assert_true(losses < 8);
	lost[losses++] = block;
}

static int setup(void **state)
{
	(void)state;
	losses = 0;
	simdisk_init(&disk, ROOM, 1);
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

static void put(uint64_t block, uint64_t counter)
{
	struct tsr_seal seal = { .counter = counter, .epoch = 1 };
	uint8_t data[TSR_BLOCK_SIZE];

	memset(data, (int)(block * 3 + counter), sizeof(data));
	assert_int_equal(image_write(&image, block, 1, &seal, data), 0);
}

/* The counter of what a block holds, its data being right; 0: never written. */
static uint64_t get(uint64_t block)
{
	uint8_t data[TSR_BLOCK_SIZE], right[TSR_BLOCK_SIZE];
	struct tsr_seal seal;

	assert_int_equal(image_read(&image, block, &seal, data), 0);
	memset(right, seal.counter ? (int)(uint8_t)(block * 3 + seal.counter) : 0, sizeof(right));
	assert_memory_equal(data, right, sizeof(right));
	return seal.counter;
}

static void rot(uint64_t at)
{
	uint8_t byte;

	assert_int_equal(disk.io.read(&disk, &byte, 1, at), 0);
	byte ^= 0x10;
	assert_int_equal(disk.io.write(&disk, &byte, 1, at), 0);
}

static void reload(void)
{
	assert_int_equal(image_load(&image, &disk.io, false, &why), 0);
}

static void repair(void)
{
	losses = 0;
	assert_int_equal(image_repair(&disk.io, note, &report, &why), 0);
}

static void expect_whole(void)
{
	assert_int_equal(image_check(&disk.io, NULL, &report, &why), 0);
	assert_int_equal(report.broken + report.rejected + report.lost + report.bad_supers, 0);
}

static void a_whole_image_is_left_as_it_is(void **state)
{
	(void)state;
	put(3, 1);
	put(3, 2);
	put(4, 1);
	assert_int_equal(image_close(&image), 0);
	expect_whole();
	repair();
	assert_int_equal(report.mended + report.lost, 0);
	reload();
	assert_int_equal(get(3), 2);
	assert_int_equal(get(4), 1);
}

/* Block 3 has an older pair, whose record is still there: it must not come back in place of the damaged one. */
static void a_damaged_block_is_lost_and_nothing_older_takes_its_place(void **state)
{
	uint32_t slot;

	(void)state;
	put(3, 1);
	put(3, 2);
	put(4, 1);
	slot = image.store.map[3];
	assert_int_equal(image_close(&image), 0);
	rot(image_data_at(image_slots(BLOCKS), slot) + 1000);
	assert_int_equal(image_check(&disk.io, note, &report, &why), 0);
	assert_int_equal(report.lost, 1);
	assert_int_equal(losses, 1);
	assert_int_equal(lost[0], 3);
	reload(); /* a check changes nothing: the damage is still there, for the guest to notice */
	assert_int_equal(image.store.map[3], slot);
	assert_int_equal(image_close(&image), 0);
	repair();
	assert_int_equal(losses, 1);
	assert_int_equal(report.lost, 1);
	assert_int_equal(report.mended, 2);
	expect_whole();
	reload();
	assert_int_equal(get(3), 0);
	assert_int_equal(get(4), 1);
	put(3, 7);
	assert_int_equal(get(3), 7);
}

static void an_older_pairs_damage_is_none(void **state)
{
	uint32_t slot;

	(void)state;
	put(3, 1);
	slot = image.store.map[3];
	put(3, 2);
	assert_int_equal(image_close(&image), 0);
	rot(image_data_at(image_slots(BLOCKS), slot));
	expect_whole();
	reload();
	assert_int_equal(get(3), 2);
}

static void torn_records_are_cleared(void **state)
{
	uint32_t slot;

	(void)state;
	put(5, 1);
	put(6, 1);
	slot = image.store.map[5];
	assert_int_equal(image_close(&image), 0);
	rot(image_record_at(slot) + 60);
	assert_int_equal(image_check(&disk.io, NULL, &report, &why), 0);
	assert_int_equal(report.broken, 1);
	repair();
	assert_int_equal(report.mended, 1);
	expect_whole();
	reload();
	assert_int_equal(get(5), 0);
	assert_int_equal(get(6), 1);
}

static void either_superblock_is_made_from_the_other(void **state)
{
	(void)state;
	put(8, 4);
	assert_int_equal(image_close(&image), 0);
	for (uint32_t copy = 0; copy < 2; copy++) {
		rot(copy * IMAGE_SUPER_SIZE + 100);
		assert_int_equal(image_check(&disk.io, NULL, &report, &why), 0);
		assert_int_equal(report.bad_supers, 1);
		repair();
		assert_int_equal(report.bad_supers, 1);
		expect_whole();
	}
	rot(100);
	rot(IMAGE_SUPER_SIZE + 100);
	assert_int_equal(image_repair(&disk.io, note, &report, &why), -EINVAL);
	rot(100);
	reload();
	assert_int_equal(get(8), 4);
}

/* A repair that the power ends leaves an image that can be repaired, with nothing more lost. */
static void a_repair_can_be_interrupted(void **state)
{
	(void)state;
	for (uint64_t block = 0; block < 20; block++)
		put(block, 1);
	put(3, 2);
	image_flush(&image);
	rot(image_data_at(image_slots(BLOCKS), image.store.map[3]));
	assert_int_equal(image_close(&image), 0);
	for (int writes = 0; writes < 6; writes++) {
		disk.fail_writes = EIO;
		disk.fail_after = writes;
		image_repair(&disk.io, note, &report, &why);
		disk.fail_writes = 0;
		simdisk_crash(&disk);
	}
	repair();
	expect_whole();
	reload();
	for (uint64_t block = 0; block < 20; block++)
		assert_int_equal(get(block), block == 3 ? 0 : 1);
}

/* [BLK-31] */
static void an_image_grows_and_keeps_its_pairs(void **state)
{
	uint64_t sizes[] = { 101, 200, LARGER }, bytes;

	(void)state;
	for (uint64_t block = 0; block < BLOCKS; block++)
		put(block, 1);
	assert_int_equal(image_close(&image), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(image_grown_bytes(&disk.io, sizes[i], &bytes, &why), 0);
		assert_true(bytes < ROOM);
		assert_int_equal(image_grow(&disk.io, sizes[i], true, &why), 0);
		reload();
		assert_int_equal(image.store.super.blocks, sizes[i]);
		assert_int_equal(image_size_of(&image.store.super), bytes);
		for (uint64_t block = 0; block < sizes[i]; block++)
			assert_int_equal(get(block), i == 0 && block < BLOCKS ? 1 : block < (i ? sizes[i - 1] : 0) ? i + 1u : 0);
		for (uint64_t block = 0; block < sizes[i]; block++)
			put(block, i + 2u);
		assert_int_equal(image_close(&image), 0);
		expect_whole();
	}
	reload();
	for (uint64_t block = 0; block < LARGER; block++)
		assert_int_equal(get(block), 4);
}

static void zones_do_not_overlap_and_runs_end_with_them(void **state)
{
	uint32_t slots[64];
	uint64_t end;

	(void)state;
	assert_int_equal(image_close(&image), 0);
	assert_int_equal(image_grow(&disk.io, 150, true, &why), 0);
	reload();
	end = image_zone_end(&image.store.super, 0);
	assert_int_equal(end, image_slots(BLOCKS));
	assert_int_equal(image_zone_end(&image.store.super, end), image_slots(150));
	assert_true(image_record_of(&image.store.super, end) >= image_data_of(&image.store.super, end - 1) + TSR_BLOCK_SIZE);
	assert_true(image_data_of(&image.store.super, end) >= image_record_of(&image.store.super, image_slots(150) - 1) + 64);
	for (uint32_t i = 0; i < 64; i++)
		slots[i] = (uint32_t)end - 32 + i;
	assert_int_equal(store_run(&image.store, slots, 0, 64), 32);
	assert_int_equal(store_run(&image.store, slots, 32, 64), 32);
}

/* [BLK-32] */
static void what_cannot_be_is_refused(void **state)
{
	uint64_t bytes;

	(void)state;
	put(1, 1);
	assert_int_equal(image_close(&image), 0);
	assert_int_equal(image_grow(&disk.io, BLOCKS, true, &why), -EINVAL);
	assert_int_equal(image_grow(&disk.io, BLOCKS - 1, true, &why), -EINVAL);
	assert_non_null(strstr(why.text, "does not shrink"));
	assert_int_equal(image_grow(&disk.io, IMAGE_MAX_BLOCKS + 1, true, &why), -EINVAL);
	assert_int_equal(image_grow(&disk.io, ROOM / 4096, true, &why), -ENOSPC);
	for (uint32_t i = 1; i <= IMAGE_MAX_GROWTHS; i++)
		assert_int_equal(image_grow(&disk.io, BLOCKS + i, true, &why), 0);
	assert_int_equal(image_grown_bytes(&disk.io, BLOCKS + 100, &bytes, &why), -ENOSPC);
	expect_whole();
	reload();
	assert_int_equal(get(1), 1);
}

static void after_any_power_cut_it_has_grown_or_not(void **state)
{
	bool grown = false, before = false;

	(void)state;
	put(1, 1);
	assert_int_equal(image_close(&image), 0);
	for (uint64_t seed = 1; seed < 40; seed++) {
		uint64_t blocks;

		disk.random = seed;
		disk.fail_writes = EIO;
		disk.fail_after = (int)(seed % 5);
		image_grow(&disk.io, 120, true, &why);
		disk.fail_writes = 0;
		simdisk_crash(&disk);
		reload();
		blocks = image.store.super.blocks;
		assert_true(blocks == BLOCKS || blocks == 120);
		grown |= blocks == 120;
		before |= blocks == BLOCKS;
		assert_int_equal(get(1), 1);
		image_drop(&image);
		simdisk_fini(&disk);
		setup(NULL);
		put(1, 1);
		assert_int_equal(image_close(&image), 0);
	}
	assert_true(grown && before);
	reload();
}

static void a_file_grows_with_its_image(void **state)
{
	struct image_file file;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/image_maintain.%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", getpid());
	assert_int_equal(image_file_create(path, BLOCKS, NULL, &why), 0);
	assert_int_equal(image_file_grow(path, LARGER, &why), 0);
	assert_int_equal(image_file_grow(path, LARGER, &why), -EINVAL);
	assert_int_equal(image_file_open(&file, path, false, NULL, &why), 0);
	assert_int_equal(image_file_grow(path, 2 * LARGER, &why), -EAGAIN); /* it is in use */
	assert_int_equal(image_check(&file.io, NULL, &report, &why), 0);
	assert_int_equal(report.blocks, LARGER);
	image_file_close(&file);
	unlink(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_whole_image_is_left_as_it_is),
		TEST(a_damaged_block_is_lost_and_nothing_older_takes_its_place),
		TEST(an_older_pairs_damage_is_none),
		TEST(torn_records_are_cleared),
		TEST(either_superblock_is_made_from_the_other),
		TEST(a_repair_can_be_interrupted),
		TEST(an_image_grows_and_keeps_its_pairs),
		TEST(zones_do_not_overlap_and_runs_end_with_them),
		TEST(what_cannot_be_is_refused),
		TEST(after_any_power_cut_it_has_grown_or_not),
		cmocka_unit_test(a_file_grows_with_its_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
