// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* tessera_blk: sealed disks of a guest under the Tessera hypervisor. Probing and removal. */
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "blk.h"
#include "proto/disk.h"

static char *mode = "pooled";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "how a disk's pages move until its mode in sysfs is changed: pooled, strict or copy");

static char *read_only[TSR_MAX_DEVICES];
module_param_array(read_only, charp, NULL, 0444);
MODULE_PARM_DESC(read_only, "labels of disks that are only to be read");

#ifdef TSR_TEST_DRIVER_CONTROLS
uint blk_left_out;
module_param_named(left_out, blk_left_out, uint, 0644);
#endif

static bool named(const char *label, char *const labels[])
{
	u32 i;

	for (i = 0; i < TSR_MAX_DEVICES && labels[i]; i++)
		if (!strncmp(label, labels[i], TSR_LABEL_SIZE))
			return true;
	return false;
}

static irqreturn_t control_event(int irq, void *arg)
{
	blk_poke(arg);
	return IRQ_HANDLED;
}

static irqreturn_t queue_event(int irq, void *arg)
{
	blk_q_kick(arg);
	return IRQ_HANDLED;
}

/* Data runs are the only large ones: if memory or this guest's share of granted pages is short, smaller ones for all queues. */
static int alloc_data(struct blk *b)
{
	u32 i;

	struct tsr_info limits;

	b->data_pages = BLK_POOL_MAX;
	if (!tsr_limits(&limits))
		while (b->data_pages / 2 >= BLK_POOL_MIN && b->data_pages > limits.max_granted / 2)
			b->data_pages /= 2;
	for (; b->data_pages >= BLK_POOL_MIN; b->data_pages /= 2) {
		for (i = 0; i < b->nr_queues; i++)
			if (tsr_run_alloc(b->tdev, &b->queue[i].data, b->data_pages))
				break;
		if (i == b->nr_queues)
			return 0;
		while (i--)
			tsr_run_free(&b->queue[i].data);
	}
	return -ENOMEM;
}

/* In memory, and in this guest's share of granted pages: the disks of a guest share it, and each needs room for one. */
static bool large_fits(struct blk *b)
{
	u32 pages = TSR_BLK_MAX_BLOCKS + TSR_BLK_TABLE_PAGES(TSR_BLK_MAX_BLOCKS);
	struct tsr_info limits;

	return pages <= b->data_pages && !tsr_limits(&limits) && limits.max_granted / TSR_MAX_DEVICES / b->nr_queues >= 2 * pages;
}

/* The largest requests take a table beside their pages. Short of memory, requests are smaller. */
static int alloc_sizes(struct blk *b)
{
	int err = alloc_data(b);

	b->max_blocks = large_fits(b) ? TSR_BLK_MAX_BLOCKS : TSR_BLK_DIRECT_BLOCKS;
	return err;
}

/* Once, for all sessions: a device that writeback waits for must not need memory to come back. */
static int alloc_runs(struct blk *b)
{
	u32 i;
	int err = tsr_run_alloc(b->tdev, &b->control, 1);

	for (i = 0; i < b->nr_queues && !err; i++) {
		err = tsr_run_alloc(b->tdev, &b->queue[i].ring, TSR_RING_PAGES(BLK_DEPTH));
		if (!err)
			err = tsr_run_alloc(b->tdev, &b->queue[i].seal, TSR_BLK_SEAL_PAGES(BLK_DEPTH));
	}
	return err ? err : alloc_sizes(b);
}

static int request_events(struct blk *b)
{
	const char *name = dev_name(&b->tdev->dev);
	u32 i;
	int event;

	event = tsr_event_request(TSR_EVENT_BACKEND(b->tdev->index), -1, control_event, name, b);
	if (event < 0)
		return event;
	b->control_event = event;
	for (i = 0; i < b->nr_queues; i++) {
		event = tsr_event_request(TSR_EVENT_ANY, i, queue_event, name, &b->queue[i]);
		if (event < 0)
			return event;
		b->queue[i].event = event;
	}
	return 0;
}

static int alloc_crypto(struct blk *b)
{
	int err = blk_key_init(&b->header_key, b->disk.suite);

	if (err) {
		dev_err(&b->tdev->dev, "no AES-GCM in this kernel (%d): load gcm and aesni_intel\n", err);
		return err;
	}
	b->aead = blk_aead_alloc(&b->header_key);
	b->header = alloc_pages_exact(sizeof(*b->header), GFP_KERNEL | __GFP_ZERO);
	b->scratch = alloc_pages_exact(sizeof(*b->scratch), GFP_KERNEL | __GFP_ZERO);
	b->answer = kzalloc(sizeof(*b->answer), GFP_KERNEL);
	return b->aead && b->header && b->scratch && b->answer ? 0 : -ENOMEM;
}

/* Not while any part of it is issued. */
static void free_data(struct blk_queue *q)
{
	u32 i;

	for (i = 0; i < BLK_DEPTH; i++)
		if (tsr_run_issued(&q->grant[i]))
			q->data.token = q->grant[i].token;
	if (tsr_run_issued(&q->shared))
		q->data.token = q->shared.token;
	tsr_run_free(&q->data);
}

/* Undoes as much as was done. The disk and the thread are gone. */
static void release(struct blk *b)
{
	u32 i;

	for (i = 0; i < b->nr_queues; i++)
		if (b->queue[i].event >= 0)
			tsr_event_free(b->queue[i].event, &b->queue[i]);
	if (b->control_event >= 0)
		tsr_event_free(b->control_event, b);
	for (i = 0; i < b->nr_queues; i++) {
		struct blk_queue *q = &b->queue[i];

		blk_q_exit(q);
		tsr_run_free(&q->ring);
		tsr_run_free(&q->seal);
		free_data(q);
	}
	tsr_run_free(&b->control);
	if (b->wq)
		destroy_workqueue(b->wq);
	blk_aead_free(b->aead);
	blk_key_exit(&b->header_key);
	if (b->header)
		free_pages_exact(b->header, sizeof(*b->header));
	if (b->scratch)
		free_pages_exact(b->scratch, sizeof(*b->scratch));
	kfree(b->answer);
	vfree(b->fresh);
	kvfree(b->queue);
	kvfree(b);
}

static struct blk *create(struct tsr_device *tdev)
{
	struct blk *b = kvzalloc(sizeof(*b), GFP_KERNEL);
	u32 i;

	if (!b)
		return NULL;
	b->mode_wanted = blk_mode_parse(mode);
	b->nr_queues = min_t(u32, num_possible_cpus(), TSR_BLK_MAX_QUEUES);
	b->queue = kvcalloc(b->nr_queues, sizeof(*b->queue), GFP_KERNEL);
	if (!b->queue) {
		kvfree(b);
		return NULL;
	}
	for (i = 0; i < b->nr_queues; i++)
		b->queue[i].event = -1;
	b->tdev = tdev;
	b->control_event = -1;
	b->disk.suite = tdev->desc.suite;
	memcpy(b->disk.label, tdev->desc.label, sizeof(b->disk.label));
	b->reading = named(tdev->desc.label, read_only);
	init_waitqueue_head(&b->wait);
	init_waitqueue_head(&b->format_wait);
	mutex_init(&b->format_lock);
	return b;
}

static int prepare(struct blk *b)
{
	u32 i;
	int err;

	b->wq = alloc_workqueue("tsr_blk%u", WQ_MEM_RECLAIM | WQ_HIGHPRI | WQ_CPU_INTENSIVE, 0, b->tdev->index);
	if (!b->wq)
		return -ENOMEM;
	err = alloc_crypto(b);
	for (i = 0; i < b->nr_queues && !err; i++)
		err = blk_q_init(b, i);
	if (!err)
		err = alloc_runs(b);
	if (!err)
		err = request_events(b);
	return err ? err : blk_disk_init(b);
}

static int blk_probe(struct tsr_device *tdev)
{
	struct task_struct *thread;
	struct blk *b;
	int err;

	if (!tsr_suite_known(tdev->desc.suite)) {
		dev_err(&tdev->dev, "the guest's configuration asks for suite %u, which this driver has not\n", tdev->desc.suite);
		return -EOPNOTSUPP;
	}
	if (tdev->desc.suite == TSR_SUITE_AEGIS_128L && !boot_cpu_has(X86_FEATURE_AES)) {
		dev_err(&tdev->dev, "the guest's configuration asks for %s, which takes a processor with AES instructions\n",
			tsr_suite_text(tdev->desc.suite));
		return -EOPNOTSUPP;
	}
	if (blk_mode_parse(mode) < 0) {
		dev_err(&tdev->dev, "there is no mode \"%s\": pooled, strict or copy\n", mode);
		return -EINVAL;
	}
	b = create(tdev);
	if (!b)
		return -ENOMEM;
	err = prepare(b);
	if (err)
		goto failed;
	dev_set_drvdata(&tdev->dev, b);
	thread = kthread_run(blk_thread, b, "tsr_blk%u", tdev->index);
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		blk_disk_exit(b);
		goto failed;
	}
	b->thread = thread;
	return 0;
failed:
	release(b);
	return err;
}

static void blk_remove(struct tsr_device *tdev)
{
	struct blk *b = dev_get_drvdata(&tdev->dev);
	u32 i;

	/* From here on a request that finds no session fails instead of waiting, so that nothing below waits for the host. */
	mutex_lock(&b->add_lock);
	WRITE_ONCE(b->removing, true);
	mutex_unlock(&b->add_lock);
	for (i = 0; i < b->nr_queues; i++)
		blk_q_kick(&b->queue[i]);
	flush_work(&b->add_work);
	if (b->added)
		del_gendisk(b->gendisk);
	kthread_stop(b->thread);
	blk_disk_exit(b);
	release(b);
}

static struct tsr_driver blk_driver = {
	.driver = {
		.name = "tessera_blk",
		.dev_groups = blk_device_groups,
	},
	.type = TSR_DEVICE_BLOCK,
	.probe = blk_probe,
	.remove = blk_remove,
};

static int __init blk_init(void)
{
	return tsr_driver_register(&blk_driver);
}

static void __exit blk_exit(void)
{
	tsr_driver_unregister(&blk_driver);
}

module_init(blk_init);
module_exit(blk_exit);
MODULE_DESCRIPTION("Sealed disks of a guest under the Tessera hypervisor");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_ALIAS("tessera:t01");
MODULE_SOFTDEP("pre: gcm aesni_intel");
