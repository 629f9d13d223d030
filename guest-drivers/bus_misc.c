// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* What the hypervisor offers besides devices: random numbers, application keys, a place to report a panic. */
#define pr_fmt(fmt) "tessera: " fmt

#include <linux/fs.h>
#include <linux/hw_random.h>
#include <linux/miscdevice.h>
#include <linux/panic_notifier.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <tessera/guest.h>
#include "bus.h"

static long ioctl_info(void __user *user)
{
	struct tsr_info *info = kzalloc(sizeof(*info), GFP_KERNEL);
	long err;

	if (!info)
		return -ENOMEM;
	err = tsr_call_data(TSR_CALL_INFO, 0, 0, 0, info, 0, sizeof(*info), NULL);
	if (!err && copy_to_user(user, info, sizeof(*info)))
		err = -EFAULT;
	kfree(info);
	return err;
}

static long ioctl_key(void __user *user)
{
	struct tsr_ioc_guest_key key;
	long err;

	if (copy_from_user(&key, user, sizeof(key)))
		return -EFAULT;
	err = tsr_key_derive(key.label, TSR_KEY_APPLICATION, key.salt, key.key);
	if (!err && copy_to_user(user, &key, sizeof(key)))
		err = -EFAULT;
	memzero_explicit(&key, sizeof(key));
	return err;
}

static long ioctl_random(void __user *user)
{
	struct tsr_ioc_guest_random random;
	long err;

	if (copy_from_user(&random, user, sizeof(random)))
		return -EFAULT;
	if (random.len == 0 || random.len > sizeof(random.bytes) || random.reserved)
		return -EINVAL;
	memset(random.bytes, 0, sizeof(random.bytes));
	err = tsr_random(random.bytes, random.len);
	if (!err && copy_to_user(user, &random, sizeof(random)))
		err = -EFAULT;
	memzero_explicit(&random, sizeof(random));
	return err;
}

static long ioctl_counters(void __user *user)
{
	struct tsr_ioc_guest_counters counters = {
		.hypercalls = atomic64_read(&bus_counters.hypercalls),
		.doorbells = atomic64_read(&bus_counters.doorbells),
		.tokens_issued = atomic64_read(&bus_counters.tokens_issued),
		.tokens_revoked = atomic64_read(&bus_counters.tokens_revoked),
		.revoke_repeats = atomic64_read(&bus_counters.revoke_repeats),
	};

	return copy_to_user(user, &counters, sizeof(counters)) ? -EFAULT : 0;
}

static long guest_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case TSR_IOC_GUEST_INFO:
		return ioctl_info(user);
	case TSR_IOC_GUEST_KEY_DERIVE:
		return ioctl_key(user);
	case TSR_IOC_GUEST_RANDOM:
		return ioctl_random(user);
	case TSR_IOC_GUEST_COUNTERS:
		return ioctl_counters(user);
	}
	return -ENOTTY;
}

static const struct file_operations guest_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = guest_ioctl,
};

static struct miscdevice guest_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tessera-guest",
	.mode = 0600,
	.fops = &guest_fops,
};

static int rng_read(struct hwrng *rng, void *data, size_t max, bool wait)
{
	int err = tsr_random(data, max);

	return err ? err : max;
}

/* The hypervisor is trusted with everything anyway: full credit (of 1024). */
static struct hwrng rng = { .name = "tessera", .read = rng_read, .quality = 1024 };

/* The first bytes at once, since the random core asks a new source only when it gets round to it. */
static void seed_now(void)
{
	u8 seed[64];

	if (tsr_random(seed, sizeof(seed)))
		return;
	add_device_randomness(seed, sizeof(seed));
	memzero_explicit(seed, sizeof(seed));
}

/* The host learns that, not why: the guest's console tells whoever may read it. */
static int panic_report(struct notifier_block *nb, unsigned long event, void *text)
{
	tsr_call(TSR_CALL_REPORT, 1, LINUX_VERSION_CODE, raw_smp_processor_id(), NULL);
	return NOTIFY_DONE;
}

/* Last of all: the guest may not run any further once it has reported. */
static struct notifier_block panic_block = { .notifier_call = panic_report, .priority = INT_MIN };

int bus_misc_init(void)
{
	int err = misc_register(&guest_misc);

	if (err)
		return err;
	seed_now();
	err = hwrng_register(&rng);
	if (err) {
		misc_deregister(&guest_misc);
		return err;
	}
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
	return 0;
}

void bus_misc_exit(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
	hwrng_unregister(&rng);
	misc_deregister(&guest_misc);
}
