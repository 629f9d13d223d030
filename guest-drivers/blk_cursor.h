/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/* Where in a request of the block layer the next block's text lies. */
#ifndef TSR_GUEST_BLK_CURSOR_H
#define TSR_GUEST_BLK_CURSOR_H

#include <linux/blk-mq.h>
#include <linux/bvec.h>
#include <tessera/block.h>

struct blk_cursor {
	void *at; /* and so many bytes from there on */
	u32 left;
	u32 rest; /* of bio behind them: in next, without its first bytes, and so on */
	u32 skip;
	const struct bio_vec *next;
	struct bio *bio;
};

static inline void blk_cursor_bio(struct blk_cursor *cursor, struct bio *bio)
{
	cursor->left = 0;
	cursor->rest = bio->bi_iter.bi_size;
	cursor->skip = bio->bi_iter.bi_bvec_done;
	cursor->next = bio->bi_io_vec + bio->bi_iter.bi_idx;
	cursor->bio = bio;
}

static inline void blk_cursor_init(struct blk_cursor *cursor, struct request *rq)
{
	blk_cursor_bio(cursor, rq->bio);
}

/* All memory has an address, and pages that are one segment are neighbours there. */
static inline void blk_cursor_more(struct blk_cursor *cursor)
{
	const struct bio_vec *bv;

	BUILD_BUG_ON(IS_ENABLED(CONFIG_HIGHMEM));
	if (!cursor->rest)
		blk_cursor_bio(cursor, cursor->bio->bi_next);
	bv = cursor->next++;
	cursor->at = page_address(bv->bv_page) + bv->bv_offset + cursor->skip;
	cursor->left = min(bv->bv_len - cursor->skip, cursor->rest);
	cursor->rest -= cursor->left;
	cursor->skip = 0;
}

/* The next block's text, if it lies in one piece; the cursor then moves on. Else NULL. */
static inline void *blk_cursor_next(struct blk_cursor *cursor)
{
	if (!cursor->left)
		blk_cursor_more(cursor);
	if (cursor->left < TSR_BLOCK_SIZE)
		return NULL;
	cursor->left -= TSR_BLOCK_SIZE;
	cursor->at += TSR_BLOCK_SIZE;
	return cursor->at - TSR_BLOCK_SIZE;
}

/* blk_disk.c: the next block, in pieces: out of the request or into it */
void blk_cursor_copy(struct blk_cursor *cursor, void *block, bool gather);

#endif
