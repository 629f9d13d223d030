/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The guest's side of tokens: issue and revoke; and what both sides may ask. */
#include <core/arch.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include "proto/port.h"

/* ------------------------------------------------------------------ issue */

static enum tsr_error check_issue(struct domain *d, const struct tsr_token_issue *el, const struct run *run, unsigned n)
{
	mfn_t m;

	if (!el->pages || el->pages > TSR_TOKEN_MAX_PAGES || el->dir < TSR_DIR_READ || el->dir > TSR_DIR_BOTH ||
	    el->reserved0 || el->reserved1 || !el->session || !tsr_is_zero(el->reserved2, sizeof(el->reserved2)))
		return TSR_E_ARG;
	if (el->device >= TSR_MAX_DEVICES || d->device[el->device].desc.type == TSR_DEVICE_NONE)
		return TSR_E_NODEV;
	if (el->gfn >= d->mem_pages || el->pages > d->mem_pages - el->gfn)
		return TSR_E_FRAME;
	if (run_overlaps(run, n))
		return TSR_E_ARG;
	for (uint32_t i = 0; i < el->pages; i++)
		if (!leaf_lookup(d, el->gfn + i, &m) || frame_of(m)->state != FRAME_OWNED)
			return TSR_E_FRAME;
	return TSR_OK;
}

static void issue(struct domain *d, struct tsr_token_issue *el)
{
	struct grant *g = grant_take(&el->token);
	mfn_t m;

	g->state = TSR_TOKEN_ISSUED;
	g->dir = el->dir;
	g->issuer = (uint8_t)d->id;
	g->device = el->device;
	g->session = el->session;
	g->pages = el->pages;
	g->gfn = (uint32_t)el->gfn;
	for (uint32_t i = 0; i < el->pages; i++)
		if (leaf_lookup(d, el->gfn + i, &m))
			frame_put(m, (struct frame){ .state = FRAME_ISSUED, .owner = (uint8_t)d->id,
						     .slot = (uint16_t)el->token.slot, .gfn = g->gfn + i });
	d->tokens++;
	core_count(TSR_COUNT_tokens_issued);
}

int call_TOKEN_ISSUE(struct call *c)
{
	struct tsr_token_issue *el = c->mail;
	struct run run[TSR_MAX_BATCH];

	for (unsigned i = 0; i < c->n; i++) {
		enum tsr_error e;

		run[i] = (struct run){ el[i].gfn, el[i].pages };
		e = check_issue(c->d, &el[i], run, i);
		if (e)
			return call_refuse(c, i, e);
		if (c->d->tokens + i >= GRANT_PER_GUEST)
			return call_refuse(c, i, TSR_E_LIMIT);
	}
	for (unsigned i = 0; i < c->n; i++)
		issue(c->d, &el[i]);
	c->reply = true;
	return TSR_OK;
}

/* ------------------------------------------------------------------ revoke */

/* Is the token of one of the first n elements that of element n? */
static bool named_before(const struct tsr_token_ref *el, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (el[i].token.slot == el[n].token.slot)
			return true;
	return false;
}

int call_TOKEN_REVOKE(struct call *c)
{
	const struct tsr_token_ref *el = c->mail;
	struct grant *g[TSR_MAX_BATCH];
	uint64_t generation = 0;
	bool swapped = false;

	for (unsigned i = 0; i < c->n; i++) {
		g[i] = grant_find(&el[i].token);
		if (!g[i] || g[i]->issuer != c->d->id)
			return call_refuse(c, i, TSR_E_TOKEN);
		if (named_before(el, i))
			return call_refuse(c, i, TSR_E_ARG);
	}
	for (unsigned i = 0; i < c->n; i++) {
		if (g[i]->state == TSR_TOKEN_MAPPED) {
			grant_swap_out(g[i]);
			swapped = true;
		} else if (g[i]->flush > generation) {
			generation = g[i]->flush;
		}
		g[i]->state = TSR_TOKEN_REVOKING;
	}
#ifndef TSR_TEST_NO_ACK
	if (swapped) {
		generation = arch_flush_begin(core_host());
		for (unsigned i = 0; i < c->n; i++)
			g[i]->flush = generation;
	}
	if (generation && !arch_flush_wait(core_host(), generation))
		return call_refuse(c, 0, TSR_E_AGAIN);
#else
	(void)swapped;
	(void)generation;
#endif
	for (unsigned i = 0; i < c->n; i++)
		grant_release(g[i]);
	return TSR_OK;
}

/* ------------------------------------------------------------------ query, list */

/* What d, which is the host or the issuer, is told. */
static struct tsr_token_info describe(const struct domain *d, const struct grant *g, uint32_t slot)
{
	struct tsr_token_info info = {
		.slot = slot,
		.generation = g->generation,
		.issuer = g->issuer,
		.session = g->session,
		.pages = g->pages,
		.device = g->device,
		.dir = g->dir,
		.state = g->state,
	};

	if (d->id == g->issuer)
		info.gfn = g->gfn;
	else if (g->state == TSR_TOKEN_MAPPED)
		info.window_pfn = g->window;
	return info;
}

int call_TOKEN_QUERY(struct call *c)
{
	struct tsr_token_query *query = c->mail;
	const struct grant *g = grant_find(&query->token);

	if (!g || (c->d->id != DOMAIN_HOST && g->issuer != c->d->id))
		return -TSR_E_TOKEN;
	query->info = describe(c->d, g, query->token.slot);
	c->reply = true;
	return TSR_OK;
}

int call_TOKEN_LIST(struct call *c)
{
	struct tsr_token_list *list = c->mail;
	uint64_t slot = c->a0;

	if (slot >= TSR_MAX_TOKENS)
		return -TSR_E_ARG;
	memset(list, 0, sizeof(*list));
	for (; slot < TSR_MAX_TOKENS; slot++) {
		const struct grant *g = grant_slot((uint32_t)slot);

		if (g->state == TSR_TOKEN_FREE)
			continue;
		if (list->count == sizeof(list->token) / sizeof(list->token[0]))
			break;
		list->token[list->count++] = describe(c->d, g, (uint32_t)slot);
	}
	c->value = slot < TSR_MAX_TOKENS ? slot : 0;
	c->reply = true;
	return TSR_OK;
}
