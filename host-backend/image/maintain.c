/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Checking, repairing and growing images that nobody serves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "host-backend/image/image.h"

#define CHUNK 4096u /* records compared at a time */

static int count_bad_supers(const struct image_io *io, struct image_report *report)
{
	for (uint32_t i = 0; i < IMAGE_SUPER_COPIES; i++) {
		struct image_super super;
		int error = io->read(io->context, &super, sizeof(super), i * IMAGE_SUPER_SIZE);

		if (error)
			return error;
		report->bad_supers += image_super_check(&super) != IMAGE_SUPER_OK;
	}
	return 0;
}

/* Of a lost block nothing may be left: an older pair would come back in its place, and pass for new after the next attach. */
static void forget(struct image *image, const uint8_t *lost)
{
	struct store *store = &image->store;

	for (uint64_t slot = 0; slot < store->super.slots; slot++) {
		struct image_record *record = &store->record[slot];

		if (!image_record_free(record) && lost[record->block / 8] & 1u << record->block % 8)
			memset(record, 0, sizeof(*record));
	}
}

/* Later records were verified when they were loaded. */
static int verify(struct image *image, void (*tell)(uint64_t block))
{
	struct store *store = &image->store;
	uint8_t *lost = calloc(1, store->super.blocks / 8 + 1);
	int error = lost ? 0 : -ENOMEM;

	for (uint64_t block = 0; block < store->super.blocks && !error; block++) {
		uint32_t slot = store->map[block];
		bool matches = true;

		if (image->io.progress && block % 1024 == 0)
			image->io.progress(block, store->super.blocks);
		if (slot == STORE_NONE || !image_record_has_data(&store->record[slot]) ||
		    store->record[slot].sequence > store->super.checkpoint)
			continue;
		error = image_data_matches(image, slot, &matches);
		if (error || matches)
			continue;
		lost[block / 8] |= 1u << block % 8;
		store->map[block] = STORE_NONE;
		store->slot[slot].state = STORE_FREE;
		free_put(&store->free, slot);
		image->report.lost++;
		if (tell)
			tell(block);
	}
	if (lost && image->report.lost)
		forget(image, lost);
	free(lost);
	image->report.pairs -= image->report.lost;
	image->report.free = store->free.count;
	return error;
}

static int examine(struct image *image, const struct image_io *io, bool read_only, void (*lost)(uint64_t block), struct image_error *error)
{
	int result = image_load(image, io, read_only, error);

	if (result)
		return result;
	result = count_bad_supers(io, &image->report);
	if (!result)
		result = verify(image, lost);
	if (!result)
		return 0;
	image_drop(image);
	return image_fail(error, result, "reading the image failed: %s; check the medium", strerror(-result));
}

int image_check(const struct image_io *io, void (*lost)(uint64_t block), struct image_report *report, struct image_error *error)
{
	struct image image;
	int result = examine(&image, io, true, lost, error);

	*report = image.report;
	if (!result)
		image_drop(&image);
	return result;
}

/* What loading and verifying took for nothing becomes nothing on the medium too. */
static int write_back(struct image *image)
{
	static struct image_record found[CHUNK];
	const struct store *store = &image->store;
	const struct image_io *io = &image->io;
	uint64_t count;
	int error = 0;

	for (uint64_t slot = 0; slot < store->super.slots && !error; slot += count) {
		count = image_zone_end(&store->super, slot) - slot;
		if (count > CHUNK)
			count = CHUNK;
		error = io->read(io->context, found, count * IMAGE_RECORD_SIZE, image_record_of(&store->super, slot));
		for (uint64_t i = 0; i < count && !error; i++) {
			if (!memcmp(&found[i], &store->record[slot + i], IMAGE_RECORD_SIZE))
				continue;
			image->report.mended++;
			error = io->write(io->context, &store->record[slot + i], IMAGE_RECORD_SIZE, image_record_of(&store->super, slot + i));
		}
	}
	return error;
}

int image_repair(const struct image_io *io, void (*lost)(uint64_t block), struct image_report *report, struct image_error *error)
{
	struct image image;
	int result = examine(&image, io, false, lost, error);

	*report = image.report;
	if (result)
		return result;
	result = write_back(&image);
	if (!result)
		result = image_flush(&image);
	for (uint32_t copy = 0; copy < IMAGE_SUPER_COPIES && !result; copy++) {
		result = image_checkpoint(&image);
		if (!result)
			result = io->sync(io->context);
	}
	image.report.mended += image.report.rejected; /* those were cleared when they were found */
	*report = image.report;
	image_drop(&image);
	return result ? image_fail(error, result, "writing the image failed: %s; check the medium and repair it again", strerror(-result)) : 0;
}

/* The superblock as it will be. */
static int plan(const struct image_io *io, uint64_t blocks, struct image *image, struct image_super *super, struct image_error *error)
{
	int result = image_load(image, io, true, error);

	if (result)
		return result;
	*super = image->store.super;
	result = image_numbers_left(image, error);
	if (!result && blocks <= super->blocks)
		result = image_fail(error, -EINVAL, "it has %llu blocks already, and an image does not shrink; for less make another one and copy the "
				    "files inside the guest", (unsigned long long)super->blocks);
	else if (!result && blocks > IMAGE_MAX_BLOCKS)
		result = image_fail(error, -EINVAL, "a disk has up to %llu blocks of 4 KiB; choose a smaller size", IMAGE_MAX_BLOCKS);
	else if (!result && super->growths == IMAGE_MAX_GROWTHS)
		result = image_fail(error, -ENOSPC, "it has grown %u times, which is all it can; make another one and copy the files inside the guest",
				    IMAGE_MAX_GROWTHS);
	super->earlier[super->growths % IMAGE_MAX_GROWTHS] = super->blocks;
	super->growths++;
	super->blocks = blocks;
	super->slots = image_slots(blocks);
	if (result)
		image_drop(image);
	return result;
}

int image_grown_bytes(const struct image_io *io, uint64_t blocks, uint64_t *bytes, struct image_error *error)
{
	struct image_super super;
	struct image image;
	int result = plan(io, blocks, &image, &super, error);

	if (result)
		return result;
	*bytes = image_size_of(&super);
	image_drop(&image);
	return 0;
}

/* Until the first superblock is there nothing has changed, and each superblock alone tells all. */
int image_grow(const struct image_io *io, uint64_t blocks, bool clear, struct image_error *error)
{
	struct image_super super;
	struct image image;
	uint64_t before;
	int result = plan(io, blocks, &image, &super, error);

	if (result)
		return result;
	before = image.store.super.slots;
	image_drop(&image);
	if (io->size < image_size_of(&super))
		return image_fail(error, -ENOSPC, "%llu blocks need %llu bytes, there are %llu; make the medium larger first",
				  (unsigned long long)blocks, (unsigned long long)image_size_of(&super), (unsigned long long)io->size);
	if (clear)
		result = image_write_zeros(io, image_record_of(&super, before), image_data_of(&super, before));
	for (uint32_t copy = 0; copy < IMAGE_SUPER_COPIES && !result; copy++) {
		result = io->sync(io->context);
		super.generation++;
		image_super_seal(&super);
		if (!result)
			result = io->write(io->context, &super, sizeof(super), super.generation % IMAGE_SUPER_COPIES * IMAGE_SUPER_SIZE);
	}
	if (!result)
		result = io->sync(io->context);
	return result ? image_fail(error, result, "writing the image failed: %s; check the medium and try again", strerror(-result)) : 0;
}
