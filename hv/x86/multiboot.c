/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The boot loader's information, by whichever of the two protocols (Multiboot Specification 0.6.96, 3.3, and 2.0, 3.6). */
#include "hv/x86/multiboot.h"
#include "hv/x86/x86.h"

#define MB1_CMDLINE	(1u << 2)
#define MB1_MODULES	(1u << 3)
#define MB1_MMAP	(1u << 6)

struct mb1_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	uint32_t mmap_length, mmap_addr;
};

struct mb1_mod {
	uint32_t start, end, string, reserved;
};

struct mb1_mmap {
	uint32_t size;
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));

/* Copies a string out and wipes it. skip: without its first word, which is a file's name here. */
static void take_string(char *to, size_t max, uint32_t from, bool skip)
{
	volatile char *s = phys(from);
	size_t n = 0;

	for (; from && *s; s++) {
		if (skip) {
			skip = *s != ' ';
		} else {
			if (n >= max - 1)
				panic("a boot command line is longer than %u bytes", (uint32_t)max - 1);
			to[n++] = *s;
		}
		*s = 0;
	}
	to[n] = 0;
}

static void mb1_read(const struct mb1_info *mb, struct boot_info *b)
{
	const struct mb1_mod *mod = phys(mb->mods_addr);
	uint64_t next;

	if (!(mb->flags & MB1_MMAP))
		panic("the loader gives no memory map");
	for (uint64_t off = 0; off + sizeof(struct mb1_mmap) <= mb->mmap_length; off = next) {
		const struct mb1_mmap *m = phys(mb->mmap_addr + off);

		next = off + m->size + 4ull;
		mem_add(m->base, m->base + m->len, m->type);
	}
	if (mb->flags & MB1_CMDLINE)
		take_string(b->cmdline, sizeof(b->cmdline), mb->cmdline, true);
	b->modules = mb->flags & MB1_MODULES ? mb->mods_count : 0;
	if (b->modules > BOOT_MODULES_MAX)
		panic("there are more boot modules than the host's kernel and its initramfs");
	for (uint32_t i = 0; i < b->modules; i++) {
		struct boot_module *m = &b->module[i];

		m->base = mod[i].start;
		m->size = mod[i].end - mod[i].start;
		take_string(m->cmdline, sizeof(m->cmdline), mod[i].string, true);
	}
}

static void mb2_read(uint32_t info, struct boot_info *b)
{
	uint32_t *p = phys(info);
	uint32_t size = *p;
	const char *bad;

	if (info % 8 || size > MB2_SIZE_MAX || size > UINT32_MAX - info)
		panic("the boot loader's information at %x has an impossible size: %u bytes", info, size);
	bad = mb2_parse((const uint8_t *)p, size, b);
	/* Our command line is in it. */
	memset(p, 0, size);
	if (bad)
		panic("the boot loader's information is not to be used: %s", bad);
}

void multiboot_read(uint32_t magic, uint32_t info, struct boot_info *b)
{
	if (magic == MB2_LOADED)
		mb2_read(info, b);
	else if (magic == MB1_LOADED)
		mb1_read(phys(info), b);
	else
		panic("not started by a multiboot loader (GRUB's multiboot2, or QEMU's -kernel)");
	if (!mem_regions)
		panic("the boot loader gives no memory map");
	if (!b->modules)
		panic("boot modules wanted: the host's kernel, and its initramfs");
	for (uint32_t i = 0; i < b->modules; i++)
		if (!mem_is_ram(b->module[i].base, b->module[i].size))
			panic("boot module %u is not in RAM: %lx, %lu bytes", i, b->module[i].base, b->module[i].size);
}
