/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The grant table: token slots, and what moving a token's pages in and out of a window means for the frame table. */
#include <core/arch.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include "proto/port.h"

/* A test build has few, so that they go round. */
#ifndef TSR_GENERATIONS
#define TSR_GENERATIONS UINT32_MAX
#endif

static struct grant grants[TSR_MAX_TOKENS];
static uint32_t first_free; /* TSR_MAX_TOKENS: none */
static uint32_t live;

_Static_assert(TSR_MAX_TOKENS <= UINT16_MAX, "slots are kept in 16 bits");

void grant_init(void)
{
	for (uint32_t i = 0; i < TSR_MAX_TOKENS; i++)
		grants[i] = (struct grant){ .generation = 1, .next = (uint16_t)(i + 1) };
	first_free = 0;
	live = 0;
}

struct grant *grant_slot(uint32_t slot)
{
	return &grants[slot];
}

uint32_t grant_live(void)
{
	return live;
}

uint8_t grant_host_perm(uint32_t slot)
{
	/* Nested paging has no write-only; nothing of a guest is ever executed by the host. */
	return grants[slot].dir & TSR_DIR_WRITE ? PERM_R | PERM_W : PERM_R;
}

uint8_t grant_device_perm(uint32_t slot)
{
	return (grants[slot].dir & TSR_DIR_READ ? PERM_R : 0) | (grants[slot].dir & TSR_DIR_WRITE ? PERM_W : 0);
}

struct grant *grant_find(const struct tsr_token *t)
{
	struct grant *g;

	if (t->slot >= TSR_MAX_TOKENS)
		return NULL;
	g = &grants[t->slot];
	if (g->state == TSR_TOKEN_FREE || g->generation != t->generation || g->random != t->random)
		return NULL;
	return g;
}

bool grant_named(struct grant *const g[], unsigned n)
{
	uint32_t *batch = &g[n]->batch;

	if (*batch < n && g[*batch] == g[n])
		return true;
	*batch = n;
	return false;
}

struct grant *grant_take(struct tsr_token *t)
{
	struct grant *g = &grants[first_free];

	arch_random(&g->random, sizeof(g->random));
	*t = (struct tsr_token){ .slot = first_free, .generation = g->generation, .random = g->random };
	first_free = g->next;
	live++;
	return g;
}

void grant_swap_out(struct grant *g)
{
	struct domain *host = core_host();

	for (uint32_t i = 0; i < g->pages; i++) {
		mfn_t w = mfn(g->window + i), m = mfn(frame_of(w)->partner);

		frame_put(w, (struct frame){ .state = FRAME_WINDOW, .owner = (uint8_t)host->id, .gfn = (uint32_t)w.n });
		frame_put(m, (struct frame){ .state = FRAME_ISSUED, .owner = g->issuer, .slot = frame_of(m)->slot,
					     .gfn = frame_of(m)->gfn });
		leaf_sync_host(w);
	}
	g->window = 0;
}

void grant_copy(struct grant *g, uint8_t dir)
{
	for (uint32_t i = 0; i < g->pages && g->dir & dir; i++) {
		mfn_t w = mfn(g->window + i), m;

		/* What the host has meanwhile made of its place is its own affair. */
		if (!leaf_lookup(domain_by_id(g->issuer), g->gfn + i, &m) || frame_of(w)->state != FRAME_WINDOW)
			continue;
		memcpy(arch_frame(dir == TSR_DIR_READ ? w : m), arch_frame(dir == TSR_DIR_READ ? m : w), TSR_PAGE_SIZE);
		core_count(TSR_COUNT_copies_own);
	}
}

unsigned grant_within_budget(struct grant *const g[], unsigned n)
{
	uint64_t pages = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (g[i]->how == TSR_HOW_EITHER && !arch_dma_active())
			pages += g[i]->pages;
		if (i && pages > TSR_COPY_PAGES)
			break;
	}
	return i;
}

void grant_release(struct grant *g)
{
	struct domain *d = domain_by_id(g->issuer);
	uint32_t slot = (uint32_t)(g - grants);
	uint32_t generation = (g->generation + 1) & TSR_GENERATIONS;
	mfn_t m;

	for (uint32_t i = 0; i < g->pages; i++)
		if (leaf_lookup(d, g->gfn + i, &m))
			frame_put(m, (struct frame){ .state = d->id == DOMAIN_HV ? FRAME_HV : FRAME_OWNED,
						     .owner = g->issuer, .gfn = g->gfn + i });
	d->tokens--;
	d->granted -= g->pages;
	*g = (struct grant){ .generation = generation ? generation : 1, .next = (uint16_t)first_free };
	first_free = slot;
	live--;
	core_count(TSR_COUNT_tokens_revoked);
}

bool grant_revoke_all(struct domain *d)
{
	struct domain *host = core_host();
	uint64_t generation = 0;
	bool swapped = false;

	for (uint32_t i = 0; i < TSR_MAX_TOKENS && d->tokens; i++) {
		struct grant *g = &grants[i];

		if (g->issuer != d->id)
			continue;
		if (g->state == TSR_TOKEN_MAPPED) {
			grant_swap_out(g);
			swapped = true;
		} else if (g->flush > generation) {
			generation = g->flush;
		}
		g->state = TSR_TOKEN_REVOKING;
	}
	if (swapped) {
		generation = arch_flush_begin(host);
		for (uint32_t i = 0; i < TSR_MAX_TOKENS; i++)
			if (grants[i].issuer == d->id)
				grants[i].flush = generation;
	}
	if (generation && !arch_flush_wait(host, generation))
		return false;
	for (uint32_t i = 0; i < TSR_MAX_TOKENS && d->tokens; i++)
		if (grants[i].issuer == d->id)
			grant_release(&grants[i]);
	return true;
}
