/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The smallest storage engine: an image in the host's memory (POSIX shared memory), which outlives tesserad but not the host. Build a tesserad
 * that has it, beside the file engine, with `make host ENGINES=host-backend/examples/memory.c`; then
 *	tesserad --engine memory --image NAME --create 64M ...
 *
 * It has no submit, so tesserad calls read, write and sync from the queues' threads, several at a time: they share nothing but the mapping, and
 * I/O in flight never overlaps. An engine that waits for something should have one; daemon/engine.h says what it owes then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host-backend/daemon/engine.h"

struct memory {
	uint8_t *bytes;
	uint64_t size;
	int fd; /* carries the lock */
};

static int memory_read(void *context, void *data, size_t size, uint64_t offset)
{
	const struct memory *memory = context;

	if (offset > memory->size || size > memory->size - offset)
		return -EIO;
	memcpy(data, memory->bytes + offset, size);
	return 0;
}

static int memory_write(void *context, const void *data, size_t size, uint64_t offset)
{
	const struct memory *memory = context;

	if (offset > memory->size || size > memory->size - offset)
		return -EIO;
	memcpy(memory->bytes + offset, data, size);
	return 0;
}

/* Nothing here outlives the host, so there is nothing to wait for. */
static int memory_sync(void *context)
{
	(void)context;
	return 0;
}

static void memory_close(void *context)
{
	struct memory *memory = context;

	munmap(memory->bytes, memory->size);
	close(memory->fd);
	free(memory);
}

/* The object's size and mapping; 0 or a negative errno. */
static int map(struct memory *memory, uint64_t create)
{
	struct stat status;

	/* A killed process leaves no requests behind here, so its lock may go with it. */
	if (flock(memory->fd, LOCK_EX | LOCK_NB) || fstat(memory->fd, &status))
		return -errno;
	if (!status.st_size && ftruncate(memory->fd, create))
		return -errno;
	memory->size = status.st_size ? (uint64_t)status.st_size : create;
	if (!memory->size)
		return -EINVAL;
	memory->bytes = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
	return memory->bytes == MAP_FAILED ? -errno : 0;
}

static int memory_open(struct image_io *io, const struct engine_where *where, struct image_error *error)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	int result = -ENOMEM;

	if (memory) {
		memory->fd = shm_open(where->name, where->create ? O_RDWR | O_CREAT : O_RDWR, 0600);
		result = memory->fd < 0 ? -errno : map(memory, where->create);
	}
	if (!result) {
		*io = (struct image_io){
			.read = memory_read, .write = memory_write, .sync = memory_sync, .context = memory, .size = memory->size,
		};
		return 0;
	}
	snprintf(error->text, sizeof(error->text), "%s: opening it in /dev/shm failed: %s; %s", where->name, strerror(-result),
		 result == -ENOENT ? "make it with --create SIZE" : "another tesserad may be using it, or memory is short");
	if (memory && memory->fd >= 0)
		close(memory->fd);
	free(memory);
	return result;
}

static const struct engine engine_memory = {
	.name = "memory",
	.help = "a name in /dev/shm: memory of this host, lost when it restarts",
	.open = memory_open,
	.close = memory_close,
};
ENGINE(memory);
