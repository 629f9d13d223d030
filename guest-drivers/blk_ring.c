// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * The front-end's side of a ring: spec/rings.md. The backend can change shared memory at any moment, so every field is read once
 * into private memory and checked there. Barriers are the virt_ ones: the other side is another machine on other CPUs.
 */
#include "blk_ring.h"

static struct tsr_ring_header *header_of(struct blk_queue *q)
{
	return q->ring.addr;
}

/* Before the pages are granted. */
void blk_ring_reset(struct blk_queue *q)
{
	memset(q->ring.addr, 0, (size_t)q->ring.pages * PAGE_SIZE);
	memset(q->seal.addr, 0, (size_t)q->seal.pages * PAGE_SIZE);
	memset(q->data.addr, 0, (size_t)q->data.pages * PAGE_SIZE);
	q->sq_tail = 0;
	q->sq_told = 0;
	q->cq_head = 0;
}

int blk_ring_publish(struct blk_queue *q)
{
	struct tsr_ring_header *h = header_of(q);
	u32 old = q->sq_told;

	if (q->sq_tail == old)
		return 0;
	q->sq_told = q->sq_tail;
	/* Release: entries, seals and data are in memory before the index that makes them the backend's. */
	virt_store_release(&h->sq_tail, q->sq_tail);
	/*
	 * The index is visible before sq_event is read. The backend writes sq_event, then reads sq_tail again: one of us
	 * sees the other's store, so a backend that goes to sleep is woken.
	 */
	virt_mb();
	if (!tsr_ring_need_event(READ_ONCE(h->sq_event), q->sq_tail, old))
		return 0;
	q->count.doorbells++;
	return tsr_notify(q->blk->tdev, q->index);
}

/* How many completions there are to pop, or -EPROTO. */
int blk_ring_completions(struct blk_queue *q)
{
	int n = tsr_ring_new(READ_ONCE(header_of(q)->cq_tail), q->cq_head, CHECKED(TAIL) ? BLK_DEPTH : U32_MAX);

	if (n == TSR_RING_BROKEN)
		return -EPROTO;
	/* Entries, seals and data are read after the index that said they are there. */
	virt_rmb();
	return n;
}

/* The popped entries, and the seals and data of their requests, are not looked at any more. */
void blk_ring_popped(struct blk_queue *q)
{
	/* Release: all reads of an entry are done before the backend may use its place again. */
	virt_store_release(&header_of(q)->cq_head, q->cq_head);
}

/* Asks for an event at the next completion. True: there is one already, look again. */
bool blk_ring_arm(struct blk_queue *q)
{
	struct tsr_ring_header *h = header_of(q);

	WRITE_ONCE(h->cq_event, q->cq_head);
	/*
	 * The wish is visible before cq_tail is read again. The backend writes cq_tail, then reads cq_event: one of us sees
	 * the other's store, so no completion is left lying.
	 */
	virt_mb();
	return READ_ONCE(h->cq_tail) != q->cq_head;
}
