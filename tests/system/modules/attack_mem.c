/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Attacks on memory, through page-table entries made for the purpose: Linux's own view of who may map what plays no part.
 *
 *	read PA N		N tries to read 8 bytes, one a page from PA on
 *	write PA N VALUE	the same, writing VALUE
 *	xchg PA N VALUE		the same, by one locked read and write
 *	exec PA N		calls PA, N times; the hypervisor is to refuse the fetch
 *	walk PA N		has the CPU take PA for a page-table page, N times
 *	sweep FIRST END		reads once in each frame FIRST..END-1, tells the runs of frames that faulted
 *	find FIRST END VALUE	looks for 8 bytes whose complement is VALUE at every 64th byte of frames FIRST..END-1; value = hits, one try a frame
 */
#include <linux/io.h>
#include <linux/kdebug.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/asm.h>
#include <asm/io.h>
#include <asm/tlbflush.h>
#include "attack.h"

#define BATCH 512u

static struct page *pages[BATCH];
static unsigned long pfns[BATCH];

/* The address where the CPU is to fetch an instruction it may not; see refused_fetch(). */
static unsigned long exec_target;
static int exec_trap;

void *attack_map(unsigned long pfn, unsigned int nr)
{
	unsigned int i, valid = 0;

	for (i = 0; i < nr; i++) {
		pfns[i] = pfn + i;
		if (pfn_valid(pfn + i)) {
			pages[i] = pfn_to_page(pfn + i);
			valid++;
		}
	}
	if (valid == nr)
		return vmap(pages, nr, VM_MAP, PAGE_KERNEL);
	if (!valid)
		return vmap_pfn(pfns, nr, PAGE_KERNEL);
	return NULL;
}

bool attack_make_executable(void *p)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)p, &level);

	if (!pte || level != PG_LEVEL_4K)
		return false;
	set_pte(pte, pte_mkexec(*pte));
	return true;
}

static int try_read(const volatile u64 *p, u64 *value)
{
	int trap = -1;
	u64 v = 0;

	asm volatile("1: movq (%[p]), %[v]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : [v] "=&r" (v), "+a" (trap) : [p] "r" (p) : "memory");
	if (trap < 0)
		*value = v;
	return trap;
}

static int try_write(volatile u64 *p, u64 value)
{
	int trap = -1;

	asm volatile("1: movq %[v], (%[p])\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : "+a" (trap) : [p] "r" (p), [v] "r" (value) : "memory");
	return trap;
}

static int try_xchg(volatile u64 *p, u64 *value)
{
	int trap = -1;
	u64 v = *value;

	asm volatile("1: xchgq %[v], (%[p])\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : "+a" (trap), [v] "+r" (v) : [p] "r" (p) : "memory");
	*value = v;
	return trap;
}

/* A refused fetch faults at the target, for which no exception table has an entry: return to the caller as if it had run. */
static int refused_fetch(struct notifier_block *nb, unsigned long val, void *data)
{
	struct die_args *args = data;
	struct pt_regs *regs = args->regs;

	if (val != DIE_GPF || !exec_target || regs->ip != exec_target)
		return NOTIFY_DONE;
	exec_trap = args->trapnr;
	regs->ip = *(unsigned long *)regs->sp;
	regs->sp += sizeof(unsigned long);
	return NOTIFY_STOP;
}

static struct notifier_block die_block = { .notifier_call = refused_fetch, .priority = INT_MAX };

static int try_exec(void *p)
{
	void (*fn)(void) = p;

	exec_trap = -1;
	WRITE_ONCE(exec_target, (unsigned long)p);
	fn();
	WRITE_ONCE(exec_target, 0);
	return READ_ONCE(exec_trap);
}

/*
 * A copy of the kernel's top table with one entry more, which names pa as the next table. Reading below that entry makes the CPU
 * itself read pa, and write its accessed bit.
 */
static int try_walk(phys_addr_t pa, u64 *value)
{
	unsigned long flags, cr3, old = __read_cr3();
	u64 *top = (u64 *)get_zeroed_page(GFP_KERNEL);
	unsigned int i;
	int trap;

	if (!top)
		return -1; /* no fault: the test sees one missing */
	memcpy(top, __va(old & CR3_ADDR_MASK), PAGE_SIZE);
	for (i = 511; i >= 256 && top[i]; i--)
		;
	top[i] = pa | _PAGE_PRESENT | _PAGE_RW;
	cr3 = __pa(top) | (old & ~CR3_ADDR_MASK);
	local_irq_save(flags);
	write_cr3(cr3);
	trap = try_read((u64 *)((0xffffull << 48) | ((u64)i << 39)), value);
	write_cr3(old);
	local_irq_restore(flags);
	free_page((unsigned long)top);
	return trap;
}

static int each_page(struct attack *a, const char *op, const u64 *arg)
{
	unsigned long pfn = arg[0] >> PAGE_SHIFT;
	bool exec = !strcmp(op, "exec");
	u64 i;

	for (i = 0; i < arg[1]; i++) {
		bool once = exec || !strcmp(op, "walk");
		void *p = attack_map(pfn + (once ? 0 : i), 1);
		void *at = p + (arg[0] & ~PAGE_MASK);
		u64 value = arg[2];
		int trap;

		if (!p || (exec && !attack_make_executable(p)))
			return -ENXIO;
		if (exec)
			trap = try_exec(at);
		else if (once)
			trap = try_walk(arg[0] & PAGE_MASK, &a->value);
		else if (!strcmp(op, "read"))
			trap = try_read(at, &a->value);
		else if (!strcmp(op, "write"))
			trap = try_write(at, value);
		else
			trap = try_xchg(at, &value);
		if (!strcmp(op, "xchg"))
			a->value = value;
		vunmap(p);
		attack_note(a, trap);
		cond_resched();
	}
	return 0;
}

/* Runs of frames that faulted, told as " FIRST-END" in frames; too many to tell end in "...". */
struct runs {
	struct attack *a;
	unsigned long first, end;
};

static void runs_add(struct runs *r, unsigned long pfn)
{
	if (r->end == pfn) {
		r->end++;
		return;
	}
	if (r->end)
		attack_say(r->a, "0x%lx-0x%lx ", r->first, r->end);
	r->first = pfn;
	r->end = pfn + 1;
}

/* Told the complement, the search does not find its own order in the host's memory. */
static int try_find(const u64 *p, u64 complement, u64 *hits)
{
	unsigned int i;
	u64 v = 0;
	int trap;

	for (i = 0; i < PAGE_SIZE / 8; i += 8) {
		trap = try_read(p + i, &v);
		if (trap >= 0)
			return trap;
		*hits += (v ^ complement) == ~0ull;
	}
	return -1;
}

static int each_frame(struct attack *a, bool find, const u64 *arg)
{
	struct runs r = { .a = a };
	unsigned long pfn = arg[0];
	u64 found = 0;

	while (pfn < arg[1]) {
		unsigned int i, nr = min_t(u64, BATCH, arg[1] - pfn);
		void *p = attack_map(pfn, nr);

		if (!p)
			return -ENXIO;
		for (i = 0; i < nr; i++) {
			u64 v = 0;
			int trap = find ? try_find(p + i * PAGE_SIZE, arg[2], &found) : try_read(p + i * PAGE_SIZE, &v);

			attack_note(a, trap);
			if (trap >= 0)
				runs_add(&r, pfn + i);
		}
		vunmap(p);
		pfn += nr;
		cond_resched();
	}
	if (r.end)
		runs_add(&r, ULONG_MAX);
	attack_say(a, "\n");
	a->value = found;
	return 0;
}

int attack_memory(struct attack *a, const char *op, const u64 *arg, int nr)
{
	if (!strcmp(op, "read") || !strcmp(op, "exec") || !strcmp(op, "walk"))
		return nr == 2 ? each_page(a, op, arg) : -EINVAL;
	if (!strcmp(op, "write") || !strcmp(op, "xchg"))
		return nr == 3 ? each_page(a, op, arg) : -EINVAL;
	if (!strcmp(op, "sweep"))
		return nr == 2 ? each_frame(a, false, arg) : -EINVAL;
	if (!strcmp(op, "find"))
		return nr == 3 ? each_frame(a, true, arg) : -EINVAL;
	return -ENOENT;
}

int attack_mem_init(void)
{
	return register_die_notifier(&die_block);
}

void attack_mem_exit(void)
{
	unregister_die_notifier(&die_block);
}
