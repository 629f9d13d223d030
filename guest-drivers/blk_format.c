// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Formatting: every block gets a zero seal. Headers before, during and after it tell how far it got. */
#include <linux/minmax.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>
#include "blk.h"
#include "proto/disk.h"

#define PROGRESS_BLOCKS 262144u /* 1 GiB: a header that tells of the progress is written that often */

int blk_header_write(struct blk *b, struct blk_header *header)
{
	int err = blk_header_seal(b, header);

	if (err)
		return err;
	b->own[0] = (struct blk_req){
		.op = TSR_BLK_HEADER_WRITE,
		.count = TSR_HEADER_BLOCKS,
		.block = tsr_disk_slot(&header->disk),
		.header = &header->disk,
	};
	err = blk_exec(b, 1);
	if (err && err != -ENOTCONN && err != -ESHUTDOWN)
		dev_err(&b->tdev->dev, "the disk's header cannot be written (%d)\n", err);
	return err;
}

static int write_progress(struct blk *b, u32 formatted)
{
	u64 random;
	int err = tsr_random(&random, sizeof(random));

	if (err)
		return err;
	tsr_disk_progress(&b->header->disk, formatted, random);
	return blk_header_write(b, b->header);
}

/* A header of generation + 1 with a new id, one epoch, and nothing formatted yet. */
static int begin(struct blk *b, u64 generation)
{
	struct tsr_disk_header *disk = &b->header->disk;
	u8 salt[TSR_SALT_SIZE];
	u64 random;
	u32 i;
	int err;

	err = tsr_random(b->disk.disk_id, sizeof(b->disk.disk_id));
	if (!err)
		err = tsr_random(salt, sizeof(salt));
	if (!err)
		err = tsr_random(&random, sizeof(random));
	if (err)
		return err;
	tsr_disk_init(disk, b->disk.suite, b->disk.disk_id, b->answer->blocks);
	disk->generation = generation;
	b->epoch = tsr_disk_attach(disk, salt, random);
	atomic64_set(&b->counter, 0);
	for (i = 0; i < b->nr_queues; i++) {
		mutex_lock(&b->queue[i].mutex);
		blk_aead_renew(&b->queue[i]);
		mutex_unlock(&b->queue[i].mutex);
	}
	return blk_header_write(b, b->header);
}

/* As many requests at once as there are of our own. */
static int zero_some(struct blk *b, u64 from, u64 blocks, u64 *to)
{
	u32 nr;

	for (nr = 0; nr < BLK_OWN && from < blocks; nr++) {
		u32 count = min_t(u64, b->max_blocks, blocks - from);

		b->own[nr] = (struct blk_req){ .op = TSR_BLK_WRITE_ZEROES, .count = count, .block = from };
		from += count;
	}
	*to = from;
	return blk_exec(b, nr);
}

static int flush(struct blk *b)
{
	b->own[0] = (struct blk_req){ .op = TSR_BLK_FLUSH };
	return blk_exec(b, 1);
}

static int zero_all(struct blk *b)
{
	u64 blocks = b->answer->blocks;
	u64 done = 0, told = 0;
	int err;

	while (done < blocks) {
		err = zero_some(b, done, blocks, &done);
		if (err)
			return err;
		WRITE_ONCE(b->format_done, done);
		if (done - told < PROGRESS_BLOCKS)
			continue;
		told = done;
		err = write_progress(b, done);
		if (err)
			return err;
	}
	return flush(b);
}

int blk_format_disk(struct blk *b, u64 generation)
{
	int err;

	WRITE_ONCE(b->format_done, 0);
	dev_info(&b->tdev->dev, "formatting %llu blocks\n", b->answer->blocks);
	err = begin(b, generation);
	if (!err)
		err = zero_all(b);
	if (!err)
		err = write_progress(b, TSR_DISK_FORMATTED);
	if (err)
		dev_err(&b->tdev->dev, "formatting has failed after %llu of %llu blocks (%d)\n", b->format_done, b->answer->blocks, err);
	return err;
}

/* Freshness words for more blocks. Writeback may be waiting for the disk: rather no growth than waiting for memory. */
static u64 *more_words(struct blk *b, u64 blocks)
{
	unsigned int noio = memalloc_noio_save();
	u64 *fresh = __vmalloc(blocks * sizeof(u64), GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN);

	memalloc_noio_restore(noio);
	return fresh;
}

/* Nobody claims or releases blocks meanwhile: completions of this session can only be of our own requests, and there are none. */
static void use_words(struct blk *b, u64 *fresh)
{
	u64 *old = b->fresh;
	u32 i;

	memcpy(fresh, old, b->blocks * sizeof(u64));
	for (i = 0; i < b->nr_queues; i++)
		mutex_lock(&b->queue[i].mutex);
	b->fresh = fresh;
	for (i = b->nr_queues; i > 0; i--)
		mutex_unlock(&b->queue[i - 1].mutex);
	vfree(old);
}

/* The header that tells the new capacity: the old one stands, in the other slot, until this one is durable. */
static int write_grown(struct blk *b, u64 blocks)
{
	u64 random;
	int err = tsr_random(&random, sizeof(random));

	if (err)
		return err;
	memcpy(b->scratch, b->header, sizeof(*b->scratch));
	b->scratch->disk.blocks = blocks;
	tsr_disk_progress(&b->scratch->disk, TSR_DISK_FORMATTED, random);
	err = blk_header_write(b, b->scratch);
	if (!err)
		swap(b->header, b->scratch);
	return err;
}

int blk_grow(struct blk *b)
{
	u64 blocks = b->answer->blocks, at = b->blocks;
	u64 *fresh;
	int err = 0;

	if (blocks <= b->blocks || b->epoch == 0)
		return 0;
	fresh = more_words(b, blocks);
	if (!fresh) {
		dev_warn(&b->tdev->dev, "the disk could grow to %llu blocks, but there is no memory to watch over them\n", blocks);
		return 0;
	}
	use_words(b, fresh);
	while (at < blocks && !err)
		err = zero_some(b, at, blocks, &at);
	if (!err)
		err = flush(b);
	if (!err)
		err = write_grown(b, blocks);
	if (err) {
		dev_err(&b->tdev->dev, "growing the disk to %llu blocks has failed (%d)\n", blocks, err);
		return err;
	}
	dev_info(&b->tdev->dev, "the disk has grown from %llu to %llu blocks\n", b->blocks, blocks);
	b->blocks = blocks;
	return 0;
}
