/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The machine's memory map, the hypervisor's share of it, and its own page tables. */
#include "hv/x86/multiboot.h"
#include "hv/x86/x86.h"

#define PTE_P		0x1ull
#define PTE_W		0x2ull
#define PTE_PS		0x80ull
#define PTE_NX		(1ull << 63)
#define PTE_ADDR	0x000ffffffffff000ull
#define TWO_GIB		0x80000000ull
#define FOUR_GIB	0x100000000ull

struct mem_region mem_map[MEM_REGIONS_MAX];
uint32_t mem_regions;
uint64_t mem_top;
uint64_t hv_limit;
uint64_t hv_cr3;
uint64_t paging_end;
static uint64_t pool_next;

void mem_add(uint64_t base, uint64_t end, uint32_t type)
{
	uint32_t i;

	if (type < MEM_RAM || type > MEM_BAD)
		type = MEM_RESERVED;
	if (type == MEM_RAM) {
		base = (base + PAGE - 1) & ~(PAGE - 1);
		end &= ~(PAGE - 1);
	} else {
		base &= ~(PAGE - 1);
		end = (end + PAGE - 1) & ~(PAGE - 1);
	}
	if (base >= end)
		return;
	if (mem_regions == MEM_REGIONS_MAX)
		panic("the memory map has more than %u regions", MEM_REGIONS_MAX);
	for (i = mem_regions; i && mem_map[i - 1].base > base; i--)
		mem_map[i] = mem_map[i - 1];
	mem_map[i] = (struct mem_region){ base, end - base, type };
	mem_regions++;
	if (type == MEM_RAM && end > mem_top)
		mem_top = end;
}

/*
 * The highest place for a module above the hypervisor and below 2 GiB, where every kernel takes its initramfs, that touches no
 * module as it lies now: so none is overwritten before it is copied.
 */
static uint64_t module_place(uint64_t size, const struct boot_module *mods, uint32_t n)
{
	for (uint32_t r = mem_regions; r--;) {
		uint64_t end = mem_map[r].base + mem_map[r].size, low = mem_map[r].base;
		uint32_t i = 0;

		low = low < hv_limit ? hv_limit : low;
		end = end < TWO_GIB ? end : TWO_GIB;
		while (mem_map[r].type == MEM_RAM && i < n && end > low && end - low >= size) {
			if (mods[i].base < end && mods[i].base + mods[i].size > end - size) {
				end = mods[i].base & ~(PAGE - 1);
				i = 0;
			} else {
				i++;
			}
		}
		if (i == n)
			return end - size;
	}
	panic("no room for the boot modules between %lx and %llx: give the machine more memory", hv_limit, TWO_GIB);
}

/* The hypervisor is one piece: image, then what is allocated at boot. Boot modules may lie there, and move away first. */
void mem_reserve(struct boot_module *mods, uint32_t n)
{
	pool_next = (virt_to_phys(hv_end) + STACK_SIZE - 1) & ~(STACK_SIZE - 1ull);
	hv_limit = pool_next + mem_top / PAGE * 32 + mem_top / PAGE_1G * PAGE * 4 + (16ull << 20);
	hv_limit = (hv_limit + PAGE_2M - 1) & ~(PAGE_2M - 1);
	if (!mem_is_ram(virt_to_phys(hv_start), hv_limit - virt_to_phys(hv_start)))
		panic("no RAM in one piece from %lx to %lx for the hypervisor: the firmware holds some of it, or the machine has too little",
		      virt_to_phys(hv_start), hv_limit);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t to = module_place((mods[i].size + PAGE - 1) & ~(PAGE - 1), mods, n);

		memcpy(phys(to), phys(mods[i].base), mods[i].size);
		mods[i].base = to;
	}
	memset(phys(virt_to_phys(hv_end)), 0, hv_limit - virt_to_phys(hv_end));
}

void mem_wipe_free(const struct boot_module *mods, uint32_t n)
{
	for (uint32_t r = 0; r < mem_regions; r++) {
		uint64_t at = mem_map[r].base, end = at + mem_map[r].size, next;

		/* Page 0 holds the firmware's data area. */
		for (at += at ? 0 : PAGE; mem_map[r].type == MEM_RAM && at < end; at = next) {
			bool keep = mem_is_hv(at);

			next = keep ? hv_limit : at + PAGE;
			for (uint32_t i = 0; i < n; i++)
				keep |= at + PAGE > mods[i].base && at < mods[i].base + mods[i].size;
			if (!keep)
				memset(phys(at), 0, PAGE);
		}
	}
}

bool mem_is_ram(uint64_t pa, uint64_t size)
{
	for (uint32_t i = 0; i < mem_regions; i++)
		if (mem_map[i].type == MEM_RAM && pa >= mem_map[i].base && size <= mem_map[i].size &&
		    pa - mem_map[i].base <= mem_map[i].size - size)
			return true;
	return false;
}

static bool overlap(const struct mem_region *r, uint64_t pa, uint64_t size)
{
	return pa < r->base + r->size && (pa >= r->base || size > r->base - pa);
}

bool mem_has_ram(uint64_t pa, uint64_t size)
{
	for (uint32_t i = 0; i < mem_regions; i++)
		if (mem_map[i].type == MEM_RAM && overlap(&mem_map[i], pa, size))
			return true;
	return false;
}

bool mem_touches_ram(uint64_t pa, uint64_t size)
{
	for (uint32_t i = 0; i < mem_regions; i++)
		if (mem_map[i].type != MEM_RESERVED && overlap(&mem_map[i], pa, size))
			return true;
	return false;
}

bool mem_is_hv(uint64_t pa)
{
	return pa >= virt_to_phys(hv_start) && pa < hv_limit;
}

void *boot_alloc(uint64_t pages)
{
	uint64_t p = pool_next;

	if (pages > (hv_limit - p) / PAGE)
		panic("the hypervisor's boot memory is too small: %lu pages asked for", pages);
	pool_next += pages * PAGE;
	return phys(p);
}

void *boot_alloc_stack(void)
{
	pool_next = (pool_next + STACK_SIZE - 1) & ~(STACK_SIZE - 1ull);
	return boot_alloc(STACK_SIZE / PAGE);
}

static uint64_t *next_table(uint64_t *table, uint32_t i)
{
	if (!(table[i] & PTE_P))
		table[i] = virt_to_phys(boot_alloc(1)) | PTE_P | PTE_W;
	return phys(table[i] & PTE_ADDR);
}

/*
 * Identity map of the first 4 GiB and of all RAM, 2 MiB pages, never executable but for our text, which is read-only.
 */
void paging_init(void)
{
	uint64_t *pml4 = boot_alloc(1), end = mem_top > FOUR_GIB ? mem_top : FOUR_GIB;
	uint64_t image = virt_to_phys(hv_start), image_end = (virt_to_phys(hv_end) + PAGE_2M - 1) & ~(PAGE_2M - 1);

	for (uint64_t a = 0; a < end; a += PAGE_2M) {
		uint64_t *pdpt = next_table(pml4, (a >> 39) & 511);
		uint64_t *pd = next_table(pdpt, (a >> 30) & 511);
		uint64_t *pt;

		if (a < image || a >= image_end) {
			pd[(a >> 21) & 511] = a | PTE_P | PTE_W | PTE_PS | PTE_NX;
			continue;
		}
		pt = next_table(pd, (a >> 21) & 511);
		for (uint64_t p = a; p < a + PAGE_2M; p += PAGE)
			pt[(p >> 12) & 511] = p < virt_to_phys(hv_text_end) ? p | PTE_P :
					      p | PTE_P | PTE_W | PTE_NX;
	}
	paging_end = pool_next;
	hv_cr3 = virt_to_phys(pml4);
	asm volatile("movq %0, %%cr3" : : "r"(hv_cr3) : "memory");
}
