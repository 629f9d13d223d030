/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The local APIC. It stays the host's; the hypervisor borrows it to send NMIs, by
 * physical destination only, and decides every interrupt command that could start,
 * stop or divert a CPU. LDR and DFR may change: they steer logical destinations,
 * which nothing of ours uses. The ID may not.
 */
#include <core/core.h>

#include "hv/x86/host.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define BASE_BSP	(1ull << 8)
#define BASE_EXTD	(1ull << 10)
#define BASE_EN		(1ull << 11)
#define BASE_ADDR	0x000ffffffffff000ull
#define MSR_ICR		(MSR_X2APIC + 0x30)
#define APIC_LVT_CMCI	0x2f0
#define APIC_LVT_FIRST	0x320
#define APIC_LVT_LAST	0x370
#define APIC_TIMER	0x380
#define APIC_SELF_IPI	0x3f0
#define LVT_MASKED	(1u << 16)
#define SVR_ON		0x1ffu
#define SVR_RESET	0xffu
#define MODE(v)		(((v) >> 8) & 7)
enum { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_READ, MODE_NMI, MODE_INIT, MODE_SIPI, MODE_EXTINT };

static volatile uint32_t *mmio(uint32_t reg)
{
	return phys(APIC_BASE_PA + reg);
}

uint32_t apic_read(uint32_t reg)
{
	return this_cpu()->x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : *mmio(reg);
}

void apic_write(uint32_t reg, uint32_t v)
{
	if (this_cpu()->x2apic)
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		*mmio(reg) = v;
}

void apic_init_cpu(void)
{
	struct cpu *c = this_cpu();
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (!(base & BASE_EN) || (base & BASE_ADDR) != APIC_BASE_PA)
		panic("the local APIC is off or moved (%lx)", base);
	/* From the firmware. Linux has x2APIC only with interrupt remapping, which is not shown to it, and else turns it off: later that is refused. */
	if ((base & BASE_EXTD) && (uint32_t)rdmsr(MSR_X2APIC + APIC_ID / 16) < 255) {
		wrmsr(MSR_APIC_BASE, base & ~(BASE_EXTD | BASE_EN));
		base &= ~BASE_EXTD;
		wrmsr(MSR_APIC_BASE, base);
	}
	c->x2apic = base & BASE_EXTD;
	c->apic_id = c->x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
	apic_write(APIC_SVR, apic_read(APIC_SVR) | SVR_ON);
}

/* A bit of the 256 at reg, those of vectors that are exceptions left out. */
static bool any_vector(uint32_t reg)
{
	for (uint32_t i = 1; i < 8; i++)
		if (apic_read(reg + 16 * i))
			return true;
	return false;
}

/* No register of it forgets an interrupt: what is pending is let in, to be dropped, one a turn. */
void apic_reset(struct cpu *c)
{
	for (uint32_t reg = APIC_LVT_FIRST; reg <= APIC_LVT_LAST; reg += 16)
		apic_write(reg, LVT_MASKED);
	apic_write(APIC_TIMER, 0);
	if (!c->x2apic) {
		apic_write(APIC_LDR, 0);
		apic_write(APIC_DFR, ~0u);
	}
	c->ldr = 0;
	c->dfr_flat = true;
	apic_write(APIC_TPR, 0x1f);
	apic_write(APIC_SVR, SVR_ON);
	for (uint32_t i = 0; i < 512 && (any_vector(APIC_IRR) || any_vector(APIC_ISR)); i++) {
		asm volatile("stgi; sti; nop; cli; clgi" : : : "memory");
		if (any_vector(APIC_ISR))
			apic_write(APIC_EOI, 0);
	}
	apic_write(APIC_SVR, SVR_RESET);
	apic_write(APIC_TPR, 0);
}

static void wait_idle(void)
{
	for (uint32_t i = 0; i < 1000000 && (*mmio(APIC_ICR) & ICR_BUSY); i++)
		cpu_relax();
}

/* The host may be between its two ICR writes: what it put into the high half is there afterwards. */
void apic_ipi(uint32_t apic_id, uint32_t icr_low)
{
	uint32_t high;

	if (this_cpu()->x2apic) {
		wrmsr(MSR_ICR, (uint64_t)apic_id << 32 | icr_low);
		return;
	}
	wait_idle();
	high = *mmio(APIC_ICR2);
	*mmio(APIC_ICR2) = apic_id << 24;
	*mmio(APIC_ICR) = icr_low;
	wait_idle();
	*mmio(APIC_ICR2) = high;
}

static bool is_target(const struct cpu *c, const struct cpu *self, uint32_t low, uint32_t dest)
{
	switch ((low >> 18) & 3) {
	case 1:
		return c == self;
	case 2:
		return true;
	case 3:
		return c != self;
	}
	if (self->x2apic) {
		if (dest == ~0u)
			return true;
		if (!(low & (1u << 11)))
			return dest == c->apic_id;
		return dest >> 16 == c->apic_id >> 4 && (dest & (1u << (c->apic_id & 15)));
	}
	dest &= 0xff;
	if (!(low & (1u << 11)))
		return dest == 0xff || dest == c->apic_id;
	if (c->dfr_flat)
		return (c->ldr >> 24) & dest;
	return ((c->ldr >> 28) == dest >> 4 || dest >> 4 == 15) && ((c->ldr >> 24) & dest & 15);
}

static void start_or_stop(struct cpu *c, uint32_t low)
{
	if (MODE(low) == MODE_INIT) {
		/* Level de-assert means nothing to a CPU since the Pentium 4. */
		if ((low & ICR_ASSERT) && !c->parked) {
			c->init = true;
			nmi_send(c);
		}
		return;
	}
	for (uint32_t i = 0; i < 1000000 && c->init; i++)
		cpu_relax();
	if (c->parked) {
		__atomic_store_n(&c->sipi, (int)(low & 0xff) + 1, __ATOMIC_SEQ_CST);
		nmi_send(c);
	}
}

/* INIT and SIPI never reach the hardware; an NMI goes to each CPU as one of the host's. */
static bool host_icr(struct cpu *self, uint32_t low, uint32_t dest)
{
	switch (MODE(low)) {
	case MODE_FIXED:
	case MODE_LOWEST:
		if (self->x2apic)
			wrmsr(MSR_ICR, (uint64_t)dest << 32 | low);
		else
			*mmio(APIC_ICR) = low;
		return true;
	case MODE_NMI:
	case MODE_INIT:
	case MODE_SIPI:
		for (uint32_t i = 0; i < cpu_count; i++) {
			if (!is_target(cpus[i], self, low, dest))
				continue;
			if (MODE(low) != MODE_NMI)
				start_or_stop(cpus[i], low);
			else if (!cpus[i]->parked)
				nmi_forward(cpus[i]);
		}
		return true;
	default:
		return false;
	}
}

/* An LVT entry may raise a vector, the host's NMI or the PIC's interrupt; SMI and INIT not. */
static bool lvt_ok(uint32_t v)
{
	return MODE(v) == MODE_FIXED || MODE(v) == MODE_NMI || MODE(v) == MODE_EXTINT;
}

/* xAPIC: the trapped store, already known to be 4 bytes. */
bool apic_host_write(uint32_t reg, uint64_t v)
{
	struct cpu *c = this_cpu();

	if (reg & 15)
		return false;
	if (c->x2apic)
		return true;	/* the page is dead in this mode */
	switch (reg) {
	case APIC_ID:
		return (uint32_t)v == *mmio(APIC_ID);
	case APIC_ICR:
		return host_icr(c, (uint32_t)v, *mmio(APIC_ICR2) >> 24);
	case APIC_LDR:
		c->ldr = (uint32_t)v;
		break;
	case APIC_DFR:
		c->dfr_flat = (uint32_t)v >> 28 == 15;
		break;
	case APIC_LVT_CMCI:
	case APIC_LVT_FIRST ... APIC_LVT_LAST:
	case 0x500 ... 0x530:	/* AMD extended LVT */
		if (!lvt_ok((uint32_t)v))
			return false;
		break;
	}
	*mmio(reg) = (uint32_t)v;
	return true;
}

/* x2APIC registers and the base itself. */
bool apic_host_msr_write(uint32_t msr, uint64_t v)
{
	struct cpu *c = this_cpu();
	uint32_t reg = (msr - MSR_X2APIC) * 16;

	if (msr == MSR_APIC_BASE) {
		uint64_t now = rdmsr(MSR_APIC_BASE);

		if (v == now)
			return true;
		if (v != (now | BASE_EXTD) || !(cpuid(1, 0).c & (1u << 21)))
			return false;
		wrmsr(MSR_APIC_BASE, v);
		c->x2apic = true;
		return true;
	}
	if (!c->x2apic)
		return false;
	if (reg == APIC_ICR)
		return host_icr(c, (uint32_t)v, (uint32_t)(v >> 32));
	if ((reg == APIC_LVT_CMCI || (reg >= APIC_LVT_FIRST && reg <= APIC_LVT_LAST)) && !lvt_ok((uint32_t)v))
		return false;
	return wrmsr_safe(msr, v);
}
