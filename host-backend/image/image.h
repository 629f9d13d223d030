/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Images: creating, loading, checking, and reading and writing pairs one after the other. The daemon loads and closes images with this and
 * does its reads and writes itself, through io_uring, with the same store. No function here may be called by two threads at a time.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "host-backend/image/store.h"

/* The medium. Each returns 0 or a negative errno, having moved all bytes or not. A test puts a simulated disk here. */
struct image_io {
	int (*read)(void *context, void *data, size_t size, uint64_t offset);
	int (*write)(void *context, const void *data, size_t size, uint64_t offset);
	int (*sync)(void *context);
	void *context;
	uint64_t size; /* in bytes, of what is there */
	void (*progress)(uint64_t done, uint64_t total); /* told now and then how far creating, loading or checking is; or NULL */
};

/* What loading or checking found. */
struct image_report {
	uint64_t blocks, slots;
	uint64_t pairs;      /* blocks that have a pair */
	uint64_t zeros;      /* of these: zero seals, without data */
	uint64_t free;       /* slots that hold no pair */
	uint64_t broken;     /* records that are torn or foreign: counted as free */
	uint64_t rejected;   /* records later than the checkpoint whose data did not match: an interrupted write's, or damage */
	uint64_t checkpoint;
	uint64_t unverified; /* records later than the checkpoint, whose data was therefore verified */
	/* only by image_check and image_repair */
	uint64_t lost;       /* blocks whose durable pair is damaged: they count as never written */
	uint64_t mended;     /* records that repair has written */
	uint32_t bad_supers; /* copies of the superblock that are not valid */
};

struct image_error {
	char text[256]; /* what happened, why, what to do */
};

struct image {
	struct image_io io;
	struct store store;
	struct image_report report;
	bool read_only;
};

/* Bytes that an image for blocks needs. */
uint64_t image_bytes(uint64_t blocks);

/*
 * Makes an empty image. id: 16 random bytes. clear: the medium may hold old contents in place of a new file's zeros, so write zeros over the
 * records. 0 or a negative errno with error filled.
 */
int image_create(const struct image_io *io, uint64_t blocks, const uint8_t id[16], bool clear, struct image_error *error);

/*
 * Reads everything and decides which pairs count. Unless read_only it syncs first, so that what it decides by is durable, and
 * makes rejected records zero. On error nothing needs closing.
 */
int image_load(struct image *image, const struct image_io *io, bool read_only, struct image_error *error);

/* Whether records and superblocks yet to be written will count: their numbers are not at the end. 0 or -EINVAL. */
int image_numbers_left(const struct image *image, struct image_error *error);

/* Writes a superblock that says up to where everything is durable. Harmless if it is lost or torn. 0 or a negative errno. */
int image_checkpoint(struct image *image);

/* Syncs, writes a checkpoint (unless read-only), frees the memory. 0 or a negative errno of what could not be made durable. */
int image_close(struct image *image);

/* Frees the memory only: as a crash would. */
void image_drop(struct image *image);

/* One block's pair. seal all zeros: never written. data: TSR_BLOCK_SIZE bytes, zeros where none is stored. 0 or a negative errno. */
int image_read(struct image *image, uint64_t block, struct tsr_seal *seal, uint8_t *data);

/* count blocks (1..STORE_MAX_BLOCKS); data is looked at for blocks that are not zero seals only. Syncs by itself if no slot is free. */
int image_write(struct image *image, uint64_t block, uint32_t count, const struct tsr_seal *seals, const uint8_t *data);
int image_flush(struct image *image);

/* A guest's header slot (0 or 1), TSR_HEADER_SIZE bytes. Writing syncs. */
int image_header_read(struct image *image, uint32_t slot, void *header);
int image_header_write(struct image *image, uint32_t slot, const void *header);

/* maintain.c: on images that nobody serves. lost (or NULL) is called for each block that is lost. */

/* Like image_load, read-only, and also verifies the data of every pair. Frees the memory again. */
int image_check(const struct image_io *io, void (*lost)(uint64_t block), struct image_report *report, struct image_error *error);

/*
 * Makes the image whole: clears records that are torn, foreign or without their data, and writes both superblocks. A block whose pair is
 * damaged is lost, older pairs of it included: nothing old may come back in its place. The report tells what was found and mended.
 */
int image_repair(const struct image_io *io, void (*lost)(uint64_t block), struct image_report *report, struct image_error *error);

/* Bytes that the image needs after growing to blocks. 0 or a negative errno with error filled: it cannot grow to that. */
int image_grown_bytes(const struct image_io *io, uint64_t blocks, uint64_t *bytes, struct image_error *error);

/* Grows the capacity to blocks; the medium is large enough. clear as in image_create. After a crash it has grown, or not. */
int image_grow(const struct image_io *io, uint64_t blocks, bool clear, struct image_error *error);

/* image.c, for maintain.c */
__attribute__((format(printf, 3, 4))) int image_fail(struct image_error *error, int code, const char *format, ...); /* code */
int image_data_matches(struct image *image, uint32_t slot, bool *matches);
int image_write_zeros(const struct image_io *io, uint64_t from, uint64_t to);

#endif
