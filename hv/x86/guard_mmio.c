/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Guarded device pages. The local APIC, the IOAPICs, the HPET and PCI configuration space are
 * read-only in the host's table; the one store of a write is decoded, judged and
 * done here. 0xfee01000 to 0xfeefffff is absent: a CPU's write there is an MSI.
 */
#include <core/core.h>

#include "hv/x86/host.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define MSI_END		0xfef00000ull
#define IOAPIC_SEL	0x00
#define IOAPIC_WIN	0x10
#define IOAPIC_FIRST	0x10	/* redirection entries, two registers each */
#define HPET_TIMERS	0x100u	/* configuration registers, one each HPET_TIMER_SIZE */
#define HPET_TIMER_SIZE	0x20u
#define HPET_MESSAGE	(1u << 14)	/* FSB_EN_CNF: IA-PC HPET specification 1.0a, 2.3.8 */
#define RTE_MODE(v)	(((v) >> 8) & 7)

/* What the firmware may have left on: the host could still choose where such a message goes. */
static void hpet_silence(void)
{
	uint32_t timers = (*(volatile uint32_t *)phys(acpi.hpet) >> 8 & 31) + 1;

	for (uint32_t i = 0; i < timers; i++)
		*(volatile uint32_t *)phys(acpi.hpet + HPET_TIMERS + i * HPET_TIMER_SIZE) &= ~HPET_MESSAGE;
}

void guard_mmio_init(void)
{
	npt_host_mmio(APIC_BASE_PA, PAGE, PERM_R);
	npt_host_mmio(APIC_BASE_PA + PAGE, MSI_END - APIC_BASE_PA - PAGE, 0);
	for (uint32_t i = 0; i < acpi.ioapics; i++)
		npt_host_mmio(acpi.ioapic[i] & ~(PAGE - 1), PAGE, PERM_R);
	if (acpi.hpet) {
		npt_host_mmio(acpi.hpet & ~(PAGE - 1), PAGE, PERM_R);
		hpet_silence();
	}
	if (acpi.ecam_size)
		npt_host_mmio(acpi.ecam_base, acpi.ecam_size, PERM_R);
}

static void do_store(uint64_t pa, const struct store *st)
{
	if (st->size == 1)
		*(volatile uint8_t *)phys(pa) = (uint8_t)st->value;
	else if (st->size == 2)
		*(volatile uint16_t *)phys(pa) = (uint16_t)st->value;
	else if (st->size == 4)
		*(volatile uint32_t *)phys(pa) = (uint32_t)st->value;
	else
		*(volatile uint64_t *)phys(pa) = st->value;
}

/* An entry may raise a vector or the PIC's interrupt; SMI, NMI and INIT not. */
static bool ioapic_write(uint64_t page, uint32_t off, uint32_t v)
{
	volatile uint32_t *sel = phys(page + IOAPIC_SEL), *win = phys(page + IOAPIC_WIN);
	uint32_t mode = RTE_MODE(v);
	bool ok = true;

	conf_lock();
	if (off == IOAPIC_WIN) {
		/* Only this path writes the selector, so it holds still. */
		if (*sel >= IOAPIC_FIRST && !(*sel & 1))
			ok = mode == 0 || mode == 1 || mode == 7;
		if (ok)
			*win = v;
	} else {
		*(volatile uint32_t *)phys(page + off) = v;
	}
	conf_unlock();
	return ok;
}

/* A timer that sends messages instead of interrupts can write four bytes to any address, past every IOMMU. */
static bool hpet_write(uint64_t pa, const struct store *st)
{
	uint32_t off = pa & (PAGE - 1);

	if (st->size < 4 || (off & (st->size - 1)))
		return false;
	if (off >= HPET_TIMERS && !(off & (HPET_TIMER_SIZE - 1)) && (st->value & HPET_MESSAGE))
		return false;
	do_store(pa, st);
	return true;
}

static bool ecam_write(uint64_t pa, const struct store *st)
{
	uint64_t off = pa - acpi.ecam_base;
	bool ok;

	if ((off & (st->size - 1)) != 0)
		return false;
	conf_lock();
	ok = guard_pci_write((uint16_t)(off >> 12), off & 0xfff, st->size, (uint32_t)st->value);
	if (ok)
		do_store(pa, st);
	conf_unlock();
	return ok;
}

enum verdict guard_mmio(struct cpu *c, const struct host_state *s, uint64_t gpa, bool write, uint32_t *len)
{
	uint64_t page = gpa & ~(PAGE - 1);
	bool ecam = acpi.ecam_size && gpa >= acpi.ecam_base && gpa - acpi.ecam_base < acpi.ecam_size;
	bool ioapic = false, hpet = acpi.hpet && page == (acpi.hpet & ~(PAGE - 1));
	struct store st;
	uint32_t old = 0;
	bool ok;

	for (uint32_t i = 0; i < acpi.ioapics; i++)
		ioapic |= page == (acpi.ioapic[i] & ~(PAGE - 1));
	if (!write || (page != APIC_BASE_PA && !ecam && !ioapic && !hpet) || !decode_store(&c->regs, s, &st))
		return V_GP;
	if (st.size == 8 && (!hpet || st.xchg >= 0))
		return V_GP;
	if (!ecam && !hpet && (st.size != 4 || (gpa & 3)))
		return V_GP;
	if (st.xchg >= 0)
		old = *(volatile uint32_t *)phys(gpa & ~3ull);
	if (page == APIC_BASE_PA)
		ok = apic_host_write(gpa & 0xfff, st.value);
	else if (ecam)
		ok = ecam_write(gpa, &st);
	else if (hpet)
		ok = hpet_write(gpa, &st);
	else
		ok = ioapic_write(page, gpa & 0xfff, (uint32_t)st.value);
	if (!ok)
		return V_GP;
	if (st.xchg >= 0)
		c->regs.r[st.xchg] = old;
	*len = st.len;
	return V_DONE;
}
