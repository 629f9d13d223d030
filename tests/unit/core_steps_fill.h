/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* For core_steps.c: drawing from the stream of bytes, and what a call's structures hold: mostly what makes sense, or nothing would ever come to pass. */
#ifndef CORE_STEPS_FILL_H
#define CORE_STEPS_FILL_H

#include "core_steps.h"
#include "fake_arch.h"

#define MACHINE_FRAMES 1024u

static inline uint8_t byte(struct steps *s)
{
	return s->end ? 0 : s->next(s);
}

static inline uint64_t below(struct steps *s, uint64_t n)
{
	uint64_t low = byte(s);

	return (low | (uint64_t)byte(s) << 8) % n;
}

static inline bool one_in(struct steps *s, unsigned n)
{
	return byte(s) % n == 0;
}

void fill_start(void);
/* Mostly frames in the middle, where a few dozen are fought over. */
uint64_t any_pfn(struct steps *s);
uint64_t any_gfn(struct steps *s);
bool belongs(uint64_t m, uint32_t owner);
void fill_create(struct steps *s, struct tsr_guest_create *c);
/* Puts n elements for call nr into the mailbox. */
void fill(struct steps *s, uint64_t nr, uint8_t *mail, unsigned n, const struct domain *about, bool host);
/* The tokens that a call has issued: later ones name them. */
void remember(const uint8_t *mail, unsigned n, uint32_t issuer);

#endif
