/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Which slots of an image are free, and which of them a write gets. What was written together should lie together, so that it is one piece of I/O
 * then and when it is read; and what is written next, behind it. So the search goes round from where it ended, and a large write takes runs as
 * long as itself, then half as long, and so on, as far as a bounded look finds them; small ones, and what is left of large ones, take what comes.
 */
#ifndef IMAGE_FREE_H
#define IMAGE_FREE_H

#include "host-backend/image/bits.h"

#define FREE_GROUP 8u   /* runs are looked for among groups of so many slots, all free */
#define FREE_LOOK  256u /* words of those that one write looks at */

struct free_slots {
	struct bits slot, group;
	uint64_t count;
	uint64_t cursor;
};

/* All slots are free. false: no memory. */
bool free_init(struct free_slots *slots, uint64_t count);
void free_fini(struct free_slots *slots);

void free_put(struct free_slots *slots, uint32_t slot);

/* A free slot that is known by number: when an image is loaded. */
void free_remove(struct free_slots *slots, uint32_t slot);

/* Takes count (to 256) slots; so many are free. */
void free_take(struct free_slots *slots, uint32_t *taken, uint32_t count);

#endif
