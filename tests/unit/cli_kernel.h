/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A small bzImage whose header each test can spoil. */
#ifndef CLI_KERNEL_H
#define CLI_KERNEL_H

#include <string.h>

#include "host-backend/cli/loader.h"

#define KERNEL_SETUP_SECTS 1u
#define KERNEL_OFFSET      ((KERNEL_SETUP_SECTS + 1) * 512u)
#define KERNEL_FILE        (KERNEL_OFFSET + 10000u)

struct test_kernel {
	uint8_t bytes[KERNEL_FILE];
};

static inline void poke(struct test_kernel *k, uint32_t at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		k->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

static inline void good_kernel(struct test_kernel *k)
{
	memset(k, 0, sizeof(*k));
	memset(k->bytes + KERNEL_OFFSET, 0xaa, KERNEL_FILE - KERNEL_OFFSET);
	k->bytes[0x1f1] = KERNEL_SETUP_SECTS;
	poke(k, 0x1fe, 0xaa55, 2);
	poke(k, 0x200, 0x6aeb, 2); /* jump: header ends at 0x26c */
	memcpy(k->bytes + 0x202, "HdrS", 4);
	poke(k, 0x206, 0x020f, 2);
	k->bytes[0x211] = 1; /* LOADED_HIGH */
	poke(k, 0x22c, 0x7fffffff, 4);
	poke(k, 0x230, 0x200000, 4);
	k->bytes[0x234] = 1;
	poke(k, 0x238, 2047, 4);
	poke(k, 0x258, 0x1000000, 8);
	poke(k, 0x260, 0x400000, 4);
}

static inline struct loader_file kernel_file(const struct test_kernel *k)
{
	return (struct loader_file){ k->bytes, sizeof(k->bytes) };
}

#endif
