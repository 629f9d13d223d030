/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/image/image.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "host-backend/image/crc32c.h"

#define CHUNK (1u << 20) /* bytes of one read of the record table */

int image_fail(struct image_error *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
	return code;
}

static int read_at(const struct image_io *io, void *data, size_t size, uint64_t offset)
{
	return io->read(io->context, data, size, offset);
}

static int write_at(const struct image_io *io, const void *data, size_t size, uint64_t offset)
{
	return io->write(io->context, data, size, offset);
}

uint64_t image_bytes(uint64_t blocks)
{
	return image_size(image_slots(blocks));
}

static void tell(const struct image_io *io, uint64_t done, uint64_t total)
{
	if (io->progress)
		io->progress(done, total);
}

int image_write_zeros(const struct image_io *io, uint64_t from, uint64_t to)
{
	static const uint8_t zeros[CHUNK];
	const uint64_t start = from;

	while (from < to) {
		uint64_t size = to - from < CHUNK ? to - from : CHUNK;
		int error = write_at(io, zeros, size, from);

		if (error)
			return error;
		from += size;
		tell(io, from - start, to - start);
	}
	return 0;
}

/* The superblocks come last and after a sync, so that an interrupted creation leaves no image. */
int image_create(const struct image_io *io, uint64_t blocks, const uint8_t id[16], bool clear, struct image_error *error)
{
	struct image_super super = { .blocks = blocks, .slots = image_slots(blocks), .generation = 1 };
	int result;

	if (blocks == 0 || blocks > IMAGE_MAX_BLOCKS)
		return image_fail(error, -EINVAL, "a disk has from 1 to %llu blocks of 4 KiB; choose another size", IMAGE_MAX_BLOCKS);
	if (io->size < image_bytes(blocks))
		return image_fail(error, -ENOSPC, "%llu blocks need %llu bytes, there are %llu; choose a smaller size or a larger medium",
			    (unsigned long long)blocks, (unsigned long long)image_bytes(blocks), (unsigned long long)io->size);
	memcpy(super.id, id, sizeof(super.id));
	image_super_seal(&super);
	result = image_write_zeros(io, 0, IMAGE_RECORD_OFFSET);
	if (!result && clear)
		result = image_write_zeros(io, IMAGE_RECORD_OFFSET, image_record_at(super.slots));
	if (!result)
		result = io->sync(io->context);
	for (uint32_t copy = 0; copy < IMAGE_SUPER_COPIES && !result; copy++)
		result = write_at(io, &super, sizeof(super), copy * IMAGE_SUPER_SIZE);
	if (!result)
		result = io->sync(io->context);
	if (result)
		image_fail(error, result, "writing the new image failed: %s", strerror(-result));
	return result;
}

static int read_super(const struct image_io *io, struct image_super *super, struct image_error *error)
{
	struct image_super copy[IMAGE_SUPER_COPIES];
	enum image_super_error bad[IMAGE_SUPER_COPIES];
	uint32_t best = 0;

	for (uint32_t i = 0; i < IMAGE_SUPER_COPIES; i++) {
		int result = read_at(io, &copy[i], sizeof(copy[i]), i * IMAGE_SUPER_SIZE);

		if (result)
			return image_fail(error, result, "reading the superblock failed: %s", strerror(-result));
		bad[i] = image_super_check(&copy[i]);
	}
	if (bad[0] != IMAGE_SUPER_OK || (bad[1] == IMAGE_SUPER_OK && copy[1].generation > copy[0].generation))
		best = 1;
	if (bad[best] != IMAGE_SUPER_OK)
		return image_fail(error, -EINVAL, "%s; make one with `tessera image create`", image_super_error_text(bad[0]));
	*super = copy[best];
	if (io->size < image_size_of(super))
		return image_fail(error, -EINVAL, "the image is cut short: it needs %llu bytes and has %llu; restore it from a copy",
			    (unsigned long long)image_size_of(super), (unsigned long long)io->size);
	return 0;
}

/* Of loading: records are read first, then what they say is looked at; in bytes, as if all slots had data to be verified. */
static void tell_load(const struct image *image, uint64_t records, uint64_t slots)
{
	uint64_t all = image->store.super.slots;

	tell(&image->io, records + slots * TSR_BLOCK_SIZE, all * (IMAGE_RECORD_SIZE + TSR_BLOCK_SIZE));
}

static int read_records(struct image *image)
{
	struct store *store = &image->store;
	uint64_t count;

	for (uint64_t slot = 0; slot < store->super.slots; slot += count) {
		int error;

		count = image_zone_end(&store->super, slot) - slot;
		if (count > CHUNK / IMAGE_RECORD_SIZE)
			count = CHUNK / IMAGE_RECORD_SIZE;
		error = read_at(&image->io, &store->record[slot], count * IMAGE_RECORD_SIZE, image_record_of(&store->super, slot));
		if (error)
			return error;
		tell_load(image, (slot + count) * IMAGE_RECORD_SIZE, 0);
	}
	return 0;
}

int image_data_matches(struct image *image, uint32_t slot, bool *matches)
{
	uint8_t data[TSR_BLOCK_SIZE];
	int error = read_at(&image->io, data, sizeof(data), image_data_of(&image->store.super, slot));

	*matches = !error && crc32c(0, data, sizeof(data)) == image->store.record[slot].data_crc;
	return error;
}

/*
 * A rejected record must not come back: after the next checkpoint its data would no longer be verified. So it becomes zero on the
 * medium too; the write is durable before any later checkpoint, since each checkpoint follows a sync.
 */
static int reject(struct image *image, uint32_t slot)
{
	struct store *store = &image->store;

	image->report.rejected++;
	if (store->record[slot].sequence >= store->next_sequence)
		store->next_sequence = store->record[slot].sequence + 1;
	memset(&store->record[slot], 0, sizeof(store->record[slot]));
	if (image->read_only)
		return 0;
	return write_at(&image->io, &store->record[slot], IMAGE_RECORD_SIZE, image_record_of(&store->super, slot));
}

static int load_slot(struct image *image, uint32_t slot)
{
	struct store *store = &image->store;
	struct image_record *record = &store->record[slot];
	bool late, matches = true;
	int error = 0;

	if (image_record_free(record))
		return 0;
	if (!image_record_valid(record, &store->super, slot)) {
		image->report.broken++;
		memset(record, 0, sizeof(*record));
		return 0;
	}
	late = record->sequence > store->super.checkpoint;
	image->report.unverified += late;
	if (late && image_record_has_data(record))
		error = image_data_matches(image, slot, &matches);
	if (error)
		return error;
	if (!matches)
		return reject(image, slot);
	store_load(store, slot);
	return 0;
}

static void count_pairs(struct image *image)
{
	const struct store *store = &image->store;

	image->report.blocks = store->super.blocks;
	image->report.slots = store->super.slots;
	image->report.free = store->free.count;
	image->report.pairs = store->super.slots - store->free.count;
	image->report.checkpoint = store->super.checkpoint;
	for (uint64_t block = 0; block < store->super.blocks; block++)
		if (store->map[block] != STORE_NONE && !image_record_has_data(&store->record[store->map[block]]))
			image->report.zeros++;
}

int image_numbers_left(const struct image *image, struct image_error *error)
{
	const struct store *store = &image->store;

	if (store->next_sequence <= IMAGE_LAST_SEQUENCE && store->super.generation <= IMAGE_LAST_SEQUENCE)
		return 0;
	return image_fail(error, -EINVAL, "it was written to as often as an image can be, or is damaged; attach it read-only, make another one and copy the "
			  "files inside the guest");
}

static int load(struct image *image, struct image_error *error)
{
	struct image_super super = { 0 };
	int result = image->read_only ? 0 : image->io.sync(image->io.context);

	if (result)
		return image_fail(error, result, "syncing the image failed: %s; check the medium", strerror(-result));
	result = read_super(&image->io, &super, error);
	if (result)
		return result;
	if (!store_init(&image->store, &super))
		return image_fail(error, -ENOMEM, "no memory for %llu slots of %zu bytes; give the host more", (unsigned long long)super.slots,
			    sizeof(struct image_record) + sizeof(struct store_slot) + 2 * sizeof(uint32_t));
	result = read_records(image);
	for (uint64_t slot = 0; slot < super.slots && !result; slot++) {
		result = load_slot(image, slot);
		if (slot % 1024 == 0)
			tell_load(image, super.slots * IMAGE_RECORD_SIZE, slot + 1);
	}
	if (result) {
		store_fini(&image->store);
		return image_fail(error, result, "reading the image failed: %s; check the medium", strerror(-result));
	}
	result = image->read_only ? 0 : image_numbers_left(image, error);
	if (result) {
		store_fini(&image->store);
		return result;
	}
	count_pairs(image);
	return 0;
}

int image_load(struct image *image, const struct image_io *io, bool read_only, struct image_error *error)
{
	memset(image, 0, sizeof(*image));
	image->io = *io;
	image->read_only = read_only;
	return load(image, error);
}

int image_checkpoint(struct image *image)
{
	struct image_super *super = &image->store.super;

	super->checkpoint = image->store.durable;
	super->generation++;
	image_super_seal(super);
	return write_at(&image->io, super, sizeof(*super), super->generation % IMAGE_SUPER_COPIES * IMAGE_SUPER_SIZE);
}

int image_flush(struct image *image)
{
	struct store_sync sync = store_sync_begin(&image->store);
	int error = image->io.sync(image->io.context);

	if (!error)
		store_sync_end(&image->store, sync);
	return error;
}

void image_drop(struct image *image)
{
	store_fini(&image->store);
}

int image_close(struct image *image)
{
	int error = 0;

	if (!image->read_only)
		error = image_flush(image);
	if (!image->read_only && !error)
		error = image_checkpoint(image);
	if (!image->read_only && !error)
		error = image->io.sync(image->io.context);
	image_drop(image);
	return error;
}

int image_read(struct image *image, uint64_t block, struct tsr_seal *seal, uint8_t *data)
{
	struct store *store = &image->store;
	uint32_t slot = store_pin(store, block);
	int error = 0;

	memset(data, 0, TSR_BLOCK_SIZE);
	memset(seal, 0, sizeof(*seal));
	if (slot == STORE_NONE)
		return 0;
	*seal = store->record[slot].seal;
	if (image_record_has_data(&store->record[slot]))
		error = read_at(&image->io, data, TSR_BLOCK_SIZE, image_data_of(&store->super, slot));
	store_unpin(store, slot);
	return error;
}

static int write_slot(struct image *image, const struct store_write *write, uint32_t index, const uint8_t *data)
{
	struct store *store = &image->store;
	uint32_t slot = write->slot[index];
	bool has_data = image_record_has_data(&store->record[slot]);
	int error = 0;

	store_seal(store, write, index, has_data ? crc32c(0, data, TSR_BLOCK_SIZE) : 0);
	if (has_data)
		error = write_at(&image->io, data, TSR_BLOCK_SIZE, image_data_of(&store->super, slot));
	if (!error)
		error = write_at(&image->io, &store->record[slot], IMAGE_RECORD_SIZE, image_record_of(&store->super, slot));
	return error;
}

static void abandon(struct image *image, struct store_write *write)
{
	bool voided = true;

	store_void(&image->store, write);
	for (uint32_t i = 0; i < write->count; i++)
		voided &= write_at(&image->io, &image->store.record[write->slot[i]], IMAGE_RECORD_SIZE,
				   image_record_of(&image->store.super, write->slot[i])) == 0;
	store_abort(&image->store, write, voided);
}

int image_write(struct image *image, uint64_t block, uint32_t count, const struct tsr_seal *seals, const uint8_t *data)
{
	struct store_write write;
	int error = 0;

	if (!store_begin(&image->store, &write, block, count, seals)) {
		error = image_flush(image);
		if (error)
			return error;
		if (!store_begin(&image->store, &write, block, count, seals))
			return -ENOSPC;
	}
	for (uint32_t i = 0; i < count && !error; i++)
		error = write_slot(image, &write, i, data + i * TSR_BLOCK_SIZE);
	if (error)
		abandon(image, &write);
	else
		store_commit(&image->store, &write);
	return error;
}

static uint64_t header_at(uint32_t slot)
{
	return IMAGE_HEADER_OFFSET + (uint64_t)slot * TSR_HEADER_SIZE;
}

int image_header_read(struct image *image, uint32_t slot, void *header)
{
	return read_at(&image->io, header, TSR_HEADER_SIZE, header_at(slot));
}

int image_header_write(struct image *image, uint32_t slot, const void *header)
{
	int error = write_at(&image->io, header, TSR_HEADER_SIZE, header_at(slot));

	return error ? error : image->io.sync(image->io.context);
}
