// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Finding the hypervisor and calling it: spec/hypercalls.md.
 *
 * Each CPU has a mailbox. It is used with preemption off and never from interrupts, so a caller has it for itself between
 * filling it in and copying the result out.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <asm/processor.h>

#include "internal.h"

static DEFINE_PER_CPU(void *, tsr_mailbox);
static bool tsr_use_vmcall;
static int tsr_hotplug_state;

static int raw_call(u64 nr, u64 a0, u64 a1, u64 a2, u64 *value)
{
	long status;

	/* Operands are the same for both; which instruction there is was said by CPUID. */
	if (tsr_use_vmcall)
		asm volatile("vmcall" : "=a"(status), "+d"(a2) : "a"(nr), "D"(a0), "S"(a1) : "memory");
	else
		asm volatile("vmmcall" : "=a"(status), "+d"(a2) : "a"(nr), "D"(a0), "S"(a1) : "memory");
	*value = a2;
	return status;
}

int tsr_hypercall(struct tsr_hypercall *call)
{
	void *mailbox;
	int status;

	preempt_disable();
	mailbox = __this_cpu_read(tsr_mailbox);
	if (WARN_ON_ONCE(!mailbox)) {
		preempt_enable();
		return -TSR_E_MAILBOX;
	}
	if (call->in)
		memcpy(mailbox, call->in, min_t(size_t, call->in_len, TSR_PAGE_SIZE));
	status = raw_call(call->nr, call->a0, call->a1, call->a2, &call->value);
	if (!status && call->out)
		memcpy(call->out, mailbox, min_t(size_t, call->out_len, TSR_PAGE_SIZE));
	preempt_enable();
	return status;
}

int tsr_call_regs(u64 nr, u64 a0, u64 a1, u64 a2, u64 *value)
{
	u64 ignored;

	return raw_call(nr, a0, a1, a2, value ? value : &ignored);
}

int tsr_call_run(u32 guest, u32 vcpu, struct tsr_run_exit *exit)
{
	struct tsr_run_exit *mailbox;
	u64 value;
	int status;

	preempt_disable();
	status = raw_call(TSR_CALL_VCPU_RUN, guest, vcpu, 0, &value);
	if (!status) {
		mailbox = __this_cpu_read(tsr_mailbox);
		memcpy(exit, mailbox, offsetof(struct tsr_run_exit, console));
		exit->console_len = min(exit->console_len, TSR_RUN_CONSOLE_MAX);
		memcpy(exit->console, mailbox->console, exit->console_len);
	}
	preempt_enable();
	return status;
}

int tsr_call_batch(u64 nr, u64 a1, const void *elements, size_t size, u32 count, u32 *done)
{
	unsigned long limit = jiffies + TSR_AGAIN_SECONDS * HZ;
	u32 finished = 0;
	int status;

	for (;;) {
		u32 n = min(count - finished, TSR_MAX_BATCH);
		struct tsr_hypercall call = { .nr = nr, .a0 = n, .a1 = a1, .in_len = n * size };

		if (elements)
			call.in = elements + finished * size;
		status = tsr_hypercall(&call);
		if (!status) {
			finished += n;
			if (finished == count)
				break;
		} else if (status != -TSR_E_AGAIN) {
			break;
		} else if (n && call.value) {
			finished += min_t(u64, call.value, n);
			limit = jiffies + TSR_AGAIN_SECONDS * HZ;
		} else if (time_after(jiffies, limit)) {
			break;
		} else {
			usleep_range(50, 200);
		}
		cond_resched();
	}
	if (done)
		*done = finished;
	return status;
}

int tsr_errno(int status)
{
	switch (-status) {
	case TSR_OK:
		return 0;
#define TSR_ERRNO(number, name, errno_name, text) \
	case TSR_E_##name:                        \
		return -errno_name;
	TSR_ERRORS(TSR_ERRNO)
#undef TSR_ERRNO
	}
	return -EIO; /* a newer hypervisor's error */
}

const char *tsr_error_text(int status)
{
	switch (-status) {
#define TSR_TEXT(number, name, errno_name, text) \
	case TSR_E_##name:                       \
		return text;
	TSR_ERRORS(TSR_TEXT)
#undef TSR_TEXT
	}
	return "an error this module does not know";
}

static int mailbox_online(unsigned int cpu)
{
	void *page = per_cpu(tsr_mailbox, cpu);
	int status;

	if (!page) /* lost to the hypervisor: see mailbox_offline() */
		return -ENXIO;
	status = tsr_call_regs(TSR_CALL_MAILBOX, virt_to_phys(page) >> PAGE_SHIFT, 0, 0, NULL);
	if (status)
		pr_err("the hypervisor refuses CPU %u's mailbox: %s\n", cpu, tsr_error_text(status));
	return tsr_errno(status);
}

static int mailbox_offline(unsigned int cpu)
{
	int status = tsr_call_regs(TSR_CALL_MAILBOX, ~0ull, 0, 0, NULL);

	if (!status)
		return 0;
	/* The hypervisor may still write there: the page must not be used for anything else. */
	pr_err("CPU %u's mailbox is still the hypervisor's and stays allocated: %s\n", cpu, tsr_error_text(status));
	per_cpu(tsr_mailbox, cpu) = NULL;
	return 0;
}

static void free_mailboxes(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(tsr_mailbox, cpu));
		per_cpu(tsr_mailbox, cpu) = NULL;
	}
}

static int find_hypervisor(void)
{
	u32 eax, ebx, ecx, edx, major;

	cpuid(TSR_CPUID_BASE, &eax, &ebx, &ecx, &edx);
	if (ebx != TSR_CPUID_EBX || ecx != TSR_CPUID_ECX || edx != TSR_CPUID_EDX || eax < TSR_CPUID_FEATURES) {
		pr_err("this machine does not run under the Tessera hypervisor: start it below this kernel first\n");
		return -ENODEV;
	}
	cpuid(TSR_CPUID_FEATURES, &eax, &ebx, &ecx, &edx);
	major = eax >> 16;
	if (major != TSR_ABI_VERSION >> 16) {
		pr_err("the hypervisor speaks ABI %u.%u and this module %u.x: use those that belong together\n", major,
		       eax & 0xffff, TSR_ABI_VERSION >> 16);
		return -ENODEV;
	}
	if (ecx != TSR_CPUID_ROLE_HOST) {
		pr_err("this is a guest of the Tessera hypervisor; this module is for the host\n");
		return -ENODEV;
	}
	tsr_use_vmcall = edx == 1;
	return 0;
}

/* A kernel before this one may have left mailboxes and window pages: here they would be ordinary pages that cannot be donated. */
static int reset_host(void)
{
	unsigned long limit = jiffies + TSR_AGAIN_SECONDS * HZ;
	u64 from = 0, next;
	int status;

	do {
		status = tsr_call_regs(TSR_CALL_HOST_RESET, from, 0, 0, &next);
		if (!status)
			from = next;
		else if (status == -TSR_E_AGAIN && time_before(jiffies, limit))
			usleep_range(50, 200);
		else
			break;
		cond_resched();
	} while (status || from);
	if (status)
		pr_err("the hypervisor does not let go of what was registered before: %s\n", tsr_error_text(status));
	return tsr_errno(status);
}

int tsr_hv_init(void)
{
	unsigned int cpu;
	int err = find_hypervisor();

	if (!err)
		err = reset_host();
	if (err)
		return err;
	for_each_possible_cpu(cpu) {
		void *page = (void *)get_zeroed_page(GFP_KERNEL);

		if (!page) {
			free_mailboxes();
			return -ENOMEM;
		}
		per_cpu(tsr_mailbox, cpu) = page;
	}
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "tessera:online", mailbox_online, mailbox_offline);
	if (err < 0) {
		free_mailboxes();
		return err;
	}
	tsr_hotplug_state = err;
	return 0;
}

void tsr_hv_exit(void)
{
	cpuhp_remove_state(tsr_hotplug_state);
	free_mailboxes();
}
