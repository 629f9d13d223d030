/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The guest's side of tokens: issue and revoke; and what both sides may ask. */
#include <core/arch.h>
#include <core/check.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include "proto/port.h"

/* ------------------------------------------------------------------ issue */

/* Only what is copied can be anything but whole pages; then the range begins in the first page and ends in the last. */
static bool range_ok(const struct tsr_token_issue *el)
{
	uint64_t end = (uint64_t)el->offset + el->bytes;

	if (el->how != TSR_HOW_COPY)
		return el->how <= TSR_HOW_EITHER && !end;
	return el->offset < TSR_PAGE_SIZE && (!el->bytes || (end + TSR_PAGE_SIZE - 1) / TSR_PAGE_SIZE == el->pages);
}

static enum tsr_error check_issue(struct domain *d, const struct tsr_token_issue *el, const struct run *run, unsigned n)
{
	mfn_t m;

	if (!el->pages || el->pages > TSR_TOKEN_MAX_PAGES || el->dir < TSR_DIR_READ || el->dir > TSR_DIR_BOTH ||
	    !range_ok(el) || el->reserved0 || !el->session || !tsr_is_zero(el->reserved1, sizeof(el->reserved1)))
		return TSR_E_ARG;
	if (el->device >= TSR_MAX_DEVICES || d->device[el->device].desc.type == TSR_DEVICE_NONE)
		return TSR_E_NODEV;
	if (el->gfn >= d->mem_pages || el->pages > d->mem_pages - el->gfn)
		return TSR_E_FRAME;
	for (uint32_t i = 0; i < el->pages; i++) {
		if (!leaf_lookup(d, el->gfn + i, &m) || frame_of(m)->state != FRAME_OWNED)
			return TSR_E_FRAME;
		if (frame_named(m, el->gfn + i, run, n))
			return TSR_E_ARG;
	}
	return TSR_OK;
}

static void issue(struct domain *d, struct tsr_token_issue *el)
{
	struct grant *g = grant_take(&el->token);
	mfn_t m;

	g->state = TSR_TOKEN_ISSUED;
	g->dir = el->dir;
	g->how = el->how;
	g->offset = el->offset;
	g->bytes = el->bytes ? el->bytes : el->pages * TSR_PAGE_SIZE - el->offset;
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
	d->granted += g->pages;
	core_count(TSR_COUNT_tokens_issued);
}

int call_TOKEN_ISSUE(struct call *c)
{
	struct tsr_token_issue *el = c->mail;
	const struct core_limits *limit = &core_boot_info()->limit;
	uint64_t granted = c->d->granted;
	struct run run[TSR_MAX_BATCH];

	for (unsigned i = 0; i < c->n; i++) {
		enum tsr_error e;

		run[i] = (struct run){ el[i].gfn, el[i].pages };
		e = check_issue(c->d, &el[i], run, i);
		if (e)
			return call_refuse(c, i, e);
		granted += el[i].pages;
		if (c->d->tokens + i >= limit->tokens || granted > limit->pages)
			return call_refuse(c, i, TSR_E_LIMIT);
	}
	for (unsigned i = 0; i < c->n; i++)
		issue(c->d, &el[i]);
	c->reply = true;
	return TSR_OK;
}

int call_TOKEN_OWN(struct call *c)
{
	static struct tsr_token token; /* the one given out before */
	struct domain *hv = domain_by_id(DOMAIN_HV);
	struct tsr_token_issue el = { .gfn = core_boot_info()->stats.n, .pages = 1, .dir = TSR_DIR_READ, .how = (uint8_t)c->a1, .session = 1 };
	struct grant *g = grant_find(&token);

	if (c->a0 != TSR_OWN_STATS || c->a1 > TSR_HOW_EITHER)
		return -TSR_E_ARG;
	if (g && g->issuer == hv->id) {
		if (g->state == TSR_TOKEN_MAPPED)
			return -TSR_E_BUSY;
		if (!arch_flush_wait(core_host(), g->flush))
			return -TSR_E_AGAIN;
		grant_release(g);
	}
	issue(hv, &el);
	token = el.token;
	el.gfn = 0;
	memcpy(c->mail, &el, sizeof(el));
	c->reply = true;
	return TSR_OK;
}

/* ------------------------------------------------------------------ revoke */

int call_TOKEN_REVOKE(struct call *c)
{
	const struct tsr_token_ref *el = c->mail;
	struct grant *g[TSR_MAX_BATCH];
	uint64_t generation = 0;
	bool swapped = false;
	unsigned n;

	for (unsigned i = 0; i < c->n; i++) {
		g[i] = grant_find(&el[i].token);
		if (!g[i] || (CHECKED(ISSUER) && g[i]->issuer != c->d->id))
			return call_refuse(c, i, TSR_E_TOKEN);
		if (grant_named(g, i))
			return call_refuse(c, i, TSR_E_ARG);
	}
	n = grant_within_budget(g, c->n);
	for (unsigned i = 0; i < n; i++) {
		if (g[i]->state == TSR_TOKEN_PLACED && g[i]->how == TSR_HOW_EITHER)
			grant_copy(g[i], TSR_DIR_WRITE);
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
		for (unsigned i = 0; i < n; i++)
			g[i]->flush = generation;
	}
	if (generation && !arch_flush_wait(core_host(), generation))
		return call_refuse(c, 0, TSR_E_AGAIN);
#else
	(void)swapped;
	(void)generation;
#endif
	for (unsigned i = 0; i < n; i++)
		grant_release(g[i]);
	return n == c->n ? TSR_OK : call_refuse(c, n, TSR_E_AGAIN);
}

/* ------------------------------------------------------------------ copy */

static enum tsr_error check_copy(const struct call *c, const struct tsr_token_copy *el)
{
	const struct grant *g = grant_find(&el->token);
	bool host = c->d->id == DOMAIN_HOST;
	mfn_t m = mfn(el->address / TSR_PAGE_SIZE);

	if (!el->length || el->length > TSR_PAGE_SIZE || (el->dir != TSR_DIR_READ && el->dir != TSR_DIR_WRITE) ||
	    !tsr_is_zero(el->reserved0, sizeof(el->reserved0)) || !tsr_is_zero(el->reserved1, sizeof(el->reserved1)) ||
	    (host ? el->address % TSR_PAGE_SIZE + el->length > TSR_PAGE_SIZE : el->address))
		return TSR_E_ARG;
	if (!g || (g->state != TSR_TOKEN_ISSUED && g->state != TSR_TOKEN_PLACED) || (!host && g->issuer != c->d->id))
		return TSR_E_TOKEN;
	if (CHECKED(BOUND) && (g->how != TSR_HOW_COPY || el->issuer != g->issuer || el->session != g->session || !(g->dir & el->dir)))
		return TSR_E_BIND;
	if (CHECKED(RANGE) && (el->offset > g->bytes || el->length > g->bytes - el->offset))
		return TSR_E_ARG;
	if (host)
		return frame_run_ok(m.n, 1) && frame_host_own(m) && frame_of(m)->state != FRAME_MAILBOX ? TSR_OK : TSR_E_FRAME;
	if (g->state != TSR_TOKEN_PLACED)
		return TSR_E_BUSY;
	for (uint32_t at = g->offset + el->offset, end = at + el->length; at < end; at = (at / TSR_PAGE_SIZE + 1) * TSR_PAGE_SIZE)
		if (frame_of(mfn(g->window + at / TSR_PAGE_SIZE))->state != FRAME_WINDOW)
			return TSR_E_BUSY;
	return TSR_OK;
}

static void copy(const struct call *c, const struct tsr_token_copy *el)
{
	const struct grant *g = grant_find(&el->token);
	uint32_t part, at = g->offset + el->offset;
	mfn_t m, other;

	/* In pieces that lie in one page of the run; the place's bytes lie in its pages as the range's do in the run's. */
	for (uint32_t done = 0; done < el->length; done += part, at += part) {
		uint32_t in_page = at % TSR_PAGE_SIZE;
		uint8_t *theirs, *ours;

		part = TSR_PAGE_SIZE - in_page < el->length - done ? TSR_PAGE_SIZE - in_page : el->length - done;
		if (!leaf_lookup(domain_by_id(g->issuer), g->gfn + at / TSR_PAGE_SIZE, &m))
			arch_halt("a token's page is not its issuer's");
		other = c->d->id == DOMAIN_HOST ? mfn(el->address / TSR_PAGE_SIZE) : mfn(g->window + at / TSR_PAGE_SIZE);
		theirs = (uint8_t *)arch_frame(other) + (c->d->id == DOMAIN_HOST ? el->address % TSR_PAGE_SIZE + done : in_page);
		ours = (uint8_t *)arch_frame(m) + in_page;
		if (el->dir == TSR_DIR_READ)
			memcpy(theirs, ours, part);
		else
			memcpy(ours, theirs, part);
	}
	core_count(c->d->id == DOMAIN_HOST ? TSR_COUNT_copies_host : TSR_COUNT_copies_issuer);
}

int call_TOKEN_COPY(struct call *c)
{
	const struct tsr_token_copy *el = c->mail;

	for (unsigned i = 0; i < c->n; i++) {
		enum tsr_error e = check_copy(c, &el[i]);

		if (e)
			return call_refuse(c, i, e);
	}
	for (unsigned i = 0; i < c->n; i++)
		copy(c, &el[i]);
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
		.offset = g->offset,
		.bytes = g->bytes,
		.how = g->how,
	};

	if (d->id == g->issuer)
		info.gfn = g->gfn;
	else if (g->state == TSR_TOKEN_MAPPED || g->state == TSR_TOKEN_PLACED)
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
