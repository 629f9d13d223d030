/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The host's kernel, by the Linux/x86 boot protocol 2.12 and later, 32-bit entry
 * (Documentation/x86/boot.rst). Addresses are the host's, which equal the real ones.
 */
#include "hv/x86/multiboot.h"
#include "hv/x86/x86.h"

#define CMDLINE_MAX	2048u

/* Offsets in the zero page and the setup header in it. */
#define ZP_RSDP		0x070
#define ZP_E820_COUNT	0x1e8
#define ZP_HEADER	0x1f1
#define ZP_BOOT_FLAG	0x1fe
#define ZP_MAGIC	0x202
#define ZP_VERSION	0x206
#define ZP_LOADER	0x210
#define ZP_LOADFLAGS	0x211
#define ZP_CODE32	0x214
#define ZP_RAMDISK	0x218
#define ZP_RAMDISK_LEN	0x21c
#define ZP_CMDLINE	0x228
#define ZP_INITRD_MAX	0x22c
#define ZP_RELOCATABLE	0x234
#define ZP_CMDLINE_SIZE	0x238
#define ZP_PREF		0x258
#define ZP_INIT_SIZE	0x260
#define ZP_E820		0x2d0
#define ZP_E820_MAX	128u

#define GET32(p, off)	(*(uint32_t *)((char *)(p) + (off)))
#define GET64(p, off)	(*(uint64_t *)((char *)(p) + (off)))
#define GET16(p, off)	(*(uint16_t *)((char *)(p) + (off)))

struct e820 {
	uint64_t base, size;
	uint32_t type;
} __attribute__((packed));

static void e820_add(char *zp, uint64_t base, uint64_t end, uint32_t type)
{
	struct e820 *e = (struct e820 *)(zp + ZP_E820);
	uint8_t *n = (uint8_t *)zp + ZP_E820_COUNT;

	if (base >= end)
		return;
	if (*n == ZP_E820_MAX)
		panic("the host's memory map has more than %u regions", ZP_E820_MAX);
	e[(*n)++] = (struct e820){ base, end - base, type };
}

/* The machine's map with the hypervisor cut out of its RAM. */
static void build_e820(char *zp)
{
	uint64_t from = virt_to_phys(hv_start);

	for (uint32_t i = 0; i < mem_regions; i++) {
		uint64_t at = mem_map[i].base, end = at + mem_map[i].size;

		if (from >= at && from < end) {
			e820_add(zp, at, from, mem_map[i].type);
			e820_add(zp, from, hv_limit, MEM_RESERVED);
			at = hv_limit;
		}
		e820_add(zp, at, end, mem_map[i].type);
	}
}

void linux_load(const struct boot_info *b, const char *more, struct host_entry *out)
{
	const char *cmdline = b->module[0].cmdline;
	char *zp = phys(BOOT_PARAMS), *image = phys(b->module[0].base);
	uint64_t ksize = b->module[0].size, initrd = b->module[1].base, isize = b->module[1].size;
	uint64_t setup, load, room, len = 0, extra = 0;
	uint64_t *gdt = phys(BOOT_GDT);

	if (!mem_is_ram(BOOT_PARAMS, BOOT_LOW_END - BOOT_PARAMS))
		panic("the firmware holds memory from %llx to %llx, where the host's kernel starts", BOOT_PARAMS, BOOT_LOW_END);
	if (ksize < 0x1000 || GET16(image, ZP_BOOT_FLAG) != 0xaa55 || GET32(image, ZP_MAGIC) != 0x53726448 ||
	    GET16(image, ZP_VERSION) < 0x20c)
		panic("the first boot module is no Linux kernel (bzImage, boot protocol 2.12 or later)");
	setup = ((uint8_t)image[ZP_HEADER] ? (uint64_t)(uint8_t)image[ZP_HEADER] : 4) * 512 + 512;
	if (setup >= ksize)
		panic("the host's kernel file is cut short");
	load = GET64(image, ZP_PREF);
	room = GET32(image, ZP_INIT_SIZE);
	if (room < ksize - setup)
		room = ksize - setup;
	if (!mem_is_ram(load, room) || load + room > virt_to_phys(hv_start))
		panic("no room for the host's kernel: %lx bytes at %lx", room, load);
	while (cmdline[len])
		len++;
	while (more[extra])
		extra++;
	if (len + extra >= CMDLINE_MAX || len + extra > GET32(image, ZP_CMDLINE_SIZE))
		panic("the host's command line is longer than its kernel takes");
	if (isize && initrd + isize - 1 > GET32(image, ZP_INITRD_MAX))
		panic("the host's initramfs lies too high at %lx", initrd);

	memset(zp, 0, PAGE);
	memcpy(zp + ZP_HEADER, image + ZP_HEADER, 0x202 + (uint8_t)image[0x201] - ZP_HEADER);
	memcpy(zp, &b->screen, sizeof(b->screen));
	zp[ZP_LOADER] = (char)0xff;
	zp[ZP_LOADFLAGS] |= 1;
	GET32(zp, ZP_CODE32) = (uint32_t)load;
	GET32(zp, ZP_CMDLINE) = (uint32_t)BOOT_CMDLINE;
	GET32(zp, ZP_RAMDISK) = (uint32_t)initrd;
	GET32(zp, ZP_RAMDISK_LEN) = (uint32_t)isize;
	GET64(zp, ZP_RSDP) = acpi.rsdp;
	memcpy(phys(BOOT_CMDLINE), cmdline, len);
	memcpy(phys(BOOT_CMDLINE + len), more, extra + 1);
	build_e820(zp);
	memmove(phys(load), image + setup, ksize - setup);
	/* The module's own copy goes back to the host clean, its place is ordinary RAM. */
	memset(image, 0, ksize);

	gdt[0] = 0;
	gdt[1] = 0;
	gdt[2] = 0x00cf9b000000ffff;	/* 0x10: code */
	gdt[3] = 0x00cf93000000ffff;	/* 0x18: data */
	*out = (struct host_entry){ (uint32_t)load, (uint32_t)BOOT_PARAMS, (uint32_t)BOOT_GDT, 31 };
}
