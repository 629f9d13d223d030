// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Attaching a disk: which header counts, a fresh epoch for this attach, and the same disk again in later sessions. */
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include "blk.h"
#include "proto/disk.h"

#define LEASE_RETRY (3 * HZ)

static int take_lease(struct blk *b)
{
	bool told = false;
	int err;

	for (;;) {
		err = blk_header_key(b);
		if (err != -EBUSY)
			break;
		blk_set_state(b, BLK_IN_USE);
		if (!told)
			dev_notice(&b->tdev->dev, "another live guest of this identity uses the disk: waiting until it has ended\n");
		told = true;
		err = blk_wait_time(b, LEASE_RETRY);
		if (err)
			return err;
	}
	if (err)
		dev_err(&b->tdev->dev, "the hypervisor gives no key for the disk (%d)\n", err);
	return err;
}

static void own_header_read(struct blk *b, u32 nr, u32 slot, struct blk_header *header)
{
	b->own[nr] = (struct blk_req){
		.op = TSR_BLK_HEADER_READ, .count = TSR_HEADER_BLOCKS, .block = slot, .header = &header->disk
	};
}

struct verdict {
	enum tsr_disk_error error; /* of the plain fields */
	bool authentic;
	u64 generation;            /* believable only if authentic */
};

static int judge_header(struct blk *b, struct blk_header *header, struct verdict *verdict)
{
	int err;

	*verdict = (struct verdict){ .error = tsr_disk_check(&header->disk, b->disk.suite) };
	if (verdict->error != TSR_DISK_OK)
		return 0;
	err = blk_header_verify(b, header);
	if (err && err != -EBADMSG)
		return err;
	verdict->authentic = !err || !CHECKED(AUTHENTIC);
	verdict->generation = header->disk.generation;
	return 0;
}

static const char *verdict_text(const struct verdict *verdict)
{
	if (verdict->error != TSR_DISK_OK)
		return tsr_disk_error_text(verdict->error);
	return verdict->authentic ? "valid" : "not made by this guest, or altered";
}

/* The chosen header, in b->header, is authentic: can the disk be used? */
static enum blk_state judge_disk(struct blk *b)
{
	const struct tsr_disk_header *disk = &b->header->disk;
	struct device *dev = &b->tdev->dev;

	if (disk->blocks > b->answer->blocks) {
		dev_err(dev, "the disk has %llu blocks but the backend serves only %llu: the disk is not attached\n", disk->blocks,
			b->answer->blocks);
		return BLK_REFUSED;
	}
	if (disk->formatted != TSR_DISK_FORMATTED) {
		dev_warn(dev, "formatting the disk was interrupted: write \"yes\" to format to begin again\n");
		return BLK_INTERRUPTED;
	}
	return BLK_ATTACHED;
}

/* Reads both slots. Puts the header that counts into b->header, if there is one, and its generation, else 0, into generation. */
static int judge(struct blk *b, enum blk_state *state, u64 *generation)
{
	struct verdict verdict[TSR_HEADER_SLOTS];
	int which, err;

	own_header_read(b, 0, 0, b->header);
	own_header_read(b, 1, 1, b->scratch);
	err = blk_exec(b, 2);
	if (!err)
		err = judge_header(b, b->header, &verdict[0]);
	if (!err)
		err = judge_header(b, b->scratch, &verdict[1]);
	if (err) {
		if (err != -ENOTCONN && err != -ESHUTDOWN)
			dev_err(&b->tdev->dev, "the disk's header cannot be read (%d)\n", err);
		return err;
	}
	*generation = 0;
	which = tsr_disk_choose(verdict[0].authentic, verdict[0].generation, verdict[1].authentic, verdict[1].generation);
	if (which >= 0) {
		if (which == 1)
			swap(b->header, b->scratch);
		*generation = b->header->disk.generation;
		*state = judge_disk(b);
	} else if (verdict[0].error == TSR_DISK_BLANK && verdict[1].error == TSR_DISK_BLANK) {
		dev_notice(&b->tdev->dev, "the disk is blank: write \"yes\" to format to make it this guest's\n");
		*state = BLK_BLANK;
	} else {
		dev_err(&b->tdev->dev, "the disk is refused: header 0 is %s, header 1 is %s; \"force\" in format would overwrite it\n",
			verdict_text(&verdict[0]), verdict_text(&verdict[1]));
		*state = BLK_INVALID;
	}
	return 0;
}

void blk_format_finish(struct blk *b, int result)
{
	WRITE_ONCE(b->format, BLK_FORMAT_NONE);
	if (cmpxchg(&b->format_result, -EINPROGRESS, result) == -EINPROGRESS)
		wake_up_all(&b->format_wait);
}

int blk_may_format(enum blk_state state, enum blk_format format)
{
	switch (state) {
	case BLK_BLANK:
	case BLK_INTERRUPTED:
		return 0;
	case BLK_INVALID:
		return format == BLK_FORMAT_FORCE ? 0 : -EBADMSG;
	case BLK_AWAY:
		return -ENOTCONN;
	default:
		return -EBUSY;
	}
}

/* What was asked while another disk was there does not count for this one. */
static bool format_asked(struct blk *b, u32 state)
{
	enum blk_format format = READ_ONCE(b->format);
	int err;

	if (format == BLK_FORMAT_NONE)
		return false;
	err = blk_may_format(state, format);
	if (err)
		blk_format_finish(b, err);
	return !err;
}

/* b->header counts from now on: its keys, its id, nothing known of any block. */
static int adopt_header(struct blk *b)
{
	u64 blocks = b->header->disk.blocks;
	u32 i;

	if (blocks > SIZE_MAX / sizeof(u64))
		return -EFBIG;
	b->fresh = vzalloc(blocks * sizeof(u64));
	if (!b->fresh) {
		dev_err(&b->tdev->dev, "no memory for the %llu KiB that watch over the disk's freshness\n", blocks * sizeof(u64) / 1024);
		return -ENOMEM;
	}
	memcpy(b->disk.disk_id, b->header->disk.disk_id, sizeof(b->disk.disk_id));
	b->blocks = blocks;
	b->read_only = b->reading || b->answer->read_only || b->header->disk.epochs >= TSR_HEADER_EPOCHS;
	if (b->read_only && !b->reading && !b->answer->read_only)
		dev_warn(&b->tdev->dev, "the disk was attached %u times, which is all it takes: read-only, copy it to a new one\n",
			 TSR_HEADER_EPOCHS);
	b->epoch = 0;
	atomic64_set(&b->counter, 0);
	for (i = 0; i < b->nr_queues; i++) {
		mutex_lock(&b->queue[i].mutex);
		blk_aead_renew(&b->queue[i]);
		mutex_unlock(&b->queue[i].mutex);
	}
	return 0;
}

/*
 * A salt that the hypervisor draws now names this attach. Its key is therefore new, and counters can begin at 1 whatever the
 * host shows us of earlier times. Nothing is sealed under it before the header that tells the salt is durable.
 */
static int begin_epoch(struct blk *b)
{
	u8 salt[TSR_SALT_SIZE];
	u64 random;
	u32 epoch;
	int err;

	err = tsr_random(salt, sizeof(salt));
	if (!err)
		err = tsr_random(&random, sizeof(random));
	if (err)
		return err;
	epoch = tsr_disk_attach(&b->header->disk, salt, random);
	err = blk_header_write(b, b->header);
	if (!err)
		b->epoch = epoch;
	return err;
}

int blk_attach(struct blk *b)
{
	enum blk_state state;
	u64 generation;
	int err;

	vfree(b->fresh); /* of an attach that did not get to its end */
	b->fresh = NULL;
	err = take_lease(b);
	if (err)
		return err;
	for (;;) {
		err = judge(b, &state, &generation);
		if (err)
			return err;
		if (state == BLK_ATTACHED)
			break;
		blk_set_state(b, state);
		err = blk_wait(b, format_asked, state);
		if (err)
			return err;
		WRITE_ONCE(b->format, BLK_FORMAT_NONE);
		blk_set_state(b, BLK_FORMATTING);
		err = blk_format_disk(b, generation);
		if (err)
			return err;
	}
	err = adopt_header(b);
	if (!err && !b->read_only)
		err = begin_epoch(b);
	if (!err)
		err = blk_grow(b);
	if (err)
		return err;
	b->attached = true;
	dev_info(&b->tdev->dev, "disk %*phN attached, %llu MiB, epoch %u%s\n", (int)sizeof(b->disk.disk_id), b->disk.disk_id,
		 b->blocks >> 8, b->epoch, b->read_only ? ", read-only" : "");
	return 0;
}

/* Only the very disk that this attach knows, with the very header that it wrote. */
int blk_attach_again(struct blk *b)
{
	const struct tsr_disk_header *mine = &b->header->disk, *read = &b->scratch->disk;
	int err;

	own_header_read(b, 0, tsr_disk_slot(mine), b->scratch);
	err = blk_exec(b, 1);
	if (err)
		return err;
	if (!CHECKED(SAME) ||
	    (b->answer->blocks >= b->blocks && b->answer->read_only <= b->read_only && !memcmp(mine, read, sizeof(*mine))))
		return blk_grow(b);
	dev_err(&b->tdev->dev, "the backend came back with %s: it is refused, requests wait\n",
		b->answer->blocks < b->blocks ? "less capacity" :
		b->answer->read_only > b->read_only ? "a read-only disk" :
		memcmp(mine->disk_id, read->disk_id, sizeof(mine->disk_id)) ? "another disk" :
		read->generation < mine->generation ? "an older state of the disk" : "an altered header");
	blk_set_state(b, BLK_REFUSED);
	return blk_wait(b, NULL, 0);
}
