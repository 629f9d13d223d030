/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/image/store.h"
#include <stdlib.h>
#include <string.h>

bool store_init(struct store *store, const struct image_super *super)
{
	memset(store, 0, sizeof(*store));
	store->super = *super;
	store->record = calloc(super->slots, sizeof(*store->record));
	store->slot = calloc(super->slots, sizeof(*store->slot));
	store->superseded = calloc(super->slots, sizeof(*store->superseded));
	store->map = malloc(super->blocks * sizeof(*store->map));
	if (!store->record || !store->slot || !store->superseded || !store->map || !free_init(&store->free, super->slots)) {
		store_fini(store);
		return false;
	}
	memset(store->map, 0xff, super->blocks * sizeof(*store->map));
	store->next_sequence = super->checkpoint + 1;
	store->durable = super->checkpoint;
	return true;
}

void store_fini(struct store *store)
{
	free(store->record);
	free(store->slot);
	free(store->superseded);
	free(store->map);
	free_fini(&store->free);
	memset(store, 0, sizeof(*store));
}

void store_load(struct store *store, uint32_t slot)
{
	const struct image_record *record = &store->record[slot];
	uint32_t other = store->map[record->block];

	if (record->sequence >= store->next_sequence)
		store->next_sequence = record->sequence + 1;
	if (other != STORE_NONE && store->record[other].sequence > record->sequence)
		return;
	if (other != STORE_NONE) {
		store->slot[other].state = STORE_FREE;
		free_put(&store->free, other);
	}
	free_remove(&store->free, slot);
	store->slot[slot].state = STORE_LIVE;
	store->map[record->block] = slot;
}

bool store_begin(struct store *store, struct store_write *write, uint64_t block, uint32_t count, const struct tsr_seal *seals)
{
	if (store->free.count < count)
		return false;
	free_take(&store->free, write->slot, count);
	write->block = block;
	write->count = count;
	write->sequence = store->next_sequence;
	store->next_sequence += count;
	for (uint32_t i = 0; i < count; i++) {
		store->slot[write->slot[i]].state = STORE_WRITING;
		store->record[write->slot[i]] = (struct image_record){
			.seal = seals[i],
			.block = block + i,
			.sequence = write->sequence + i,
			.flags = IMAGE_RECORD_USED,
		};
	}
	write->newer = NULL;
	write->older = store->newest;
	*(store->newest ? &store->newest->newer : &store->oldest) = write;
	store->newest = write;
	return true;
}

void store_seal(struct store *store, const struct store_write *write, uint32_t index, uint32_t data_crc)
{
	struct image_record *record = &store->record[write->slot[index]];

	record->data_crc = data_crc;
	image_record_seal(record, store->super.id, write->slot[index]);
}

static void unlink_write(struct store *store, struct store_write *write)
{
	*(write->older ? &write->older->newer : &store->oldest) = write->newer;
	*(write->newer ? &write->newer->older : &store->newest) = write->older;
}

static void supersede(struct store *store, uint32_t slot)
{
	store->slot[slot].state = STORE_SUPERSEDED;
	store->superseded[store->superseded_tail++ % store->super.slots] = slot;
}

void store_commit(struct store *store, struct store_write *write)
{
	unlink_write(store, write);
	for (uint32_t i = 0; i < write->count; i++) {
		uint32_t slot = write->slot[i];
		uint32_t *at = &store->map[write->block + i];

		store->slot[slot].state = STORE_LIVE;
		if (*at != STORE_NONE && store->record[*at].sequence > store->record[slot].sequence) {
			supersede(store, slot); /* overtaken by a later write to the same block */
			continue;
		}
		if (*at != STORE_NONE)
			supersede(store, *at);
		*at = slot;
	}
}

void store_void(struct store *store, const struct store_write *write)
{
	for (uint32_t i = 0; i < write->count; i++)
		memset(&store->record[write->slot[i]], 0, sizeof(store->record[0]));
}

void store_abort(struct store *store, struct store_write *write, bool voided)
{
	unlink_write(store, write);
	store->tainted |= !voided;
	for (uint32_t i = 0; i < write->count; i++) {
		store->slot[write->slot[i]].state = STORE_FREE;
		free_put(&store->free, write->slot[i]);
	}
}

uint32_t store_pin(struct store *store, uint64_t block)
{
	uint32_t slot = store->map[block];

	if (slot != STORE_NONE)
		store->slot[slot].readers++;
	return slot;
}

static bool release(struct store *store, uint32_t slot)
{
	bool idle = store->slot[slot].readers == 0;

	store->slot[slot].state = idle ? STORE_FREE : STORE_RELEASED;
	if (idle)
		free_put(&store->free, slot);
	return idle;
}

bool store_unpin(struct store *store, uint32_t slot)
{
	store->slot[slot].readers--;
	return store->slot[slot].state == STORE_RELEASED && release(store, slot);
}

struct store_sync store_sync_begin(struct store *store)
{
	store->syncing = store->superseded_tail;
	return (struct store_sync){
		.superseded = store->superseded_tail,
		.sequence = (store->oldest ? store->oldest->sequence : store->next_sequence) - 1,
	};
}

bool store_wants_sync(const struct store *store)
{
	return store->superseded_tail - store->syncing >= (store->super.slots - store->super.blocks) / 4;
}

uint64_t store_sync_end(struct store *store, struct store_sync sync)
{
	uint64_t before = store->free.count;

	while (store->superseded_head < sync.superseded)
		release(store, store->superseded[store->superseded_head++ % store->super.slots]);
	if (!store->tainted && sync.sequence > store->durable)
		store->durable = sync.sequence;
	return store->free.count - before;
}

uint32_t store_run(const struct store *store, const uint32_t *slots, uint32_t from, uint32_t count)
{
	uint64_t zone = image_zone_end(&store->super, slots[from]);
	uint32_t end = from + 1;

	while (end < count && slots[end] == slots[end - 1] + 1 && slots[end] < zone)
		end++;
	return end - from;
}
