/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The block device: spec/block.md. The front-end grants, per queue and session, a ring run and a seal run; requests name places in them
 * and in a data run, whose pages move in one of three ways. Data and seal pages only ever hold ciphertext, seals and zeros.
 */
#ifndef TESSERA_BLOCK_H
#define TESSERA_BLOCK_H

#include <tessera/ring.h>
#include <tessera/seal.h>
#include <tessera/token.h>

#define TSR_BLK_MAGIC      0x4b4c4254u /* "TBLK" */
#define TSR_BLK_VERSION    1u
#define TSR_BLK_MAX_QUEUES 16u
#define TSR_BLK_MAX_BLOCKS 256u /* blocks of one request: 1 MiB */
#define TSR_BLK_DIRECT_BLOCKS 32u /* of one without a table: 128 KiB */

/* How the data run's pages move. */
enum tsr_blk_mode {
	TSR_BLK_POOLED = 0, /* granted once for the session, to be mapped */
	TSR_BLK_STRICT = 1, /* each request brings a token of its pages, to be mapped or copied: revoked before they are looked at */
	TSR_BLK_COPIED = 2, /* granted once, never mapped: what the back-end wants of it or has for it the hypervisor copies */
};

enum tsr_blk_op {
	TSR_BLK_READ = 1,         /* blocks: data to the pool (not for ZERO seals), seals to the seal slot */
	TSR_BLK_WRITE = 2,        /* blocks: data from the pool, seals from the seal slot */
	TSR_BLK_FLUSH = 3,        /* everything completed before this was submitted becomes durable */
	TSR_BLK_WRITE_ZEROES = 4, /* blocks: ZERO seals from the seal slot, no data */
	TSR_BLK_HEADER_READ = 5,  /* block = header slot: TSR_HEADER_SIZE bytes to the pool */
	TSR_BLK_HEADER_WRITE = 6, /* block = header slot: from the pool; durable when completed */
};

#define TSR_BLK_FUA      (1u << 0) /* WRITE, WRITE_ZEROES: durable when completed */
#define TSR_BLK_INDIRECT (1u << 1) /* READ, WRITE, WRITE_ZEROES: a table says where data and seals are */
#define TSR_BLK_UNMAP    (1u << 2) /* WRITE_ZEROES: the space is not needed, the medium may have it back */

/* A submission. The id is also the number of its seal slot: TSR_BLK_DIRECT_BLOCKS seals at id * TSR_BLK_SEAL_SLOT in the seal run. */
struct tsr_blk_request {
	uint16_t id;        /* < depth, not in use by another request in flight */
	uint8_t op;         /* enum tsr_blk_op */
	uint8_t flags;      /* TSR_BLK_FUA */
	uint32_t count;     /* blocks, 1..TSR_BLK_DIRECT_BLOCKS, INDIRECT: 1..TSR_BLK_MAX_BLOCKS; 0 for FLUSH; TSR_HEADER_BLOCKS for HEADER_* */
	uint64_t block;     /* first block, or header slot; 0 for FLUSH */
	uint32_t data_page; /* first page of count consecutive ones in the data run, 0 where no data is moved; INDIRECT: of the table's */
	uint32_t segments;  /* INDIRECT READ, WRITE: the table's segments, 1..count; else 0 */
	struct tsr_token token; /* STRICT: of the pages that the request names, table first; else, and where there are none, 0 */
	uint64_t reserved1[3]; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_blk_request, 64);

#define TSR_BLK_SEAL_SLOT 1024u /* bytes */
TSR_ASSERT_SIZE(struct tsr_seal[TSR_BLK_DIRECT_BLOCKS], TSR_BLK_SEAL_SLOT);
#define TSR_BLK_SEAL_PAGES(depth) (((depth) * TSR_BLK_SEAL_SLOT + TSR_PAGE_SIZE - 1) / TSR_PAGE_SIZE)

/* The table of an INDIRECT request, in pages of the data run: one page of segments, then the seals of all blocks. */
struct tsr_blk_segment {
	uint32_t page;  /* the first one, of the data run */
	uint32_t count; /* consecutive pages, from 1; over all segments the request's count */
};
TSR_ASSERT_SIZE(struct tsr_blk_segment, 8);
TSR_ASSERT_SIZE(struct tsr_blk_segment[TSR_BLK_MAX_BLOCKS * 2], TSR_PAGE_SIZE); /* so any table fits */
#define TSR_BLK_TABLE_SEALS        TSR_PAGE_SIZE /* offset */
#define TSR_BLK_TABLE_PAGES(count) (1u + ((count) * 32u + TSR_PAGE_SIZE - 1) / TSR_PAGE_SIZE)

enum tsr_blk_status {
	TSR_BLK_OK = 0,
	TSR_BLK_E_IO = 1,       /* the medium failed; a write's blocks hold the old or the new pair */
	TSR_BLK_E_INVALID = 2,  /* the request broke the rules of this file */
	TSR_BLK_E_RANGE = 3,    /* beyond the capacity */
	TSR_BLK_E_NOSPACE = 4,  /* the medium is full; the old pairs are kept */
	TSR_BLK_E_READONLY = 5,
	TSR_BLK_E_UNSUPPORTED = 6,
};

struct tsr_blk_completion {
	uint16_t id;
	uint8_t status;    /* enum tsr_blk_status */
	uint8_t reserved0; /* 0 */
	uint32_t reserved1; /* 0 */
	uint64_t reserved2; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_blk_completion, 16);

struct tsr_blk_queue {
	struct tsr_token ring; /* TSR_RING_PAGES(depth), both directions */
	struct tsr_token seal; /* TSR_BLK_SEAL_PAGES(depth), both directions */
	struct tsr_token data; /* data_pages, both directions; STRICT: 0 */
	uint32_t event;        /* guest event the backend raises for completions */
	uint32_t reserved[3];  /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_blk_queue, 64);

#define TSR_BLK_F_WRITE_THROUGH (1u << 0) /* what is completed is durable: FLUSH does nothing more */
#define TSR_BLK_FEATURES        TSR_BLK_F_WRITE_THROUGH

enum tsr_blk_backend_state {
	TSR_BLK_BACKEND_NONE = 0,  /* not answered yet */
	TSR_BLK_BACKEND_READY = 1, /* the fields below are valid; queues are served */
	TSR_BLK_BACKEND_FAILED = 2, /* error says why; the session is over */
};

/* The control page, granted in both directions and named by TSR_CALL_CONNECT. */
struct tsr_blk_control {
	/* front-end writes before CONNECT, constant afterwards */
	uint32_t magic;      /* TSR_BLK_MAGIC */
	uint32_t version;    /* TSR_BLK_VERSION */
	uint32_t session;    /* as in the tokens and CONNECT */
	uint32_t queues;     /* 1..TSR_BLK_MAX_QUEUES */
	uint32_t depth;      /* entries of each ring, a power of two, 2..TSR_RING_MAX_DEPTH */
	uint32_t data_pages; /* pages of each data run, TSR_HEADER_BLOCKS..TSR_TOKEN_MAX_PAGES */
	uint32_t event;      /* guest event the backend raises when the part below has changed */
	uint32_t features;   /* TSR_BLK_F_* that the front-end understands; the back-end ignores those it does not know */
	uint32_t reading;    /* 1: no request of this session writes, and the back-end refuses those that do; else 0 */
	uint32_t mode;       /* enum tsr_blk_mode */
	uint32_t reserved0[6]; /* 0 */
	struct tsr_blk_queue queue[TSR_BLK_MAX_QUEUES];
	/* backend writes, state last */
	uint8_t pad[2048 - 64 - TSR_BLK_MAX_QUEUES * 64];
	uint32_t state;      /* enum tsr_blk_backend_state */
	uint32_t error;      /* enum tsr_blk_status when FAILED */
	uint64_t blocks;     /* capacity in 4 KiB blocks */
	uint32_t backend_features; /* those of the front-end's that are in use */
	uint32_t read_only;  /* 0 or 1 */
	uint8_t reserved1[2048 - 24]; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_blk_control, 4096);

#endif
