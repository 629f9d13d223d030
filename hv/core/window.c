/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The host's side of tokens: window pages, map and unmap. */
#include <core/arch.h>
#include <core/check.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include "proto/port.h"

/* ------------------------------------------------------------------ windows */

static enum tsr_error check_frames(uint64_t first, uint32_t count, enum frame_state wanted)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct frame *f = frame_of(mfn(first + i));

		if (f->state == FRAME_DISPLACED)
			return TSR_E_BUSY;
		if (f->owner != DOMAIN_HOST || f->state != wanted)
			return TSR_E_FRAME;
	}
	return TSR_OK;
}

static enum tsr_error check_window(const struct tsr_window *el, const struct run *run, unsigned n, enum frame_state wanted)
{
	if (!el->count || el->count > TSR_TOKEN_MAX_PAGES || el->reserved)
		return TSR_E_ARG;
	if (!frame_run_ok(el->pfn, el->count))
		return TSR_E_FRAME;
	if (run_overlaps(run, n))
		return TSR_E_ARG;
	return check_frames(el->pfn, el->count, wanted);
}

static void window_put(mfn_t m, enum frame_state to)
{
	frame_put(m, (struct frame){ .state = (uint8_t)to, .owner = DOMAIN_HOST, .gfn = (uint32_t)m.n });
	/* The leaf does not change, but from here on it is one of 4 KiB: no large leaf is split during I/O. */
	leaf_sync_host(m);
}

static int change_windows(struct call *c, enum frame_state from, enum frame_state to)
{
	const struct tsr_window *el = c->mail;
	struct run run[TSR_MAX_BATCH];
	struct tsr_census census;

	frame_census(&census);
	for (unsigned i = 0; i < c->n; i++) {
		enum tsr_error e;

		run[i] = (struct run){ el[i].pfn, el[i].count };
		e = check_window(&el[i], run, i, from);
		if (e)
			return call_refuse(c, i, e);
		census.windows += el[i].count;
		if (to == FRAME_WINDOW && census.windows > core_boot_info()->limit.windows)
			return call_refuse(c, i, TSR_E_LIMIT);
	}
	for (unsigned i = 0; i < c->n; i++)
		for (uint32_t k = 0; k < el[i].count; k++)
			window_put(mfn(el[i].pfn + k), to);
	return TSR_OK;
}

int call_WINDOW_ADD(struct call *c)
{
	return change_windows(c, FRAME_OWNED, FRAME_WINDOW);
}

int call_WINDOW_REMOVE(struct call *c)
{
	struct domain *host = core_host();

	/* The host will use the page for something else: no CPU may still see a guest's frame there from before a revoke. */
	if (!arch_flush_wait(host, __atomic_load_n(&host->generation, __ATOMIC_SEQ_CST)))
		return call_refuse(c, 0, TSR_E_AGAIN);
	return change_windows(c, FRAME_WINDOW, FRAME_OWNED);
}

/* ------------------------------------------------------------------ map */

/* To be copied always, or because devices would not follow a mapping. */
static bool placed(const struct grant *g)
{
	return g->how == TSR_HOW_COPY || (g->how == TSR_HOW_EITHER && !arch_dma_active());
}

/* Has it never been mapped? */
static bool unused(const struct grant *g)
{
	return g->state == TSR_TOKEN_ISSUED || (!CHECKED(ONCE) && g->state == TSR_TOKEN_SPENT);
}

/* Is this token mapped as el says, by a call that was told to repeat? */
static bool map_unfinished(const struct grant *g, const struct tsr_token_map *el)
{
	return g->state == TSR_TOKEN_MAPPED && g->flush && g->window == el->window_pfn;
}

/* Element n, whose token is g[n], or NULL. */
static enum tsr_error check_map(const struct tsr_token_map *e, struct grant *const *tokens, const struct run *run, unsigned n)
{
	const struct grant *g = tokens[n];

	if (!tsr_is_zero(e->reserved, sizeof(e->reserved)))
		return TSR_E_ARG;
	if (!g || (!unused(g) && !map_unfinished(g, e)))
		return TSR_E_TOKEN;
	if (CHECKED(BOUND) && (e->pages != g->pages || e->issuer != g->issuer || e->session != g->session || e->device != g->device ||
			       e->dir != g->dir || e->how != g->how))
		return TSR_E_BIND;
	if (grant_named(tokens, n))
		return TSR_E_ARG;
	if (!frame_run_ok(e->window_pfn, e->pages))
		return TSR_E_FRAME;
	if (run_overlaps(run, n))
		return TSR_E_ARG;
	if (g->state == TSR_TOKEN_MAPPED)
		return TSR_OK;
	return check_frames(e->window_pfn, e->pages, FRAME_WINDOW);
}

static void swap_in(struct grant *g, const struct tsr_token_map *el)
{
	struct domain *d = domain_by_id(g->issuer);
	uint16_t slot = (uint16_t)el->token.slot;
	mfn_t m;

	g->state = TSR_TOKEN_MAPPED;
	g->window = (uint32_t)el->window_pfn;
	for (uint32_t i = 0; i < g->pages; i++) {
		mfn_t w = mfn(el->window_pfn + i);

		if (!leaf_lookup(d, g->gfn + i, &m))
			arch_halt("a token's page is not its issuer's");
		frame_put(m, (struct frame){ .state = FRAME_MAPPED, .owner = g->issuer, .slot = slot, .gfn = g->gfn + i,
					     .partner = (uint32_t)w.n });
		frame_put(w, (struct frame){ .state = FRAME_DISPLACED, .owner = DOMAIN_HOST, .slot = slot,
					     .gfn = (uint32_t)w.n, .partner = (uint32_t)m.n });
		leaf_sync_host(w);
	}
	core_count(TSR_COUNT_tokens_mapped);
}

/* The window pages stay the host's own and what they are; what they hold is copied. */
static void place(struct grant *g, const struct tsr_token_map *el)
{
	g->state = TSR_TOKEN_PLACED;
	g->window = (uint32_t)el->window_pfn;
	if (g->how == TSR_HOW_EITHER)
		grant_copy(g, TSR_DIR_READ);
	core_count(TSR_COUNT_tokens_placed);
}

/* One shoot-down for all that changed, then wait for it and for those that an earlier call left unfinished. */
static int settle(struct call *c, struct grant **g, unsigned n, bool changed)
{
	uint64_t generation = changed ? arch_flush_begin(core_host()) : 0;

	for (unsigned i = 0; i < n; i++) {
		if (changed)
			g[i]->flush = generation;
		else if (g[i]->flush > generation)
			generation = g[i]->flush;
	}
	if (!arch_flush_wait(core_host(), generation))
		return call_refuse(c, 0, TSR_E_AGAIN);
	for (unsigned i = 0; i < n; i++)
		g[i]->flush = 0;
	return n == c->n ? TSR_OK : call_refuse(c, n, TSR_E_AGAIN);
}

int call_TOKEN_MAP(struct call *c)
{
	const struct tsr_token_map *el = c->mail;
	struct grant *g[TSR_MAX_BATCH];
	struct run run[TSR_MAX_BATCH];
	bool changed = false;
	unsigned n;

	for (unsigned i = 0; i < c->n; i++) {
		enum tsr_error e;

		run[i] = (struct run){ el[i].window_pfn, el[i].pages };
		g[i] = grant_find(&el[i].token);
		e = check_map(&el[i], g, run, i);
		if (e)
			return call_refuse(c, i, e);
	}
	n = grant_within_budget(g, c->n);
	for (unsigned i = 0; i < n; i++)
		if (unused(g[i]) && placed(g[i])) {
			place(g[i], &el[i]);
		} else if (unused(g[i])) {
			swap_in(g[i], &el[i]);
			changed = true;
		}
	return settle(c, g, n, changed);
}

/* ------------------------------------------------------------------ unmap */

int call_TOKEN_UNMAP(struct call *c)
{
	const struct tsr_token_ref *el = c->mail;
	struct grant *g[TSR_MAX_BATCH];
	bool changed = false;
	unsigned n;

	for (unsigned i = 0; i < c->n; i++) {
		g[i] = grant_find(&el[i].token);
		/* SPENT with a flush to wait for: an unmap that was told to repeat. */
		if (!g[i] || !(g[i]->state == TSR_TOKEN_MAPPED || g[i]->state == TSR_TOKEN_PLACED || (g[i]->state == TSR_TOKEN_SPENT && g[i]->flush)))
			return call_refuse(c, i, TSR_E_TOKEN);
		if (grant_named(g, i))
			return call_refuse(c, i, TSR_E_ARG);
	}
	n = grant_within_budget(g, c->n);
	for (unsigned i = 0; i < n; i++) {
		if (g[i]->state == TSR_TOKEN_SPENT)
			continue;
		if (g[i]->state == TSR_TOKEN_MAPPED) {
			grant_swap_out(g[i]);
			changed = true;
		} else if (g[i]->how == TSR_HOW_EITHER) {
			grant_copy(g[i], TSR_DIR_WRITE);
		}
		g[i]->state = TSR_TOKEN_SPENT;
		core_count(TSR_COUNT_tokens_unmapped);
	}
	return settle(c, g, n, changed);
}

/* ------------------------------------------------------------------ a host after another */

/* As TOKEN_UNMAP, but nothing is copied back from a place. */
static void unmap_all(struct domain *host)
{
	uint64_t generation;
	bool changed = false;

	for (uint32_t i = 0; i < TSR_MAX_TOKENS; i++) {
		struct grant *g = grant_slot(i);

		if (g->state != TSR_TOKEN_MAPPED && g->state != TSR_TOKEN_PLACED)
			continue;
		if (g->state == TSR_TOKEN_MAPPED) {
			grant_swap_out(g);
			changed = true;
		}
		g->state = TSR_TOKEN_SPENT;
		core_count(TSR_COUNT_tokens_unmapped);
	}
	if (!changed)
		return;
	generation = arch_flush_begin(host);
	for (uint32_t i = 0; i < TSR_MAX_TOKENS; i++)
		if (grant_slot(i)->state == TSR_TOKEN_SPENT)
			grant_slot(i)->flush = generation; /* revoking it waits for that, too */
}

int call_HOST_RESET(struct call *c)
{
	struct domain *host = core_host();
	uint64_t m = c->a0, end = frame_look_end(m);

	if (m >= frame_nr())
		return -TSR_E_ARG;
	for (uint32_t i = 0; i < host->nr_vcpus; i++)
		mailbox_forget(&host->vcpu[i]);
	unmap_all(host);
	if (CHECKED(RESET) && !arch_flush_wait(host, __atomic_load_n(&host->generation, __ATOMIC_SEQ_CST)))
		return call_refuse(c, 0, TSR_E_AGAIN);
	for (; m < end; m++)
		if (frame_of(mfn(m))->state == FRAME_WINDOW)
			window_put(mfn(m), FRAME_OWNED);
	c->value = m < frame_nr() ? m : 0;
	return TSR_OK;
}
