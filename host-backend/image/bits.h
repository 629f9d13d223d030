/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A set of numbers below a limit, with a summary of each 64 words above them, and so on: the next member is found in a few steps. */
#ifndef IMAGE_BITS_H
#define IMAGE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define BITS_NONE   UINT64_MAX
#define BITS_LEVELS 6u /* 64^6: more than there are slots */

struct bits {
	uint64_t *level[BITS_LEVELS]; /* a bit of one says whether a word of the one before has any */
	uint64_t words[BITS_LEVELS];
};

/* All numbers below size are members. false: no memory. */
bool bits_init(struct bits *bits, uint64_t size);
void bits_fini(struct bits *bits);

void bits_set(struct bits *bits, uint64_t at);
void bits_clear(struct bits *bits, uint64_t at);

/* The first member from `from` on, or BITS_NONE. */
uint64_t bits_next(const struct bits *bits, uint64_t from);

/* How many members follow one another from `from` on, at most `most`. */
uint64_t bits_count(const struct bits *bits, uint64_t from, uint64_t most);

/* Where run (1 to 64) members follow one another, from `from` on; looks at no more than *words words that have any, and counts them down. */
uint64_t bits_run(const struct bits *bits, uint64_t from, uint32_t run, uint32_t *words);

#endif
