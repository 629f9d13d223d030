/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/* What the block layer calls differently in Debian 12's kernel (6.1) and Debian 13's (6.12). */
#ifndef TSR_GUEST_BLK_KERNEL_H
#define TSR_GUEST_BLK_KERNEL_H

#include <linux/blk-mq.h>
#include <linux/version.h>

/* What queue_rqs is given. Where it is only a first request, Linux has macros for it; distributions' kernels changed that in between versions. */
#ifdef rq_list_pop
typedef struct request *blk_kernel_list;
#else
typedef struct rq_list blk_kernel_list;
#endif

/*
 * blk_kernel_disk: a disk without seeks; discard_sectors: at most, in one request.
 * blk_kernel_cache: whether it has a cache that FLUSH and FUA reach; nothing is in flight.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static inline struct gendisk *blk_kernel_disk(struct blk_mq_tag_set *tags, struct queue_limits *lim, u32 discard_sectors, void *data)
{
	lim->max_hw_discard_sectors = discard_sectors;
	return blk_mq_alloc_disk(tags, lim, data);
}

static inline void blk_kernel_cache(struct request_queue *queue, bool cache)
{
	struct queue_limits lim = queue_limits_start_update(queue);

	lim.features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA);
	if (cache)
		lim.features |= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	WARN_ON(queue_limits_commit_update(queue, &lim));
}
#else
static inline struct gendisk *blk_kernel_disk(struct blk_mq_tag_set *tags, struct queue_limits *lim, u32 discard_sectors, void *data)
{
	struct gendisk *disk = blk_mq_alloc_disk(tags, data);
	struct request_queue *queue;

	if (IS_ERR(disk))
		return disk;
	queue = disk->queue;
	blk_queue_logical_block_size(queue, lim->logical_block_size);
	blk_queue_physical_block_size(queue, lim->physical_block_size);
	blk_queue_max_hw_sectors(queue, lim->max_hw_sectors);
	blk_queue_max_write_zeroes_sectors(queue, lim->max_write_zeroes_sectors);
	blk_queue_max_discard_sectors(queue, discard_sectors);
	queue->limits.discard_granularity = lim->discard_granularity;
	blk_queue_max_segments(queue, lim->max_segments);
	blk_queue_io_opt(queue, lim->io_opt);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, queue);
	return disk;
}

static inline void blk_kernel_cache(struct request_queue *queue, bool cache)
{
	blk_queue_write_cache(queue, cache, cache);
}
#endif

#endif
