/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "simdisk.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int sim_read(void *context, void *data, size_t size, uint64_t offset)
{
	struct simdisk *disk = context;

	if (offset + size > disk->io.size)
		return -EIO;
	memcpy(data, disk->now + offset, size);
	return 0;
}

static void remember(struct simdisk *disk, uint64_t sector)
{
	if (disk->versions == disk->room) {
		disk->room = disk->room ? 2 * disk->room : 1024;
		disk->version = realloc(disk->version, disk->room * sizeof(*disk->version));
	}
	disk->version[disk->versions].sector = sector;
	memcpy(disk->version[disk->versions].data, disk->now + sector * SIMDISK_SECTOR, SIMDISK_SECTOR);
	disk->versions++;
}

static int sim_write(void *context, const void *data, size_t size, uint64_t offset)
{
	struct simdisk *disk = context;

	if (disk->fail_writes && disk->fail_after-- <= 0)
		return -disk->fail_writes;
	if (offset + size > disk->io.size)
		return -EIO;
	memcpy(disk->now + offset, data, size);
	for (uint64_t sector = offset / SIMDISK_SECTOR; sector * SIMDISK_SECTOR < offset + size; sector++)
		remember(disk, sector);
	return 0;
}

static int sim_sync(void *context)
{
	struct simdisk *disk = context;

	if (disk->fail_syncs)
		return -EIO;
	simdisk_sync_to(disk, disk->versions);
	return 0;
}

void simdisk_init(struct simdisk *disk, uint64_t size, uint64_t seed)
{
	memset(disk, 0, sizeof(*disk));
	disk->io = (struct image_io){ .read = sim_read, .write = sim_write, .sync = sim_sync, .context = disk, .size = size };
	disk->now = calloc(1, size + SIMDISK_SECTOR);
	disk->durable = calloc(1, size + SIMDISK_SECTOR);
	disk->random = seed * 0x9e3779b97f4a7c15ull + 1;
}

void simdisk_fini(struct simdisk *disk)
{
	free(disk->now);
	free(disk->durable);
	free(disk->version);
}

/* xorshift64 */
uint64_t simdisk_random(struct simdisk *disk, uint64_t below)
{
	disk->random ^= disk->random << 13;
	disk->random ^= disk->random >> 7;
	disk->random ^= disk->random << 17;
	return (disk->random >> 11) % below;
}

size_t simdisk_mark(const struct simdisk *disk)
{
	return disk->versions;
}

static void make_durable(struct simdisk *disk, const struct simdisk_version *version)
{
	memcpy(disk->durable + version->sector * SIMDISK_SECTOR, version->data, SIMDISK_SECTOR);
}

void simdisk_sync_to(struct simdisk *disk, size_t mark)
{
	for (size_t i = 0; i < mark; i++)
		make_durable(disk, &disk->version[i]);
	disk->versions -= mark;
	if (disk->versions)
		memmove(disk->version, disk->version + mark, disk->versions * sizeof(*disk->version));
}

void simdisk_crash(struct simdisk *disk)
{
	/* From nothing to all of it, and what lies between. */
	uint64_t percent = simdisk_random(disk, 5) * 25;

	for (size_t i = 0; i < disk->versions; i++)
		if (simdisk_random(disk, 100) < percent)
			make_durable(disk, &disk->version[i]);
	disk->versions = 0;
	disk->fail_writes = disk->fail_syncs = 0;
	memcpy(disk->now, disk->durable, disk->io.size);
}
