/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Fixed-width types for every place that includes these headers: Linux kernel code, user space and freestanding C.
 * All structures here are little-endian, naturally aligned and without hidden padding.
 */
#ifndef TESSERA_TYPES_H
#define TESSERA_TYPES_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

#define TSR_PAGE_SHIFT 12
#define TSR_PAGE_SIZE  4096u

/* The sizes are ABI: a structure that grows by accident must not compile. */
#define TSR_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has the wrong size")

#endif
