/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/disk.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"

static void show_medium(struct disk *disk)
{
	__atomic_store_n(&disk->page->reason, disk->medium.reason, __ATOMIC_RELAXED);
	__atomic_store_n(&disk->page->mode, disk->medium.mode, __ATOMIC_RELAXED);
}

void disk_init(struct disk *disk, struct image *image, const struct engine *engine, const struct medium *medium, struct tsr_backend_page *page)
{
	memset(disk, 0, sizeof(*disk));
	disk->image = image;
	disk->engine = engine;
	disk->medium = *medium;
	disk->page = page;
	show_medium(disk);
	disk->read_only = image->read_only;
	disk->keeps_space = !engine->discards;
	pthread_mutex_init(&disk->lock, NULL);
	for (uint32_t i = 0; i < TSR_BLK_MAX_QUEUES; i++)
		disk->kick[i] = -1;
}

void disk_copy_all(struct disk *disk, enum tsr_backend_reason reason)
{
	if (disk->medium.mode == TSR_BACKEND_COPY)
		return;
	disk->medium.mode = TSR_BACKEND_COPY;
	disk->medium.reason = reason;
	show_medium(disk);
	medium_say(&disk->medium);
}

void disk_set_kick(struct disk *disk, uint32_t queue, int eventfd)
{
	pthread_mutex_lock(&disk->lock);
	disk->kick[queue] = eventfd;
	disk->starving &= ~(1u << queue);
	pthread_mutex_unlock(&disk->lock);
}

/* Slots became free, or a sync would now free some. The lock is held, so the eventfds are open. */
static void kick_starving(struct disk *disk)
{
	const uint64_t one = 1;

	while (disk->starving) {
		uint32_t queue = __builtin_ctz(disk->starving);

		disk->starving &= disk->starving - 1;
		if (disk->kick[queue] >= 0 && write(disk->kick[queue], &one, sizeof(one)) < 0)
			log_line("waking a queue failed: %s", strerror(errno));
	}
}

void disk_pin_begin(struct disk *disk)
{
	pthread_mutex_lock(&disk->lock);
}

void disk_pin_end(struct disk *disk)
{
	pthread_mutex_unlock(&disk->lock);
}

void disk_pin(struct disk *disk, uint64_t block, uint32_t count, uint32_t *slots, struct tsr_seal *seals)
{
	struct store *store = &disk->image->store;

	for (uint32_t i = 0; i < count; i++) {
		slots[i] = store_pin(store, block + i);
		if (slots[i] == STORE_NONE)
			memset(&seals[i], 0, sizeof(seals[i]));
		else
			seals[i] = store->record[slots[i]].seal;
	}
}

void disk_unpin(struct disk *disk, const uint32_t *slots, uint32_t count)
{
	bool freed = false;

	pthread_mutex_lock(&disk->lock);
	for (uint32_t i = 0; i < count; i++)
		if (slots[i] != STORE_NONE)
			freed |= store_unpin(&disk->image->store, slots[i]);
	if (freed)
		kick_starving(disk);
	pthread_mutex_unlock(&disk->lock);
}

bool disk_begin(struct disk *disk, uint32_t queue, struct store_write *write, uint64_t block, uint32_t count,
		const struct tsr_seal *seals, bool *sync)
{
	struct store *store = &disk->image->store;
	bool begun;

	pthread_mutex_lock(&disk->lock);
	begun = store_begin(store, write, block, count, seals);
	if (!begun)
		disk->starving |= 1u << queue;
	*sync = store->superseded_head != store->superseded_tail;
	pthread_mutex_unlock(&disk->lock);
	return begun;
}

bool disk_commit(struct disk *disk, struct store_write *write)
{
	bool sync;

	pthread_mutex_lock(&disk->lock);
	store_commit(&disk->image->store, write);
	sync = store_wants_sync(&disk->image->store);
	kick_starving(disk);
	pthread_mutex_unlock(&disk->lock);
	return sync;
}

void disk_abort(struct disk *disk, struct store_write *write, bool voided)
{
	pthread_mutex_lock(&disk->lock);
	store_abort(&disk->image->store, write, voided);
	kick_starving(disk);
	pthread_mutex_unlock(&disk->lock);
}

struct store_sync disk_sync_begin(struct disk *disk)
{
	struct store_sync sync;

	pthread_mutex_lock(&disk->lock);
	sync = store_sync_begin(&disk->image->store);
	pthread_mutex_unlock(&disk->lock);
	return sync;
}

/*
 * After a failed fdatasync Linux may mark the lost pages clean, so that the next one succeeds without them. Hence one failure is final.
 */
void disk_sync_end(struct disk *disk, struct store_sync sync, int result)
{
	struct store *store = &disk->image->store;

	pthread_mutex_lock(&disk->lock);
	if (result && !atomic_exchange(&disk->failed, true))
		log_line("syncing the image failed: %s; writes and flushes fail from now on: check the medium, then restart tesserad",
			 strerror(-result));
	if (!atomic_load(&disk->failed)) {
		store_sync_end(store, sync);
		if (store->durable - store->super.checkpoint >= DISK_CHECKPOINT_EVERY && image_checkpoint(disk->image))
			log_line("writing a checkpoint failed; the next start will take longer");
	}
	kick_starving(disk);
	pthread_mutex_unlock(&disk->lock);
}

void disk_report(struct disk *disk)
{
	static const char *const texts[] = {
#define TEXT(name, text) text,
		TSR_BACKEND_COUNTERS(TEXT)
#undef TEXT
	};

	medium_say(&disk->medium);
	log_line("%" PRIu64 " sessions", __atomic_load_n(&disk->page->sessions, __ATOMIC_RELAXED));
	for (uint32_t i = 0; i < TSR_BACKEND_COUNTER_NR; i++) {
		uint64_t sum = 0;

		for (uint32_t queue = 0; queue < TSR_BLK_MAX_QUEUES; queue++)
			sum += __atomic_load_n(&disk->page->counter[queue][i], __ATOMIC_RELAXED);
		log_line("%" PRIu64 " %s", sum, texts[i]);
	}
}
