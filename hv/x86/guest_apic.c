/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A guest's local APIC, always in x2APIC mode, all of it by MSR (Intel SDM vol. 3, 11.12). Every interrupt is edge-triggered.
 * The task priority lives in the VMCB's V_TPR, where CR8 changes it without an exit.
 */
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/svm.h"

#define X_ID		0x02
#define X_VERSION	0x03
#define X_TPR		0x08
#define X_PPR		0x0a
#define X_EOI		0x0b
#define X_LDR		0x0d
#define X_SVR		0x0f
#define X_ISR		0x10
#define X_TMR		0x18
#define X_IRR		0x20
#define X_ESR		0x28
#define X_ICR		0x30
#define X_LVT		0x32
#define X_INITIAL	0x38
#define X_CURRENT	0x39
#define X_DIVIDE	0x3e
#define X_SELF		0x3f

#define VERSION		(0x14u | (LVT_NR - 1) << 16)
#define SVR_ENABLED	(1u << 8)
#define SVR_BITS	0x3ffu
#define LVT_MASKED	(1u << 16)
#define LVT_BITS	0x1a7ffu	/* vector, mode, polarity, trigger, mask */
#define TIMER_BITS	0x700ffu
#define TIMER_MODE	(3u << 17)
#define TIMER_DEADLINE	(2u << 17)
#define ESR_SEND_VECTOR	(1u << 5)

#define ICR_BITS	0xffffffff000ccfffull
#define ICR_MODE(v)	((v) >> 8 & 7)
enum { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_NMI = 4, MODE_INIT, MODE_STARTUP };
#define ICR_LOGICAL	(1u << 11)
#define ICR_ASSERT	(1u << 14)
#define ICR_LEVEL	(1u << 15)
#define ICR_SHORT(v)	((v) >> 18 & 3)
enum { SHORT_NONE, SHORT_SELF, SHORT_ALL, SHORT_OTHERS };

void guest_apic_reset(struct guest_apic *p)
{
	*p = (struct guest_apic){ .svr = 0xff };
	for (uint32_t i = 0; i < LVT_NR; i++)
		p->lvt[i] = LVT_MASKED;
}

static int highest(const uint32_t *map)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t w = __atomic_load_n(&map[i], __ATOMIC_RELAXED);

		if (w)
			return i * 32 + 31 - __builtin_clz(w);
	}
	return -1;
}

static uint32_t tpr_get(const struct arch_vcpu *a)
{
	return (uint32_t)(a->vmcb->int_ctl & 0xf) << 4;
}

static uint32_t ppr(const struct arch_vcpu *a)
{
	uint32_t tpr = tpr_get(a);
	int isr = highest(a->apic.isr);

	return isr >= 0 && (uint32_t)(isr & 0xf0) > tpr ? (uint32_t)isr & 0xf0 : tpr;
}

static void request(struct guest_apic *p, uint8_t vector)
{
	__atomic_fetch_or(&p->irr[vector / 32], 1u << vector % 32, __ATOMIC_SEQ_CST);
}

void guest_apic_collect(struct vcpu *v)
{
	struct guest_apic *p = &v->arch->apic;
	uint8_t vector;

	/* Bounded, since a host may go on raising. */
	for (uint32_t i = 0; i < TSR_MAX_EVENTS && (vector = core_take_event(v)); i++)
		request(p, vector);
	if (p->deadline && rdtsc() >= p->deadline) {
		p->deadline = 0;
		if (!(p->lvt[LVT_TIMER] & LVT_MASKED) && (p->lvt[LVT_TIMER] & 0xff) >= 16)
			request(p, (uint8_t)p->lvt[LVT_TIMER]);
	}
}

/* The vector that waits for nothing but the CPU: TPR is left to the interrupt window, which knows CR8. */
uint8_t guest_apic_next(const struct vcpu *v)
{
	const struct guest_apic *p = &v->arch->apic;
	int irr = highest(p->irr), isr = highest(p->isr);

	if (irr < 16 || !(p->svr & SVR_ENABLED))
		return 0;
	return isr < 0 || (irr >> 4) > (isr >> 4) ? (uint8_t)irr : 0;
}

void guest_apic_accept(struct vcpu *v, uint8_t vector)
{
	struct guest_apic *p = &v->arch->apic;

	__atomic_fetch_and(&p->irr[vector / 32], ~(1u << vector % 32), __ATOMIC_SEQ_CST);
	p->isr[vector / 32] |= 1u << vector % 32;
}

void guest_apic_unaccept(struct vcpu *v, uint8_t vector)
{
	v->arch->apic.isr[vector / 32] &= ~(1u << vector % 32);
	request(&v->arch->apic, vector);
}

void guest_apic_eoi(struct guest_apic *p)
{
	int isr = highest(p->isr);

	if (isr >= 0)
		p->isr[isr / 32] &= ~(1u << isr % 32);
}

bool guest_apic_single(const struct guest_apic *p)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < 8; i++) {
		if (__atomic_load_n(&p->irr[i], __ATOMIC_RELAXED) || (p->isr[i] && found))
			return false;
		found |= p->isr[i];
	}
	return found && !(found & (found - 1));
}

void guest_deadline_set(struct vcpu *v, uint64_t tsc)
{
	struct arch_vcpu *a = v->arch;
	struct guest_apic *p = &a->apic;
	uint64_t now = rdtsc(), then = now + a->vmcb->tsc_offset;

	if ((p->lvt[LVT_TIMER] & TIMER_MODE) != TIMER_DEADLINE)
		return;
	p->deadline_msr = tsc;
	p->deadline = 0;
	if (!tsc)
		return;
	/* One that has passed is 1: also the guest's own TSC may run over. */
	p->deadline = tsc > then ? now + (tsc - then) : 1;
	if (tsc > then && p->deadline < now)
		p->deadline = UINT64_MAX;
	/* An earlier one than the host knows of; what has expired is raised at the next entry, without the host. */
	if (tsc > then && (!a->told || p->deadline < a->told))
		guest_leave(a, TSR_RUN_TIMER);
}

static bool addressed(const struct vcpu *from, const struct vcpu *to, uint64_t icr)
{
	uint32_t dest = (uint32_t)(icr >> 32);

	switch (ICR_SHORT(icr)) {
	case SHORT_SELF:
		return to == from;
	case SHORT_ALL:
		return true;
	case SHORT_OTHERS:
		return to != from;
	}
	if (dest == UINT32_MAX)
		return true;
	if (icr & ICR_LOGICAL)
		return dest >> 16 == to->index >> 4 && (dest & 1u << (to->index & 15));
	return dest == to->index;
}

/* False: it does not take this one. */
static bool deliver(struct vcpu *to, uint32_t mode, uint8_t vector)
{
	struct arch_vcpu *a = to->arch;

	switch (mode) {
	case MODE_FIXED:
	case MODE_LOWEST:
		if (!(__atomic_load_n(&a->apic.svr, __ATOMIC_RELAXED) & SVR_ENABLED))
			return false;
		request(&a->apic, vector);
		return true;
	case MODE_STARTUP:
		__atomic_store_n(&a->startup, vector, __ATOMIC_RELAXED);
		__atomic_fetch_or(&a->signals, SIGNAL_STARTUP, __ATOMIC_SEQ_CST);
		return true;
	default:
		__atomic_fetch_or(&a->signals, mode == MODE_NMI ? SIGNAL_NMI : SIGNAL_INIT, __ATOMIC_SEQ_CST);
		return true;
	}
}

static void send(struct vcpu *v, uint64_t icr)
{
	uint32_t mode = ICR_MODE(icr);
	uint8_t vector = (uint8_t)icr;

	if (mode == MODE_SMI || mode == MODE_NMI - 1 || mode > MODE_STARTUP)
		return;
	if (mode == MODE_INIT && (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return;
	if (mode <= MODE_LOWEST && vector < 16) {
		v->arch->apic.esr |= ESR_SEND_VECTOR;
		return;
	}
	for (uint32_t i = 0; i < v->dom->nr_vcpus; i++) {
		struct vcpu *to = &v->dom->vcpu[i];

		if (!addressed(v, to, icr) || !deliver(to, mode, vector))
			continue;
		arch_vcpu_wake(v, arch_vcpu_kick(to));
		if (mode == MODE_LOWEST)
			break;
	}
}

enum guest_verdict guest_apic_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	struct guest_apic *p = &v->arch->apic;
	uint32_t reg = msr - MSR_X2APIC;

	switch (reg) {
	case X_ID:
		*val = v->index;
		return G_DONE;
	case X_VERSION:
		*val = VERSION;
		return G_DONE;
	case X_TPR:
		*val = tpr_get(v->arch);
		return G_DONE;
	case X_PPR:
		*val = ppr(v->arch);
		return G_DONE;
	case X_LDR:
		*val = (uint64_t)(v->index >> 4) << 16 | 1u << (v->index & 15);
		return G_DONE;
	case X_SVR:
		*val = p->svr;
		return G_DONE;
	case X_ISR ... X_ISR + 7:
		*val = p->isr[reg - X_ISR];
		return G_DONE;
	case X_TMR ... X_TMR + 7:
		*val = 0;
		return G_DONE;
	case X_IRR ... X_IRR + 7:
		*val = __atomic_load_n(&p->irr[reg - X_IRR], __ATOMIC_RELAXED);
		return G_DONE;
	case X_ESR:
		*val = p->esr;
		return G_DONE;
	case X_ICR:
		*val = p->icr;
		return G_DONE;
	case X_LVT ... X_LVT + LVT_NR - 1:
		*val = p->lvt[reg - X_LVT];
		return G_DONE;
	case X_INITIAL:
		*val = p->initial_count;
		return G_DONE;
	case X_CURRENT:
		*val = 0;
		return G_DONE;
	case X_DIVIDE:
		*val = p->divide;
		return G_DONE;
	default:
		return G_GP;
	}
}

static void lvt_write(struct guest_apic *p, uint32_t entry, uint32_t val)
{
	if (entry == LVT_TIMER) {
		/* Another timer mode disarms: SDM vol. 3, 11.5.4.1. */
		if ((val ^ p->lvt[entry]) & TIMER_MODE)
			p->deadline = 0;
		p->lvt[entry] = val & TIMER_BITS;
	} else {
		p->lvt[entry] = val & LVT_BITS;
	}
	if (!(p->svr & SVR_ENABLED))
		p->lvt[entry] |= LVT_MASKED;
}

enum guest_verdict guest_apic_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct guest_apic *p = &v->arch->apic;
	uint32_t reg = msr - MSR_X2APIC;

	if (reg != X_ICR && val >> 32)
		return G_GP;
	switch (reg) {
	case X_TPR:
		if (val > 0xff)
			return G_GP;
		v->arch->vmcb->int_ctl = (v->arch->vmcb->int_ctl & ~0xfull) | val >> 4;
		return G_DONE;
	case X_EOI:
		if (val)
			return G_GP;
		guest_apic_eoi(p);
		return G_DONE;
	case X_SVR:
		p->svr = (uint32_t)val & SVR_BITS;
		for (uint32_t i = 0; i < LVT_NR && !(p->svr & SVR_ENABLED); i++)
			p->lvt[i] |= LVT_MASKED;
		return G_DONE;
	case X_ESR:
		if (val)
			return G_GP;
		p->esr = 0;
		return G_DONE;
	case X_ICR:
		p->icr = val & ICR_BITS;
		send(v, p->icr);
		return G_DONE;
	case X_LVT ... X_LVT + LVT_NR - 1:
		lvt_write(p, reg - X_LVT, (uint32_t)val);
		return G_DONE;
	case X_INITIAL:
		p->initial_count = (uint32_t)val;
		return G_DONE;
	case X_DIVIDE:
		p->divide = (uint32_t)val & 0xb;
		return G_DONE;
	case X_SELF:
		if (val > 0xff)
			return G_GP;
		send(v, (uint64_t)SHORT_SELF << 18 | val);
		return G_DONE;
	default:
		return G_GP;
	}
}
