/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The oracle: see oracle.h for what is checked when. Nothing here is in a release build. */
#ifdef TSR_ORACLE

#include <core/arch.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include <core/oracle.h>
#include "proto/port.h"

#define ORACLE_WINDOW  16u    /* frames of the rolling walk checked after each call */
#define ORACLE_TOUCHED 16384u /* remembered; more in one call: everything is checked */

static uint32_t touched[ORACLE_TOUCHED];
static uint32_t nr_touched;
static bool want_full;
static uint64_t rolling;

void oracle_init(void)
{
	nr_touched = 0;
	want_full = false;
	rolling = 0;
}

void oracle_domain(uint32_t id)
{
	if (id >= DOMAIN_NR)
		arch_halt("a domain that there is not");
}

void oracle_touched(mfn_t m)
{
	if (nr_touched < ORACLE_TOUCHED)
		touched[nr_touched++] = (uint32_t)m.n;
	else
		want_full = true;
}

void oracle_want_full(void)
{
	want_full = true;
}

static _Noreturn void differ(const char *what, uint64_t where, struct leaf expected, struct leaf found)
{
	arch_log("oracle: %s at %#llx: expected frame %#llx perm %u, found frame %#llx perm %u", what,
		 (unsigned long long)where, (unsigned long long)expected.frame.n, (unsigned)expected.perm,
		 (unsigned long long)found.frame.n, (unsigned)found.perm);
	arch_halt("the nested tables differ from the frame table");
}

static _Noreturn void broken(const char *what, uint64_t where)
{
	arch_log("oracle: %s, at %#llx", what, (unsigned long long)where);
	arch_halt("the frame table contradicts itself");
}

static bool same(struct leaf a, struct leaf b)
{
	return a.perm == b.perm && (!a.perm || a.frame.n == b.frame.n);
}

/* ------------------------------------------------------------------ one frame */

static void check_token(mfn_t m, const struct frame *f)
{
	const struct grant *g = f->slot < TSR_MAX_TOKENS ? grant_slot(f->slot) : NULL;
	const struct frame *other;

	if (!g || g->state == TSR_TOKEN_FREE)
		broken("frame in no live token", m.n);
	if ((f->state == FRAME_ISSUED) == (g->state == TSR_TOKEN_MAPPED))
		broken("frame and token disagree on being mapped", m.n);
	if (f->state != FRAME_DISPLACED &&
	    (g->issuer != f->owner || f->gfn < g->gfn || f->gfn - g->gfn >= g->pages))
		broken("frame outside its token's run", m.n);
	if (f->state == FRAME_ISSUED)
		return;
	if (f->partner >= frame_nr())
		broken("partner beyond RAM", m.n);
	other = frame_of(mfn(f->partner));
	if (other->partner != m.n || other->slot != f->slot ||
	    other->state != (f->state == FRAME_MAPPED ? FRAME_DISPLACED : FRAME_MAPPED))
		broken("mapped and displaced frame are not one to one", m.n);
	if (f->state == FRAME_MAPPED && f->partner - g->window != f->gfn - g->gfn)
		broken("page shown at another place of the window", m.n);
}

static void check_mailbox(mfn_t m, const struct frame *f)
{
	const struct domain *d = domain_by_id(f->owner);

	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (d->vcpu[i].mailbox == f->gfn)
			return;
	broken("mailbox of no virtual CPU", m.n);
}

static void check_owner(mfn_t m, const struct frame *f)
{
	bool host = f->owner == DOMAIN_HOST, guest = f->owner >= DOMAIN_GUEST && f->owner < DOMAIN_NR;
	bool ok = false;

	switch (f->state) {
	case FRAME_NONE:
	case FRAME_HV:
		ok = f->owner == DOMAIN_HV;
		break;
	case FRAME_OWNED:
	case FRAME_MAILBOX:
		ok = host || guest;
		break;
	case FRAME_WINDOW:
	case FRAME_DISPLACED:
		ok = host;
		break;
	case FRAME_ISSUED:
	case FRAME_MAPPED:
		ok = guest || f->owner == DOMAIN_HV;
		break;
	case FRAME_TABLE:
	case FRAME_DIRTY:
		ok = guest;
		break;
	}
	if (!ok || (guest && domain_by_id(f->owner)->state == TSR_GUEST_NONE))
		broken("owner does not fit the frame's state", m.n);
	if (host && f->gfn != m.n)
		broken("host frame at another address", m.n);
}

static void check_entry(mfn_t m)
{
	const struct frame *f = frame_of(m);

	check_owner(m, f);
	if (f->state == FRAME_ISSUED || f->state == FRAME_MAPPED || f->state == FRAME_DISPLACED)
		check_token(m, f);
	if (f->state == FRAME_MAILBOX)
		check_mailbox(m, f);
}

static void check_devices(mfn_t m)
{
	struct leaf expected = leaf_of_devices(m), found = arch_dma_get(gfn(m.n));

	if (arch_dma_active() && !same(expected, found))
		differ("devices", m.n, expected, found);
}

static void check_frame(mfn_t m)
{
	const struct frame *f = frame_of(m);
	struct leaf expected, found;

	check_entry(m);
	if (f->state == FRAME_NONE)
		return;
	expected = leaf_of_host(m);
	found = arch_leaf_get(core_host(), gfn(m.n));
	if (!same(expected, found))
		differ("host", m.n, expected, found);
	check_devices(m);
	if (f->owner < DOMAIN_GUEST || f->gfn == GFN_NONE || !domain_by_id(f->owner)->tables)
		return;
	expected = (struct leaf){ .frame = m, .perm = frame_guest_visible(f) ? PERM_RWX : 0 };
	found = arch_leaf_get(domain_by_id(f->owner), gfn(f->gfn));
	if (!same(expected, found))
		differ("guest", f->gfn, expected, found);
}

/* ------------------------------------------------------------------ everything */

struct walk {
	const struct domain *d;
	uint64_t leaves;
};

static void check_leaf(void *ctx, gfn_t g, struct leaf found)
{
	struct walk *walk = ctx;
	struct leaf expected;

	if (walk->d->id == DOMAIN_HOST && (g.n >= frame_nr() || frame_of(mfn(g.n))->state == FRAME_NONE)) {
		/* Not RAM of ours: devices and firmware, at their own addresses only. */
		if (found.frame.n != g.n)
			differ("host, not RAM", g.n, (struct leaf){ .frame = mfn(g.n) }, found);
		return;
	}
	expected = core_leaf_expected(walk->d, g);
	if (!same(expected, found))
		differ(walk->d->id == DOMAIN_HOST ? "host, walk" : "guest, walk", g.n, expected, found);
	walk->leaves++;
}

/*
 * Walks what is present and counts it. As each leaf is the one prescribed for its place, the right number of them means that none is
 * missing either; so the tables are walked once, not searched for each frame.
 */
static void check_domain(const struct domain *d)
{
	struct tsr_census census;
	struct walk walk = { .d = d };

	if (d->state == TSR_GUEST_NONE)
		return;
	if (d->tables)
		arch_leaf_walk(d, check_leaf, &walk);
	if (d->id == DOMAIN_HOST) {
		frame_census(&census);
#ifdef TSR_TEST_NO_PROTECT
		census.host += census.hypervisor + census.guests + census.tables;
#endif
		if (walk.leaves != census.host)
			broken("the host sees more or fewer frames than it has", walk.leaves);
		return;
	}
	if (walk.leaves != d->ram_pages)
		broken("a guest sees more or fewer pages than it was given", d->id);
}

static void check_counts(void)
{
	uint64_t in_tokens = 0, of_tokens = 0, guests, tables = 0, ram = 0, all = 0;
	uint32_t tokens[DOMAIN_NR] = { 0 }, live = 0;
	struct tsr_census census;

	for (uint64_t m = 0; m < frame_nr(); m++) {
		uint8_t s = frame_of(mfn(m))->state;

		in_tokens += s == FRAME_ISSUED || s == FRAME_MAPPED;
		all += s != FRAME_NONE;
	}
	for (uint32_t i = 0; i < TSR_MAX_TOKENS; i++)
		if (grant_slot(i)->state != TSR_TOKEN_FREE) {
			of_tokens += grant_slot(i)->pages;
			tokens[grant_slot(i)->issuer]++;
			live++;
		}
	if (in_tokens != of_tokens || live != grant_live())
		broken("pages in tokens are miscounted", in_tokens);
	for (uint32_t i = DOMAIN_GUEST; i < DOMAIN_NR; i++) {
		const struct domain *d = domain_by_id(i);

		if (tokens[i] != d->tokens)
			broken("a guest's tokens are miscounted", i);
		ram += d->ram_pages + d->moving_ram + d->moving_tables;
		tables += d->table_pages;
	}
	frame_census(&census);
	guests = census.guests;
	if (guests != ram || tables != census.tables || census.hypervisor + census.host + guests + tables != all)
		broken("the census is wrong", guests);
}

void oracle_check_all(void)
{
	for (uint64_t m = 0; m < frame_nr(); m++) {
		check_entry(mfn(m));
		check_devices(mfn(m));
	}
	for (uint32_t i = DOMAIN_HOST; i < DOMAIN_NR; i++)
		check_domain(domain_by_id(i));
	check_counts();
}

void oracle_after_call(void)
{
	core_count(TSR_COUNT_oracle_runs);
	if (want_full) {
		oracle_check_all();
	} else {
		for (uint32_t i = 0; i < nr_touched; i++)
			check_frame(mfn(touched[i]));
		for (uint32_t i = 0; i < ORACLE_WINDOW && i < frame_nr(); i++) {
			check_frame(mfn(rolling));
			rolling = (rolling + 1) % frame_nr();
		}
	}
	nr_touched = 0;
	want_full = false;
}

#endif
