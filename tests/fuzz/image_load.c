// SPDX-License-Identifier: BSD-2-Clause-Patent
/* sources: host-backend/image/[a-z]*.c */
/* flags: -fno-sanitize-coverage=trace-cmp */
/*
 * Checking, repairing, growing, loading, using and reloading an image whose superblocks and records are arbitrary, but for checksums put right on most
 * of them: it is refused with a reason, or nothing goes out of bounds, and what was written last is what is read. [STORE-1] [STORE-9]
 */
#include "medium.h"

#define BLOCKS 8u
#define SIZE   (12u << 20) /* bytes: room to grow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t id[16] = { 1 };
static struct image_io io;

enum { REPAIR = 1, GROW = 2, SUPER0 = 4, SUPER1 = 8, SCRIBBLE = 16, CUT = 32 };

static uint64_t number(const uint8_t *at)
{
	static const uint64_t edges[] = {
		0, 1, BLOCKS, BLOCKS + 1, 1000, 1ull << 31, (1ull << 31) + 1, 1ull << 32, 1ull << 61, (1ull << 61) + 1, IMAGE_MAX_SEQUENCE - 2,
		IMAGE_MAX_SEQUENCE - 1, IMAGE_MAX_SEQUENCE, IMAGE_MAX_SEQUENCE + 1, UINT64_MAX - 1, UINT64_MAX,
	};
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return at[7] % 2 ? value : edges[at[0] % 16];
}

/* 32 bytes: the numbers of a superblock, mostly such as go together. */
static void plant_super(uint32_t copy, const uint8_t *data)
{
	struct image_super super = { .blocks = number(data), .generation = number(data + 8), .checkpoint = number(data + 16) };

	memcpy(super.id, id, sizeof(id));
	super.growths = data[24] % 8 ? data[24] % 3 : data[25];
	for (uint32_t i = 0; i < super.growths && i < IMAGE_MAX_GROWTHS; i++)
		super.earlier[i] = data[26] % 4 ? i + 1 : data[27] * i;
	super.slots = data[28] % 8 ? image_slots(super.blocks) : number(data + 8);
	image_super_seal(&super);
	if (data[29] % 8 == 0)
		((uint8_t *)&super)[data[30] * 16u] ^= data[31];
	medium_write(&io, &super, sizeof(super), copy * IMAGE_SUPER_SIZE);
}

/* Each 12 bytes: a record. */
static void plant(const uint8_t *data, size_t size)
{
	for (uint64_t slot = 0; size >= 12; slot++, data += 12, size -= 12) {
		struct image_record record = { .block = data[0] % (BLOCKS + 1), .flags = data[1] & 3, .seal = { .flags = data[2] & 3 } };

		record.sequence = number(data + 4);
		record.data_crc = data[3] & 1 ? 0x98f94189 : data[3]; /* that of a block of zeros */
		if (data[3] & 2)
			image_record_seal(&record, id, slot);
		medium_write(&io, &record, sizeof(record), image_record_at(slot));
		if (slot + 1 == image_slots(BLOCKS))
			return;
	}
}

static void use(struct image *image, uint32_t blocks)
{
	struct tsr_seal seal, back;
	uint8_t block[TSR_BLOCK_SIZE];

	for (uint32_t i = 0; i < blocks; i++)
		require(image_read(image, i, &back, block) == 0);
	for (uint32_t i = 0; i < blocks; i++) {
		seal = (struct tsr_seal){ .counter = i + 1, .epoch = 99 };
		memset(block, (int)i, sizeof(block));
		require(image_write(image, i, 1, &seal, block) == 0);
		require(image_read(image, i, &back, block) == 0);
		require(memcmp(&seal, &back, sizeof(seal)) == 0);
	}
}

static void is_there(const struct image_io *again, uint32_t blocks)
{
	struct image_error error;
	struct image image;

	require(image_load(&image, again, true, &error) == 0);
	for (uint32_t i = 0; i < blocks; i++) {
		struct tsr_seal seal;
		uint8_t block[TSR_BLOCK_SIZE];

		require(image_read(&image, i, &seal, block) == 0);
		require(seal.epoch == 99 && seal.counter == i + 1 && block[4095] == (uint8_t)i);
	}
	image_drop(&image);
}

/* With a reason, and by all that only look. */
static bool refused(struct image_error *error)
{
	struct image image;
	struct image_report report;

	error->text[0] = 0;
	if (image_check(&io, NULL, &report, error) == 0)
		return false;
	require(error->text[0]);
	require(image_grow(&io, 2 * BLOCKS, false, error) && image_load(&image, &io, true, error));
	(void)image_repair(&io, NULL, &report, error);
	return true;
}

static void one(uint8_t what)
{
	struct image image;
	struct image_error error;
	struct image_report report;
	uint32_t blocks;

	if (refused(&error))
		return;
	if (what & REPAIR && image_repair(&io, NULL, &report, &error) == 0) {
		require(image_check(&io, NULL, &report, &error) == 0);
		require(report.broken + report.rejected + report.lost + report.bad_supers + report.unverified == 0);
	}
	if (what & GROW)
		(void)image_grow(&io, 2 * BLOCKS, true, &error); /* it may be larger already, or have grown often enough */
	if (image_load(&image, &io, false, &error)) {
		require(error.text[0]); /* its numbers are used up */
		return;
	}
	blocks = image.store.super.blocks < 2 * BLOCKS ? (uint32_t)image.store.super.blocks : 2 * BLOCKS;
	use(&image, blocks);
	require(image_close(&image) == 0);
	is_there(&io, blocks);
	require(image_check(&io, NULL, &report, &error) == 0 && report.blocks >= blocks && report.pairs >= blocks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_error error;
	uint8_t what;

	if (!size)
		return 0;
	what = *data++;
	size--;
	medium_start(&io, SIZE);
	require(image_create(&io, BLOCKS, id, false, &error) == 0);
	for (uint32_t i = 0; i < IMAGE_SUPER_COPIES; i++) {
		if (what & (SUPER0 << i) && size >= 32) {
			plant_super(i, data);
			data += 32;
			size -= 32;
		}
	}
	plant(data, size);
	if (what & SCRIBBLE && size)
		medium_write(&io, data, size < 200 ? size : 200, data[0] * 64u);
	if (what & CUT && size)
		io.size = data[0] * 65536ull;
	one(what);
	return 0;
}
