/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Checks of block requests and completions, on private copies only: spec/block.md. */
#ifndef PROTO_REQUEST_H
#define PROTO_REQUEST_H

#include <tessera/block.h>
#include "proto/port.h"

struct tsr_blk_limits {
	uint32_t depth;      /* valid: tsr_ring_depth_valid */
	uint32_t data_pages; /* of the queue's data run */
	uint64_t blocks;     /* capacity */
	bool read_only;
	uint32_t mode;       /* enum tsr_blk_mode */
};

/* An id out of range cannot even be answered: the session is broken. */
bool tsr_blk_request_id_valid(const struct tsr_blk_request *request, uint32_t depth);

/* TSR_BLK_OK, or the status to complete the request with, without doing anything. */
enum tsr_blk_status tsr_blk_request_check(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits);

/* Whether the copied segments of a checked request's table name as many pages as it moves, all of them in the data run. */
bool tsr_blk_segments_check(const struct tsr_blk_request *request, const struct tsr_blk_segment *segment,
			    const struct tsr_blk_limits *limits);

/* Whether a seal's flags suit the request that brings it: 0 for WRITE, TSR_SEAL_ZERO for WRITE_ZEROES. Copied seal. */
bool tsr_blk_seal_suits(const struct tsr_blk_request *request, const struct tsr_seal *seal);

/* Pages of the data run from data_page on: of data or of the table. count must have been checked. */
uint32_t tsr_blk_request_pages(const struct tsr_blk_request *request);

/* STRICT: the pages from data_page on that the request's token must name, 0: it brings none; and their direction. Only for a checked request. */
uint32_t tsr_blk_token_pages(const struct tsr_blk_request *request);
uint8_t tsr_blk_token_dir(const struct tsr_blk_request *request);

/* Front-end: false if the completion breaks the rules. Whether the id is in flight is for the caller to check. */
static inline bool tsr_blk_completion_check(const struct tsr_blk_completion *completion, uint32_t depth)
{
	return completion->id < depth && completion->status <= TSR_BLK_E_UNSUPPORTED && !completion->reserved0 &&
	       !completion->reserved1 && !completion->reserved2;
}

#endif
