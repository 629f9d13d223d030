/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The machine's IOMMU. iommu.c has the one table that translates for every device the host has, fills it as the core says, and knows when
 * the units have let go of old entries; amdvi.c and vtd.c find, program and command the units of one vendor each. Core lock held, or boot.
 */
#ifndef HV_X86_IOMMU_H
#define HV_X86_IOMMU_H

#include <core/core.h>

#include "hv/x86/x86.h"

#define IOMMU_UNITS	8u
#define IOMMU_DOMAIN	1u	/* the tag under which units cache the host's translations */

/* How a vendor writes an entry, beside the address in bits 51:12. An entry that allows nothing is 0 as a whole. */
struct iommu_format {
	uint64_t leaf, read, write; /* leaf: set in each */
	uint64_t large;		/* added in a leaf of 2 MiB */
	uint64_t table[4];	/* by the level of the entry: 1 points to a table of 4 KiB leaves */
};

/* What the ACPI tables say of one vendor's units, and how these are driven. */
struct iommu_kind {
	const char *name, *signature;	/* signature: of the ACPI table */
	struct iommu_format format;
	/* One block of the table, at least 8 bytes of len. False: units cannot be used; the reason has been printed. */
	bool (*parse)(const uint8_t *block, uint32_t len);
	/* Root of the table by its levels: iommu_root(). All requester ids translate when it returns. False as above. */
	bool (*start)(void);
	/* Forget all translations, then store serial at *done. False: no room for the command now. */
	bool (*flush)(uint32_t unit, uint64_t serial);
	/* Hands each fault that a unit has recorded since the last time to iommu_fault(). */
	void (*poll)(uint32_t unit);
};
extern const struct iommu_kind amdvi, vtd;

/* One unit: filled by parse(). */
struct iommu_unit {
	uint64_t base, size;	/* registers */
	uint32_t bdf;		/* its PCI function, or IOMMU_NO_BDF */
	uint64_t flags;		/* of the ACPI table */
	volatile uint64_t done;	/* serial of the last flush carried out, written by the unit itself: at least its low half */
	uint64_t sent;
};
#define IOMMU_NO_BDF	0x10000u
extern struct iommu_unit iommu_unit[IOMMU_UNITS];
extern uint32_t iommu_units;
extern bool iommu_noncoherent; /* a unit reads its tables past the caches */

/* What becomes of the stores by which devices raise interrupts: MESSAGES_OPEN until start() says otherwise. */
enum iommu_messages {
	MESSAGES_OPEN,		/* all pass: INIT, NMI and SMI too */
	MESSAGES_FIXED,		/* those that raise a vector pass */
	MESSAGES_CLOSED,	/* none passes, the IOAPIC's neither: the host is told to use the PIC */
};
extern enum iommu_messages iommu_messages;
extern bool iommu_messages_free; /* the command line wants them open */

/* iommu_table.c. Reads a table of size bytes, whose sum has been checked. False as for parse(). */
bool iommu_parse(const struct iommu_kind *kind, const uint8_t *table, uint32_t size);
/* A unit as parse() finds it; repeated descriptions of one are merged. NULL: it cannot be driven there, or too many; printed. */
struct iommu_unit *iommu_add(const struct iommu_kind *kind, uint64_t base, uint64_t size, uint64_t segment);
/* A region that the firmware wants devices to reach whatever happens. False if it is RAM, which may be a guest's one day; printed. */
bool iommu_firmware_region(const struct iommu_kind *kind, uint64_t first, uint64_t end);
/* Physical address of the root for so many levels: 3 (39 bits) or 4 (48 bits). 0: RAM lies beyond what 3 levels reach. */
uint64_t iommu_root(uint32_t levels);
void iommu_fault(uint16_t device, uint64_t address, bool write, uint8_t reason);

/*
 * Boot: finds the units and takes them from the host. Then, before core_init: starts them with a table that lets no device reach
 * anything. False where devices are not kept out; the reason has been printed.
 */
void iommu_find(void);
bool iommu_start(void);
/* Is this the unit's own PCI function? */
bool iommu_owns(uint16_t bdf);

void iommu_flush(uint64_t serial);
/* Have all flushes up to serial been carried out? Does not wait. */
bool iommu_flushed(uint64_t serial);

/* A number of up to 8 bytes at any place of a table. */
static inline uint64_t table_get(const uint8_t *p, uint32_t bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static inline volatile uint64_t *iommu_reg(uint32_t unit, uint32_t at)
{
	return phys(iommu_unit[unit].base + at);
}

#endif
