/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What a boot loader says, copied out of its memory: Multiboot 1 (QEMU's -kernel) and Multiboot 2 (GRUB, from BIOS and UEFI). */
#ifndef HV_X86_MULTIBOOT_H
#define HV_X86_MULTIBOOT_H

#include <stddef.h>
#include <stdint.h>

#define MB1_LOADED	0x2badb002u
#define MB2_LOADED	0x36d76289u
#define MB2_SIZE_MAX	0x100000u	/* of the information, bytes */
#define BOOT_CMDLINE_MAX 1024u		/* of the hypervisor, bytes with the end */
#define BOOT_MODULES_MAX 2u

struct boot_module {
	uint64_t base, size;	/* physical, bytes */
	char cmdline[2048];
};

/* Linux' struct screen_info (include/uapi/linux/screen_info.h), as it stands at the start of boot_params. */
struct boot_screen {
	uint8_t x, y;
	uint16_t ext_mem_k, page;
	uint8_t mode, cols;
	uint16_t unused;
	uint16_t ega_bx, unused2;
	uint8_t lines, type;	/* type: 0 unknown, 1 VGA text, 0x23 linear frame buffer */
	uint16_t points, width, height, depth;
	uint32_t base, size;	/* size in 64 KiB */
	uint16_t cl_magic, cl_offset, pitch;
	uint8_t colours[8];	/* size and position, of red, green, blue, reserved */
	uint16_t vesapm[2], pages, attributes;
	uint32_t capabilities, base_high;
	uint16_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct boot_screen) == 64, "boot.rst: screen_info is 0x00..0x3f");

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX];
	struct boot_module module[BOOT_MODULES_MAX];
	uint32_t modules;
	uint8_t rsdp[36];	/* a copy of ACPI's root pointer; rsdp_size 0: to be searched for */
	uint32_t rsdp_size;
	struct boot_screen screen;
};

/*
 * Boot CPU, once, before the loader's memory is used for anything else. Regions go to mem_add(). The result is NULL, or what
 * is wrong with the information; *b is whole only in the first case. size is that of the memory that may be read.
 */
const char *mb2_parse(const uint8_t *info, uint32_t size, struct boot_info *b);

/* By the loader's magic number. Panics where the information is not to be used; wipes command lines where they lay. */
void multiboot_read(uint32_t magic, uint32_t info, struct boot_info *b);

#endif
