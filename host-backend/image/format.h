/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Layout of a disk image, a file or a block device: the backend's own business, guests see none of it.
 *
 *   0        superblock, copy 0 and copy 1        4 KiB each, written in turn
 *   64 KiB   the guest's header slots 0 and 1     64 KiB each
 *   192 KiB  records, one of 64 bytes per slot
 *   then     data, 4 KiB per slot
 *   then     if it has grown: more records and their data, once for each time (a zone)
 *
 * Copy on write: there are more slots than blocks. A write takes a free slot for each block, writes its data and its record, and is
 * complete when both are. Of several valid records of one block the one with the highest sequence counts. The slot it supersedes is used
 * again only after an fdatasync that made the new one durable. So after a crash each block is its old or its new pair.
 * Relied upon: a medium writes each 512-byte sector wholly or not at all, and fdatasync means it.
 */
#ifndef IMAGE_FORMAT_H
#define IMAGE_FORMAT_H

#include <stdbool.h>
#include <tessera/seal.h>

#define IMAGE_MAGIC         "TSRIMG01"
#define IMAGE_VERSION       1u
#define IMAGE_SUPER_SIZE    4096u
#define IMAGE_SUPER_COPIES  2u
#define IMAGE_HEADER_OFFSET 65536u
#define IMAGE_RECORD_OFFSET (IMAGE_HEADER_OFFSET + TSR_HEADER_SLOTS * TSR_HEADER_SIZE)
#define IMAGE_RECORD_SIZE   64u
#define IMAGE_MAX_BLOCKS    (1ull << 31) /* 8 TiB: slot numbers stay below 2^32 - 1 */
#define IMAGE_SPARE_MIN     1024u
#define IMAGE_MAX_SEQUENCE  (1ull << 62) /* and generation */
#define IMAGE_LAST_SEQUENCE (1ull << 61) /* an image that is there is not loaded for writing: the end is then out of reach of those that were */
#define IMAGE_MAX_GROWTHS   32u

struct image_super {
	uint8_t magic[8];
	uint32_t version;
	uint32_t reserved0;
	uint8_t id[16];      /* drawn at creation; goes into every record's CRC, so that older contents of a device never count */
	uint64_t blocks;     /* capacity */
	uint64_t slots;
	uint64_t generation; /* of the superblock; the higher valid copy counts */
	uint64_t checkpoint; /* records up to this sequence are durable with their data; later ones are verified on load */
	uint32_t growths;    /* how often it has grown, at most IMAGE_MAX_GROWTHS */
	uint32_t reserved1;
	uint64_t earlier[IMAGE_MAX_GROWTHS]; /* the capacities before each time, rising; the rest is 0 */
	uint8_t reserved2[4096 - 76 - 8 * IMAGE_MAX_GROWTHS];
	uint32_t crc;        /* CRC-32C of all before */
};
_Static_assert(sizeof(struct image_super) == IMAGE_SUPER_SIZE, "superblock has the wrong size");

/* All zeros: the slot is free. */
struct image_record {
	struct tsr_seal seal;
	uint64_t block;
	uint64_t sequence;  /* from 1, rising over all writes to the image */
	uint32_t data_crc;  /* CRC-32C of the slot's data; 0 for a zero seal, whose data is not stored */
	uint32_t flags;     /* IMAGE_RECORD_USED */
	uint32_t reserved;  /* 0 */
	uint32_t crc;       /* CRC-32C of image id, slot number (8 bytes) and all before */
};
_Static_assert(sizeof(struct image_record) == IMAGE_RECORD_SIZE, "record has the wrong size");

#define IMAGE_RECORD_USED (1u << 0)

enum image_super_error {
	IMAGE_SUPER_OK = 0,
	IMAGE_SUPER_MAGIC,
	IMAGE_SUPER_CRC,
	IMAGE_SUPER_VERSION,
	IMAGE_SUPER_GEOMETRY,
};

/* Slots for a capacity: one in sixteen is spare, at least IMAGE_SPARE_MIN. */
uint64_t image_slots(uint64_t blocks);

/* Byte offsets in an image of so many slots that has never grown, and its size. slot < slots. */
uint64_t image_record_at(uint64_t slot);
uint64_t image_data_at(uint64_t slots, uint64_t slot);
uint64_t image_size(uint64_t slots);

/* The same in any image. Neighbours are neighbours there too, but not over a zone's end. super has been checked. */
uint64_t image_record_of(const struct image_super *super, uint64_t slot);
uint64_t image_data_of(const struct image_super *super, uint64_t slot);
uint64_t image_size_of(const struct image_super *super);

/* The first slot behind the zone of this one. */
uint64_t image_zone_end(const struct image_super *super, uint64_t slot);

void image_super_seal(struct image_super *super);
enum image_super_error image_super_check(const struct image_super *super);
const char *image_super_error_text(enum image_super_error error);

void image_record_seal(struct image_record *record, const uint8_t id[16], uint64_t slot);

/* Whether a record that is not all zeros is whole, of this image and of this slot. */
bool image_record_valid(const struct image_record *record, const struct image_super *super, uint64_t slot);
bool image_record_free(const struct image_record *record);
bool image_record_has_data(const struct image_record *record);

#endif
