// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * A watch over the threads of virtual CPUs. One that the host's scheduler starves, or that does not come back from the hypervisor, leaves
 * its guest standing without a word: so it is said here, once, and again when it is over.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "internal.h"

static unsigned int stall_seconds = 20;
module_param(stall_seconds, uint, 0644);
MODULE_PARM_DESC(stall_seconds, "say so when a virtual CPU that should run has not for so long");

static struct task_struct *watcher;

static void look(struct tsr_guest *guest, unsigned int seconds)
{
	struct tsr_vcpu *vcpu = smp_load_acquire(&guest->vcpu);
	u32 i;

	for (i = 0; vcpu && i < guest->config.vcpus; i++) {
		unsigned long due = READ_ONCE(vcpu[i].due);
		bool late = due && time_after(jiffies, due + seconds * HZ);

		if (late == vcpu[i].stalled)
			continue;
		WRITE_ONCE(vcpu[i].stalled, late);
		if (late)
			pr_warn("guest %s: its virtual CPU %u has not run for %u s: look at the thread tsr%u/%u\n", guest->name, i, seconds,
				guest->id, i);
		else
			pr_info("guest %s: its virtual CPU %u runs again\n", guest->name, i);
	}
}

/* What starves a virtual CPU must not starve this: a thread of a higher class, woken by no soft interrupt. */
static int watch(void *unused)
{
	sched_set_fifo_low(current);
	while (!kthread_should_stop()) {
		unsigned int seconds = clamp(READ_ONCE(stall_seconds), 1u, 3600u);
		ktime_t pause = ktime_set(1, 0);
		struct tsr_guest *guest;
		u32 next = 0;

		while ((guest = tsr_registry_next(next))) {
			next = guest->id + 1;
			look(guest, seconds);
			tsr_guest_put(guest);
		}
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule_hrtimeout(&pause, HRTIMER_MODE_REL);
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

bool tsr_guest_stalled(struct tsr_guest *guest)
{
	struct tsr_vcpu *vcpu = smp_load_acquire(&guest->vcpu);
	u32 i;

	for (i = 0; vcpu && i < guest->config.vcpus; i++) {
		if (READ_ONCE(vcpu[i].stalled))
			return true;
	}
	return false;
}

int tsr_watch_start(void)
{
	watcher = kthread_run(watch, NULL, "tsr_watch");
	return PTR_ERR_OR_ZERO(watcher);
}

void tsr_watch_stop(void)
{
	kthread_stop(watcher);
}
