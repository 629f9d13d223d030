/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Arbitrary sequences of hypercalls by a hostile host and hostile guests, some while a virtual CPU runs, with CPUs that sometimes do not answer, made
 * of a stream of bytes: from a seeded generator (core_random.c) or from a fuzzer (tests/fuzz/core_calls.c).
 */
#ifndef CORE_STEPS_H
#define CORE_STEPS_H

#include <stdbool.h>
#include <stdint.h>

struct steps {
	uint8_t (*next)(struct steps *s);
	bool end; /* set by next when there is no more */
	void *ctx;
	uint64_t x;
	unsigned depth; /* runs of guests within each other: each is on a CPU of its own */
	unsigned done[64], refused[64]; /* by call number */
};

/* A small machine, so that calls often meet the same frames. */
void steps_start(struct steps *s);
/*
 * One of them, and what it leads to; the core's oracle looks after each call. The whole point is looked at then: no CPU in the host's container
 * may remember a translation to a frame that is somebody else's, except to pages in a live token and to frames that are not handed on yet.
 */
void step(struct steps *s);
/* The oracle's full check. */
void steps_check(void);

#endif
