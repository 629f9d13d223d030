// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* A queue's worker: it alone touches the queue's ring, and keeps requests in order. */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "blk_pool.h"
#include "blk_ring.h"

#define BOUNCE_SIZE (2 * TSR_BLOCK_SIZE)

void blk_q_kick(struct blk_queue *q)
{
	queue_work(q->blk->wq, &q->work);
}

/* ------------------------------------------------------------------ completions */

static int take_completions(struct blk_queue *q)
{
	struct tsr_blk_completion *done = q->done;
	int n = blk_ring_completions(q);
	int i, taken, bad = 0, err;

	if (n <= 0)
		return n;
	for (taken = 0; taken < n; taken++) {
		bad = blk_ring_pop(q, &done[taken]);
		if (!bad && !test_and_clear_bit(done[taken].id, q->sent) && CHECKED(SENT))
			bad = -EPROTO; /* never sent, or completed before */
		if (bad)
			break;
	}
	/* Not looked at while the host can still write there. If it fails they are still in flight, and are made again. */
	err = blk_strict_revoke(q, done, taken);
	if (err)
		return err;
	for (i = 0; i < taken; i++) {
		struct blk_req *req = q->inflight[done[i].id];

		q->inflight[done[i].id] = NULL;
		__clear_bit(done[i].id, q->used);
		q->count.in_flight--;
		blk_req_finish(q, req, done[i].id, done[i].status); /* req may be gone after it */
	}
	blk_req_tell(q);
	blk_ring_popped(q);
	return bad ? bad : n;
}

/* ------------------------------------------------------------------ submissions */

static void count_request(struct blk_queue *q, const struct blk_req *req)
{
	if (!req->rq)
		return;
	switch (req->op) {
	case TSR_BLK_READ:
		q->count.reads++;
		break;
	case TSR_BLK_FLUSH:
		q->count.flushes++;
		break;
	default:
		q->count.writes++;
	}
	q->count.blocks += req->count;
}

/* What the request does, and where. */
static inline const struct tsr_blk_request *name(struct blk_queue *q, u32 slot)
{
	const struct blk_req *req = q->inflight[slot];
	struct tsr_blk_request *named = &q->named;

	named->id = slot;
	named->op = req->op;
	named->flags = req->flags;
	named->count = req->count;
	named->block = req->block;
	named->data_page = blk_req_pages(req) ? req->page[0] : 0;
	named->segments = 0;
	named->token = q->grant[slot].token;
	if (blk_req_indirect(req)) {
		named->flags |= TSR_BLK_INDIRECT;
		named->data_page = req->table;
		named->segments = blk_pool_table(q, req);
	}
	return named;
}

void blk_q_push(struct blk_queue *q, u32 slot)
{
	__set_bit(slot, q->sent);
	blk_ring_push(q, name(q, slot));
}

static void send(struct blk_queue *q, u32 slot)
{
	if (q->blk->mode == TSR_BLK_STRICT && tsr_blk_token_pages(name(q, slot)))
		blk_strict_add(q, slot, &q->named);
	else
		blk_q_push(q, slot);
}

/* False: there is no room, or another request has one of its blocks; a completion will bring us here again. */
static bool submit(struct blk_queue *q, struct blk_req *req)
{
	u32 slot = find_first_zero_bit(q->used, BLK_DEPTH);
	blk_status_t status;

	if (slot == BLK_DEPTH || !blk_pool_take(q, req))
		return false;
	if (!blk_req_claim(q, req)) {
		blk_pool_give(q, req);
		return false;
	}
	if (q->claim_wait)
		blk_req_claim_waited(q);
	list_del(&req->node);
	status = blk_req_prepare(q, req, slot);
	if (status != BLK_STS_OK) {
		blk_pool_give(q, req);
		blk_req_fail(q, req, status);
		return true;
	}
	q->inflight[slot] = req;
	__set_bit(slot, q->used);
	q->count.in_flight++;
	count_request(q, req);
	send(q, slot);
	return true;
}

/* In order, so that a large request or one for a busy block is not overtaken for ever. */
static void submit_list(struct blk_queue *q, struct list_head *list)
{
	while (!list_empty(list))
		if (!submit(q, list_first_entry(list, struct blk_req, node)))
			return;
}

static void take_incoming(struct blk_queue *q)
{
	spin_lock_irq(&q->lock);
	list_splice_tail_init(&q->incoming, &q->waiting);
	spin_unlock_irq(&q->lock);
}

static int run(struct blk_queue *q)
{
	int err;

	do {
		take_incoming(q);
		err = take_completions(q);
		if (err < 0)
			return err;
		submit_list(q, &q->own);
		if (q->serving)
			submit_list(q, &q->waiting);
		blk_aead_rest(q);
		err = blk_strict_send(q);
		if (!err)
			err = blk_ring_publish(q);
		if (err)
			return err;
		cond_resched();
	} while (blk_ring_arm(q));
	return 0;
}

/* The device is going away and there is no session: nothing will ever come of these. */
static void fail_waiting(struct blk_queue *q)
{
	take_incoming(q);
	while (!list_empty(&q->waiting)) {
		struct blk_req *req = list_first_entry(&q->waiting, struct blk_req, node);

		list_del(&req->node);
		blk_req_fail(q, req, BLK_STS_IOERR);
	}
	blk_req_claim_waited(q);
}

static void work(struct work_struct *work)
{
	struct blk_queue *q = container_of(work, struct blk_queue, work);
	unsigned int noio = memalloc_noio_save(); /* writeback may be waiting for us */
	int err;

	mutex_lock(&q->mutex);
	if (q->live && !q->broken) {
		err = run(q);
		if (err) {
			q->broken = true;
			dev_err(&q->blk->tdev->dev, "%s (queue %u, %d): the session ends\n",
				err == -EPROTO ? "the backend breaks the ring's rules" : "requests' tokens cannot be had or revoked",
				q->index, err);
			blk_poke(q->blk);
		}
	} else if (!q->live && READ_ONCE(q->blk->removing)) {
		fail_waiting(q);
	}
	mutex_unlock(&q->mutex);
	memalloc_noio_restore(noio);
}

static void later(struct timer_list *timer)
{
	blk_q_kick(container_of(timer, struct blk_queue, later));
}

/* ------------------------------------------------------------------ for the thread */

void blk_q_start(struct blk_queue *q)
{
	mutex_lock(&q->mutex);
	q->live = true;
	mutex_unlock(&q->mutex);
}

void blk_q_serve(struct blk_queue *q)
{
	mutex_lock(&q->mutex);
	q->serving = true;
	mutex_unlock(&q->mutex);
	blk_q_kick(q);
}

/* Own requests end; the block layer's go to the front of the waiting, with their claims. They are sealed anew when sent again. */
void blk_q_stop(struct blk_queue *q)
{
	struct blk_req *req, *next;
	LIST_HEAD(again);
	u32 slot;

	mutex_lock(&q->mutex);
	q->live = false;
	q->serving = false;
	q->broken = false;
	for (slot = 0; slot < BLK_DEPTH; slot++) {
		req = q->inflight[slot];
		if (!req)
			continue;
		q->inflight[slot] = NULL;
		q->count.in_flight--;
		if (req->rq) {
			list_add_tail(&req->node, &again);
			q->count.resubmitted++;
		} else {
			list_add_tail(&req->node, &q->own);
		}
	}
	list_splice(&again, &q->waiting);
	list_for_each_entry_safe(req, next, &q->own, node) {
		list_del(&req->node);
		req->result = -ENOTCONN;
	}
	bitmap_zero(q->used, BLK_DEPTH);
	bitmap_zero(q->pool, BLK_POOL_MAX);
	q->granting.count = 0;
	bitmap_zero(q->sent, BLK_DEPTH);
	mutex_unlock(&q->mutex);
	blk_q_kick(q); /* in case the device is being removed */
}

static bool all_done(struct blk *b, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (smp_load_acquire(&b->own[i].result) == -EINPROGRESS) /* pairs with the release at the request's end */
			return false;
	return true;
}

int blk_exec(struct blk *b, u32 nr)
{
	struct blk_queue *q = &b->queue[0];
	u32 i;
	int err;

	mutex_lock(&q->mutex);
	for (i = 0; i < nr; i++) {
		b->own[i].result = -EINPROGRESS;
		list_add_tail(&b->own[i].node, &q->own);
	}
	mutex_unlock(&q->mutex);
	blk_q_kick(q);
	err = blk_wait(b, all_done, nr);
	if (err) {
		blk_queues_stop(b); /* nobody has b->own after this */
		return err;
	}
	for (i = 0; i < nr; i++)
		if (b->own[i].result)
			return b->own[i].result;
	return 0;
}

/* ------------------------------------------------------------------ life */

/* Those of a disk are held together (blk_format.c), each after those before it. Lockdep has fewer subclasses than a disk may have queues. */
static struct lock_class_key mutex_class[TSR_BLK_MAX_QUEUES];

int blk_q_init(struct blk *b, u32 index)
{
	struct blk_queue *q = &b->queue[index];
	u32 i;

	q->blk = b;
	q->index = index;
	q->event = -1;
	INIT_WORK(&q->work, work);
	timer_setup(&q->later, later, 0);
	spin_lock_init(&q->lock);
	mutex_init(&q->mutex);
	lockdep_set_class(&q->mutex, &mutex_class[index]);
	INIT_LIST_HEAD(&q->incoming);
	INIT_LIST_HEAD(&q->waiting);
	INIT_LIST_HEAD(&q->own);
	for (i = 0; i < BLK_KEYS; i++) {
		int err = blk_key_init(&q->key[i], b->disk.suite);

		if (err)
			return err;
	}
	q->aead = blk_aead_alloc(&q->key[0]);
	q->bounce = alloc_pages_exact(BOUNCE_SIZE, GFP_KERNEL | __GFP_ZERO);
	return q->aead && q->bounce ? 0 : -ENOMEM;
}

/* Undoes as much of blk_q_init as was done. Nothing is in flight or waiting. */
void blk_q_exit(struct blk_queue *q)
{
	u32 i;

	if (!q->blk)
		return;
	cancel_work_sync(&q->work); /* no session: it arms no timer any more */
	del_timer_sync(&q->later);
	cancel_work_sync(&q->work);
	blk_aead_free(q->aead);
	for (i = 0; i < BLK_KEYS; i++)
		blk_key_exit(&q->key[i]);
	if (q->bounce) {
		memzero_explicit(q->bounce, BOUNCE_SIZE);
		free_pages_exact(q->bounce, BOUNCE_SIZE);
	}
}
