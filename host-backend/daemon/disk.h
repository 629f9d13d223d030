/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The image as all queues share it: one lock around the store, no I/O under it but rare superblock writes. */
#ifndef DAEMON_DISK_H
#define DAEMON_DISK_H

#include <pthread.h>
#include <stdatomic.h>
#include <tessera/block.h>
#include "host-backend/daemon/engine.h"
#include "host-backend/image/image.h"

#define DISK_CHECKPOINT_EVERY 65536u /* sequences: bounds what the next start has to verify */

/* One writer a counter: no locked instruction needed. */
static inline void disk_count(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}
#define DISK_COUNT(counters, name, by) disk_count(&(counters)[TSR_BACKEND_COUNT_##name], by)

struct disk {
	struct image *image; /* owned by the caller */
	const struct engine *engine; /* does the I/O, on image->io.context */
	struct medium medium; /* how data moves */
	bool read_only;
	bool through;        /* completed writes are durable; set by the one who starts the queues */
	atomic_bool keeps_space; /* the medium takes no discards */
	atomic_bool failed;  /* a sync failed: the kernel may have dropped writes, nothing can be promised any more */
	pthread_mutex_t lock;
	uint32_t starving;   /* under lock: queues with writes that wait for slots */
	int kick[TSR_BLK_MAX_QUEUES]; /* under lock: eventfds to tell them, -1 while there is no queue */
	struct tsr_backend_page *page; /* counters; not owned, and read by others */
};
_Static_assert(TSR_BLK_MAX_QUEUES <= TSR_BACKEND_QUEUES, "a queue has no counters");

void disk_init(struct disk *disk, struct image *image, const struct engine *engine, const struct medium *medium, struct tsr_backend_page *page);

/* Queues that are started from now on copy all data. By the one who starts them only. */
void disk_copy_all(struct disk *disk, enum tsr_backend_reason reason);

/* Tells a queue's eventfd where to be kicked, or -1. */
void disk_set_kick(struct disk *disk, uint32_t queue, int eventfd);

/* Around disk_pin, of one request or of many. */
void disk_pin_begin(struct disk *disk);
void disk_pin_end(struct disk *disk);

/* For each block a pinned slot and its seal; STORE_NONE and a zero seal if never written. */
void disk_pin(struct disk *disk, uint64_t block, uint32_t count, uint32_t *slots, struct tsr_seal *seals);
void disk_unpin(struct disk *disk, const uint32_t *slots, uint32_t count);

/* false: no slots; the queue will be kicked. *sync then says whether a sync by it would free some. */
bool disk_begin(struct disk *disk, uint32_t queue, struct store_write *write, uint64_t block, uint32_t count,
		const struct tsr_seal *seals, bool *sync);

/* true: it is time for a sync by this queue, so that slots come free before none is left. */
bool disk_commit(struct disk *disk, struct store_write *write);
void disk_abort(struct disk *disk, struct store_write *write, bool voided);

struct store_sync disk_sync_begin(struct disk *disk);

/* After fdatasync; result 0 or a negative errno. */
void disk_sync_end(struct disk *disk, struct store_sync sync, int result);

/* Prints all counters. */
void disk_report(struct disk *disk);

#endif
