/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Which slot holds which block: the copy-on-write logic of an image, without any I/O. Its caller does the I/O and the locking.
 *
 *   FREE -> WRITING (store_begin) -> LIVE (store_commit) -> SUPERSEDED (a later commit) -> FREE (store_sync_end, no readers)
 *           WRITING -> FREE (store_abort)
 *
 * The order that makes it safe: commit only after data and record were written; store_sync_begin before the fdatasync, store_sync_end
 * after it succeeded.
 */
#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H

#include "host-backend/image/format.h"
#include "host-backend/image/free.h"

#define STORE_NONE       0xffffffffu
#define STORE_MAX_BLOCKS 256u /* of one write; TSR_BLK_MAX_BLOCKS */

enum store_state { STORE_FREE, STORE_WRITING, STORE_LIVE, STORE_SUPERSEDED, STORE_RELEASED };

struct store_slot {
	uint8_t state;    /* enum store_state; RELEASED: free as soon as readers is 0 */
	uint8_t reserved;
	uint16_t readers;
};

/* One write in progress. Owned by the caller, linked into the store from begin to commit or abort. */
struct store_write {
	struct store_write *older, *newer;
	uint64_t block;
	uint64_t sequence; /* of the first block; the others follow */
	uint32_t count;
	uint32_t slot[STORE_MAX_BLOCKS];
};

struct store {
	struct image_super super;
	struct image_record *record; /* one per slot; what is or will be on the medium */
	struct store_slot *slot;
	uint32_t *map;               /* block -> slot or STORE_NONE */
	uint32_t *superseded;        /* queue of slots in order of commit */
	uint64_t superseded_head, superseded_tail;
	uint64_t syncing;            /* superseded_tail when the last sync began */
	struct free_slots free;      /* those in state FREE */
	uint64_t next_sequence;
	uint64_t durable;            /* all up to this sequence are durable */
	bool tainted;                /* a failed write's records may be on the medium without their data: durable must not pass them */
	struct store_write *oldest, *newest;
};

/* A sync in progress: what it will have made durable. */
struct store_sync {
	uint64_t superseded;
	uint64_t sequence;
};

/* super must have passed image_super_check. false: no memory. All slots start FREE, all records zero. */
bool store_init(struct store *store, const struct image_super *super);
void store_fini(struct store *store);

/*
 * Loading: after the records were read into store->record and bad ones zeroed, offers each used slot once, in any order.
 * Those that lose against a later record of their block are FREE.
 */
void store_load(struct store *store, uint32_t slot);

/*
 * Takes slots for count (1..STORE_MAX_BLOCKS) blocks and fills their records, but for data_crc. false: too few free slots now; nothing
 * changed. Call store_seal for each block once data_crc is known, then write data and records.
 */
bool store_begin(struct store *store, struct store_write *write, uint64_t block, uint32_t count, const struct tsr_seal *seals);
void store_seal(struct store *store, const struct store_write *write, uint32_t index, uint32_t data_crc);
void store_commit(struct store *store, struct store_write *write);

/*
 * After a failed write: store_void makes its records zero in memory; write those out, so that a restart keeps to the old pairs; then
 * store_abort. voided: the zeros are written. If not, a restart may find the new pairs, and the data of later records is verified.
 */
void store_void(struct store *store, const struct store_write *write);
void store_abort(struct store *store, struct store_write *write, bool voided);

/* Slot of a block, or STORE_NONE if it was never written. It keeps its contents until store_unpin. */
uint32_t store_pin(struct store *store, uint64_t block);

/* True if that made a slot free. */
bool store_unpin(struct store *store, uint32_t slot);

struct store_sync store_sync_begin(struct store *store);

/*
 * A quarter of the spare slots waits for a sync that nobody has begun. To begin it now, and not when none is left, leaves writes a choice: the
 * places of what was written together come free together.
 */
bool store_wants_sync(const struct store *store);

/* After a successful fdatasync. Returns the number of slots it made free. */
uint64_t store_sync_end(struct store *store, struct store_sync sync);

/* Length of the run of slots from slots[from] on, before slots[count], that follow one another on the medium. */
uint32_t store_run(const struct store *store, const uint32_t *slots, uint32_t from, uint32_t count);

#endif
