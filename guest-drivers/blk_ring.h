/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/* A ring's entries; its indexes are blk_ring.c's. With the queue's mutex held. An error means that the backend broke the rules. */
#ifndef TSR_GUEST_BLK_RING_H
#define TSR_GUEST_BLK_RING_H

#include "blk.h"
#include "proto/request.h"
#include "proto/ring.h"

/* There is room: ids are unique among those in flight, and there are as many ids as entries. */
static inline void blk_ring_push(struct blk_queue *q, const struct tsr_blk_request *request)
{
	memcpy(q->ring.addr + tsr_ring_sq_at(q->sq_tail, BLK_DEPTH), request, sizeof(*request));
	q->sq_tail++;
}

/* Only as often as blk_ring_completions said. */
static inline int blk_ring_pop(struct blk_queue *q, struct tsr_blk_completion *completion)
{
	u64 *entry = q->ring.addr + tsr_ring_cq_at(q->cq_head, BLK_DEPTH);
	u64 copy[2] = { READ_ONCE(entry[0]), READ_ONCE(entry[1]) };

	BUILD_BUG_ON(sizeof(copy) != sizeof(*completion));
	memcpy(completion, copy, sizeof(copy));
	q->cq_head++;
	return !CHECKED(ENTRY) || tsr_blk_completion_check(completion, BLK_DEPTH) ? 0 : -EPROTO;
}

#endif
