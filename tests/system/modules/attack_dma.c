/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Attacks by devices that the host drives. What a device says of its transfer proves nothing, so nothing of it is told: look at
 * memory and at the disk.
 *
 *	eduread N PA BYTES		QEMU's edu device number N reads PA; what it got is told in hexadecimal, value = its first 8 bytes
 *	eduwrite N PA BYTES VALUE	it writes VALUE, over and over, to PA
 *	edustart N PA BYTES VALUE	the same, without waiting for the end: it moves the data 100 ms later
 *	edubusy N			value = 1 as long as that has not ended
 *	edumsi N ADDRESS DATA		has it raise its interrupt as a message of the host's choice
 *	disk MAJOR MINOR SECTOR PA BYTES WRITE	a block device reads the disk into PA (WRITE 0), or writes PA to the disk (1)
 *	diskstart ...			the same, without waiting for the end
 *	diskbusy			value = how many of those have not ended
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include "attack.h"

#define EDU_VENDOR   0x1234
#define EDU_DEVICE   0x11e8
#define EDU_RAISE    0x60
#define EDU_ACK      0x64
#define EDU_SRC      0x80
#define EDU_DST      0x88
#define EDU_COUNT    0x90
#define EDU_CMD      0x98
#define EDU_RUN      1u
#define EDU_TO_PCI   2u
#define EDU_BUFFER   0x40000u
#define EDU_MOST     4095u /* the device itself refuses its buffer's last byte */
#define EDU_LIMIT    (60ull * NSEC_PER_SEC)
#define EDU_SHOWN    512u

struct edu {
	struct pci_dev *dev;
	void __iomem *regs;
};

static int edu_open(struct edu *e, u64 number)
{
	e->dev = NULL;
	do {
		e->dev = pci_get_device(EDU_VENDOR, EDU_DEVICE, e->dev); /* puts the one before */
		if (!e->dev)
			return -ENODEV;
	} while (number--);
	if (pci_enable_device(e->dev))
		goto put;
	pci_set_master(e->dev);
	e->regs = pci_ioremap_bar(e->dev, 0);
	if (e->regs)
		return 0;
put:
	pci_dev_put(e->dev);
	return -ENXIO;
}

static void edu_close(struct edu *e)
{
	iounmap(e->regs);
	pci_dev_put(e->dev);
}

static bool edu_busy(const struct edu *e)
{
	return readl(e->regs + EDU_CMD) & EDU_RUN;
}

static int edu_wait(const struct edu *e)
{
	u64 end = ktime_get_ns() + EDU_LIMIT;

	while (edu_busy(e)) {
		if (ktime_get_ns() > end)
			return -ETIMEDOUT;
		usleep_range(1000, 2000);
	}
	return 0;
}

/* The device can be asked nothing while it is at it, so the one before has to have ended. */
static int edu_start(const struct edu *e, u64 pa, u64 bytes, bool to_memory)
{
	int err = edu_wait(e);

	if (err)
		return err;
	writeq(to_memory ? EDU_BUFFER : pa, e->regs + EDU_SRC);
	writeq(to_memory ? pa : EDU_BUFFER, e->regs + EDU_DST);
	writeq(bytes, e->regs + EDU_COUNT);
	writel(EDU_RUN | (to_memory ? EDU_TO_PCI : 0), e->regs + EDU_CMD);
	return 0;
}

static int edu_move(const struct edu *e, u64 pa, u64 bytes, bool to_memory)
{
	int err = edu_start(e, pa, bytes, to_memory);

	return err ? err : edu_wait(e);
}

/* Its buffer is reached by its own DMA only, so what it is to write and what it has read goes by a page of ours. */
static int edu_read(struct attack *a, const struct edu *e, u64 pa, u64 bytes)
{
	u8 *page = (u8 *)get_zeroed_page(GFP_KERNEL);
	u64 i;
	int err;

	if (!page)
		return -ENOMEM;
	memset(page, 0xee, bytes);
	err = edu_move(e, virt_to_phys(page), bytes, false);
	if (!err)
		err = edu_move(e, pa, bytes, false);
	if (!err)
		err = edu_move(e, virt_to_phys(page), bytes, true);
	a->value = *(u64 *)page;
	for (i = 0; i < min_t(u64, bytes, EDU_SHOWN); i++)
		attack_say(a, "%02x", page[i]);
	free_page((unsigned long)page);
	return err;
}

static int edu_write(const struct edu *e, u64 pa, u64 bytes, u64 value, bool wait)
{
	u64 *page = (u64 *)get_zeroed_page(GFP_KERNEL);
	int err;

	if (!page)
		return -ENOMEM;
	memset64(page, value, PAGE_SIZE / sizeof(*page));
	err = edu_move(e, virt_to_phys(page), bytes, false);
	free_page((unsigned long)page);
	if (!err)
		err = wait ? edu_move(e, pa, bytes, true) : edu_start(e, pa, bytes, true);
	return err;
}

static int edu_message(const struct edu *e, u64 address, u32 data)
{
	int cap = pci_find_capability(e->dev, PCI_CAP_ID_MSI);

	if (!cap)
		return -ENXIO;
	pci_write_config_dword(e->dev, cap + PCI_MSI_ADDRESS_LO, lower_32_bits(address));
	pci_write_config_dword(e->dev, cap + PCI_MSI_ADDRESS_HI, upper_32_bits(address));
	pci_write_config_word(e->dev, cap + PCI_MSI_DATA_64, data);
	pci_write_config_word(e->dev, cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_64BIT);
	writel(1, e->regs + EDU_RAISE);
	writel(1, e->regs + EDU_ACK);
	pci_write_config_word(e->dev, cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT);
	return 0;
}

static int edu_order(struct attack *a, const char *op, const u64 *arg, int nr)
{
	struct edu e;
	int err;

	if (nr >= 3 && strcmp(op, "edumsi") && (!arg[2] || arg[2] > EDU_MOST))
		return -EINVAL;
	err = nr ? edu_open(&e, arg[0]) : -EINVAL;
	if (err)
		return err;
	if (!strcmp(op, "eduread") && nr == 3)
		err = edu_read(a, &e, arg[1], arg[2]);
	else if (!strcmp(op, "eduwrite") && nr == 4)
		err = edu_write(&e, arg[1], arg[2], arg[3], true);
	else if (!strcmp(op, "edustart") && nr == 4)
		err = edu_write(&e, arg[1], arg[2], arg[3], false);
	else if (!strcmp(op, "edumsi") && nr == 3)
		err = edu_message(&e, arg[1], arg[2]);
	else if (!strcmp(op, "edubusy") && nr == 1)
		a->value = edu_busy(&e);
	else
		err = -EINVAL;
	edu_close(&e);
	return err;
}

static bool disk_may(const u64 *arg)
{
	return arg[4] && arg[4] <= PAGE_SIZE - offset_in_page(arg[3]) && arg[4] % SECTOR_SIZE == 0 && pfn_valid(arg[3] >> PAGE_SHIFT);
}

/* Debian 13's kernel (6.12) opens a disk as a file. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
static struct block_device *open_disk(dev_t dev, struct file **file)
{
	*file = bdev_file_open_by_dev(dev, BLK_OPEN_READ | BLK_OPEN_WRITE, NULL, NULL);
	return IS_ERR(*file) ? ERR_CAST(*file) : file_bdev(*file);
}

static void close_disk(struct block_device *bdev, struct file *file)
{
	bdev_fput(file);
}
#else
static struct block_device *open_disk(dev_t dev, struct file **file)
{
	*file = NULL;
	return blkdev_get_by_dev(dev, FMODE_READ | FMODE_WRITE, NULL);
}

static void close_disk(struct block_device *bdev, struct file *file)
{
	blkdev_put(bdev, FMODE_READ | FMODE_WRITE);
}
#endif

/* The frame goes to the driver as any page would; that nobody may use it plays no part. */
static int disk(const u64 *arg, u64 *value)
{
	struct block_device *bdev;
	struct file *file;
	struct bio *bio;
	int err = 0;

	bdev = open_disk(MKDEV(arg[0], arg[1]), &file);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	bio = bio_alloc(bdev, 1, arg[5] ? REQ_OP_WRITE | REQ_FUA | REQ_SYNC : REQ_OP_READ, GFP_KERNEL);
	bio->bi_iter.bi_sector = arg[2];
	if (bio_add_page(bio, pfn_to_page(arg[3] >> PAGE_SHIFT), arg[4], offset_in_page(arg[3])) == arg[4])
		*value = submit_bio_wait(bio); /* told for the curious; it is 0 whatever the IOMMU did */
	else
		err = -EIO;
	bio_put(bio);
	close_disk(bdev, file);
	return err;
}

struct late {
	struct work_struct work;
	u64 arg[6];
};

static struct workqueue_struct *late_queue;
static atomic_t late_busy;

static void late_run(struct work_struct *work)
{
	struct late *l = container_of(work, struct late, work);
	u64 status;

	disk(l->arg, &status);
	put_page(pfn_to_page(l->arg[3] >> PAGE_SHIFT));
	kfree(l);
	atomic_dec(&late_busy);
}

/* The page is held until the end: what comes late to the host's own frame is not to hit who has it next. */
static int disk_start(const u64 *arg)
{
	struct late *l = kmalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return -ENOMEM;
	memcpy(l->arg, arg, sizeof(l->arg));
	INIT_WORK(&l->work, late_run);
	get_page(pfn_to_page(arg[3] >> PAGE_SHIFT));
	atomic_inc(&late_busy);
	queue_work(late_queue, &l->work);
	return 0;
}

int attack_dma_init(void)
{
	late_queue = alloc_workqueue("host_attack", WQ_UNBOUND, 0);
	return late_queue ? 0 : -ENOMEM;
}

void attack_dma_exit(void)
{
	destroy_workqueue(late_queue);
}

int attack_dma(struct attack *a, const char *op, const u64 *arg, int nr)
{
	int err = 0;

	if (!strncmp(op, "edu", 3))
		err = edu_order(a, op, arg, nr);
	else if (!strcmp(op, "disk") && nr == 6 && disk_may(arg))
		err = disk(arg, &a->value);
	else if (!strcmp(op, "diskstart") && nr == 6 && disk_may(arg))
		err = disk_start(arg);
	else if (!strcmp(op, "diskbusy"))
		a->value = atomic_read(&late_busy);
	else
		return -ENOENT;
	if (!err)
		attack_note(a, -1);
	return err;
}
