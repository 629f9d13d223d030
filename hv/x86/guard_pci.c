/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * PCI configuration space and the host. Everything may be read. Written may be
 * what cannot move a decoder over memory: the host bridge keeps the firmware's
 * settings, the LPC bridge keeps its fixed ranges, a BAR must not come to lie over
 * RAM, a guarded page or a guarded port. Also: SMRAM is closed and locked here, and ACPI mode
 * is turned on, since the host may not raise SMIs.
 *
 * Callers serialize: the port path under its lock, the memory path under the same.
 */
#include <core/core.h>

#include "hv/x86/host.h"
#include "hv/x86/iommu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define BDF_HOST_BRIDGE	0x0000
#define BDF_LPC		0x00f8
#define ID_Q35		0x29c08086u
#define ID_ICH9		0x29188086u
#define Q35_SMRAM	0x9d
#define MSR_HWCR	0xc0010015u
#define HWCR_SMMLOCK	1ull	/* AMD processors hold the lock themselves */
#define SMRAM_OPEN	0x40
#define SMRAM_LOCK	0x10
#define SMRAM_WINDOW	0xa0000u
#define SMRAM_SIZE	0x20000u
#define ICH9_PMBASE	0x40
#define SUBVENDOR_QEMU	0x1af4
#define CMD_IO		1u
#define CMD_MEMORY	2u
#define BAR_IO		1u
#define BAR_64		4u
#define CLASS_HOST_BRIDGE 0x0600
#define CLASS_ISA_BRIDGE 0x0601
#define CLASS_IOMMU	0x0806
#define PCI_MMIO_LOW	0xfec00000u	/* IOAPIC, HPET, local APIC, flash: nothing a BAR may cover */

struct chipset chipset;

static uint32_t conf_read(uint16_t bdf, uint32_t reg)
{
	outl(0xcf8, 1u << 31 | (uint32_t)bdf << 8 | (reg & 0xfc));
	return inl(0xcfc);
}

static void conf_write(uint16_t bdf, uint32_t reg, uint32_t v)
{
	outl(0xcf8, 1u << 31 | (uint32_t)bdf << 8 | (reg & 0xfc));
	outl(0xcfc, v);
}

bool pci_made_by_qemu(uint16_t bdf)
{
	return (conf_read(bdf, 0x2c) & 0xffff) == SUBVENDOR_QEMU;
}

static uint8_t get_smram(void)
{
	return (uint8_t)(conf_read(BDF_HOST_BRIDGE, Q35_SMRAM) >> 8 * (Q35_SMRAM & 3));
}

static void set_smram(uint8_t v)
{
	outl(0xcf8, 1u << 31 | (Q35_SMRAM & 0xfc));
	outb(0xcfc + (Q35_SMRAM & 3), v);
}

/* Of what a processor sees where SMRAM is: the display's memory, with SMRAM closed. */
static uint64_t window_sum(void)
{
	const volatile uint64_t *p = phys(SMRAM_WINDOW);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SMRAM_SIZE / sizeof(*p); i++)
		sum = sum * 31 + p[i];
	return sum;
}

static void lock_smram(void)
{
	uint64_t hwcr, open;

	if (conf_read(BDF_HOST_BRIDGE, 0) != ID_Q35) {
		chipset.smram_locked = rdmsr_safe(MSR_HWCR, &hwcr) && wrmsr_safe(MSR_HWCR, hwcr | HWCR_SMMLOCK) &&
				       rdmsr_safe(MSR_HWCR, &hwcr) && (hwcr & HWCR_SMMLOCK);
		return;
	}
	set_smram(get_smram() | SMRAM_OPEN);
	open = window_sum();
	set_smram((uint8_t)((get_smram() & ~SMRAM_OPEN) | SMRAM_LOCK));
	chipset.smram_locked = (get_smram() & (SMRAM_OPEN | SMRAM_LOCK)) == SMRAM_LOCK;
	/* QEMU shows SMRAM for all that, where no VGA device lies over it. */
	chipset.smram_shows = window_sum() == open;
}

void guard_smram(void)
{
	if (chipset.smram_shows)
		npt_host_mmio(SMRAM_WINDOW, SMRAM_SIZE, 0);
}

static void enable_acpi(void)
{
	if (!acpi.pm1a_cnt || (inw(acpi.pm1a_cnt) & 1) || !acpi.smi_cmd)
		return;
	outb(acpi.smi_cmd, acpi.acpi_enable);
	for (uint32_t i = 0; i < 1000000 && !(inw(acpi.pm1a_cnt) & 1); i++)
		cpu_relax();
	if (!(inw(acpi.pm1a_cnt) & 1))
		con_printf("the firmware does not turn ACPI mode on; the host may miss power events");
}

void guard_pci_init(void)
{
	enable_acpi();
	lock_smram();
	if (conf_read(BDF_LPC, 0) == ID_ICH9)
		chipset.smi_block = (uint16_t)((conf_read(BDF_LPC, ICH9_PMBASE) & 0xff80) + 0x30);
}

/* No device may answer at a guarded port: configuration space would lie to us. */
static bool ports_ok(uint32_t base, uint32_t size)
{
	if (base + size > 0x10000)
		return true;	/* nothing decodes there */
	for (uint32_t p = base; p < base + size; p++)
		if (guard_port_traps((uint16_t)p))
			return false;
	return true;
}

/*
 * May the BAR at reg decode where lo and hi put it (hi: upper half of a 64-bit one)? The size comes from the device
 * itself, with decoding off meanwhile.
 */
static bool bar_ok(uint16_t bdf, uint32_t reg, uint32_t lo, uint32_t hi, bool rom)
{
	uint32_t cmd = conf_read(bdf, 4) & 0xffff, old[2] = { conf_read(bdf, reg), 0 }, mask, mask_hi = ~0u;
	bool wide = !rom && (old[0] & 7) == BAR_64, io = !rom && (old[0] & BAR_IO);
	uint64_t base, size;

	conf_write(bdf, 4, cmd & ~(CMD_IO | CMD_MEMORY));
	conf_write(bdf, reg, rom ? ~1u : ~0u);
	mask = conf_read(bdf, reg) & ~(rom ? 0x7ffu : io ? 3u : 15u);
	conf_write(bdf, reg, old[0]);
	if (wide) {
		old[1] = conf_read(bdf, reg + 4);
		conf_write(bdf, reg + 4, ~0u);
		mask_hi = conf_read(bdf, reg + 4);
		conf_write(bdf, reg + 4, old[1]);
	}
	conf_write(bdf, 4, cmd);
	if (!mask && (!wide || !mask_hi))
		return true;	/* not implemented */
	if (io)
		return ports_ok(lo & mask & 0xffff, (~mask & 0xffff) + 1);
	size = ~((uint64_t)mask_hi << 32 | mask) + 1;
	base = ((uint64_t)(wide ? hi : 0) << 32 | lo) & ~(size - 1);
	return !mem_touches_ram(base, size) && (base >= 1ull << 32 || base + size <= PCI_MMIO_LOW);
}

/*
 * The BARs that decode once the command register is cmd. Where reg is set, only the one it is a part of, with value there.
 */
static bool bars_ok(uint16_t bdf, uint32_t bars, uint32_t cmd, uint32_t reg, uint32_t value)
{
	uint32_t step;

	for (uint32_t at = 0x10; at < 0x10 + 4 * bars; at += step) {
		uint32_t lo = conf_read(bdf, at), hi = 0;

		step = (lo & 7) == BAR_64 && at + 4 < 0x10 + 4 * bars ? 8 : 4;
		if (step == 8)
			hi = reg == at + 4 ? value : conf_read(bdf, at + 4);
		if (reg == at)
			lo = value;
		if ((cmd & (conf_read(bdf, at) & BAR_IO ? CMD_IO : CMD_MEMORY)) &&
		    (!reg || (reg >= at && reg < at + step)) && !bar_ok(bdf, at, lo, hi, false))
			return false;
	}
	return true;
}

static bool bridge_ok(uint32_t class, uint16_t bdf, uint32_t reg)
{
	switch (class) {
	case CLASS_HOST_BRIDGE:
		return reg < 0x40;
	case CLASS_ISA_BRIDGE:
		/* ICH9's PIRQ routing is the host's; RCBA, PMBASE, SMI control are not. */
		return reg < 0x40 || (conf_read(bdf, 0) == ID_ICH9 && reg >= 0x60 && reg < 0x6c);
	case CLASS_IOMMU:
		return false;
	default:
		return true;
	}
}

bool guard_pci_write(uint16_t bdf, uint32_t reg, uint32_t size, uint32_t value)
{
	uint32_t dword = reg & ~3u, shift = 8 * (reg & 3), mask, now, type, bars, rom;

	if (conf_read(bdf, 0) == ~0u)
		return true;	/* nobody there */
	if (iommu_owns(bdf) || !bridge_ok(conf_read(bdf, 8) >> 16, bdf, reg))
		return false;
	if (reg >= 0x40)
		return true;
	mask = size == 4 ? ~0u : ((1u << (8 * size)) - 1) << shift;
	now = conf_read(bdf, dword);
	value = (now & ~mask) | ((value << shift) & mask);
	type = (conf_read(bdf, 12) >> 16) & 0x7f;
	bars = type == 0 ? 6 : type == 1 ? 2 : 0;
	rom = type == 1 ? 0x38 : 0x30;
	if (dword == 4) {
		if (!(value & ~now & (CMD_IO | CMD_MEMORY)))
			return true;
		if (bars && (value & CMD_MEMORY) && (conf_read(bdf, rom) & 1) && !bar_ok(bdf, rom, conf_read(bdf, rom), 0, true))
			return false;
		return bars_ok(bdf, bars, value, 0, 0);
	}
	now = conf_read(bdf, 4);
	if (bars && dword == rom)
		return !(now & CMD_MEMORY) || !(value & 1) || bar_ok(bdf, rom, value, 0, true);
	return dword < 0x10 || bars_ok(bdf, bars, now, dword, value);
}
