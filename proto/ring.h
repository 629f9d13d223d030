/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Index arithmetic of rings: spec/rings.md. Every index given here as "copied" was read once from shared memory into a private
 * variable; nothing here reads shared memory.
 */
#ifndef PROTO_RING_H
#define PROTO_RING_H

#include <tessera/ring.h>
#include "proto/port.h"

#define TSR_RING_BROKEN (-1)

/* A power of two from 2 to TSR_RING_MAX_DEPTH. */
static inline bool tsr_ring_depth_valid(uint32_t depth)
{
	return depth >= 2 && depth <= TSR_RING_MAX_DEPTH && (depth & (depth - 1)) == 0;
}

/* Byte offsets inside the ring run of submission and completion number index; depth must be valid. */
static inline uint32_t tsr_ring_sq_at(uint32_t index, uint32_t depth)
{
	return TSR_RING_SQ_OFFSET + (index & (depth - 1)) * 64u;
}

static inline uint32_t tsr_ring_cq_at(uint32_t index, uint32_t depth)
{
	return TSR_RING_CQ_OFFSET(depth) + (index & (depth - 1)) * 16u;
}

/* Entries between taken (own) and tail (copied): 0..depth, or TSR_RING_BROKEN if the other side claims more than the ring holds. */
static inline int tsr_ring_new(uint32_t tail, uint32_t taken, uint32_t depth)
{
	uint32_t count = tail - taken;

	return count > depth ? TSR_RING_BROKEN : (int)count;
}

/* The other side asked (event, copied) to be told when the index passes event: has it, going from old to now? */
static inline bool tsr_ring_need_event(uint32_t event, uint32_t now, uint32_t old)
{
	return (uint32_t)(now - event - 1) < (uint32_t)(now - old);
}

#endif
