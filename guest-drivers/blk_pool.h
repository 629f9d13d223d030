/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Places of requests in the shared pages: pages of the data run, and where the seals are. With the queue's mutex held. Most requests
 * have one block: what these need is here, the rest in blk_pool.c.
 */
#ifndef TSR_GUEST_BLK_POOL_H
#define TSR_GUEST_BLK_POOL_H

#include "blk.h"

bool blk_pool_take_run(struct blk_queue *q, struct blk_req *req);
void blk_pool_give_run(struct blk_queue *q, const struct blk_req *req);
u32 blk_pool_table(struct blk_queue *q, const struct blk_req *req); /* fills it: how many segments it has */

/* Of the data run. */
static inline u32 blk_req_pages(const struct blk_req *req)
{
	return req->op == TSR_BLK_FLUSH || req->op == TSR_BLK_WRITE_ZEROES ? 0 : req->count;
}

/* Its data lies where there is room, and a table (spec/block.md) says where. */
static inline bool blk_req_indirect(const struct blk_req *req)
{
	return req->count > TSR_BLK_DIRECT_BLOCKS;
}

static inline void *blk_pool_page(struct blk_queue *q, u32 page)
{
	return q->data.addr + (size_t)page * PAGE_SIZE;
}

/* The shared page of a block. */
static inline void *blk_pool_data(struct blk_queue *q, const struct blk_req *req, u32 i)
{
	return blk_pool_page(q, req->page[i]);
}

static inline struct tsr_seal *blk_pool_seals(struct blk_queue *q, const struct blk_req *req, u32 slot)
{
	return blk_req_indirect(req) ? blk_pool_page(q, req->table) + TSR_BLK_TABLE_SEALS : q->seal.addr + slot * TSR_BLK_SEAL_SLOT;
}

/* False: too few pages are free. */
static inline bool blk_pool_take(struct blk_queue *q, struct blk_req *req)
{
	u32 size = q->blk->pool_pages, at;

	if (blk_req_pages(req) != 1)
		return blk_pool_take_run(q, req);
	at = find_first_zero_bit(q->pool, size);
	if (at >= size)
		return false;
	__set_bit(at, q->pool);
	req->page[0] = at;
	return true;
}

static inline void blk_pool_give(struct blk_queue *q, const struct blk_req *req)
{
	if (blk_req_pages(req) == 1)
		__clear_bit(req->page[0], q->pool);
	else
		blk_pool_give_run(q, req);
}

#endif
