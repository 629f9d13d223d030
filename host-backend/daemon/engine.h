/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Storage engines: what keeps an image's bytes. A file or a block device is the first one; this header is all that another one needs to know,
 * and host-backend/examples/memory.c is the smallest.
 *
 * tesserad does everything else: rings, tokens, the guest's pages, which block lies in which slot, what counts after a crash. An engine moves
 * bytes between private buffers and one place that is as large as it said, and says when they are durable. It never sees a guest's memory
 * (but for the file engine, whose disks may do DMA to it), nor anything that is not encrypted and sealed by the guest.
 *
 * What an engine has to keep to:
 * - Bytes. offset and size are multiples of 64 (IMAGE_RECORD_SIZE), not of a block: records are small. I/O in flight at one time never overlaps,
 *   but may share a 4 KiB block, so an engine that can only write whole blocks has to put such writes one after the other.
 * - Tearing. A write that a crash interrupts may leave old and new bytes, but each aligned 512 bytes old or new as a whole.
 * - Order. None among I/O in flight. A read that begins after a write has ended sees it, from any thread.
 * - Sync. When one ends well, all writes that had ended before it was submitted are durable, through any crash. A sync that has failed is final:
 *   tesserad then refuses to write until it is started again.
 * - Locking. While an image is open for writing nobody else may write to it, not even requests left behind by a process that was killed.
 */
#ifndef DAEMON_ENGINE_H
#define DAEMON_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include "host-backend/daemon/medium.h"
#include "host-backend/image/image.h"

#define ENGINE_FILES 4u

enum engine_op { ENGINE_READ, ENGINE_WRITE, ENGINE_SYNC, ENGINE_DISCARD };

/* One piece of I/O. tesserad owns it and its memory, and keeps both as they are until engine_done. */
struct engine_io {
	uint8_t op;     /* enum engine_op; ENGINE_SYNC and ENGINE_DISCARD have no data */
	bool meta;      /* a hint: superblocks, headers, records, not the guest's blocks */
	bool fixed;     /* data lies in registered buffer 0 of the queue's ring: only where struct engine has medium */
	uint8_t *data;
	uint32_t size;  /* bytes, from 64 to 1 MiB */
	uint64_t offset; /* bytes from the image's start */
	void *context;  /* struct image_io's */
	struct engine_io *next; /* the engine's to use until engine_done */
	int result;
};

/* What --image names, and how. */
struct engine_where {
	const char *name;
	bool read_only;
	uint64_t create; /* bytes: make the place so large if it is empty and can grow; 0: it has to be there */
	void (*waiting)(const char *name); /* call it once before waiting for another holder to let go */
};

struct engine {
	const char *name; /* of --engine */
	const char *help; /* one line: what --image names */
	/*
	 * Main thread, once. Fills io: size in bytes, the engine's context, and read, write and sync, which return 0 or a negative errno when all is
	 * done. These are called by any thread, one at a time. 0; or a negative errno, with what happened, why, and what to do in error.
	 */
	int (*open)(struct image_io *io, const struct engine_where *where, struct image_error *error);
	/* Main thread, after the last I/O has ended. */
	void (*close)(void *context);
	/*
	 * Starts I/O and returns without waiting; engine_done ends it, once. By threads of queues, up to 16 at a time. NULL: tesserad calls
	 * read, write and sync in those threads, several at a time, and each queue waits for them.
	 */
	void (*submit)(struct engine_io *io);
	/* submit takes ENGINE_DISCARD: what lies there, whole pages, is not needed any more. A hint, which may fail. */
	bool discards;
	/*
	 * Fills fds, at most ENGINE_FILES, with the descriptors that submit's entries of io_uring name by their place there (IOSQE_FIXED_FILE), and
	 * returns how many: the kernel then need not look them up each time. Each queue's ring has them until it ends. NULL: none.
	 */
	uint32_t (*files)(void *context, int *fds);
	/*
	 * Memory is read when the bytes are put in their place, not before, and one piece after the other where pieces overlap. tesserad may then write
	 * records with others between them, which are in flight by themselves as well: the exception to the rule that I/O in flight never overlaps.
	 */
	bool late_reads;
	/* Chooses how the guest's blocks are moved (medium.h); slots: those of the image as it was made. NULL: always by private buffers. */
	void (*medium)(void *context, struct medium *medium, bool read_only, uint64_t slots, bool iommu, bool bounce_always);
};

/* Ends io: the bytes moved (if fewer than asked for, tesserad asks for the rest), 0 for a sync, or a negative errno. Any thread, submit's too. */
void engine_done(struct engine_io *io, int result);

/*
 * For engines that use io_uring: an entry of the calling queue's own ring, to be prepared before submit returns. Its completion ends io, with
 * the completion's result. Never NULL. Only inside submit.
 */
struct io_uring_sqe *engine_sqe(struct engine_io *io);

/* Makes an engine known to --engine: `ENGINE(memory)` in its source, and the object file linked in (make host ENGINES=FILE.c). */
void engine_register(const struct engine *engine);
#define ENGINE(which)                                                        \
	__attribute__((constructor)) static void register_##which(void)      \
	{                                                                    \
		engine_register(&engine_##which);                            \
	}                                                                    \
	_Static_assert(1, "ends in a semicolon")

/* tesserad's side: by name, or by number from 0; NULL if there is none. */
const struct engine *engine_find(const char *name);
const struct engine *engine_number(uint32_t number);
void engine_submit(const struct engine *engine, const struct image_io *image, struct engine_io *io);

#endif
