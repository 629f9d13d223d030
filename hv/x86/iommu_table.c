/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What the ACPI tables IVRS and DMAR have in common: a list of blocks, some of which are units and some regions that the firmware keeps. */
#include "hv/x86/iommu.h"
#include "hv/x86/x86.h"

#define BLOCKS	48u	/* where the list begins, in both */

struct iommu_unit iommu_unit[IOMMU_UNITS];
uint32_t iommu_units;

bool iommu_parse(const struct iommu_kind *kind, const uint8_t *table, uint32_t size)
{
	bool ok = true;

	for (uint32_t at = BLOCKS, len; at + 8 <= size; at += len) {
		len = (uint32_t)table_get(table + at + 2, 2);
		if (len < 8 || len > size - at) {
			con_printf("%s: the firmware's table is damaged at %u", kind->name, at);
			return false;
		}
		ok &= kind->parse(table + at, len);
	}
	return ok;
}

struct iommu_unit *iommu_add(const struct iommu_kind *kind, uint64_t base, uint64_t size, uint64_t segment)
{
	struct iommu_unit *u;

	if (!base || base & (PAGE - 1) || base + size > 1ull << 32 || mem_has_ram(base, size) || segment) {
		con_printf("%s: the unit at %lx, segment %lu, is not where it can be driven", kind->name, base, segment);
		return NULL;
	}
	for (uint32_t i = 0; i < iommu_units; i++)
		if (iommu_unit[i].base == base)
			return &iommu_unit[i];
	if (iommu_units == IOMMU_UNITS) {
		con_printf("%s: more than %u units", kind->name, IOMMU_UNITS);
		return NULL;
	}
	u = &iommu_unit[iommu_units++];
	*u = (struct iommu_unit){ .base = base, .size = size, .bdf = IOMMU_NO_BDF };
	return u;
}

bool iommu_firmware_region(const struct iommu_kind *kind, uint64_t first, uint64_t end)
{
	if (!mem_touches_ram(first, end - first)) {
		con_printf("%s: the firmware's region %lx..%lx stays closed to devices", kind->name, first, end);
		return true;
	}
	con_printf("%s: the firmware wants devices to reach RAM at %lx..%lx, which may be a guest's", kind->name, first, end);
	return false;
}

bool iommu_owns(uint16_t bdf)
{
	for (uint32_t i = 0; i < iommu_units; i++)
		if (iommu_unit[i].bdf == bdf)
			return true;
	return false;
}
