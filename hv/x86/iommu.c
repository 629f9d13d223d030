/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The one translation that all devices of the host have: identity for what the host has in RAM, the guest's page where one is mapped into a
 * window, nothing else. All its tables are reserved at boot, side by side, so an entry is found by its number alone.
 */
#include <core/arch.h>

#include "hv/x86/host.h"
#include "hv/x86/iommu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define E_ADDR		0x000ffffffffff000ull
#define PER_TABLE	512u
#define LEVELS		4u

bool iommu_noncoherent;
enum iommu_messages iommu_messages;
bool iommu_messages_free;

static const struct iommu_kind *const kinds[] = { &amdvi, &vtd };
static const struct iommu_kind *kind;	/* NULL: no unit that can be used */
static bool running;
static const struct iommu_format *fmt;
static uint64_t nr_slots;		/* of 2 MiB */
static uint64_t *level[LEVELS];		/* tables of one level in a row; level[0]: leaves of 4 KiB */
static uint64_t serial_sent;

static struct tsr_dma_fault faults[TSR_DMA_FAULTS_MAX];
static uint64_t faults_total;

static inline uint64_t load(const uint64_t *e) { return __atomic_load_n(e, __ATOMIC_RELAXED); }

static inline void store(uint64_t *e, uint64_t v)
{
	__atomic_store_n(e, v, __ATOMIC_RELEASE);
	if (iommu_noncoherent)
		asm volatile("clflush %0" : "+m"(*e));
}

/* ------------------------------------------------------------------ the table */

static uint64_t to_entry(struct leaf l)
{
	if (!(l.perm & (PERM_R | PERM_W)))
		return 0;
	return l.frame.n << 12 | fmt->leaf | (l.perm & PERM_R ? fmt->read : 0) | (l.perm & PERM_W ? fmt->write : 0);
}

static struct leaf to_leaf(uint64_t e, uint64_t part)
{
	return (struct leaf){ .frame = mfn(((e & E_ADDR) >> 12) + part),
			      .perm = (uint8_t)((e & fmt->read ? PERM_R : 0) | (e & fmt->write ? PERM_W : 0)) };
}

/* What points to the n-th table of level l - 1. */
static uint64_t table_entry(uint32_t l, uint64_t n)
{
	return virt_to_phys(&level[l - 1][n * PER_TABLE]) | fmt->table[l];
}

static void build(void)
{
	uint64_t n = nr_slots;

	level[0] = boot_alloc(nr_slots);
	for (uint32_t l = 1; l < LEVELS; l++) {
		level[l] = boot_alloc((n + PER_TABLE - 1) / PER_TABLE);
		/* Slots of 2 MiB get their table when a part of them differs. */
		for (uint64_t i = 0; l > 1 && i < n; i++)
			level[l][i] = table_entry(l, i);
		n = (n + PER_TABLE - 1) / PER_TABLE;
	}
}

uint64_t iommu_root(uint32_t levels)
{
	if (levels == 3)
		return mem_top > 1ull << 39 ? 0 : virt_to_phys(level[2]);
	return virt_to_phys(level[3]);
}

/*
 * A device does not repeat an access that was refused, so a large leaf is never cleared to split it: its parts are written first, then
 * one store puts the table in its place. Both say the same.
 */
void arch_dma_set(gfn_t g, struct leaf l)
{
	uint64_t slot = g.n / PER_TABLE, *e, old;

	if (!running)
		return;
	if (slot >= nr_slots)
		arch_halt("a device's leaf outside RAM was to be set");
	e = &level[1][slot];
	old = load(e);
	if (old != table_entry(1, slot)) {
		for (uint32_t i = 0; i < PER_TABLE; i++)
			store(&level[0][slot * PER_TABLE + i], old ? (old & ~fmt->large) + i * PAGE : 0);
		store(e, table_entry(1, slot));
	}
	store(&level[0][g.n], to_entry(l));
}

struct leaf arch_dma_get(gfn_t g)
{
	uint64_t slot = g.n / PER_TABLE, e;

	if (!running || slot >= nr_slots)
		return (struct leaf){ mfn(0), 0 };
	e = load(&level[1][slot]);
	if (e == table_entry(1, slot))
		return to_leaf(load(&level[0][g.n]), 0);
	return to_leaf(e, g.n % PER_TABLE);
}

bool arch_dma_active(void)
{
	return running;
}

void arch_dma_fill(struct ram_range r)
{
	for (uint64_t g = r.first, end = r.first + r.count; running && g < end;) {
		if (!(g % PER_TABLE) && end - g >= PER_TABLE && !load(&level[1][g / PER_TABLE])) {
			store(&level[1][g / PER_TABLE], to_entry((struct leaf){ mfn(g), PERM_R | PERM_W }) | fmt->large);
			g += PER_TABLE;
			continue;
		}
		arch_dma_set(gfn(g), (struct leaf){ mfn(g), PERM_R | PERM_W });
		g++;
	}
}

/* ------------------------------------------------------------------ letting go */

static bool caught_up(const struct iommu_unit *u, uint64_t serial)
{
	uint64_t done = u->sent - (uint32_t)(u->sent - u->done);

	return done >= serial || (done == u->sent && u->sent >= serial_sent);
}

void iommu_flush(uint64_t serial)
{
	if (!running)
		return;
	core_count(TSR_COUNT_iotlb_flushes);
	serial_sent = serial;
	for (uint32_t i = 0; i < iommu_units; i++)
		if (kind->flush(i, serial))
			iommu_unit[i].sent = serial;
}

bool iommu_flushed(uint64_t serial)
{
	bool all = true;

	for (uint32_t i = 0; running && i < iommu_units; i++) {
		struct iommu_unit *u = &iommu_unit[i];

		/* Its queue was full when the flush was due. */
		if (u->sent < serial_sent && kind->flush(i, serial_sent))
			u->sent = serial_sent;
		all &= caught_up(u, serial);
	}
	return all;
}

/* ------------------------------------------------------------------ faults */

void iommu_fault(uint16_t device, uint64_t address, bool write, uint8_t reason)
{
	uint64_t n = faults_total++;

	faults[n % TSR_DMA_FAULTS_MAX] =
		(struct tsr_dma_fault){ .address = address, .device = device, .write = write, .reason = reason };
	core_count(TSR_COUNT_dma_faults);
	dma_refuse_log(device, address, write);
}

void arch_dma_poll(void)
{
	for (uint32_t i = 0; running && i < iommu_units; i++)
		kind->poll(i);
}

void arch_dma_faults(struct tsr_dma_faults *out)
{
	uint64_t first = faults_total > TSR_DMA_FAULTS_MAX ? faults_total - TSR_DMA_FAULTS_MAX : 0;

	out->total = faults_total;
	out->count = (uint32_t)(faults_total - first);
	for (uint32_t i = 0; i < out->count; i++)
		out->fault[i] = faults[(first + i) % TSR_DMA_FAULTS_MAX];
}

/* ------------------------------------------------------------------ boot */

/* Whatever becomes of the units, the host sees none: one in its hands would undo what is behind it. */
void iommu_find(void)
{
	bool usable = true;

	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint32_t len;
		uint8_t *table = acpi_find(kinds[i]->signature, &len);

		if (!table)
			continue;
		/* Units of two vendors in one machine: the first vendor's are used. */
		if (!kind) {
			kind = kinds[i];
			usable = iommu_parse(kind, table, len);
		}
		acpi_hide(table, len);
	}
	if (!usable)
		kind = NULL;
	for (uint32_t i = 0; i < iommu_units; i++)
		npt_host_mmio(iommu_unit[i].base & ~(PAGE - 1), (iommu_unit[i].size + PAGE - 1) & ~(PAGE - 1), 0);
}

bool iommu_start(void)
{
	if (!kind || !iommu_units)
		return false;
	fmt = &kind->format;
	nr_slots = (mem_top + PAGE_2M - 1) / PAGE_2M;
	build();
	running = kind->start();
	if (running)
		con_printf("%s: %u units keep devices out", kind->name, iommu_units);
	return running;
}
