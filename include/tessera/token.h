/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Tokens: spec/tokens.md. A token names a run of pages, or of bytes, that its issuer lets one other domain use, until revoked.
 */
#ifndef TESSERA_TOKEN_H
#define TESSERA_TOKEN_H

#include <tessera/types.h>

/* 128 bits. Only equality means anything to its holders; the fields are the hypervisor's. */
struct tsr_token {
	uint32_t slot;
	uint32_t generation; /* of the slot; 0 is never valid, so an all-zero token never is */
	uint64_t random;
};
TSR_ASSERT_SIZE(struct tsr_token, 16);

#define TSR_TOKEN_MAX_PAGES 512u /* pages in one run: 2 MiB */

/* What the recipient may do with the pages. Nested paging has no write-only: WRITE implies that reads succeed too. */
enum tsr_token_dir {
	TSR_DIR_READ = 1,
	TSR_DIR_WRITE = 2,
	TSR_DIR_BOTH = 3,
};

/* How the pages move. */
enum tsr_token_how {
	TSR_HOW_MAP = 0,    /* mapped: the recipient sees the pages themselves */
	TSR_HOW_COPY = 1,   /* copied: TSR_CALL_TOKEN_COPY by the recipient; by the issuer too, when the recipient has named a place */
	TSR_HOW_EITHER = 2, /* TOKEN_MAP maps where devices follow it; else the hypervisor copies, then and at the end */
};

enum tsr_token_state {
	TSR_TOKEN_FREE = 0,
	TSR_TOKEN_ISSUED = 1,   /* issued, not yet mapped */
	TSR_TOKEN_MAPPED = 2,   /* in the recipient's window */
	TSR_TOKEN_SPENT = 3,    /* was mapped and unmapped; cannot be mapped again */
	TSR_TOKEN_REVOKING = 4, /* revoke has begun; some CPU has not yet let go */
	TSR_TOKEN_PLACED = 5,   /* the recipient has named window pages of its own; what moves is copied */
};

/* One element of TSR_CALL_TOKEN_ISSUE. */
struct tsr_token_issue {
	uint64_t gfn;           /* in: first guest page of the run */
	uint32_t pages;         /* in: 1..TSR_TOKEN_MAX_PAGES */
	uint8_t dir;            /* in: enum tsr_token_dir */
	uint8_t how;            /* in: enum tsr_token_how */
	uint16_t device;        /* in: device index of the issuer's measured configuration */
	uint32_t session;       /* in: session the token is bound to, not 0 */
	uint32_t offset;        /* in: HOW_COPY: first byte, in the first page; else 0 */
	struct tsr_token token; /* out */
	uint32_t bytes;         /* in: HOW_COPY: how many, the last one in the last page; 0: to the end of the run; else 0 */
	uint32_t reserved0;     /* in: 0 */
	uint64_t reserved1[2];  /* in: 0 */
};
TSR_ASSERT_SIZE(struct tsr_token_issue, 64);

/* One element of TSR_CALL_TOKEN_MAP, which names a place where the token is not mapped. Everything named must equal what the token is bound to. */
struct tsr_token_map {
	struct tsr_token token;
	uint64_t window_pfn; /* first page of a run inside a registered window */
	uint32_t pages;
	uint32_t issuer;     /* guest id */
	uint32_t session;
	uint16_t device;
	uint8_t dir;
	uint8_t how;
	uint64_t reserved[3]; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_token_map, 64);

/* One element of TSR_CALL_TOKEN_REVOKE and TSR_CALL_TOKEN_UNMAP. */
struct tsr_token_ref {
	struct tsr_token token;
};
TSR_ASSERT_SIZE(struct tsr_token_ref, 16);

/*
 * One element of TSR_CALL_TOKEN_COPY: bytes of a HOW_COPY token's range, from or to memory of the recipient. Done in order; elements may
 * name the same token.
 */
struct tsr_token_copy {
	struct tsr_token token;
	uint64_t address;      /* host: physical, of ordinary memory of its own, all of length in one page; issuer: 0, the place is meant */
	uint32_t offset;       /* from the start of the token's range */
	uint32_t length;       /* 1..TSR_PAGE_SIZE */
	uint32_t issuer;       /* as bound */
	uint32_t session;      /* as bound */
	uint8_t dir;           /* TSR_DIR_READ: out of the range; TSR_DIR_WRITE: into it */
	uint8_t reserved0[7];  /* 0 */
	uint64_t reserved1[2]; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_token_copy, 64);

/* What TSR_CALL_TOKEN_QUERY and TSR_CALL_TOKEN_LIST tell. The random half is never told. */
struct tsr_token_info {
	uint32_t slot;
	uint32_t generation;
	uint32_t issuer;     /* guest id */
	uint32_t session;
	uint64_t gfn;        /* told to the issuer only, else 0 */
	uint64_t window_pfn; /* while mapped or placed, to the recipient only, else 0 */
	uint32_t pages;
	uint16_t device;
	uint8_t dir;
	uint8_t state;       /* enum tsr_token_state */
	uint32_t offset, bytes; /* the range that may be copied */
	uint8_t how;
	uint8_t reserved0[7];
	uint64_t reserved1;
};
TSR_ASSERT_SIZE(struct tsr_token_info, 64);

#endif
