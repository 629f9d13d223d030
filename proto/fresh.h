/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Freshness within an attach: spec/block.md. One word of the front-end's private memory for each block: what the block's seal must
 * look like when it is read again. The word is also a lock: a request owns its blocks from before it is sent until it is finished,
 * so no two requests for one block are ever in flight and there is never a doubt which of two writes came last.
 */
#ifndef PROTO_FRESH_H
#define PROTO_FRESH_H

#include <tessera/seal.h>
#include "proto/port.h"

#define TSR_FRESH_UNKNOWN 0ull    /* not seen in this attach: any valid seal is accepted and remembered */
#define TSR_FRESH_LOST    (~1ull) /* a write failed half way: unreadable until written again */
#define TSR_FRESH_CLAIMED (~0ull) /* a request in flight owns the block and keeps the word meanwhile */

/* The word of a seal: the first 64 bits of its tag, moved aside where they would mean one of the above. */
static inline uint64_t tsr_fresh_word(const struct tsr_seal *seal)
{
	uint64_t word;

	memcpy(&word, seal->tag, sizeof(word));
	return word == TSR_FRESH_UNKNOWN || word >= TSR_FRESH_LOST ? 1 : word;
}

/*
 * Claims count blocks, whose words are at word, all or none; before gets what they held. Any thread may claim at any time. On false
 * nothing is claimed and before is undefined.
 */
static inline bool tsr_fresh_claim(uint64_t *word, uint32_t count, uint64_t *before)
{
	for (uint32_t i = 0; i < count; i++) {
		before[i] = __atomic_exchange_n(&word[i], TSR_FRESH_CLAIMED, __ATOMIC_ACQUIRE);
		if (before[i] != TSR_FRESH_CLAIMED)
			continue;
		/* Someone else's. Ours go back as they were: nobody can have changed them. */
		while (i--)
			__atomic_store_n(&word[i], before[i], __ATOMIC_RELEASE);
		return false;
	}
	return true;
}

/* The claim's owner ends it: the blocks' words are after from now on. */
static inline void tsr_fresh_release(uint64_t *word, uint32_t count, const uint64_t *after)
{
	for (uint32_t i = 0; i < count; i++)
		__atomic_store_n(&word[i], after[i], __ATOMIC_RELEASE);
}

/* May a block whose word was before its claim be read under this seal? The seal must be authentic besides. */
static inline bool tsr_fresh_accepts(uint64_t before, const struct tsr_seal *seal)
{
	return before == TSR_FRESH_UNKNOWN || before == tsr_fresh_word(seal);
}

#endif
