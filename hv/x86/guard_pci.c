/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * PCI configuration space and the host. Everything may be read. Written may be
 * what cannot move a decoder over memory: the host bridge keeps the firmware's
 * settings, the LPC bridge keeps its fixed ranges, a BAR must not come to lie over
 * RAM or over a guarded page. Also: SMRAM is closed and locked here, and ACPI mode
 * is turned on, since the host may not raise SMIs.
 *
 * Callers serialize: the port path under its lock, the memory path under the same.
 */
#include <core/core.h>

#include "hv/x86/host.h"
#include "hv/x86/x86.h"

#define BDF_HOST_BRIDGE	0x0000
#define BDF_LPC		0x00f8
#define ID_Q35		0x29c08086u
#define ID_ICH9		0x29188086u
#define Q35_SMRAM	0x9d
#define SMRAM_OPEN	0x40
#define SMRAM_LOCK	0x10
#define ICH9_PMBASE	0x40
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

static void lock_smram(void)
{
	if (conf_read(BDF_HOST_BRIDGE, 0) != ID_Q35)
		return;
	outl(0xcf8, 1u << 31 | (Q35_SMRAM & 0xfc));
	outb(0xcfc + (Q35_SMRAM & 3), (uint8_t)((inb(0xcfc + (Q35_SMRAM & 3)) & ~SMRAM_OPEN) | SMRAM_LOCK));
	chipset.smram_locked = (inb(0xcfc + (Q35_SMRAM & 3)) & (SMRAM_OPEN | SMRAM_LOCK)) == SMRAM_LOCK;
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

/* May BAR reg of bdf decode where value would put it? Its size comes from the device, with decoding off meanwhile. */
static bool bar_ok(uint16_t bdf, uint32_t reg, uint32_t value, bool rom)
{
	uint32_t cmd = conf_read(bdf, 4) & 0xffff, low = rom ? 0x7ff : 15, first = reg, hi = 0, mask_hi = ~0u;
	uint32_t old[2], mask, lo = value;
	uint64_t base, size;
	bool wide;

	/* The upper half of a 64-bit BAR is judged together with its lower one. */
	if (!rom && reg > 0x10 && (conf_read(bdf, reg - 4) & 7) == BAR_64) {
		first = reg - 4;
		lo = conf_read(bdf, first);
		hi = value;
	}
	old[0] = conf_read(bdf, first);
	if (!rom && (old[0] & BAR_IO))
		return true;
	wide = !rom && (old[0] & 6) == BAR_64;
	old[1] = wide ? conf_read(bdf, first + 4) : 0;
	if (wide && first == reg)
		hi = old[1];
	conf_write(bdf, 4, cmd & ~CMD_MEMORY);
	conf_write(bdf, first, rom ? ~1u : ~0u);
	mask = conf_read(bdf, first) & ~low;
	conf_write(bdf, first, old[0]);
	if (wide) {
		conf_write(bdf, first + 4, ~0u);
		mask_hi = conf_read(bdf, first + 4);
		conf_write(bdf, first + 4, old[1]);
	}
	conf_write(bdf, 4, cmd);
	if (!mask && (!wide || !mask_hi))
		return true;	/* not implemented */
	size = ~((uint64_t)mask_hi << 32 | mask) + 1;
	base = ((uint64_t)hi << 32 | lo) & ~(size - 1);
	return !mem_touches_ram(base, size) && (base >= 1ull << 32 || base + size <= PCI_MMIO_LOW);
}

static bool all_bars_ok(uint16_t bdf, uint32_t bars, uint32_t rom_reg)
{
	uint32_t rom = conf_read(bdf, rom_reg);

	for (uint32_t reg = 0x10; reg < 0x10 + 4 * bars; reg += 4)
		if (!bar_ok(bdf, reg, conf_read(bdf, reg), false))
			return false;
	return !(rom & 1) || bar_ok(bdf, rom_reg, rom, true);
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
	if (!bridge_ok(conf_read(bdf, 8) >> 16, bdf, reg))
		return false;
	if (reg >= 0x40)
		return true;
	mask = size == 4 ? ~0u : ((1u << (8 * size)) - 1) << shift;
	now = conf_read(bdf, dword);
	value = (now & ~mask) | ((value << shift) & mask);
	type = (conf_read(bdf, 12) >> 16) & 0x7f;
	bars = type == 0 ? 6 : type == 1 ? 2 : 0;
	rom = type == 1 ? 0x38 : 0x30;
	if (dword == 4)
		return !(value & ~now & CMD_MEMORY) || all_bars_ok(bdf, bars, rom);
	if (!(conf_read(bdf, 4) & CMD_MEMORY))
		return true;
	if (dword >= 0x10 && dword < 0x10 + 4 * bars)
		return bar_ok(bdf, dword, value, false);
	if (bars && dword == rom)
		return !(value & 1) || bar_ok(bdf, dword, value, true);
	return true;
}
