/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Slots of a ring that wait for something scarce, in the order in which they began to. A slot that is free again is the first to be used again; if the
 * lowest went first, those above would wait for as long as there is load.
 */
#ifndef PROTO_TURNS_H
#define PROTO_TURNS_H

#include "proto/port.h"

#define TSR_TURNS_MAX 64u

struct tsr_turns {
	uint32_t count;
	uint16_t slot[TSR_TURNS_MAX];
};

/* A slot that does not wait yet, of at most TSR_TURNS_MAX that there are. */
static inline void tsr_turns_wait(struct tsr_turns *turns, uint16_t slot)
{
	turns->slot[turns->count++] = slot;
}

/* The first so many have got what they waited for. */
static inline void tsr_turns_served(struct tsr_turns *turns, uint32_t served)
{
	turns->count -= served;
	for (uint32_t i = 0; i < turns->count; i++)
		turns->slot[i] = turns->slot[i + served];
}

#endif
