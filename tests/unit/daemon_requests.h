/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Requests of a well-behaved front-end, and what it writes. */
#ifndef DAEMON_REQUESTS_H
#define DAEMON_REQUESTS_H

#include <string.h>
#include "fake_backend.h"

static inline struct tsr_blk_request request(uint8_t op, uint16_t id, uint64_t block, uint32_t count)
{
	bool data = op != TSR_BLK_FLUSH && op != TSR_BLK_WRITE_ZEROES;

	return (struct tsr_blk_request){ .id = id, .op = op, .block = block, .count = count, .data_page = data ? id * 32 : 0 };
}

/* What version of a block looks like. */
static inline void fill(uint32_t queue, uint16_t id, uint32_t index, uint64_t block, uint32_t version)
{
	memset(fake_data(queue, id) + index * 4096, (uint8_t)(block * 7 + version), 4096);
	fake_seals(queue, id)[index] = (struct tsr_seal){ .tag = { version }, .counter = version, .epoch = block + 1 };
}

static inline void push_write(uint32_t queue, uint16_t id, uint64_t block, uint32_t count, uint32_t version, uint8_t flags)
{
	struct tsr_blk_request r = request(TSR_BLK_WRITE, id, block, count);

	r.flags = flags;
	for (uint32_t i = 0; i < count; i++)
		fill(queue, id, i, block + i, version);
	fake_push(queue, &r);
}

#endif
