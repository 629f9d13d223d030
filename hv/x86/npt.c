/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Nested page tables (APM vol. 2, 15.25): four levels, caches of the frame table.
 * The host's: all tables for RAM are reserved at boot; memory-mapped devices are
 * identity-mapped here, outside the core's view. A guest's: made of pages donated
 * for it.
 */
#include <core/arch.h>

#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define N_P	0x1ull
#define N_W	0x2ull
#define N_U	0x4ull	/* nested walks count as user accesses */
#define N_PS	0x80ull
#define N_NX	(1ull << 63)
#define N_ADDR	0x000ffffffffff000ull
#define N_TABLE	(N_P | N_W | N_U)

struct arch_tables {
	uint64_t e[512];	/* the root table itself */
};

static struct arch_tables *host_tables;
static uint64_t *host_pt;	/* by 2 MiB slot of RAM: its reserved leaf table, with N_P once that is in its place, or 0 */
static uint64_t host_pt_slots;

static uint64_t to_entry(struct leaf l)
{
	uint64_t e = l.frame.n << 12 | N_P | N_U;

	if (!(l.perm & PERM_R))
		return 0;
	if (l.perm & PERM_W)
		e |= N_W;
	return l.perm & PERM_X ? e : e | N_NX;
}

static struct leaf to_leaf(uint64_t e, uint64_t part)
{
	struct leaf l = { mfn(0), 0 };

	if (!(e & N_P))
		return l;
	l.frame = mfn(((e & N_ADDR) >> 12) + part);
	l.perm = (uint8_t)(PERM_R | (e & N_W ? PERM_W : 0) | (e & N_NX ? 0 : PERM_X));
	return l;
}

static inline uint64_t load(const uint64_t *e) { return __atomic_load_n(e, __ATOMIC_RELAXED); }
static inline void store(uint64_t *e, uint64_t v) { __atomic_store_n(e, v, __ATOMIC_RELEASE); }

static uint32_t slot(uint64_t g, uint32_t level)
{
	return (g >> (9 * level)) & 511;
}

/* Entry of g at level (0 = 4 KiB), or a large one above it; NULL if tables are missing on the way. */
static uint64_t *find(const struct arch_tables *t, uint64_t g, uint32_t level, uint32_t *at)
{
	uint64_t *table = (uint64_t *)t->e;

	for (uint32_t l = 3;; l--) {
		uint64_t *e = &table[slot(g, l)];

		*at = l;
		if (l == level || (load(e) & (N_P | N_PS)) == (N_P | N_PS))
			return e;
		if (!(load(e) & N_P))
			return NULL;
		table = phys(load(e) & N_ADDR);
	}
}

static uint64_t *boot_table(uint64_t *e)
{
	if (!(*e & N_P))
		*e = virt_to_phys(boot_alloc(1)) | N_TABLE;
	return phys(*e & N_ADDR);
}

/* Boot only: entry of g at level 0, 1 or 2, tables made as needed; a large entry on the way is split. */
static uint64_t *boot_entry(uint64_t g, uint32_t level)
{
	uint64_t *table = host_tables->e;

	for (uint32_t l = 3; l > level; l--) {
		uint64_t *e = &table[slot(g, l)], old = *e;

		if ((old & N_P) && (old & N_PS)) {
			uint64_t step = 1ull << (12 + 9 * (l - 1));

			*e = 0;
			table = boot_table(e);
			for (uint32_t i = 0; i < 512; i++)
				table[i] = (l == 1 ? old & ~N_PS : old) + i * step;
			continue;
		}
		table = boot_table(e);
	}
	return &table[slot(g, level)];
}

static uint64_t phys_limit(void)
{
	uint32_t bits = cpuid(0x80000000, 0).a >= 0x80000008 ? cpuid(0x80000008, 0).a & 0xff : 36;

	return 1ull << (bits > 48 ? 48 : bits);
}

/* Everything that is not RAM, identity-mapped, in pieces of 1 GiB, 2 MiB or 4 KiB. */
static void map_devices(void)
{
	bool giant = cpuid(0x80000001, 0).d & (1u << 26);
	uint64_t end = phys_limit();

	if (!giant && end > 1ull << 39)
		end = 1ull << 39;
	for (uint64_t a = 0, step; a < end; a += step) {
		uint32_t level = giant && !(a % PAGE_1G) ? 2 : !(a % PAGE_2M) ? 1 : 0;

		while (level && mem_has_ram(a, 1ull << (12 + 9 * level)))
			level--;
		step = 1ull << (12 + 9 * level);
		if (level == 0 && !(a % PAGE_2M) && mem_is_ram(a, PAGE_2M)) {
			step = PAGE_2M;
			continue;
		}
		if (level == 0 && mem_is_ram(a, PAGE))
			continue;
		*boot_entry(a >> 12, level) = a | N_TABLE | (level ? N_PS : 0);
	}
}

void npt_init(void)
{
	host_tables = boot_alloc(1);
	host_pt_slots = (mem_top + PAGE_2M - 1) / PAGE_2M;
	host_pt = boot_alloc((host_pt_slots * 8 + PAGE - 1) / PAGE);
	map_devices();
	for (uint64_t i = 0; i < host_pt_slots; i++) {
		uint64_t *e;

		if (!mem_has_ram(i * PAGE_2M, PAGE_2M))
			continue;
		e = boot_entry(i * 512, 1);
		/* A slot that RAM shares with devices already has its table, and keeps it. */
		host_pt[i] = *e & N_P ? (*e & N_ADDR) | N_P : virt_to_phys(boot_alloc(1));
	}
}

void npt_host_mmio(uint64_t pa, uint64_t size, uint8_t perm)
{
	uint64_t step;

	if (mem_has_ram(pa, size))
		panic("device memory at %lx lies in RAM", pa);
	for (uint64_t a = pa; a < pa + size; a += step) {
		uint32_t level = !(a % PAGE_2M) && pa + size - a >= PAGE_2M;
		uint64_t *e = boot_entry(a >> 12, level);

		step = level ? PAGE_2M : PAGE;
		*e = perm ? to_entry((struct leaf){ mfn(a >> 12), perm }) | (level ? N_PS : 0) : 0;
	}
}

uint64_t npt_root(const struct domain *d)
{
	return virt_to_phys(d->tables);
}

struct arch_tables *arch_tables_create(struct domain *d)
{
	mfn_t m;

	d->generation = next_generation();
	if (d->id == DOMAIN_HOST)
		return host_tables;
	if (!core_table_page(d, &m))
		return NULL;
	return arch_frame(m);
}

/* The pages are the core's, which scrubs and returns them; no CPU is inside any more. */
void arch_tables_destroy(struct domain *d)
{
	d->tables = NULL;
}

bool arch_leaf_prepare(struct domain *d, gfn_t g)
{
	uint64_t *table = d->tables->e;

	if (d->id == DOMAIN_HOST)
		return true;
	for (uint32_t l = 3; l; l--) {
		uint64_t *e = &table[slot(g.n, l)];
		mfn_t m;

		if (!(*e & N_P)) {
			if (!core_table_page(d, &m))
				return false;
			store(e, m.n << 12 | N_TABLE);
		}
		table = phys(*e & N_ADDR);
	}
	return true;
}

/*
 * Clear, flush, write: two sizes of one translation should not live in TLBs at once. Both sizes say the same, so a CPU that
 * does not answer in time is not waited for: what the caller takes away next has a shoot-down of its own. Devices do not walk this table.
 */
static void split(struct domain *d, uint64_t g)
{
	uint64_t old, *e, *pt = phys(host_pt[g >> 9]);
	uint32_t at;

	e = find(d->tables, g, 1, &at);
	if (!e || at != 1)
		arch_halt("a slot of the host's RAM has no place for its table");
	old = load(e);
	if (old & N_P) {
		for (uint32_t i = 0; i < 512; i++)
			pt[i] = (old & ~N_PS) + i * PAGE;
		store(e, 0);
		flush_cpus(d);
	}
	store(e, host_pt[g >> 9] | N_TABLE);
	host_pt[g >> 9] |= N_P;
}

static uint64_t *host_leaf(struct domain *host, uint64_t g)
{
	if (g >> 9 >= host_pt_slots || !host_pt[g >> 9])
		arch_halt("a leaf outside RAM was to be set in the host's tables");
	if (!(host_pt[g >> 9] & N_P))
		split(host, g);
	return (uint64_t *)phys(host_pt[g >> 9] & N_ADDR) + slot(g, 0);
}

void arch_leaf_set(struct domain *d, gfn_t g, struct leaf l)
{
	uint32_t at = 0;
	uint64_t *e = d->id == DOMAIN_HOST ? host_leaf(d, g.n) : find(d->tables, g.n, 0, &at);

	if (!e || at)
		arch_halt("a leaf without a table was to be set");
	store(e, to_entry(l));
}

struct leaf arch_leaf_get(const struct domain *d, gfn_t g)
{
	uint32_t at;
	uint64_t *e = find(d->tables, g.n, 0, &at);

	return e ? to_leaf(load(e), g.n & ((1ull << (9 * at)) - 1)) : to_leaf(0, 0);
}

void arch_leaf_fill(struct domain *host, struct ram_range r)
{
	uint64_t end = r.first + r.count;

	for (uint64_t g = r.first; g < end;) {
		uint64_t *e;
		uint32_t at;

		if (!(g & 511) && end - g >= 512) {
			e = find(host->tables, g, 1, &at);
			if (e && at == 1 && !(*e & N_P)) {
				store(e, g << 12 | N_TABLE | N_PS);
				g += 512;
				continue;
			}
		}
		arch_leaf_set(host, gfn(g), (struct leaf){ mfn(g), PERM_RWX });
		g++;
	}
}

void arch_leaf_walk(const struct domain *d, void (*fn)(void *ctx, gfn_t g, struct leaf l), void *ctx)
{
	uint64_t end = d->id == DOMAIN_HOST ? host_pt_slots * 512 : 1ull << 36;
	bool all_ram = false;

	for (uint64_t g = 0; g < end;) {
		uint32_t at;
		uint64_t *e, size;

		if (d->id == DOMAIN_HOST && !(g & 511))
			all_ram = mem_is_ram(g * PAGE, PAGE_2M);
		e = find(d->tables, g, 0, &at);
		size = 1ull << (9 * (at && all_ram ? 1 : at));
		if (!e || !(load(e) & N_P)) {
			g = (g | (size - 1)) + 1;
			continue;
		}
		do {
			struct leaf l = to_leaf(load(e), g & ((1ull << (9 * at)) - 1));

			if (d->id != DOMAIN_HOST || all_ram || mem_is_ram(l.frame.n * PAGE, PAGE))
				fn(ctx, gfn(g), l);
		} while (++g & (size - 1) & 511);
	}
}
