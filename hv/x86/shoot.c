/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Shoot-down of nested translations. The rule that makes it right: a CPU first says
 * where it goes inside, then reads the generation and flushes; who changes a table
 * first raises the generation, then looks who is inside. With a full barrier
 * between each pair, either the CPU sees the new generation or it gets an NMI, and
 * an NMI that comes while GIF is 0 ends the next VMRUN at once.
 */
#include <core/arch.h>

#include "hv/x86/iommu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define FLUSH_WAIT_US	20000u

static uint64_t generations;

uint64_t next_generation(void)
{
	return __atomic_add_fetch(&generations, 1, __ATOMIC_SEQ_CST);
}

/* One NMI per flag: setting it again before it was taken needs no second one. */
void nmi_send(struct cpu *to)
{
	if (!__atomic_exchange_n(&to->nmi_ours, true, __ATOMIC_SEQ_CST))
		apic_ipi(to->apic_id, ICR_NMI | ICR_ASSERT);
}

void nmi_forward(struct cpu *to)
{
	__atomic_store_n(&to->nmi_host, true, __ATOMIC_SEQ_CST);
	nmi_send(to);
}

/* An NMI that nobody here has sent came from a device or an LVT entry: it is the host's. */
void nmi_taken(void)
{
	struct cpu *c = this_cpu();

	if (!__atomic_exchange_n(&c->nmi_ours, false, __ATOMIC_SEQ_CST))
		__atomic_store_n(&c->nmi_host, true, __ATOMIC_SEQ_CST);
}

static bool stale_inside(const struct cpu *c, const struct domain *d, uint64_t generation)
{
	return __atomic_load_n(&c->inside, __ATOMIC_SEQ_CST) == (int)d->id &&
	       __atomic_load_n(&c->seen, __ATOMIC_SEQ_CST) < generation;
}

static uint64_t cpus_begin(struct domain *d)
{
	uint64_t g = next_generation();

	__atomic_store_n(&d->generation, g, __ATOMIC_SEQ_CST);
	core_count(TSR_COUNT_shootdowns);
	for (uint32_t i = 0; i < cpu_count; i++)
		if (stale_inside(cpus[i], d, g)) {
			core_count(TSR_COUNT_shootdown_ipis);
			nmi_send(cpus[i]);
		}
	return g;
}

static bool cpus_wait(const struct domain *d, uint64_t generation, uint64_t end)
{
	for (uint32_t i = 0; i < cpu_count; i++)
		while (stale_inside(cpus[i], d, generation)) {
			if (rdtsc() > end)
				return false;
			cpu_relax();
		}
	return true;
}

static uint64_t deadline(void)
{
	return rdtsc() + FLUSH_WAIT_US * tsc_khz() / 1000;
}

void flush_cpus(struct domain *d)
{
	(void)cpus_wait(d, cpus_begin(d), deadline());
}

uint64_t arch_flush_begin(struct domain *d)
{
	uint64_t g = cpus_begin(d);

	if (d->id == DOMAIN_HOST)
		iommu_flush(g);
	return g;
}

bool arch_flush_wait(struct domain *d, uint64_t generation)
{
	uint64_t end = deadline();

	if (!cpus_wait(d, generation, end))
		return false;
	while (d->id == DOMAIN_HOST && !iommu_flushed(generation)) {
		if (rdtsc() > end)
			return false;
		cpu_relax();
	}
	return true;
}

void container_run(struct cpu *c, struct domain *d, struct vmcb *v, struct vcpu_regs *regs)
{
	uint64_t g, *had = d->id == DOMAIN_HOST ? &c->tlb_host : &c->tlb_guest;

	if (stopping)
		cpu_stop();
	/* What another container's generation was must not pass for this one's: see stale_inside(). */
	__atomic_store_n(&c->seen, 0, __ATOMIC_SEQ_CST);
	v->rax = regs->r[R_AX];
	v->rsp = regs->r[R_SP];
	__atomic_store_n(&c->inside, (int)d->id, __ATOMIC_SEQ_CST);
	g = __atomic_load_n(&d->generation, __ATOMIC_SEQ_CST);
	v->tlb_ctl = g == *had ? VMCB_TLB_NONE : VMCB_TLB_ALL;
	if (v->tlb_ctl)
		c->tlb_host = c->tlb_guest = 0;
	*had = g;
	__atomic_store_n(&c->seen, g, __ATOMIC_SEQ_CST);
	v->clean = 0;
	svm_run(virt_to_phys(v), regs);
	__atomic_store_n(&c->inside, INSIDE_NONE, __ATOMIC_SEQ_CST);
	regs->r[R_AX] = v->rax;
	regs->r[R_SP] = v->rsp;
	if (v->exit_code == SVM_EXIT_NMI)
		asm volatile("stgi; nop; clgi" : : : "memory");
}
