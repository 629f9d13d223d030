// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* /sys/bus/tessera/devices/tesseraN/: state, format, format_progress, counters/; /sys/block/tsrN/: serial, label. */
#include <linux/sysfs.h>
#include "blk.h"

static struct blk *to_blk(struct device *dev)
{
	return dev_get_drvdata(dev);
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", blk_state_text(READ_ONCE(to_blk(dev)->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t format_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	switch (READ_ONCE(to_blk(dev)->state)) {
	case BLK_BLANK:
	case BLK_INTERRUPTED:
		return sysfs_emit(buf, "yes\n");
	case BLK_INVALID:
		return sysfs_emit(buf, "force\n");
	default:
		return sysfs_emit(buf, "\n");
	}
}

/* Returns when the disk is formatted and added, or has failed. Interrupting the writer does not interrupt the formatting. */
static ssize_t format_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t len)
{
	struct blk *b = to_blk(dev);
	enum blk_format format;
	int err;

	if (sysfs_streq(buf, "yes"))
		format = BLK_FORMAT_YES;
	else if (sysfs_streq(buf, "force"))
		format = BLK_FORMAT_FORCE;
	else
		return -EINVAL;
	err = mutex_lock_interruptible(&b->format_lock);
	if (err)
		return err;
	err = blk_may_format(READ_ONCE(b->state), format);
	if (!err && (b->reading || b->answer->read_only))
		err = -EROFS;
	if (!err && READ_ONCE(b->format_result) == -EINPROGRESS)
		err = -EBUSY; /* of a writer that was interrupted */
	if (!err) {
		WRITE_ONCE(b->format_result, -EINPROGRESS);
		WRITE_ONCE(b->format, format);
		blk_poke(b);
		err = wait_event_interruptible(b->format_wait, READ_ONCE(b->format_result) != -EINPROGRESS);
		if (!err)
			err = READ_ONCE(b->format_result);
	}
	mutex_unlock(&b->format_lock);
	return err ? err : len;
}
static DEVICE_ATTR_RW(format);

static ssize_t mode_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", blk_mode_text(READ_ONCE(to_blk(dev)->mode_wanted)));
}

/* Takes effect at once, by a new session. */
static ssize_t mode_store(struct device *dev, struct device_attribute *attr, const char *buf, size_t len)
{
	struct blk *b = to_blk(dev);
	int mode = blk_mode_parse(buf);

	if (mode < 0)
		return mode;
	WRITE_ONCE(b->mode_wanted, mode);
	blk_poke(b);
	return len;
}
static DEVICE_ATTR_RW(mode);

/* Blocks done, and of how many. */
static ssize_t format_progress_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blk *b = to_blk(dev);

	return sysfs_emit(buf, "%llu %llu\n", READ_ONCE(b->format_done), READ_ONCE(b->answer->blocks));
}
static DEVICE_ATTR_RO(format_progress);

static struct attribute *device_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_format.attr,
	&dev_attr_format_progress.attr,
	&dev_attr_mode.attr,
	NULL,
};

static const struct attribute_group device_group = { .attrs = device_attrs };

/* ------------------------------------------------------------------ counters: sums over the queues since the driver was loaded */

struct counter_attribute {
	struct device_attribute attr;
	size_t offset;
};

static ssize_t counter_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	size_t offset = container_of(attr, struct counter_attribute, attr)->offset;
	struct blk *b = to_blk(dev);
	u64 sum = 0;
	u32 i;

	for (i = 0; i < b->nr_queues; i++)
		sum += READ_ONCE(*(u64 *)((void *)&b->queue[i].count + offset));
	return sysfs_emit(buf, "%llu\n", sum);
}

#define COUNTER(name)                                             \
	static struct counter_attribute counter_##name = {        \
		__ATTR(name, 0444, counter_show, NULL), offsetof(struct blk_counters, name) \
	}
COUNTER(reads);
COUNTER(writes);
COUNTER(flushes);
COUNTER(blocks);
COUNTER(integrity_errors);
COUNTER(resubmitted);
COUNTER(in_flight);
COUNTER(doorbells);
COUNTER(sealed_bytes);
COUNTER(opened_bytes);
COUNTER(granted);
COUNTER(limit_waits);

static ssize_t sessions_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(to_blk(dev)->sessions));
}
static DEVICE_ATTR_RO(sessions);

static struct attribute *counter_attrs[] = {
	&counter_reads.attr.attr,
	&counter_writes.attr.attr,
	&counter_flushes.attr.attr,
	&counter_blocks.attr.attr,
	&counter_integrity_errors.attr.attr,
	&counter_resubmitted.attr.attr,
	&counter_in_flight.attr.attr,
	&counter_doorbells.attr.attr,
	&counter_sealed_bytes.attr.attr,
	&counter_opened_bytes.attr.attr,
	&counter_granted.attr.attr,
	&counter_limit_waits.attr.attr,
	&dev_attr_sessions.attr,
	NULL,
};

static const struct attribute_group counter_group = { .name = "counters", .attrs = counter_attrs };

const struct attribute_group *blk_device_groups[] = { &device_group, &counter_group, NULL };

/* ------------------------------------------------------------------ of the disk; only while attached */

static struct blk *disk_to_blk(struct device *dev)
{
	return dev_to_disk(dev)->private_data;
}

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct blk *b = disk_to_blk(dev);

	return sysfs_emit(buf, "%*phN\n", (int)sizeof(b->disk.disk_id), b->disk.disk_id);
}
static DEVICE_ATTR_RO(serial);

static ssize_t label_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%.*s\n", (int)TSR_LABEL_SIZE, disk_to_blk(dev)->disk.label);
}
static DEVICE_ATTR_RO(label);

static struct attribute *gendisk_attrs[] = { &dev_attr_serial.attr, &dev_attr_label.attr, NULL };

static const struct attribute_group gendisk_group = { .attrs = gendisk_attrs };

const struct attribute_group *blk_gendisk_groups[] = { &gendisk_group, NULL };
