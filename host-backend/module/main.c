// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Module, /dev/tessera, and its calls: spec/host.md. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

static long ioc_info(void __user *arg)
{
	struct tsr_info *info = kzalloc(sizeof(*info), GFP_KERNEL);
	struct tsr_hypercall call = { .nr = TSR_CALL_INFO, .out = info, .out_len = sizeof(*info) };
	long err = -ENOMEM;

	if (info)
		err = tsr_errno(tsr_hypercall(&call));
	if (!err && copy_to_user(arg, info, sizeof(*info)))
		err = -EFAULT;
	kfree(info);
	return err;
}

static long ioc_dma_faults(void __user *arg)
{
	struct tsr_dma_faults *faults = kzalloc(sizeof(*faults), GFP_KERNEL);
	struct tsr_hypercall call = { .nr = TSR_CALL_DMA_FAULTS, .out = faults, .out_len = sizeof(*faults) };
	long err = -ENOMEM;

	if (faults)
		err = tsr_errno(tsr_hypercall(&call));
	if (!err && copy_to_user(arg, faults, sizeof(*faults)))
		err = -EFAULT;
	kfree(faults);
	return err;
}

static long ioc_create(void __user *arg)
{
	struct tsr_ioc_create *create = memdup_user(arg, sizeof(*create));
	struct tsr_guest *guest;
	long err;

	if (IS_ERR(create))
		return PTR_ERR(create);
	err = tsr_guest_create(create);
	if (!err && copy_to_user(arg, create, sizeof(*create))) {
		guest = tsr_registry_get(create->guest);
		if (guest) {
			tsr_guest_destroy(guest);
			tsr_guest_put(guest);
		}
		err = -EFAULT;
	}
	kfree(create);
	return err;
}

static long ioc_list(void __user *arg)
{
	struct tsr_ioc_guest found = {};
	struct tsr_hypercall call = { .nr = TSR_CALL_GUEST_INFO, .out = &found.info, .out_len = sizeof(found.info) };
	struct tsr_guest *guest;
	u32 start;
	long err;

	if (get_user(start, (u32 __user *)arg))
		return -EFAULT;
	do {
		guest = tsr_registry_next(start);
		if (!guest)
			return -ENOENT;
		start = guest->id + 1;
		found.guest = guest->id;
		found.flags = (READ_ONCE(guest->paused) ? TSR_IOC_GUEST_PAUSED : 0) | (tsr_guest_stalled(guest) ? TSR_IOC_GUEST_STALLED : 0);
		memcpy(found.name, guest->name, sizeof(found.name));
		err = tsr_guest_call(guest, &call);
		tsr_guest_put(guest);
	} while (err == -ESRCH && start); /* destroyed meanwhile: the next one */
	if (!err && copy_to_user(arg, &found, sizeof(found)))
		err = -EFAULT;
	return err;
}

static long ioc_tokens(void __user *arg)
{
	struct tsr_ioc_tokens *tokens = memdup_user(arg, sizeof(*tokens));
	struct tsr_hypercall call = { .nr = TSR_CALL_TOKEN_LIST };
	long err;

	if (IS_ERR(tokens))
		return PTR_ERR(tokens);
	call.a0 = tokens->start;
	call.out = &tokens->list;
	call.out_len = sizeof(tokens->list);
	err = tsr_errno(tsr_hypercall(&call));
	tokens->start = call.value;
	if (!err && copy_to_user(arg, tokens, sizeof(*tokens)))
		err = -EFAULT;
	kfree(tokens);
	return err;
}

/* Its number for the caller; -1 if it has ended and somebody else holds the descriptor, so that nobody takes the number's next
 * owner for it. */
static int process_number(struct pid *pid)
{
	int number = 0;

	rcu_read_lock();
	if (pid)
		number = pid_task(pid, PIDTYPE_TGID) ? pid_vnr(pid) : -1;
	rcu_read_unlock();
	return number;
}

static long guest_config(struct tsr_guest *guest, void __user *arg)
{
	struct tsr_ioc_config *config = kzalloc(sizeof(*config), GFP_KERNEL);
	long err = 0;
	u32 i;

	if (!config)
		return -ENOMEM;
	config->guest = guest->id;
	memcpy(config->name, guest->name, sizeof(config->name));
	config->config = guest->config;
	config->eip = guest->eip;
	config->esi = guest->esi;
	spin_lock(&guest->slot_lock);
	for (i = 0; i < TSR_MAX_DEVICES; i++)
		config->backend[i] = process_number(guest->slot[i].pid);
	spin_unlock(&guest->slot_lock);
	if (copy_to_user(arg, config, sizeof(*config)))
		err = -EFAULT;
	kfree(config);
	return err;
}

static long guest_backend(struct tsr_guest *guest, void __user *arg)
{
	struct tsr_ioc_backend report = { .guest = guest->id };

	if (get_user(report.device, &((struct tsr_ioc_backend __user *)arg)->device))
		return -EFAULT;
	if (report.device >= TSR_MAX_DEVICES)
		return -ENODEV;
	tsr_slot_report(guest, &report);
	return copy_to_user(arg, &report, sizeof(report)) ? -EFAULT : 0;
}

static long guest_launch(struct tsr_guest *guest, void __user *arg)
{
	struct tsr_ioc_launch launch;
	long err;

	if (copy_from_user(&launch, arg, sizeof(launch)))
		return -EFAULT;
	err = tsr_guest_launch(guest, &launch.launch);
	if (!err && copy_to_user(arg, &launch, sizeof(launch)))
		err = -EFAULT; /* it runs all the same; GUEST_INFO tells its identity */
	return err;
}

static long guest_load(struct tsr_guest *guest, void __user *arg)
{
	struct tsr_ioc_load load;

	if (copy_from_user(&load, arg, sizeof(load)))
		return -EFAULT;
	return tsr_guest_load(guest, &load);
}

static long guest_console_input(struct tsr_guest *guest, void __user *arg)
{
	struct tsr_ioc_console_input input;
	struct tsr_hypercall call = {
		.nr = TSR_CALL_CONSOLE_INPUT,
		.in = &input.input,
		.in_len = sizeof(input.input),
	};
	long err;

	if (copy_from_user(&input, arg, sizeof(input)))
		return -EFAULT;
	err = tsr_guest_call(guest, &call);
	if (err)
		return err;
	return min_t(u64, call.value, sizeof(input.input.bytes));
}

static long guest_attach(struct tsr_guest *guest, void __user *arg)
{
	struct tsr_ioc_attach attach;

	if (copy_from_user(&attach, arg, sizeof(attach)))
		return -EFAULT;
	return tsr_backend_attach(guest, attach.device);
}

static long guest_stop(struct tsr_guest *guest, void __user *arg)
{
	return tsr_guest_stop(guest);
}

static long guest_destroy(struct tsr_guest *guest, void __user *arg)
{
	return tsr_guest_destroy(guest);
}

static long guest_pause(struct tsr_guest *guest, void __user *arg)
{
	return tsr_guest_pause(guest);
}

static long guest_resume(struct tsr_guest *guest, void __user *arg)
{
	return tsr_guest_resume(guest);
}

static long guest_console(struct tsr_guest *guest, void __user *arg)
{
	return tsr_console_open(guest);
}

/* Calls about one guest: their structures begin with its id. */
static const struct {
	unsigned int cmd;
	long (*run)(struct tsr_guest *guest, void __user *arg);
} guest_calls[] = {
	{ TSR_IOC_LOAD, guest_load },
	{ TSR_IOC_LAUNCH, guest_launch },
	{ TSR_IOC_STOP, guest_stop },
	{ TSR_IOC_DESTROY, guest_destroy },
	{ TSR_IOC_PAUSE, guest_pause },
	{ TSR_IOC_RESUME, guest_resume },
	{ TSR_IOC_CONSOLE, guest_console },
	{ TSR_IOC_CONSOLE_INPUT, guest_console_input },
	{ TSR_IOC_ATTACH, guest_attach },
	{ TSR_IOC_CONFIG, guest_config },
	{ TSR_IOC_BACKEND, guest_backend },
};

static long guest_ioctl(unsigned int cmd, void __user *arg)
{
	struct tsr_guest *guest;
	long ret;
	u32 id;
	int i;

	for (i = 0; i < ARRAY_SIZE(guest_calls); i++) {
		if (cmd != guest_calls[i].cmd)
			continue;
		if (get_user(id, (u32 __user *)arg))
			return -EFAULT;
		guest = tsr_registry_get(id);
		if (!guest)
			return -ESRCH;
		ret = guest_calls[i].run(guest, arg);
		tsr_guest_put(guest);
		return ret;
	}
	return -ENOTTY;
}

static long tsr_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	void __user *arg = (void __user *)user;

	switch (cmd) {
	case TSR_IOC_INFO:
		return ioc_info(arg);
	case TSR_IOC_CREATE:
		return ioc_create(arg);
	case TSR_IOC_LIST:
		return ioc_list(arg);
	case TSR_IOC_TOKENS:
		return ioc_tokens(arg);
	case TSR_IOC_DMA_FAULTS:
		return ioc_dma_faults(arg);
	}
	return guest_ioctl(cmd, arg);
}

static const struct file_operations tsr_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = tsr_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice tsr_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tessera",
	.fops = &tsr_fops,
	.mode = 0600,
};

/* The machine restarts or stops, or kexec starts another kernel, which could not use guests' memory: it is returned first, scrubbed. */
static int reboot(struct notifier_block *block, unsigned long action, void *data)
{
	struct tsr_guest *guest;
	u32 next = 0;

	tsr_guest_close_door();
	while ((guest = tsr_registry_next(next))) {
		pr_info("guest %s is destroyed, since the host goes down\n", guest->name);
		next = guest->id + 1;
		tsr_guest_destroy(guest);
		tsr_guest_put(guest);
	}
	return NOTIFY_DONE;
}

static struct notifier_block tsr_reboot = { .notifier_call = reboot };

static int __init tsr_init(void)
{
	int err = tsr_hv_init();

	if (err)
		return err;
	err = tsr_adopt_all();
	if (err)
		goto out_hv;
	err = register_reboot_notifier(&tsr_reboot);
	if (err)
		goto out_abandon;
	err = tsr_watch_start();
	if (err)
		goto out_reboot;
	err = misc_register(&tsr_device);
	if (err)
		goto out_watch;
	pr_info("ready: /dev/tessera\n");
	return 0;
out_watch:
	tsr_watch_stop();
out_reboot:
	unregister_reboot_notifier(&tsr_reboot);
out_abandon:
	tsr_abandon_all();
out_hv:
	tsr_hv_exit();
	return err;
}

/* Descriptors hold the module, and guests that are not paused: so there is none of either. */
static void __exit tsr_exit(void)
{
	misc_deregister(&tsr_device);
	tsr_watch_stop();
	unregister_reboot_notifier(&tsr_reboot);
	tsr_window_flush();
	tsr_abandon_all();
	tsr_hv_exit();
}

module_init(tsr_init);
module_exit(tsr_exit);
MODULE_DESCRIPTION("Host side of the Tessera hypervisor");
MODULE_LICENSE("Dual BSD/GPL");
