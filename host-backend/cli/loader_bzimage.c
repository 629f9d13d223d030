// SPDX-License-Identifier: BSD-2-Clause-Patent
/* The header of a bzImage: Linux Documentation/arch/x86/boot.rst. Untrusted like any file: every number is checked before use. */
#include <stdio.h>
#include <string.h>

#include "host-backend/cli/loader.h"

#define SECTOR 512u

/* Offsets in the file. */
enum {
	SETUP_SECTS = 0x1f1,
	BOOT_FLAG = 0x1fe,
	JUMP_LEN = 0x201,
	MAGIC = 0x202,
	VERSION = 0x206,
	LOADFLAGS = 0x211,
	INITRD_ADDR_MAX = 0x22c,
	KERNEL_ALIGNMENT = 0x230,
	RELOCATABLE = 0x234,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_END = 0x264, /* of what is read here; version 2.10 has it all */
	BOOT_PARAMS_END = 0x290, /* of the space for the header in boot_params */
};
#define OLDEST_VERSION 0x020au
#define LOADED_HIGH    0x01u
#define HIGHEST_LOAD   0x40000000ull /* keeps every sum below in 32 bits */

static uint64_t get(struct loader_file file, uint32_t at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)file.data[at + i] << (8 * i);
	return value;
}

static bool refuse(struct loader_error *error, const char *why)
{
	snprintf(error->text, sizeof(error->text), "the kernel cannot be used: %s; give a bzImage such as a distribution's vmlinuz", why);
	return false;
}

static bool check_header(struct loader_kernel *k, struct loader_file file, struct loader_error *error)
{
	uint32_t end;

	if (file.size < HEADER_END || get(file, BOOT_FLAG, 2) != 0xaa55 || memcmp(file.data + MAGIC, "HdrS", 4))
		return refuse(error, "it has no Linux boot header");
	if (get(file, VERSION, 2) < OLDEST_VERSION)
		return refuse(error, "its boot protocol is older than 2.10");
	if (!(get(file, LOADFLAGS, 1) & LOADED_HIGH))
		return refuse(error, "it is not loaded above 1 MiB");
	end = MAGIC + (uint32_t)get(file, JUMP_LEN, 1);
	if (end < HEADER_END || end > BOOT_PARAMS_END || end > file.size)
		return refuse(error, "its boot header has an impossible length");
	k->header_len = (uint8_t)(end - LOADER_SETUP_HEADER);
	return true;
}

static bool find_address(struct loader_kernel *k, struct loader_file file, struct loader_error *error)
{
	uint64_t alignment = get(file, KERNEL_ALIGNMENT, 4);
	uint64_t preferred = get(file, PREF_ADDRESS, 8);

	if (!alignment || alignment & (alignment - 1))
		return refuse(error, "its alignment is not a power of two");
	if (preferred > HIGHEST_LOAD)
		return refuse(error, "the address it prefers is beyond 1 GiB");
	k->load = preferred < LOADER_HIGH ? LOADER_HIGH : preferred;
	if (get(file, RELOCATABLE, 1))
		k->load = (k->load + alignment - 1) & ~(alignment - 1);
	else if (k->load != preferred)
		return refuse(error, "it is not relocatable and wants to be below 1 MiB");
	if (k->load > HIGHEST_LOAD || k->load % TSR_PAGE_SIZE)
		return refuse(error, "its address is beyond 1 GiB or not page-aligned");
	return true;
}

bool loader_parse_kernel(struct loader_kernel *k, struct loader_file file, struct loader_error *error)
{
	uint64_t sects;

	memset(k, 0, sizeof(*k));
	if (!check_header(k, file, error) || !find_address(k, file, error))
		return false;
	sects = get(file, SETUP_SECTS, 1);
	k->offset = ((sects ? sects : 4) + 1) * SECTOR;
	if (k->offset >= file.size)
		return refuse(error, "the file ends before the kernel begins");
	k->size = file.size - k->offset;
	k->init_size = get(file, INIT_SIZE, 4);
	/* What is loaded is inside what it says it needs; a header that says less would let the initrd overlap it. */
	if (k->init_size < k->size)
		k->init_size = k->size;
	if (k->init_size > HIGHEST_LOAD)
		return refuse(error, "it says it needs more than 1 GiB to start");
	k->initrd_max = get(file, INITRD_ADDR_MAX, 4);
	k->command_max = (uint32_t)get(file, CMDLINE_SIZE, 4);
	return true;
}
