// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* One request: its claim on blocks, what it takes along, and how it ends. Called by the queue's worker with its mutex held. */
#include "blk_pool.h"
#include "proto/fresh.h"

static bool touches_blocks(const struct blk_req *req)
{
	return req->op == TSR_BLK_READ || req->op == TSR_BLK_WRITE || req->op == TSR_BLK_WRITE_ZEROES;
}

/* ------------------------------------------------------------------ claims */

/* A request that ends a claim wakes the queues whose first request waits for one. */
static inline void unclaim(struct blk_queue *q, struct blk_req *req, const u64 *after)
{
	struct blk *b = q->blk;
	u32 i;

	if (!req->claimed)
		return;
	tsr_fresh_release(&b->fresh[req->block], req->count, after);
	req->claimed = false;
	/* Orders the release before the look at claim_waiters; pairs with the barrier in blk_req_claim. */
	smp_mb();
	if (atomic_read(&b->claim_waiters) == 0)
		return;
	for (i = 0; i < b->nr_queues; i++)
		blk_q_kick(&b->queue[i]);
}

static inline bool try_claim(struct blk_queue *q, struct blk_req *req)
{
	req->claimed = tsr_fresh_claim(&q->blk->fresh[req->block], req->count, req->before);
	return req->claimed;
}

bool blk_req_claim(struct blk_queue *q, struct blk_req *req)
{
	struct blk *b = q->blk;

	if (!b->fresh || !touches_blocks(req) || req->claimed || try_claim(q, req))
		return true;
	if (!q->claim_wait) {
		q->claim_wait = true;
		atomic_inc(&b->claim_waiters);
	}
	/* Orders our being counted before another try: whoever releases after it failed sees the count and kicks us. */
	smp_mb();
	return try_claim(q, req);
}

void blk_req_claim_waited(struct blk_queue *q)
{
	if (q->claim_wait)
		atomic_dec(&q->blk->claim_waiters);
	q->claim_wait = false;
}

/* ------------------------------------------------------------------ ends of requests */

static inline void end(struct blk_queue *q, struct blk_req *req, blk_status_t status)
{
	if (req->rq && blk_mq_add_to_batch(req->rq, &q->batch, (__force int)status, blk_mq_end_request_batch))
		return;
	blk_aead_rest(q);
	if (req->rq) {
		blk_mq_end_request(req->rq, status);
		return;
	}
	/* Release: what the request brought is there when the thread sees its result. */
	smp_store_release(&req->result, blk_status_to_errno(status));
	blk_poke(q->blk);
}

void blk_req_tell(struct blk_queue *q)
{
	struct io_comp_batch batch = q->batch;

	blk_aead_rest(q);
	if (!batch.complete)
		return;
	q->batch = (struct io_comp_batch){};
	batch.complete(&batch);
}

void blk_req_fail(struct blk_queue *q, struct blk_req *req, blk_status_t status)
{
	unclaim(q, req, req->before);
	end(q, req, status);
}

static noinline blk_status_t refused_status(struct blk_queue *q, u8 status)
{
	switch (status) {
	case TSR_BLK_E_NOSPACE:
		return BLK_STS_NOSPC;
	case TSR_BLK_E_UNSUPPORTED:
		return BLK_STS_NOTSUPP;
	case TSR_BLK_E_IO:
		return BLK_STS_IOERR;
	default: /* INVALID, RANGE, READONLY: a correct backend has no cause for these after READY */
		dev_warn_ratelimited(&q->blk->tdev->dev, "the backend refuses a request with status %u\n", status);
		return BLK_STS_IOERR;
	}
}

static inline blk_status_t to_blk_status(struct blk_queue *q, u8 status)
{
	return status == TSR_BLK_OK ? BLK_STS_OK : refused_status(q, status);
}

/* Opens one block of the pool into the request's memory, where the cursor is. */
static blk_status_t open_block(struct blk_queue *q, struct blk_req *req, const struct tsr_seal *shared, u32 i)
{
	void *whole = blk_cursor_next(&q->cursor), *text = whole ? whole : q->bounce + TSR_BLOCK_SIZE;
	struct tsr_seal *seal = &q->aead->seal;
	int err = -EBADMSG;

	*seal = *shared;
	barrier(); /* the copy is what is checked and used; the compiler must not go back to the shared seal */
	if (tsr_fresh_accepts(req->before[i], seal) || !CHECKED(FRESH))
		err = blk_open(q, req->block + i, text, blk_pool_data(q, req, i));
	if (err)
		memset(text, 0, TSR_BLOCK_SIZE);
	if (!whole)
		blk_cursor_copy(&q->cursor, text, false);
	if (err == -EBADMSG) {
		q->count.integrity_errors++;
		dev_err_ratelimited(&q->blk->tdev->dev, "block %llu: %s; it is refused\n", req->block + i,
				    tsr_fresh_accepts(req->before[i], seal) ? "data and seal do not belong together" :
				    "not what was last written or read here");
		return BLK_STS_PROTECTION;
	}
	req->after[i] = tsr_fresh_word(seal);
	return err ? BLK_STS_IOERR : BLK_STS_OK;
}

/* Every block is looked at, so that each bad one is counted and each good one remembered. */
static blk_status_t open_all(struct blk_queue *q, struct blk_req *req, u32 slot)
{
	const struct tsr_seal *seals = blk_pool_seals(q, req, slot);
	blk_status_t worst = BLK_STS_OK;
	u32 i;

	blk_cursor_init(&q->cursor, req->rq);
	for (i = 0; i < req->count; i++) {
		blk_status_t status = open_block(q, req, &seals[i], i);

		if (status != BLK_STS_OK) {
			req->after[i] = req->before[i];
			worst = status;
		}
	}
	return worst;
}

static void finish_read(struct blk_queue *q, struct blk_req *req, u32 slot, blk_status_t status)
{
	if (status != BLK_STS_OK) {
		blk_req_fail(q, req, status);
		return;
	}
	status = open_all(q, req, slot);
	unclaim(q, req, req->after);
	end(q, req, status);
}

/*
 * A write that failed on the medium has left the old or the new pair, and we cannot know which: the blocks are lost until they are
 * written again. After the other refusals the old pairs stand; if the backend lied about that, reading finds out.
 */
static void finish_write(struct blk_queue *q, struct blk_req *req, u8 status)
{
	u32 i;

	if (status == TSR_BLK_E_IO)
		for (i = 0; i < req->count; i++)
			req->after[i] = TSR_FRESH_LOST;
	unclaim(q, req, status == TSR_BLK_OK || status == TSR_BLK_E_IO ? req->after : req->before);
	end(q, req, to_blk_status(q, status));
}

void blk_req_finish(struct blk_queue *q, struct blk_req *req, u32 slot, u8 status)
{
	blk_pool_give(q, req); /* nobody else takes them before the worker is through with it */
	switch (req->op) {
	case TSR_BLK_READ:
		finish_read(q, req, slot, to_blk_status(q, status));
		break;
	case TSR_BLK_WRITE:
	case TSR_BLK_WRITE_ZEROES:
		finish_write(q, req, status);
		break;
	case TSR_BLK_HEADER_READ:
		memcpy(req->header, blk_pool_data(q, req, 0), TSR_HEADER_SIZE); /* its pages are neighbours */
		fallthrough;
	default:
		end(q, req, to_blk_status(q, status));
	}
}

/* ------------------------------------------------------------------ sending */

/* zero: blocks of zeros, which have no text. */
static int seal_block(struct blk_queue *q, struct blk_req *req, struct tsr_seal *shared, u32 i, bool zero)
{
	void *text = NULL;
	int err;

	if (!zero)
		text = blk_cursor_next(&q->cursor);
	if (!zero && !text)
		blk_cursor_copy(&q->cursor, text = q->bounce + TSR_BLOCK_SIZE, true);
	err = blk_seal(q, req->block + i, text ? blk_pool_data(q, req, i) : NULL, text);
	if (err)
		return err;
	req->after[i] = tsr_fresh_word(&q->aead->seal);
	*shared = q->aead->seal;
	return 0;
}

static noinline int seal_all(struct blk_queue *q, struct blk_req *req, u32 slot)
{
	struct tsr_seal *seals = blk_pool_seals(q, req, slot);
	bool zero = req->op == TSR_BLK_WRITE_ZEROES;
	u32 i;
	int err = 0;

	if (!zero)
		blk_cursor_init(&q->cursor, req->rq);
	for (i = 0; i < req->count && !err; i++)
		err = seal_block(q, req, &seals[i], i, zero);
	return err;
}

static bool lost(const struct blk_req *req)
{
	u32 i;

	for (i = 0; i < req->count; i++)
		if (req->before[i] == TSR_FRESH_LOST)
			return true;
	return false;
}

/* Refuses what can be told without asking the backend, and fills what the request takes along: seals and ciphertext. */
blk_status_t blk_req_prepare(struct blk_queue *q, struct blk_req *req, u32 slot)
{
	switch (req->op) {
	case TSR_BLK_READ:
		return lost(req) ? BLK_STS_IOERR : BLK_STS_OK;
	case TSR_BLK_WRITE:
	case TSR_BLK_WRITE_ZEROES:
		if (req->rq && q->blk->epoch == 0)
			return BLK_STS_IOERR; /* read-only */
		/* No memory or no key: EAGAIN would be wrong, ENOMEM is what it was. */
		return seal_all(q, req, slot) ? BLK_STS_RESOURCE : BLK_STS_OK;
	case TSR_BLK_HEADER_WRITE:
		memcpy(blk_pool_data(q, req, 0), req->header, TSR_HEADER_SIZE); /* its pages are neighbours */
	}
	return BLK_STS_OK;
}
