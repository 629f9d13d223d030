/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Intel's IOMMU (VT-d specification 3.4): the DMAR table, legacy root and context tables, queued invalidation, fault records. One context table
 * serves every bus, so all requester ids have the same entry before translation is turned on.
 */
#include "hv/x86/iommu.h"
#include "hv/x86/x86.h"

#define DMAR_DRHD	0
#define DMAR_RMRR	1

#define REG_CAP		0x08
#define REG_ECAP	0x10
#define REG_GCMD	0x18
#define REG_GSTS	0x1c
#define REG_RTADDR	0x20
#define REG_FSTS	0x34
#define REG_FECTL	0x38
#define REG_PMEN	0x64
#define REG_IQH		0x80
#define REG_IQT		0x88
#define REG_IQA		0x90

#define CAP_RWBF	(1ull << 4)
#define CAP_39BIT	(1ull << 9)
#define CAP_48BIT	(1ull << 10)
#define CAP_LARGE	(1ull << 34)
#define CAP_FRO(c)	((uint32_t)((c) >> 24 & 0x3ff) * 16)
#define CAP_NFR(c)	((uint32_t)((c) >> 40 & 0xff) + 1)
#define ECAP_COHERENT	(1ull << 0)
#define ECAP_QI		(1ull << 1)
#define G_TRANSLATE	(1u << 31)
#define G_ROOT		(1u << 30)
#define G_QUEUE		(1u << 26)
#define G_REMAP		(1u << 25)
#define G_ONE_SHOT	0x96ffffffu	/* status bits that a command must repeat: 11.4.4.1 */
#define FECTL_MASKED	(1u << 31)
#define FSTS_OVERFLOW	1u
#define FAULT_VALID	(1u << 31)
#define FAULT_READ	(1u << 30)

#define INV_CONTEXT_ALL	(1ull | 1ull << 4)
#define INV_IOTLB_ALL	(2ull | 1ull << 4 | 3ull << 6)
#define INV_IOTLB_DOMAIN (2ull | 2ull << 4 | 3ull << 6 | (uint64_t)IOMMU_DOMAIN << 16)
#define INV_WAIT(status) (5ull | 1ull << 5 | (uint64_t)(status) << 32)
#define RING_MASK	(PAGE - 16)
#define PRESENT		1ull
#define START_US	1000000u

static uint64_t *queue[IOMMU_UNITS];
static uint64_t tail[IOMMU_UNITS];

static volatile uint32_t *reg32(uint32_t unit, uint32_t at)
{
	return phys(iommu_unit[unit].base + at);
}

static bool parse(const uint8_t *b, uint32_t len)
{
	switch (table_get(b, 2)) {
	case DMAR_DRHD:
		return len >= 16 && iommu_add(&vtd, table_get(b + 8, 8), PAGE << (b[5] & 15), table_get(b + 6, 2));
	case DMAR_RMRR:
		return len >= 24 && iommu_firmware_region(&vtd, table_get(b + 8, 8), table_get(b + 16, 8) + 1);
	default:
		return true;
	}
}

static bool submit(uint32_t unit, const uint64_t *low, uint32_t n, uint64_t serial)
{
	uint64_t used = (tail[unit] - *iommu_reg(unit, REG_IQH)) & RING_MASK;

	if (used > PAGE - (n + 2) * 16)
		return false;
	for (uint32_t i = 0; i <= n; i++) {
		uint64_t *d = &queue[unit][tail[unit] / 8];

		d[0] = i < n ? low[i] : INV_WAIT((uint32_t)serial);
		d[1] = i < n ? 0 : virt_to_phys((void *)&iommu_unit[unit].done);
		tail[unit] = (tail[unit] + 16) & RING_MASK;
	}
	asm volatile("mfence" : : : "memory");
	*iommu_reg(unit, REG_IQT) = tail[unit];
	return true;
}

static bool flush(uint32_t unit, uint64_t serial)
{
	static const uint64_t low[] = { INV_IOTLB_DOMAIN };
#ifdef TSR_TEST_NO_IOTLB
	return submit(unit, low, 0, serial);
#else
	return submit(unit, low, 1, serial);
#endif
}

/* Gives a command and waits until the status shows it. */
static bool command(uint32_t i, uint32_t bit, bool on)
{
	uint64_t end = rdtsc() + START_US * tsc_khz() / 1000;
	uint32_t now = *reg32(i, REG_GSTS) & G_ONE_SHOT;

	*reg32(i, REG_GCMD) = on ? now | bit : now & ~bit;
	while (!(*reg32(i, REG_GSTS) & bit) == on)
		if (rdtsc() > end)
			return false;
	return true;
}

static void turn_off(uint32_t i)
{
	(void)command(i, G_TRANSLATE, false);
	(void)command(i, G_REMAP, false);
	(void)command(i, G_QUEUE, false);
}

static bool turn_on(uint32_t i, uint64_t root)
{
	static const uint64_t all[] = { INV_CONTEXT_ALL, INV_IOTLB_ALL };
	struct iommu_unit *u = &iommu_unit[i];
	uint64_t end;

	queue[i] = boot_alloc(1);
	turn_off(i);
	*iommu_reg(i, REG_RTADDR) = root;
	*reg32(i, REG_FECTL) = FECTL_MASKED;
	*iommu_reg(i, REG_IQT) = 0;
	*iommu_reg(i, REG_IQA) = virt_to_phys(queue[i]);
	if (command(i, G_ROOT, true) && command(i, G_QUEUE, true)) {
		end = rdtsc() + START_US * tsc_khz() / 1000;
		if (submit(i, all, 2, 1))
			while (u->done != 1 && rdtsc() < end)
				cpu_relax();
	}
	u->sent = u->done;
	if (u->done == 1 && command(i, G_TRANSLATE, true)) {
		*reg32(i, REG_PMEN) = 0;
		return true;
	}
	con_printf("VT-d: the unit at %lx does not answer", u->base);
	return false;
}

/* How many levels all units can walk; 0 if one is not fit. */
static uint32_t common_levels(void)
{
	uint64_t cap = CAP_39BIT | CAP_48BIT;

	for (uint32_t i = 0; i < iommu_units; i++) {
		uint64_t c = *iommu_reg(i, REG_CAP), e = *iommu_reg(i, REG_ECAP);

		if (!(c & CAP_LARGE) || (c & CAP_RWBF) || !(e & ECAP_QI) || CAP_FRO(c) + CAP_NFR(c) * 16 > iommu_unit[i].size) {
			con_printf("VT-d: the unit at %lx has no large pages or no queue (capabilities %lx, %lx)", iommu_unit[i].base, c, e);
			return 0;
		}
		if (!(e & ECAP_COHERENT))
			iommu_noncoherent = true;
		cap &= c;
	}
	return cap & CAP_48BIT ? 4 : cap & CAP_39BIT && iommu_root(3) ? 3 : 0;
}

static bool start(void)
{
	uint64_t *root = boot_alloc(1), *context = boot_alloc(1);
	uint32_t levels = common_levels();
	bool ok = levels;

	for (uint32_t i = 0; i < 256 && ok; i++) {
		root[2 * i] = virt_to_phys(context) | PRESENT;
		context[2 * i] = iommu_root(levels) | PRESENT;
		context[2 * i + 1] = (uint64_t)IOMMU_DOMAIN << 8 | (levels - 2);
	}
	/* What a unit that does not snoop finds in memory. */
	asm volatile("wbinvd" : : : "memory");
	for (uint32_t i = 0; i < iommu_units && ok; i++)
		ok = turn_on(i, virt_to_phys(root));
	/* All or none: behind a table that is never filled the host's devices could do nothing. */
	for (uint32_t i = 0; i < iommu_units && levels && !ok; i++)
		turn_off(i);
	return ok;
}

static void poll(uint32_t unit)
{
	uint64_t cap = *iommu_reg(unit, REG_CAP);

	for (uint32_t n = 0; n < CAP_NFR(cap); n++) {
		uint32_t at = CAP_FRO(cap) + n * 16, high = *reg32(unit, at + 12);

		if (!(high & FAULT_VALID))
			continue;
		iommu_fault((uint16_t)*reg32(unit, at + 8), *iommu_reg(unit, at) & ~(PAGE - 1), !(high & FAULT_READ), (uint8_t)high);
		*reg32(unit, at + 12) = FAULT_VALID;
	}
	*reg32(unit, REG_FSTS) = FSTS_OVERFLOW;
}

const struct iommu_kind vtd = {
	.name = "VT-d",
	.signature = "DMAR",
	.format = { .read = 1, .write = 2, .large = 1 << 7, .table = { 0, 3, 3, 3 } },
	.parse = parse,
	.start = start,
	.flush = flush,
	.poll = poll,
};
