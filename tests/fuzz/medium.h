/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A medium for fuzzers of images: bytes in memory, of which only what an input has written is cleared for the next one. */
#ifndef FUZZ_MEDIUM_H
#define FUZZ_MEDIUM_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "host-backend/image/image.h"
#include "require.h"

#define MEDIUM_MOST (16u << 20)
#define MEDIUM_PAGE 4096u

static uint8_t medium[MEDIUM_MOST];
static bool medium_written[MEDIUM_MOST / MEDIUM_PAGE];

/* context: the image_io itself, for its size. */
static int medium_read(void *context, void *data, size_t size, uint64_t offset)
{
	const struct image_io *io = context;

	if (size > io->size || offset > io->size - size)
		return -EIO; /* as of a file that is cut short */
	memcpy(data, medium + offset, size);
	return 0;
}

static int medium_write(void *context, const void *data, size_t size, uint64_t offset)
{
	const struct image_io *io = context;

	require(size && size <= io->size && offset <= io->size - size);
	memcpy(medium + offset, data, size);
	for (uint64_t page = offset / MEDIUM_PAGE; page * MEDIUM_PAGE < offset + size; page++)
		medium_written[page] = true;
	return 0;
}

static int medium_sync(void *context)
{
	(void)context;
	return 0;
}

/* All zeros, and so large. */
static inline void medium_start(struct image_io *io, uint64_t size)
{
	require(size <= MEDIUM_MOST);
	for (uint64_t page = 0; page < MEDIUM_MOST / MEDIUM_PAGE; page++)
		if (medium_written[page])
			memset(medium + page * MEDIUM_PAGE, 0, MEDIUM_PAGE);
	memset(medium_written, 0, sizeof(medium_written));
	*io = (struct image_io){ .read = medium_read, .write = medium_write, .sync = medium_sync, .context = io, .size = size };
}

#endif
