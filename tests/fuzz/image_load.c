/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/image/[a-z]*.c tests/unit/simdisk.c */
/*
 * Loading, using and reloading an image whose records are arbitrary, but for checksums put right on half of them: nothing may go out
 * of bounds, and what was written last must be what is read.
 */
#include <stdlib.h>
#include <string.h>
#include "host-backend/image/image.h"
#include "tests/unit/simdisk.h"

#define BLOCKS 8u
#define GROWTH (4u << 20) /* bytes: room to grow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t id[16] = { 1 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void plant(struct simdisk *disk, const uint8_t *data, size_t size)
{
	for (uint64_t slot = 0; size >= 12; slot++, data += 12, size -= 12) {
		struct image_record record = { .block = data[0] % (BLOCKS + 1), .flags = data[1] & 3, .seal = { .flags = data[2] & 3 } };

		memcpy(&record.sequence, data + 4, 8);
		record.data_crc = data[3] & 1 ? 0x98f94189 : data[3]; /* that of a block of zeros */
		if (data[3] & 2)
			image_record_seal(&record, id, slot);
		disk->io.write(disk, &record, sizeof(record), image_record_at(slot));
		if (slot + 1 == image_slots(BLOCKS))
			return;
	}
}

static void use(struct image *image)
{
	struct tsr_seal seal, back;
	uint8_t block[TSR_BLOCK_SIZE];

	for (uint32_t i = 0; i < BLOCKS; i++)
		require(image_read(image, i, &back, block) == 0);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		seal = (struct tsr_seal){ .counter = i + 1, .epoch = 99 };
		memset(block, i, sizeof(block));
		require(image_write(image, i, 1, &seal, block) == 0);
		require(image_read(image, i, &back, block) == 0);
		require(memcmp(&seal, &back, sizeof(seal)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct simdisk disk;
	struct image image;
	struct image_error error;
	struct image_report report;

	simdisk_init(&disk, image_bytes(BLOCKS) + GROWTH, 1);
	require(image_create(&disk.io, BLOCKS, id, false, &error) == 0);
	plant(&disk, data, size);
	require(image_check(&disk.io, NULL, &report, &error) == 0);
	if (size & 1) {
		require(image_repair(&disk.io, NULL, &report, &error) == 0);
		require(image_check(&disk.io, NULL, &report, &error) == 0);
		require(report.broken + report.rejected + report.lost + report.bad_supers + report.unverified == 0);
	}
	if (size & 2)
		require(image_grow(&disk.io, 2 * BLOCKS, true, &error) == 0);
	require(image_load(&image, &disk.io, false, &error) == 0);
	use(&image);
	require(image_close(&image) == 0);
	require(image_load(&image, &disk.io, true, &error) == 0);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		struct tsr_seal seal;
		uint8_t block[TSR_BLOCK_SIZE];

		require(image_read(&image, i, &seal, block) == 0);
		require(seal.epoch == 99 && seal.counter == i + 1 && block[4095] == i);
	}
	image_drop(&image);
	simdisk_fini(&disk);
	return 0;
}
