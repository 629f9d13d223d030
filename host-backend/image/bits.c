/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/image/bits.h"
#include <stdlib.h>
#include <string.h>

bool bits_init(struct bits *bits, uint64_t size)
{
	memset(bits, 0, sizeof(*bits));
	for (uint32_t i = 0; i < BITS_LEVELS; i++, size = (size + 63) / 64) {
		bits->words[i] = size / 64 + 1;
		bits->level[i] = calloc(bits->words[i], sizeof(uint64_t));
		if (!bits->level[i]) {
			bits_fini(bits);
			return false;
		}
		memset(bits->level[i], 0xff, size / 64 * sizeof(uint64_t));
		bits->level[i][size / 64] = (1ull << size % 64) - 1;
	}
	return true;
}

void bits_fini(struct bits *bits)
{
	for (uint32_t i = 0; i < BITS_LEVELS; i++)
		free(bits->level[i]);
	memset(bits, 0, sizeof(*bits));
}

void bits_set(struct bits *bits, uint64_t at)
{
	for (uint32_t i = 0; i < BITS_LEVELS; i++, at /= 64) {
		uint64_t *word = &bits->level[i][at / 64], before = *word;

		*word |= 1ull << at % 64;
		if (before)
			return;
	}
}

void bits_clear(struct bits *bits, uint64_t at)
{
	for (uint32_t i = 0; i < BITS_LEVELS; i++, at /= 64) {
		uint64_t *word = &bits->level[i][at / 64];

		*word &= ~(1ull << at % 64);
		if (*word)
			return;
	}
}

uint64_t bits_next(const struct bits *bits, uint64_t from)
{
	uint64_t at = from, word = 0;
	uint32_t i;

	/* Up, to a word that has something at or behind the place; then down, to the first each time. */
	for (i = 0; i < BITS_LEVELS && at / 64 < bits->words[i]; i++, at = at / 64 + 1) {
		word = bits->level[i][at / 64] >> at % 64;
		if (word)
			break;
	}
	if (!word)
		return BITS_NONE;
	for (at += (uint64_t)__builtin_ctzll(word); i; i--)
		at = at * 64 + (uint64_t)__builtin_ctzll(bits->level[i - 1][at]);
	return at;
}

uint64_t bits_count(const struct bits *bits, uint64_t from, uint64_t most)
{
	uint64_t at = from;

	while (at - from < most && at / 64 < bits->words[0]) {
		uint64_t missing = ~bits->level[0][at / 64] >> at % 64;

		if (missing) {
			at += (uint64_t)__builtin_ctzll(missing);
			break;
		}
		at = (at / 64 + 1) * 64;
	}
	return at - from < most ? at - from : most;
}

/* The first place in low, of 128 bits, from which on run are set; 64: none. */
static uint32_t run_in(uint64_t low, uint64_t high, uint32_t run)
{
	for (uint32_t have = 1, step; have < run; have += step) {
		step = run - have < have ? run - have : have;
		low &= low >> step | high << (64 - step);
		high &= high >> step;
	}
	return low ? (uint32_t)__builtin_ctzll(low) : 64;
}

uint64_t bits_run(const struct bits *bits, uint64_t from, uint32_t run, uint32_t *words)
{
	const uint64_t *word = bits->level[0];
	uint64_t at = bits_next(bits, from);

	for (; at != BITS_NONE && *words; at = bits_next(bits, (at / 64 + 1) * 64), --*words) {
		uint64_t high = at / 64 + 1 < bits->words[0] ? word[at / 64 + 1] : 0;
		uint32_t found = run_in(word[at / 64] & ~0ull << at % 64, high, run);

		if (found < 64)
			return at / 64 * 64 + found;
	}
	return BITS_NONE;
}
