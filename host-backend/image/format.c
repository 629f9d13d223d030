/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/image/format.h"
#include <string.h>
#include "host-backend/image/crc32c.h"
#include "proto/port.h"

uint64_t image_slots(uint64_t blocks)
{
	uint64_t spare = blocks / 16;

	return blocks + (spare < IMAGE_SPARE_MIN ? IMAGE_SPARE_MIN : spare);
}

uint64_t image_record_at(uint64_t slot)
{
	return IMAGE_RECORD_OFFSET + slot * IMAGE_RECORD_SIZE;
}

uint64_t image_data_at(uint64_t slots, uint64_t slot)
{
	uint64_t start = (image_record_at(slots) + TSR_BLOCK_SIZE - 1) & ~(uint64_t)(TSR_BLOCK_SIZE - 1);

	return start + slot * TSR_BLOCK_SIZE;
}

uint64_t image_size(uint64_t slots)
{
	return image_data_at(slots, slots);
}

static uint32_t super_crc(const struct image_super *super)
{
	return crc32c(0, super, offsetof(struct image_super, crc));
}

void image_super_seal(struct image_super *super)
{
	memcpy(super->magic, IMAGE_MAGIC, sizeof(super->magic));
	super->version = IMAGE_VERSION;
	super->crc = super_crc(super);
}

enum image_super_error image_super_check(const struct image_super *super)
{
	if (memcmp(super->magic, IMAGE_MAGIC, sizeof(super->magic)))
		return IMAGE_SUPER_MAGIC;
	if (super->crc != super_crc(super))
		return IMAGE_SUPER_CRC;
	if (super->version != IMAGE_VERSION)
		return IMAGE_SUPER_VERSION;
	if (super->blocks == 0 || super->blocks > IMAGE_MAX_BLOCKS || super->slots != image_slots(super->blocks) ||
	    super->checkpoint > IMAGE_MAX_SEQUENCE)
		return IMAGE_SUPER_GEOMETRY;
	return IMAGE_SUPER_OK;
}

const char *image_super_error_text(enum image_super_error error)
{
	switch (error) {
	case IMAGE_SUPER_OK:
		return "no error";
	case IMAGE_SUPER_MAGIC:
		return "not a Tessera disk image";
	case IMAGE_SUPER_CRC:
		return "superblock damaged";
	case IMAGE_SUPER_VERSION:
		return "made by another version of Tessera";
	case IMAGE_SUPER_GEOMETRY:
		return "impossible size in the superblock";
	}
	return "unknown error";
}

static uint32_t record_crc(const struct image_record *record, const uint8_t id[16], uint64_t slot)
{
	uint32_t crc = crc32c(0, id, 16);

	crc = crc32c(crc, &slot, sizeof(slot));
	return crc32c(crc, record, offsetof(struct image_record, crc));
}

void image_record_seal(struct image_record *record, const uint8_t id[16], uint64_t slot)
{
	record->crc = record_crc(record, id, slot);
}

bool image_record_valid(const struct image_record *record, const struct image_super *super, uint64_t slot)
{
	return record->crc == record_crc(record, super->id, slot) && record->flags == IMAGE_RECORD_USED && !record->reserved &&
	       record->block < super->blocks && record->sequence != 0 && record->sequence < IMAGE_MAX_SEQUENCE;
}

bool image_record_free(const struct image_record *record)
{
	return tsr_is_zero(record, sizeof(*record));
}

bool image_record_has_data(const struct image_record *record)
{
	return !(record->seal.flags & TSR_SEAL_ZERO);
}
