/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A disk in memory that can lose power. What was written and not synced survives a crash in any selection of 512-byte sectors, in any order: of
 * each sector, the durable contents or any of the later ones.
 */
#ifndef SIMDISK_H
#define SIMDISK_H

#include "host-backend/image/image.h"

#define SIMDISK_SECTOR 512u

struct simdisk {
	struct image_io io;
	uint8_t *now;     /* what reads see */
	uint8_t *durable;
	struct simdisk_version {
		uint64_t sector;
		uint8_t data[SIMDISK_SECTOR];
	} *version;       /* unsynced sector writes, oldest first */
	size_t versions, room;
	int fail_writes;  /* errno for all writes, or 0 */
	int fail_after;   /* with fail_writes: how many still succeed */
	int fail_syncs;
	uint64_t random;  /* state of the generator; any but 0 */
};

void simdisk_init(struct simdisk *disk, uint64_t size, uint64_t seed);
void simdisk_fini(struct simdisk *disk);
uint64_t simdisk_random(struct simdisk *disk, uint64_t below);

/* For syncs that overlap writes: what was written before the mark becomes durable, and no more. */
size_t simdisk_mark(const struct simdisk *disk);
void simdisk_sync_to(struct simdisk *disk, size_t mark);

void simdisk_crash(struct simdisk *disk);

#endif
