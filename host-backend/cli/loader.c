// SPDX-License-Identifier: BSD-2-Clause-Patent
/* A guest's contents: Linux by its 32-bit boot protocol, or a flat file. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host-backend/cli/loader.h"

/* In boot_params; Linux Documentation/arch/x86/zero-page.rst. */
enum {
	ACPI_RSDP = 0x070,
	E820_ENTRIES = 0x1e8,
	VID_MODE = 0x1fa,
	TYPE_OF_LOADER = 0x210,
	CODE32_START = 0x214,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	E820_TABLE = 0x2d0,
};
enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3 };
#define LOADER_TYPE_UNKNOWN 0xff
#define VID_MODE_NORMAL     0xffff

static bool refuse(struct loader_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct loader_error *error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return false;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void add(struct loader_contents *c, uint64_t gpa, const uint8_t *data, uint64_t size, uint8_t *own)
{
	c->segment[c->segments++] = (struct loader_segment){ .gpa = gpa, .data = data, .size = size, .own = own };
}

/* Zeroed memory that the contents own. */
static uint8_t *add_own(struct loader_contents *c, uint64_t gpa, uint64_t size, struct loader_error *error)
{
	uint8_t *own = calloc(1, size);

	if (own)
		add(c, gpa, own, size, own);
	else
		refuse(error, "out of memory");
	return own;
}

void loader_free(struct loader_contents *contents)
{
	for (unsigned i = 0; i < contents->segments; i++)
		free(contents->segment[i].own);
	memset(contents, 0, sizeof(*contents));
}

static void add_e820(uint8_t *boot_params, uint64_t from, uint64_t to, enum e820_type type)
{
	uint8_t *at = boot_params + E820_TABLE + 20 * boot_params[E820_ENTRIES]++;

	put(at, from, 8);
	put(at + 8, to - from, 8);
	put(at + 16, type, 4);
}

static void fill_boot_params(uint8_t *bp, const struct loader_linux *in, const struct loader_kernel *k, uint64_t initrd)
{
	memcpy(bp + LOADER_SETUP_HEADER, in->kernel.data + LOADER_SETUP_HEADER, k->header_len);
	put(bp + ACPI_RSDP, LOADER_ACPI, 8);
	put(bp + VID_MODE, VID_MODE_NORMAL, 2);
	bp[TYPE_OF_LOADER] = LOADER_TYPE_UNKNOWN;
	put(bp + CODE32_START, k->load, 4);
	put(bp + CMD_LINE_PTR, LOADER_COMMAND_LINE, 4);
	if (in->initrd.data) {
		put(bp + RAMDISK_IMAGE, initrd, 4);
		put(bp + RAMDISK_SIZE, in->initrd.size, 4);
	}
	add_e820(bp, 0, LOADER_LOW_END, E820_RAM);
	add_e820(bp, LOADER_LOW_END, LOADER_ACPI, E820_RESERVED);
	add_e820(bp, LOADER_ACPI, LOADER_ACPI + LOADER_ACPI_SIZE, E820_ACPI);
	add_e820(bp, LOADER_ACPI + LOADER_ACPI_SIZE, LOADER_HIGH, E820_RESERVED);
	add_e820(bp, LOADER_HIGH, in->mem_pages * TSR_PAGE_SIZE, E820_RAM);
}

/* As high as it may be, so that it is out of the way of a kernel that unpacks itself. */
static bool place_initrd(const struct loader_linux *in, const struct loader_kernel *k, uint64_t *address,
			 struct loader_error *error)
{
	uint64_t top = in->mem_pages * TSR_PAGE_SIZE;
	uint64_t kernel_end = k->load + k->init_size;

	if (top < kernel_end)
		return refuse(error, "this kernel needs at least %llu MiB of memory to start; give more with --memory",
			      (unsigned long long)(kernel_end >> 20) + 1);
	*address = 0;
	if (!in->initrd.data)
		return true;
	if (top > k->initrd_max + 1)
		top = k->initrd_max + 1;
	top -= top % TSR_PAGE_SIZE;
	if (top < kernel_end || in->initrd.size > top - kernel_end)
		return refuse(error, "kernel and initrd need about %llu MiB of memory; give more with --memory",
			      (unsigned long long)((kernel_end + in->initrd.size) >> 20) + 2);
	*address = top - in->initrd.size;
	*address -= *address % TSR_PAGE_SIZE;
	if (*address < kernel_end)
		return refuse(error, "kernel and initrd leave no free page between them; give more with --memory");
	return true;
}

static bool check_inputs(const struct loader_linux *in, const struct loader_kernel *k, struct loader_error *error)
{
	size_t len = strlen(in->command_line);

	if (len >= LOADER_COMMAND_MAX || len > k->command_max)
		return refuse(error, "the command line is longer than this kernel takes (%u bytes)",
			      k->command_max < LOADER_COMMAND_MAX ? k->command_max : LOADER_COMMAND_MAX - 1);
	if (in->mem_pages > LOADER_MAX_MEMORY / TSR_PAGE_SIZE)
		return refuse(error, "a guest has at most %llu GiB of memory", LOADER_MAX_MEMORY >> 30);
	if (!in->vcpus || in->vcpus > 16)
		return refuse(error, "a guest has 1 to 16 virtual CPUs");
	return true;
}

bool loader_build_linux(struct loader_contents *c, const struct loader_linux *in, struct loader_error *error)
{
	struct loader_kernel k;
	uint8_t *boot_params, *command_line, *acpi;
	uint64_t initrd = 0;

	memset(c, 0, sizeof(*c));
	if (!loader_parse_kernel(&k, in->kernel, error) || !check_inputs(in, &k, error) ||
	    !place_initrd(in, &k, &initrd, error))
		return false;
	/* Ascending: the order of loading is part of the identity. */
	boot_params = add_own(c, LOADER_BOOT_PARAMS, TSR_PAGE_SIZE, error);
	command_line = boot_params ? add_own(c, LOADER_COMMAND_LINE, LOADER_COMMAND_MAX, error) : NULL;
	acpi = command_line ? add_own(c, LOADER_ACPI, LOADER_ACPI_SIZE, error) : NULL;
	if (!acpi) {
		loader_free(c);
		return false;
	}
	fill_boot_params(boot_params, in, &k, initrd);
	memcpy(command_line, in->command_line, strlen(in->command_line));
	loader_build_acpi(acpi, in->vcpus);
	add(c, k.load, in->kernel.data + k.offset, k.size, NULL);
	if (in->initrd.data && in->initrd.size)
		add(c, initrd, in->initrd.data, in->initrd.size, NULL);
	c->eip = (uint32_t)k.load;
	c->esi = LOADER_BOOT_PARAMS;
	return true;
}

bool loader_build_raw(struct loader_contents *c, struct loader_file file, uint64_t address, uint32_t entry, uint64_t mem_pages,
		      struct loader_error *error)
{
	uint64_t top = mem_pages * TSR_PAGE_SIZE;

	memset(c, 0, sizeof(*c));
	if (mem_pages > LOADER_MAX_MEMORY / TSR_PAGE_SIZE)
		return refuse(error, "a guest has at most %llu GiB of memory", LOADER_MAX_MEMORY >> 30);
	if (address % TSR_PAGE_SIZE)
		return refuse(error, "the load address 0x%llx is not a multiple of 4096", (unsigned long long)address);
	if (!file.size)
		return refuse(error, "the file is empty");
	if (address >= top || file.size > top - address)
		return refuse(error, "the file does not fit into the guest's memory at 0x%llx", (unsigned long long)address);
	if (entry < address || entry - address >= file.size)
		return refuse(error, "the entry 0x%x is outside the file's place in memory", entry);
	add(c, address, file.data, file.size, NULL);
	c->eip = entry;
	return true;
}
