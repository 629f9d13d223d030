// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * The threads in which guests run, one for each virtual CPU.
 *
 * A run (TSR_CALL_VCPU_RUN) begins with interrupts off, after a last look at whether this thread should give way: what comes
 * after that look is an interrupt that stays pending, and a pending interrupt ends the run. So neither a wanted rescheduling nor
 * the guest's own timer, an hrtimer on this CPU, is noticed a tick late. The interrupt itself is taken right after the run.
 *
 * No wake-up is lost between a guest's HLT and this thread's sleep:
 *   thread: kick = false; run -> the hypervisor finds no event pending, marks the CPU idle, returns HALT; sleep unless kick
 *   raiser: EVENT_RAISE, or another virtual CPU's interrupt -> the hypervisor marks it pending and, if the CPU is idle, says whom to
 *           wake; kick = true; wake
 * The hypervisor looks at what is pending after the thread has cleared kick and after it has marked the CPU idle. If the event came
 * before that look, the run does not return HALT; if after, the raiser is told to wake it, kick is set after it was cleared, and the
 * thread does not sleep or is woken. Stopping works the same way with the stopped state in place of the event, and wakes all.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <asm/tsc.h>

#include "internal.h"

#define LONGEST_SLEEP_NS (10ull * NSEC_PER_SEC) /* then the guest runs and may halt again: bounds the conversion below */

/* Nanoseconds from now to a deadline of the host's TSC; 0 if it has passed. */
static u64 until(u64 deadline)
{
	u64 now = rdtsc_ordered(), ticks = deadline - now;

	if (deadline <= now)
		return 0;
	if (ticks > LONGEST_SLEEP_NS / 1000000 * tsc_khz)
		return LONGEST_SLEEP_NS;
	return div_u64(ticks * 1000000, tsc_khz) + 1;
}

/* Interrupting this CPU is all that it is for. */
static enum hrtimer_restart vcpu_timer(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

/* Interrupts are off. */
static void arm(struct tsr_vcpu *v, u64 deadline)
{
	u64 ns;

	if (!deadline)
		return;
	if (deadline == v->timer_deadline && v->timer_cpu == smp_processor_id() && hrtimer_active(&v->timer))
		return;
	ns = until(deadline);
	if (!ns)
		return; /* the hypervisor sees for itself that it has passed */
	v->timer_deadline = deadline;
	v->timer_cpu = smp_processor_id();
	hrtimer_start(&v->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

/* One run; a negated enum tsr_error or 0. */
static int run(struct tsr_vcpu *v)
{
	int status = 0;

	WRITE_ONCE(v->due, jiffies | 1);
	smp_store_mb(v->kick, false); /* before the hypervisor looks at events */
	local_irq_disable();
	if (need_resched() || kthread_should_stop()) {
		v->exit.reason = TSR_RUN_INTR;
		v->exit.console_len = 0;
		v->exit.wake = 0;
	} else {
		arm(v, v->exit.deadline);
		status = tsr_call_run(v->guest->id, v->index, &v->exit);
	}
	local_irq_enable();
	return status;
}

static void sleep_halted(struct tsr_vcpu *v)
{
	ktime_t timeout = v->exit.deadline ? ns_to_ktime(until(v->exit.deadline)) : KTIME_MAX;

	WRITE_ONCE(v->due, timeout == KTIME_MAX ? 0 : (jiffies + nsecs_to_jiffies(ktime_to_ns(timeout))) | 1);
	if (timeout)
		wait_event_interruptible_hrtimeout(v->wait, READ_ONCE(v->kick) || kthread_should_stop(), timeout);
}

/* False when there is nothing more to run. */
static bool handle(struct tsr_vcpu *v)
{
	struct tsr_run_exit *exit = &v->exit;

	tsr_vcpus_wake(v->guest, exit->wake);
	tsr_console_write(&v->guest->console, exit);
	switch (exit->reason) {
	case TSR_RUN_INTR:
	case TSR_RUN_TIMER: /* armed at the next run, on the CPU it happens on */
	case TSR_RUN_CONSOLE:
	case TSR_RUN_WAKE:
		return true;
	case TSR_RUN_HALT:
		sleep_halted(v);
		return true;
	case TSR_RUN_DOORBELL:
		tsr_slot_doorbell(v->guest, exit->device, exit->queue);
		return true;
	case TSR_RUN_CONNECT:
		tsr_slot_connect(v->guest, exit);
		return true;
	case TSR_RUN_ENDED:
		return false;
	}
	pr_err("guest %s: the hypervisor gives a reason this module does not know (%u); the guest is stopped\n",
	       v->guest->name, exit->reason);
	return false;
}

static int vcpu_thread(void *data)
{
	struct tsr_vcpu *v = data;
	bool more = true;

	while (more && !kthread_should_stop()) {
		int status = run(v);

		if (status) {
			pr_err("guest %s: its virtual CPU %u cannot run, so it is stopped: %s\n", v->guest->name, v->index,
			       tsr_error_text(status));
			break;
		}
		more = handle(v);
		cond_resched();
	}
	if (!kthread_should_stop()) {
		/* Refused if it has ended by itself; otherwise its other virtual CPUs end as well. */
		tsr_call_regs(TSR_CALL_GUEST_STOP, 0, v->guest->id, 0, NULL);
		tsr_vcpus_wake(v->guest, TSR_VCPUS_ALL);
		tsr_guest_set_ended(v->guest);
	}
	WRITE_ONCE(v->due, 0);
	wait_event_interruptible(v->wait, kthread_should_stop());
	hrtimer_cancel(&v->timer);
	return 0;
}

static void vcpu_init(struct tsr_guest *guest, struct tsr_vcpu *v, u32 index)
{
	v->guest = guest;
	v->index = index;
	init_waitqueue_head(&v->wait);
	hrtimer_init(&v->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	v->timer.function = vcpu_timer;
}

int tsr_vcpus_create(struct tsr_guest *guest)
{
	u32 i;

	if (!guest->vcpu) {
		struct tsr_vcpu *vcpu = kcalloc(guest->config.vcpus, sizeof(*vcpu), GFP_KERNEL);

		if (!vcpu)
			return -ENOMEM;
		for (i = 0; i < guest->config.vcpus; i++)
			vcpu_init(guest, &vcpu[i], i);
		smp_store_release(&guest->vcpu, vcpu); /* pairs with tsr_vcpus_wake() */
	}
	for (i = 0; i < guest->config.vcpus; i++) {
		struct tsr_vcpu *v = &guest->vcpu[i];
		struct task_struct *thread = kthread_create(vcpu_thread, v, "tsr%u/%u", guest->id, i);

		if (IS_ERR(thread)) {
			tsr_vcpus_join(guest);
			return PTR_ERR(thread);
		}
		get_task_struct(thread);
		v->thread = thread;
	}
	return 0;
}

void tsr_vcpus_start(struct tsr_guest *guest)
{
	u32 i;

	for (i = 0; i < guest->config.vcpus; i++) {
		WRITE_ONCE(guest->vcpu[i].due, jiffies | 1);
		wake_up_process(guest->vcpu[i].thread);
	}
}

void tsr_vcpus_wake(struct tsr_guest *guest, u64 set)
{
	struct tsr_vcpu *vcpu = smp_load_acquire(&guest->vcpu); /* NULL before launch */
	u32 i;

	for (i = 0; set && vcpu && i < guest->config.vcpus; i++) {
		unsigned long due;

		if (!(set & BIT_ULL(i)))
			continue;
		/* Before the kick, so that a thread that sees that one passes by its own mark. */
		due = READ_ONCE(vcpu[i].due);
		if (!due || time_after(due, jiffies))
			WRITE_ONCE(vcpu[i].due, jiffies | 1);
		WRITE_ONCE(vcpu[i].kick, true);
		wake_up_interruptible(&vcpu[i].wait);
	}
}

void tsr_vcpus_join(struct tsr_guest *guest)
{
	u32 i;

	for (i = 0; guest->vcpu && i < guest->config.vcpus; i++) {
		struct task_struct *thread = guest->vcpu[i].thread;

		if (!thread)
			continue;
		kthread_stop(thread);
		put_task_struct(thread);
		guest->vcpu[i].thread = NULL;
		WRITE_ONCE(guest->vcpu[i].due, 0);
	}
}
