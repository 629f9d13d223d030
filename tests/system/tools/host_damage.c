/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Damages a sealed disk's image as a hostile host would: the image's own checksums are made right again, so that only the guest
 * can notice. The image must not be served meanwhile.
 *
 *	host_damage IMAGE flip-data BLOCK	one bit of a block's ciphertext
 *	host_damage IMAGE rot-data BLOCK	the same, as a medium would: the image's own checksum stays as it was
 *	host_damage IMAGE flip-seal BLOCK	one bit of a block's seal
 *	host_damage IMAGE swap BLOCK BLOCK	two blocks change places, each with its own seal
 *	host_damage IMAGE save BLOCK FILE	keeps a block and its seal
 *	host_damage IMAGE restore BLOCK FILE	puts that pair back in place of the present one
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host-backend/image/crc32c.h"
#include "host-backend/image/format.h"

struct pair {
	struct tsr_seal seal;
	uint8_t data[TSR_BLOCK_SIZE];
};

static int fd;
static struct image_super super;

static void die(const char *what)
{
	fprintf(stderr, "host_damage: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
	exit(1);
}

static void get(void *buf, size_t size, uint64_t at)
{
	if (pread(fd, buf, size, (off_t)at) != (ssize_t)size)
		die("reading the image");
}

static void put(const void *buf, size_t size, uint64_t at)
{
	if (pwrite(fd, buf, size, (off_t)at) != (ssize_t)size)
		die("writing the image");
}

static void open_image(const char *path)
{
	struct image_super other;
	bool first, second;

	fd = open(path, O_RDWR);
	if (fd < 0)
		die(path);
	get(&super, sizeof(super), 0);
	get(&other, sizeof(other), IMAGE_SUPER_SIZE);
	first = image_super_check(&super) == IMAGE_SUPER_OK;
	second = image_super_check(&other) == IMAGE_SUPER_OK;
	if (second && (!first || other.generation > super.generation))
		super = other;
	else if (!first)
		die("no valid superblock");
}

/* The slot that holds a block now: of its valid records the latest. */
static uint64_t slot_of(uint64_t block, struct image_record *record)
{
	uint64_t found = UINT64_MAX;

	record->sequence = 0;
	for (uint64_t slot = 0; slot < super.slots; slot++) {
		struct image_record r;

		get(&r, sizeof(r), image_record_of(&super, slot));
		if (image_record_free(&r) || !image_record_valid(&r, &super, slot) || r.block != block || r.sequence < record->sequence)
			continue;
		*record = r;
		found = slot;
	}
	errno = 0;
	if (found == UINT64_MAX || !image_record_has_data(record))
		die("the block holds no data");
	return found;
}

static uint64_t load(uint64_t block, struct image_record *record, struct pair *pair)
{
	uint64_t slot = slot_of(block, record);

	get(pair->data, sizeof(pair->data), image_data_of(&super, slot));
	pair->seal = record->seal;
	return slot;
}

static void store(uint64_t slot, struct image_record *record, const struct pair *pair)
{
	record->seal = pair->seal;
	record->data_crc = crc32c(0, pair->data, sizeof(pair->data));
	image_record_seal(record, super.id, slot);
	put(pair->data, sizeof(pair->data), image_data_of(&super, slot));
	put(record, sizeof(*record), image_record_of(&super, slot));
}

static void flip(uint64_t block, bool seal)
{
	struct image_record record;
	struct pair pair;
	uint64_t slot = load(block, &record, &pair);

	if (seal)
		pair.seal.tag[5] ^= 0x10;
	else
		pair.data[1234] ^= 0x10;
	store(slot, &record, &pair);
}

static void rot(uint64_t block)
{
	struct image_record record;
	struct pair pair;
	uint64_t slot = load(block, &record, &pair);

	pair.data[1234] ^= 0x10;
	put(pair.data, sizeof(pair.data), image_data_of(&super, slot));
}

static void swap(uint64_t a, uint64_t b)
{
	struct image_record record_a, record_b;
	struct pair pair_a, pair_b;
	uint64_t slot_a = load(a, &record_a, &pair_a), slot_b = load(b, &record_b, &pair_b);

	store(slot_a, &record_a, &pair_b);
	store(slot_b, &record_b, &pair_a);
}

static void keep(uint64_t block, const char *path, bool restore)
{
	struct image_record record;
	struct pair now, old;
	uint64_t slot = load(block, &record, &now);
	FILE *file = fopen(path, restore ? "r" : "w");

	if (!file)
		die(path);
	if (!restore) {
		if (fwrite(&now, sizeof(now), 1, file) != 1)
			die(path);
	} else {
		errno = 0;
		if (fread(&old, sizeof(old), 1, file) != 1 || !memcmp(&old, &now, sizeof(now)))
			die("the kept pair is missing, or is the present one");
		store(slot, &record, &old);
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[2] : "";
	uint64_t block = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;

	if (argc > 3)
		open_image(argv[1]);
	if (argc == 4 && !strcmp(what, "flip-data"))
		flip(block, false);
	else if (argc == 4 && !strcmp(what, "rot-data"))
		rot(block);
	else if (argc == 4 && !strcmp(what, "flip-seal"))
		flip(block, true);
	else if (argc == 5 && !strcmp(what, "swap"))
		swap(block, strtoull(argv[4], NULL, 0));
	else if (argc == 5 && (!strcmp(what, "save") || !strcmp(what, "restore")))
		keep(block, argv[4], !strcmp(what, "restore"));
	else {
		fprintf(stderr, "usage: host_damage IMAGE flip-data|rot-data|flip-seal BLOCK | swap BLOCK BLOCK | save|restore BLOCK FILE\n");
		return 2;
	}
	if (fsync(fd))
		die("fsync");
	return 0;
}
