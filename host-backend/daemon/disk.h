/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The image as all queues share it: one lock around the store, no I/O under it but rare superblock writes. */
#ifndef DAEMON_DISK_H
#define DAEMON_DISK_H

#include <pthread.h>
#include <stdatomic.h>
#include <tessera/block.h>
#include "host-backend/image/image.h"

#define DISK_CHECKPOINT_EVERY 65536u /* sequences: bounds what the next start has to verify */

/* X(name, text): counters, each queue's own, summed for SIGUSR1. */
#define DISK_COUNTERS(X)                                  \
	X(reads, "read requests")                         \
	X(writes, "write requests")                       \
	X(zeroes, "write-zeroes requests")                \
	X(flushes, "flush requests")                      \
	X(headers, "header requests")                     \
	X(failed, "requests completed with an error")     \
	X(blocks_read, "blocks read")                     \
	X(blocks_written, "blocks written")               \
	X(bytes_in, "bytes copied from the guest")        \
	X(bytes_out, "bytes copied to the guest")         \
	X(syncs, "syncs of the image")                    \
	X(starved, "writes that waited for a free slot")  \
	X(doorbells, "doorbells taken")                   \
	X(raised, "events raised")                        \
	X(quiet, "completions for which no event was due")

#define DISK_COUNTER_FIELD(name, text) _Atomic uint64_t name;
struct disk_counters {
	DISK_COUNTERS(DISK_COUNTER_FIELD)
};
#undef DISK_COUNTER_FIELD

/* One writer a counter: no locked instruction needed. */
#define DISK_COUNT(counters, name, by)                                                               \
	atomic_store_explicit(&(counters)->name,                                                     \
			      atomic_load_explicit(&(counters)->name, memory_order_relaxed) + (by), \
			      memory_order_relaxed)

struct disk {
	struct image *image; /* owned by the caller */
	int fd;              /* of the medium */
	bool read_only;
	atomic_bool failed;  /* a sync failed: the kernel may have dropped writes, nothing can be promised any more */
	pthread_mutex_t lock;
	uint32_t starving;   /* under lock: queues with writes that wait for slots */
	int kick[TSR_BLK_MAX_QUEUES]; /* under lock: eventfds to tell them, -1 while there is no queue */
	_Atomic uint64_t sessions;
	struct disk_counters counters[TSR_BLK_MAX_QUEUES]; /* over all sessions */
};

void disk_init(struct disk *disk, struct image *image, int fd);

/* Tells a queue's eventfd where to be kicked, or -1. */
void disk_set_kick(struct disk *disk, uint32_t queue, int eventfd);

/* For each block a pinned slot and its seal; STORE_NONE and a zero seal if never written. */
void disk_pin(struct disk *disk, uint64_t block, uint32_t count, uint32_t *slots, struct tsr_seal *seals);
void disk_unpin(struct disk *disk, const uint32_t *slots, uint32_t count);

/* false: no slots; the queue will be kicked. *sync then says whether a sync by it would free some. */
bool disk_begin(struct disk *disk, uint32_t queue, struct store_write *write, uint64_t block, uint32_t count,
		const struct tsr_seal *seals, bool *sync);
void disk_commit(struct disk *disk, struct store_write *write);
void disk_abort(struct disk *disk, struct store_write *write, bool voided);

struct store_sync disk_sync_begin(struct disk *disk);

/* After fdatasync; result 0 or a negative errno. */
void disk_sync_end(struct disk *disk, struct store_sync sync, int result);

/* Prints all counters. */
void disk_report(struct disk *disk);

#endif
