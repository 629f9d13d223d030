/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What guest_tokens.ko and the host's program tokens.c agree on: one page, whose token the guest connects with. */
#ifndef BENCH_TOKENS_H
#define BENCH_TOKENS_H

#include <tessera/hypercall.h>
#include "mark.h"

#define TOKENS 64 /* of one page each, a round */

struct tokens_page {
	uint32_t round; /* the guest's: these tokens are to be mapped, so many in a call */
	uint32_t batch;
	uint32_t done;  /* the host's: the last round that it has mapped */
	uint32_t reserved;
	struct tsr_token token[TOKENS];
};

/* Marks of an operation and a batch: {issue 1, map 2, revoke 3} * 16 + {1: 0, 8: 3, 64: 6}. A round whose batch is 0 is not counted. */
#define TOKENS_MARK(kind, op, batch)                \
	do {                                        \
		if ((batch) == 1)                   \
			MARK(kind, op * 16 + 0);    \
		else if ((batch) == 8)              \
			MARK(kind, op * 16 + 3);    \
		else                                \
			MARK(kind, op * 16 + 6);    \
	} while (0)

#endif
