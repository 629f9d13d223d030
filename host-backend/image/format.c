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

static uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + TSR_BLOCK_SIZE - 1) & ~(uint64_t)(TSR_BLOCK_SIZE - 1);
}

uint64_t image_record_at(uint64_t slot)
{
	return IMAGE_RECORD_OFFSET + slot * IMAGE_RECORD_SIZE;
}

uint64_t image_data_at(uint64_t slots, uint64_t slot)
{
	return whole_pages(image_record_at(slots)) + slot * TSR_BLOCK_SIZE;
}

uint64_t image_size(uint64_t slots)
{
	return image_data_at(slots, slots);
}

struct zone {
	uint64_t first, end; /* slots */
	uint64_t at;         /* its records; data follows from the next page */
};

static uint64_t zone_data(const struct zone *zone)
{
	return zone->at + whole_pages((zone->end - zone->first) * IMAGE_RECORD_SIZE);
}

static struct zone zone_of(const struct image_super *super, uint64_t slot)
{
	struct zone zone = { .at = IMAGE_RECORD_OFFSET };

	for (uint32_t i = 0;; i++) {
		zone.end = i == super->growths ? super->slots : image_slots(super->earlier[i]);
		if (slot < zone.end || i == super->growths)
			return zone;
		zone.at = zone_data(&zone) + (zone.end - zone.first) * TSR_BLOCK_SIZE;
		zone.first = zone.end;
	}
}

uint64_t image_record_of(const struct image_super *super, uint64_t slot)
{
	struct zone zone = zone_of(super, slot);

	return zone.at + (slot - zone.first) * IMAGE_RECORD_SIZE;
}

uint64_t image_data_of(const struct image_super *super, uint64_t slot)
{
	struct zone zone = zone_of(super, slot);

	return zone_data(&zone) + (slot - zone.first) * TSR_BLOCK_SIZE;
}

uint64_t image_size_of(const struct image_super *super)
{
	return image_data_of(super, super->slots);
}

uint64_t image_zone_end(const struct image_super *super, uint64_t slot)
{
	return zone_of(super, slot).end;
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

/* Capacities rise from one growth to the next; there are none behind the last. */
static bool growths_valid(const struct image_super *super)
{
	uint64_t last = 0;

	if (super->growths > IMAGE_MAX_GROWTHS)
		return false;
	for (uint32_t i = 0; i < IMAGE_MAX_GROWTHS; i++) {
		if (i >= super->growths ? super->earlier[i] != 0 : super->earlier[i] <= last)
			return false;
		last = super->earlier[i];
	}
	return super->growths == 0 || super->earlier[super->growths - 1] < super->blocks;
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
	    super->checkpoint > IMAGE_MAX_SEQUENCE || super->generation > IMAGE_MAX_SEQUENCE || !growths_valid(super))
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
		return "impossible numbers in the superblock";
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
