/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * AMD's IOMMU (specification 48882, revision 3): the IVRS table, the device table, commands, the event log. Every requester id has the same
 * entry before a unit is turned on, so no device is ever in front of an empty table, which would let it pass.
 */
#include "hv/x86/iommu.h"
#include "hv/x86/x86.h"

#define IVHD_10		0x10
#define IVHD_11		0x11
#define IVHD_40		0x40
#define IVMD_FIRST	0x20
#define IVMD_LAST	0x22

#define REG_DEVTAB	0x0000
#define REG_COMMANDS	0x0008
#define REG_EVENTS	0x0010
#define REG_CONTROL	0x0018
#define REG_EXCLUSION	0x0020
#define REG_FEATURES	0x0030
#define REG_CMD_HEAD	0x2000
#define REG_CMD_TAIL	0x2008
#define REG_EVT_HEAD	0x2010
#define REG_EVT_TAIL	0x2018
#define REG_STATUS	0x2020
#define REGS_SIZE	0x4000ull

#define CTL_ENABLE	(1ull << 0)
#define CTL_EVENTS	(1ull << 2)
#define CTL_COMMANDS	(1ull << 12)
#define CTL_SMI_FILTER	(1ull << 22)
#define FEATURE_INV_ALL	(1ull << 6)
#define FEATURE_SMI(f)	((f) >> 16 & 3)
#define STATUS_OVERFLOW	(1ull << 0)

#define DEVTAB_PAGES	512u	/* 65,536 entries of 32 bytes */
#define DTE_VALID	3ull	/* V and TV */
#define DTE_LEVELS(n)	((uint64_t)(n) << 9)
#define DTE_MESSAGES	1ull	/* third word: IV; no other kind than fixed and arbitrated passes, and with IntCtl 00b not these either */
#define DTE_PASS_FIXED	(1ull << 60)
#define PTE_PRESENT	1ull
#define PTE_NEXT(n)	((uint64_t)(n) << 9)
#define PTE_READ	(1ull << 61)
#define PTE_WRITE	(1ull << 62)

/* Rings of one page, 16 bytes an entry: 2^8 of them. */
#define RING_LENGTH	(8ull << 56)
#define RING_MASK	(PAGE - 16)
#define CMD(op)		((uint64_t)(op) << 60)
#define CMD_WAIT	CMD(1)
#define CMD_INV_PAGES	CMD(3)
#define CMD_INV_ALL	CMD(8)
#define WAIT_STORE	1ull
#define INV_EVERYTHING	0x7ffffffffffff003ull	/* all sizes, directory entries too */
#define EVENT_CODE(e)	((uint8_t)((e) >> 60))
#define EVENT_WRITE	(1ull << 53)
#define START_US	1000000u

static uint64_t *commands[IOMMU_UNITS], *events[IOMMU_UNITS];
static uint64_t tail[IOMMU_UNITS];

static bool parse(const uint8_t *b, uint32_t len)
{
	struct iommu_unit *u;

	if (b[0] >= IVMD_FIRST && b[0] <= IVMD_LAST)
		return len >= 32 && iommu_firmware_region(&amdvi, table_get(b + 16, 8), table_get(b + 16, 8) + table_get(b + 24, 8));
	if (b[0] != IVHD_10 && b[0] != IVHD_11 && b[0] != IVHD_40)
		return true;
	u = len >= 24 ? iommu_add(&amdvi, table_get(b + 8, 8), REGS_SIZE, table_get(b + 16, 2)) : NULL;
	if (!u)
		return false;
	u->bdf = (uint32_t)table_get(b + 4, 2);
	u->flags = b[1];
	return true;
}

static void put(uint32_t unit, uint64_t low, uint64_t high)
{
	uint64_t *c = &commands[unit][tail[unit] / 8];

	c[0] = low;
	c[1] = high;
	tail[unit] = (tail[unit] + 16) & RING_MASK;
}

static bool submit(uint32_t unit, uint64_t low, uint64_t high, uint64_t serial)
{
	uint64_t used = (tail[unit] - *iommu_reg(unit, REG_CMD_HEAD)) & RING_MASK;

	if (used > PAGE - 4 * 16)
		return false;
	put(unit, low, high);
	put(unit, CMD_WAIT | virt_to_phys((void *)&iommu_unit[unit].done) | WAIT_STORE, serial);
	asm volatile("mfence" : : : "memory");
	*iommu_reg(unit, REG_CMD_TAIL) = tail[unit];
	return true;
}

static bool flush(uint32_t unit, uint64_t serial)
{
#ifdef TSR_TEST_NO_IOTLB
	return submit(unit, CMD_WAIT, 0, serial);
#else
	return submit(unit, CMD_INV_PAGES | (uint64_t)IOMMU_DOMAIN << 32, INV_EVERYTHING, serial);
#endif
}

/* True if the unit has carried out its first commands. */
static bool turn_on(uint32_t i, const uint64_t *devtab)
{
	struct iommu_unit *u = &iommu_unit[i];
	/* HtTunEn, PassPW, ResPassPW, isochronous and coherent, as the firmware says: IVHD flags 0-3 and 5. */
	uint64_t control = (u->flags & 1) << 1 | (u->flags >> 1 & 3) << 8 | (u->flags >> 3 & 1) << 11 | (u->flags >> 5 & 1) << 10;
	uint64_t end;

	if (!(*iommu_reg(i, REG_FEATURES) & FEATURE_INV_ALL)) {
		con_printf("AMD-Vi: the unit at %lx cannot forget everything at once", u->base);
		return false;
	}
	commands[i] = boot_alloc(1);
	events[i] = boot_alloc(1);
	*iommu_reg(i, REG_CONTROL) = 0;
	*iommu_reg(i, REG_DEVTAB) = virt_to_phys((void *)devtab) | (DEVTAB_PAGES - 1);
	*iommu_reg(i, REG_COMMANDS) = virt_to_phys(commands[i]) | RING_LENGTH;
	*iommu_reg(i, REG_EVENTS) = virt_to_phys(events[i]) | RING_LENGTH;
	*iommu_reg(i, REG_EXCLUSION) = 0;
	*iommu_reg(i, REG_CMD_HEAD) = *iommu_reg(i, REG_CMD_TAIL) = 0;
	*iommu_reg(i, REG_EVT_HEAD) = *iommu_reg(i, REG_EVT_TAIL) = 0;
	if (iommu_messages == MESSAGES_FIXED)
		control |= CTL_SMI_FILTER;
	*iommu_reg(i, REG_CONTROL) = control | CTL_ENABLE | CTL_EVENTS | CTL_COMMANDS;
	end = rdtsc() + START_US * tsc_khz() / 1000;
	if (submit(i, CMD_INV_ALL, 0, 1))
		while (u->done != 1 && rdtsc() < end)
			cpu_relax();
	u->sent = u->done;
	if (u->done != 1)
		con_printf("AMD-Vi: the unit at %lx does not answer", u->base);
	return u->done == 1;
}

/*
 * Hardware passes fixed messages and filters SMIs apart. QEMU's model loses the contents of a message that it passes, and takes any device's plain
 * store for the IOAPIC's, so there none may pass.
 */
static enum iommu_messages messages(void)
{
	bool filter = true;

	if (iommu_messages_free)
		return MESSAGES_OPEN;
	for (uint32_t i = 0; i < iommu_units; i++) {
		if (pci_made_by_qemu((uint16_t)iommu_unit[i].bdf))
			return MESSAGES_CLOSED;
		filter &= FEATURE_SMI(*iommu_reg(i, REG_FEATURES)) == 1;
	}
	return filter ? MESSAGES_FIXED : MESSAGES_OPEN;
}

static bool start(void)
{
	uint64_t *devtab = boot_alloc(DEVTAB_PAGES), third;
	bool ok = true;

	iommu_messages = messages();
	third = iommu_messages == MESSAGES_OPEN ? 0 : iommu_messages == MESSAGES_FIXED ? DTE_MESSAGES | DTE_PASS_FIXED : DTE_MESSAGES;
	for (uint32_t id = 0; id < 65536; id++) {
		devtab[4 * id + 2] = third;
		devtab[4 * id + 1] = IOMMU_DOMAIN;
		devtab[4 * id] = iommu_root(4) | DTE_LEVELS(4) | DTE_VALID | PTE_READ | PTE_WRITE;
	}
	for (uint32_t i = 0; i < iommu_units && ok; i++)
		ok = turn_on(i, devtab);
	/* All or none: behind a table that is never filled the host's devices could do nothing. */
	for (uint32_t i = 0; i < iommu_units && !ok; i++)
		*iommu_reg(i, REG_CONTROL) = 0;
	return ok;
}

static void poll(uint32_t unit)
{
	uint64_t head = *iommu_reg(unit, REG_EVT_HEAD) & RING_MASK, last = *iommu_reg(unit, REG_EVT_TAIL) & RING_MASK;

	/* Bounded by the ring, whatever the unit says. */
	for (; head != last; head = (head + 16) & RING_MASK) {
		const uint64_t *e = &events[unit][head / 8];

		iommu_fault((uint16_t)e[0], e[1], e[0] & EVENT_WRITE, EVENT_CODE(e[0]));
	}
	*iommu_reg(unit, REG_EVT_HEAD) = head;
	if (*iommu_reg(unit, REG_STATUS) & STATUS_OVERFLOW) {
		*iommu_reg(unit, REG_CONTROL) &= ~CTL_EVENTS;
		*iommu_reg(unit, REG_STATUS) = STATUS_OVERFLOW;
		*iommu_reg(unit, REG_CONTROL) |= CTL_EVENTS;
	}
}

const struct iommu_kind amdvi = {
	.name = "AMD-Vi",
	.signature = "IVRS",
	.format = {
		.leaf = PTE_PRESENT,
		.read = PTE_READ,
		.write = PTE_WRITE,
		.table = { 0, PTE_PRESENT | PTE_NEXT(1) | PTE_READ | PTE_WRITE, PTE_PRESENT | PTE_NEXT(2) | PTE_READ | PTE_WRITE,
			   PTE_PRESENT | PTE_NEXT(3) | PTE_READ | PTE_WRITE },
	},
	.parse = parse,
	.start = start,
	.flush = flush,
	.poll = poll,
};
