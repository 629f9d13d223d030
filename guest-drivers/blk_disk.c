// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* The block layer's side. */
#include <linux/blkdev.h>
#include "blk.h"
#include "blk_kernel.h"

#define SECTORS (TSR_BLOCK_SIZE >> SECTOR_SHIFT) /* of a block */

static int op_of(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return TSR_BLK_READ;
	case REQ_OP_WRITE:
		return TSR_BLK_WRITE;
	case REQ_OP_FLUSH:
		return TSR_BLK_FLUSH;
	case REQ_OP_WRITE_ZEROES:
	case REQ_OP_DISCARD: /* SEAL-5: what is discarded reads as zeros, by seals of the guest's */
		return TSR_BLK_WRITE_ZEROES;
	default:
		return -1;
	}
}

/* Takes over what is to be done. An error: this is no request for us. */
static blk_status_t take(struct blk *b, struct request *rq)
{
	struct blk_req *req = blk_mq_rq_to_pdu(rq);
	int op = op_of(rq);

	if (op < 0)
		return BLK_STS_NOTSUPP;
	req->rq = rq;
	req->op = op;
	req->claimed = false;
	req->flags = 0;
	req->count = 0;
	req->block = 0;
	if (op != TSR_BLK_FLUSH) {
		req->count = blk_rq_sectors(rq) / SECTORS;
		req->block = blk_rq_pos(rq) / SECTORS;
		if (WARN_ON_ONCE(blk_rq_sectors(rq) % SECTORS || blk_rq_pos(rq) % SECTORS || req->count == 0 ||
				 req->count > b->max_blocks || req->block + req->count > b->blocks))
			return BLK_STS_IOERR;
	}
	if (op != TSR_BLK_READ && op != TSR_BLK_FLUSH && rq->cmd_flags & REQ_FUA)
		req->flags |= TSR_BLK_FUA;
	if (op == TSR_BLK_WRITE_ZEROES && (req_op(rq) == REQ_OP_DISCARD || !(rq->cmd_flags & REQ_NOUNMAP)))
		req->flags |= TSR_BLK_UNMAP;
	blk_mq_start_request(rq);
	return BLK_STS_OK;
}

static void give(struct blk_queue *q, struct list_head *reqs)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	list_splice_tail(reqs, &q->incoming);
	spin_unlock_irqrestore(&q->lock, flags);
}

static void kick(struct blk_mq_hw_ctx *hctx)
{
	blk_q_kick(hctx->driver_data);
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct blk_queue *q = hctx->driver_data;
	struct blk_req *req = blk_mq_rq_to_pdu(bd->rq);
	blk_status_t status = take(q->blk, bd->rq);
	LIST_HEAD(one);

	if (status != BLK_STS_OK)
		return status;
	list_add(&req->node, &one);
	give(q, &one);
	if (bd->last)
		blk_q_kick(q);
	return BLK_STS_OK;
}

/* What a task has plugged. Mostly all are of the queue of one processor. */
static void queue_rqs(blk_kernel_list *list)
{
	struct blk_mq_hw_ctx *hctx = NULL;
	struct request *rq;
	LIST_HEAD(reqs);

	while ((rq = rq_list_pop(list))) {
		struct blk_req *req = blk_mq_rq_to_pdu(rq);
		blk_status_t status = take(rq->q->queuedata, rq);

		if (status != BLK_STS_OK) {
			blk_mq_end_request(rq, status);
			continue;
		}
		if (hctx && hctx != rq->mq_hctx) {
			give(hctx->driver_data, &reqs);
			INIT_LIST_HEAD(&reqs);
			kick(hctx);
		}
		hctx = rq->mq_hctx;
		list_add_tail(&req->node, &reqs);
	}
	if (!hctx)
		return;
	give(hctx->driver_data, &reqs);
	kick(hctx);
}

/* A host may take as long as it likes: requests wait. */
static enum blk_eh_timer_return timeout(struct request *rq)
{
	return BLK_EH_RESET_TIMER;
}

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct blk *b = data;

	hctx->driver_data = &b->queue[index];
	return 0;
}

static const struct blk_mq_ops mq_ops = {
	.queue_rq = queue_rq,
	.queue_rqs = queue_rqs,
	.commit_rqs = kick,
	.timeout = timeout,
	.init_hctx = init_hctx,
};

static const struct block_device_operations disk_ops = {
	.owner = THIS_MODULE,
};

/* ------------------------------------------------------------------ texts */

void blk_cursor_copy(struct blk_cursor *cursor, void *block, bool gather)
{
	u32 done, n;

	for (done = 0; done < TSR_BLOCK_SIZE; done += n) {
		if (!cursor->left)
			blk_cursor_more(cursor);
		n = min_t(u32, cursor->left, TSR_BLOCK_SIZE - done);
		if (gather)
			memcpy(block + done, cursor->at, n);
		else
			memcpy(cursor->at, block + done, n);
		cursor->at += n;
		cursor->left -= n;
	}
}

/* ------------------------------------------------------------------ life */

/* Apart from the thread: looking for partitions reads the disk, and the thread must stay free to see a backend go. */
static void add_work(struct work_struct *work)
{
	struct blk *b = container_of(work, struct blk, add_work);
	int err;

	if (b->added) {
		set_capacity_and_notify(b->gendisk, READ_ONCE(b->blocks) * SECTORS);
		return;
	}
	if (b->refused)
		return;
	set_capacity(b->gendisk, b->blocks * SECTORS);
	set_disk_ro(b->gendisk, b->read_only);
	err = device_add_disk(&b->tdev->dev, b->gendisk, blk_gendisk_groups);
	if (err)
		dev_err(&b->tdev->dev, "Linux does not add this disk (%d)\n", err);
	b->added = !err;
	b->refused = err;
	blk_format_finish(b, err);
}

void blk_disk_cache(struct blk *b)
{
	blk_kernel_cache(b->gendisk->queue, !(b->answer->backend_features & TSR_BLK_F_WRITE_THROUGH));
}

int blk_disk_init(struct blk *b)
{
	const u32 sectors = b->max_blocks * SECTORS;
	struct queue_limits lim = {
		.logical_block_size = TSR_BLOCK_SIZE,
		.physical_block_size = TSR_BLOCK_SIZE,
		.discard_granularity = TSR_BLOCK_SIZE,
		.max_hw_sectors = sectors,
		.max_write_zeroes_sectors = sectors,
		.max_segments = USHRT_MAX, /* everything is copied */
		.io_opt = b->max_blocks * TSR_BLOCK_SIZE,
	};
	struct gendisk *disk;
	int err;

	mutex_init(&b->add_lock);
	INIT_WORK(&b->add_work, add_work);
	b->tags.ops = &mq_ops;
	b->tags.nr_hw_queues = b->nr_queues;
	b->tags.queue_depth = BLK_DEPTH;
	b->tags.cmd_size = sizeof(struct blk_req);
	b->tags.numa_node = NUMA_NO_NODE;
	b->tags.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	b->tags.driver_data = b;
	err = blk_mq_alloc_tag_set(&b->tags);
	if (err)
		return err;
	disk = blk_kernel_disk(&b->tags, &lim, sectors, b);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(&b->tags);
		return PTR_ERR(disk);
	}
	disk->fops = &disk_ops;
	disk->private_data = b;
	snprintf(disk->disk_name, sizeof(disk->disk_name), "tsr%u", b->tdev->index);
	b->gendisk = disk;
	return 0;
}

/* The disk has been deleted or was never added. */
void blk_disk_exit(struct blk *b)
{
	put_disk(b->gendisk);
	blk_mq_free_tag_set(&b->tags);
}
