/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Machine frames and guest frames are different types, so that mixing them does not compile.
 */
#ifndef HV_CORE_TYPES_H
#define HV_CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t n; } mfn_t; /* machine frame: hpa >> 12 */
typedef struct { uint64_t n; } gfn_t; /* frame as a domain sees it: gpa >> 12 */

static inline mfn_t mfn(uint64_t n) { return (mfn_t){n}; }
static inline gfn_t gfn(uint64_t n) { return (gfn_t){n}; }

#define GFN_NONE UINT32_MAX

/* A 4 KiB nested translation. perm 0: not present. */
struct leaf {
	mfn_t frame;
	uint8_t perm;
};
#define PERM_R 1u
#define PERM_W 2u
#define PERM_X 4u
#define PERM_RWX 7u

struct ram_range {
	uint64_t first, count; /* frames */
};

#endif
