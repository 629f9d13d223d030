/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A guest's memory: donated by the host, loaded by copy, reclaimed by the host. A frame on its way is DIRTY: nobody sees it
 * until every CPU has let go of its old translations and it is scrubbed.
 */
#include <core/arch.h>
#include <core/call.h>
#include <core/check.h>
#include <core/frame.h>
#include <core/guest.h>
#include <core/oracle.h>
#include "proto/measure.h"

/* How many of the batch's elements are done by this call: at least one. */
static unsigned within_budget(const struct tsr_donate *el, unsigned n)
{
	uint64_t pages = el[0].count;
	unsigned i;

	for (i = 1; i < n && pages + el[i].count <= TSR_COPY_PAGES; i++)
		pages += el[i].count;
	return i;
}

static int finished(struct call *c, unsigned done)
{
	if (done == c->n)
		return TSR_OK;
	return call_refuse(c, done, TSR_E_AGAIN);
}

/* ------------------------------------------------------------------ table pages */

static void table_push(struct domain *d, mfn_t m)
{
	frame_put(m, (struct frame){ .state = FRAME_TABLE, .owner = d->id, .gfn = GFN_NONE, .partner = d->table_free });
	d->table_free = (uint32_t)m.n;
}

bool core_table_page(struct domain *d, mfn_t *out)
{
	if (d->table_free == GFN_NONE)
		return false;
	*out = mfn(d->table_free);
	d->table_free = frame_of(*out)->partner;
	memset(arch_frame(*out), 0, TSR_PAGE_SIZE);
	return true;
}

/* ------------------------------------------------------------------ donate */

/* Is m on its way into d at gfn already, by a call that was told to repeat? */
static bool arriving(const struct domain *d, mfn_t m, uint32_t g)
{
	const struct frame *f = frame_of(m);

	return f->state == FRAME_DIRTY && f->owner == d->id && f->gfn == g;
}

static bool donatable(const struct domain *d, mfn_t m, uint32_t g)
{
	const struct frame *f = frame_of(m);

	return (f->state == FRAME_OWNED && f->owner == DOMAIN_HOST) || arriving(d, m, g) || !CHECKED(DONATED);
}

static enum tsr_error check_donated_ram(struct domain *d, const struct tsr_donate *el, uint64_t *next)
{
	if (el->gfn >= d->mem_pages || el->count > d->mem_pages - el->gfn)
		return TSR_E_ARG;
	for (uint32_t i = 0; i < el->count; i++) {
		mfn_t m = mfn(el->host_pfn + i);
		uint64_t g = el->gfn + i;

		if (!donatable(d, m, (uint32_t)g))
			return TSR_E_FRAME;
		if (arriving(d, m, (uint32_t)g))
			continue;
		if (g < *next)
			return TSR_E_ARG;
		*next = g + 1;
	}
	return TSR_OK;
}

static enum tsr_error check_donated_tables(struct domain *d, const struct tsr_donate *el)
{
	if (el->gfn)
		return TSR_E_ARG;
	for (uint32_t i = 0; i < el->count; i++)
		if (!donatable(d, mfn(el->host_pfn + i), GFN_NONE))
			return TSR_E_FRAME;
	return TSR_OK;
}

static enum tsr_error check_donation(struct domain *d, const struct tsr_donate *el, const struct run *run, unsigned i,
				     uint64_t *next)
{
	if (!el->count || el->count > TSR_DONATE_MAX || el->flags & ~TSR_DONATE_TABLES)
		return TSR_E_ARG;
	if (!frame_run_ok(el->host_pfn, el->count))
		return TSR_E_FRAME;
	if (run_overlaps(run, i))
		return TSR_E_ARG;
	return el->flags ? check_donated_tables(d, el) : check_donated_ram(d, el, next);
}

/* Nothing may fail after the first frame has moved: the tables for every leaf are made before. */
static bool prepare(struct domain *d, const struct tsr_donate *el)
{
	if (el->flags)
		return true;
	if (!d->tables)
		d->tables = arch_tables_create(d);
	if (!d->tables)
		return false;
	for (uint32_t i = 0; i < el->count; i++)
		if (!arch_leaf_prepare(d, gfn(el->gfn + i)))
			return false;
	return true;
}

/* True if a translation of the host's was taken away. */
static bool take_from_host(struct domain *d, const struct tsr_donate *el)
{
	bool taken = false;

	for (uint32_t i = 0; i < el->count; i++) {
		mfn_t m = mfn(el->host_pfn + i);
		uint32_t g = el->flags ? GFN_NONE : (uint32_t)(el->gfn + i);

		if (arriving(d, m, g))
			continue;
		frame_put(m, (struct frame){ .state = FRAME_DIRTY, .owner = d->id, .gfn = g });
		leaf_sync_host(m);
		taken = true;
		if (el->flags) {
			d->moving_tables++;
		} else {
			d->moving_ram++;
			d->donated_next = g + 1ull;
		}
	}
	return taken;
}

static void give_to_guest(struct domain *d, const struct tsr_donate *el)
{
	for (uint32_t i = 0; i < el->count; i++) {
		mfn_t m = mfn(el->host_pfn + i);
		gfn_t g = gfn(el->gfn + i);

		memset(arch_frame(m), 0, TSR_PAGE_SIZE);
		if (el->flags) {
			table_push(d, m);
			d->moving_tables--;
			d->table_pages++;
			continue;
		}
		frame_put(m, (struct frame){ .state = FRAME_OWNED, .owner = d->id, .gfn = (uint32_t)g.n });
		leaf_sync_guest(d, m, g);
		d->moving_ram--;
		d->ram_pages++;
	}
}

int call_GUEST_DONATE(struct call *c)
{
	const struct tsr_donate *el = c->mail;
	struct domain *d = guest_find(c->a1);
	struct run run[TSR_MAX_BATCH];
	bool taken = false;
	uint64_t next;
	unsigned n;

	if (!d)
		return -TSR_E_GUEST;
	if (d->state != TSR_GUEST_BUILDING)
		return -TSR_E_STATE;
	next = d->donated_next;
	for (unsigned i = 0; i < c->n; i++) {
		enum tsr_error e;

		run[i] = (struct run){ el[i].host_pfn, el[i].count };
		e = check_donation(d, &el[i], run, i, &next);
		if (e)
			return call_refuse(c, i, e);
	}
	n = within_budget(el, c->n);
	for (unsigned i = 0; i < n; i++)
		if (!prepare(d, &el[i]))
			return call_refuse(c, i, TSR_E_NOMEM);

	for (unsigned i = 0; i < n; i++)
		taken |= take_from_host(d, &el[i]);
	if (taken)
		d->moving_generation = arch_flush_begin(core_host());
	if (CHECKED(LET_GO) && !arch_flush_wait(core_host(), d->moving_generation))
		return call_refuse(c, 0, TSR_E_AGAIN);
	for (unsigned i = 0; i < n; i++)
		give_to_guest(d, &el[i]);
	return finished(c, n);
}

/* ------------------------------------------------------------------ load */

int call_GUEST_LOAD(struct call *c)
{
	struct domain *d = guest_find(c->a1);
	const struct tsr_load *el = c->mail;
	mfn_t to[TSR_MAX_BATCH];
	uint64_t next;

	if (!d)
		return -TSR_E_GUEST;
	if (d->state != TSR_GUEST_BUILDING)
		return -TSR_E_STATE;
	next = d->loaded_next;
	for (unsigned i = 0; i < c->n; i++) {
		if (el[i].gfn < next || el[i].gfn >= d->mem_pages)
			return call_refuse(c, i, TSR_E_ARG);
		next = el[i].gfn + 1;
		if (!leaf_lookup(d, el[i].gfn, &to[i]) || !frame_run_ok(el[i].host_pfn, 1) ||
		    !frame_host_own(mfn(el[i].host_pfn)) || frame_of(mfn(el[i].host_pfn))->state == FRAME_MAILBOX)
			return call_refuse(c, i, TSR_E_FRAME);
	}
	for (unsigned i = 0; i < c->n; i++) {
		void *page = arch_frame(to[i]);

		/* The host can write its page at any time, the guest's frame it cannot reach: what is measured is the copy. */
		memcpy(page, arch_frame(mfn(el[i].host_pfn)), TSR_PAGE_SIZE);
		tsr_measure_load((struct tsr_measure *)d->measure, el[i].gfn, page);
	}
	d->loaded_next = next;
	return TSR_OK;
}

/* ------------------------------------------------------------------ reclaim */

static bool is_table(const struct frame *f)
{
	return f->state == FRAME_TABLE || (f->state == FRAME_DIRTY && f->gfn == GFN_NONE);
}

/* left: RAM pages that will still be in the guest when this element's turn comes. */
static enum tsr_error check_reclaim(const struct domain *d, const struct tsr_donate *el, const struct run *run, unsigned n,
				    uint64_t *left)
{
	if (!el->count || el->count > TSR_DONATE_MAX || el->gfn || el->flags)
		return TSR_E_ARG;
	if (!frame_run_ok(el->host_pfn, el->count))
		return TSR_E_FRAME;
	if (run_overlaps(run, n))
		return TSR_E_ARG;
	for (uint32_t i = 0; i < el->count; i++) {
		const struct frame *f = frame_of(mfn(el->host_pfn + i));

		if (f->owner != d->id)
			return TSR_E_FRAME;
		if (!is_table(f))
			--*left;
		else if (*left)
			return TSR_E_BUSY;
	}
	return TSR_OK;
}

static void take_from_guest(struct domain *d, const struct tsr_donate *el)
{
	for (uint32_t i = 0; i < el->count; i++) {
		mfn_t m = mfn(el->host_pfn + i);
		struct frame f = *frame_of(m);

		if (!frame_guest_visible(&f))
			continue;
		frame_put(m, (struct frame){ .state = FRAME_DIRTY, .owner = d->id, .gfn = f.gfn });
		leaf_sync_guest(d, m, gfn(f.gfn));
		d->ram_pages--;
		d->moving_ram++;
	}
}

static void give_to_host(struct domain *d, const struct tsr_donate *el)
{
	for (uint32_t i = 0; i < el->count; i++) {
		mfn_t m = mfn(el->host_pfn + i);
		const struct frame *f = frame_of(m);

		/* The tables go when no leaf is left in them, before the first of their pages does. */
		if (is_table(f) && d->tables) {
			arch_tables_destroy(d);
			d->tables = NULL;
		}
		if (f->state == FRAME_TABLE)
			d->table_pages--;
		else if (is_table(f))
			d->moving_tables--;
		else
			d->moving_ram--;
		memset(arch_frame(m), 0, TSR_PAGE_SIZE);
		frame_put(m, (struct frame){ .state = FRAME_OWNED, .owner = DOMAIN_HOST, .gfn = (uint32_t)m.n });
		leaf_sync_host(m);
	}
}

int call_GUEST_RECLAIM(struct call *c)
{
	const struct tsr_donate *el = c->mail;
	struct domain *d = guest_find(c->a1);
	struct run run[TSR_MAX_BATCH];
	uint64_t left;
	unsigned n;

	if (!d)
		return -TSR_E_GUEST;
	if (d->state != TSR_GUEST_DYING)
		return -TSR_E_STATE;
	left = d->ram_pages + d->moving_ram;
	for (unsigned i = 0; i < c->n; i++) {
		enum tsr_error e;

		run[i] = (struct run){ el[i].host_pfn, el[i].count };
		e = check_reclaim(d, &el[i], run, i, &left);
		if (e)
			return call_refuse(c, i, e);
	}
	n = within_budget(el, c->n);
	for (unsigned i = 0; i < n; i++)
		take_from_guest(d, &el[i]);
	/* Nobody is inside a dying guest, but some CPU may still hold its translations. */
	if (!arch_flush_wait(d, arch_flush_begin(d)) || !arch_flush_wait(core_host(), d->moving_generation))
		return call_refuse(c, 0, TSR_E_AGAIN);
	for (unsigned i = 0; i < n; i++)
		give_to_host(d, &el[i]);
	/* What may be late here is only the end of an absence: a device is refused a while longer. */
	(void)arch_flush_wait(core_host(), arch_flush_begin(core_host()));
	if (!d->ram_pages && !d->moving_ram && !d->table_pages && !d->moving_tables)
		guest_free(d);
	return finished(c, n);
}

/* ------------------------------------------------------------------ for a host that did not donate them */

int call_GUEST_FRAMES(struct call *c)
{
	struct tsr_guest_frames *list = c->mail;
	uint64_t m = c->a0, end = frame_look_end(m);
	struct tsr_frame_run *last = NULL;

	if (!guest_find(c->a1))
		return -TSR_E_GUEST;
	if (m >= frame_nr())
		return -TSR_E_ARG;
	memset(list, 0, sizeof(*list));
	for (; m < end; m++) {
		const struct frame *f = frame_of(mfn(m));
		uint32_t flags = is_table(f) ? TSR_DONATE_TABLES : 0;

		if (f->owner != c->a1)
			continue;
		if (last && last->flags == flags && last->pfn + last->count == m) {
			last->count++;
			continue;
		}
		if (list->count == sizeof(list->run) / sizeof(list->run[0]))
			break;
		last = &list->run[list->count++];
		*last = (struct tsr_frame_run){ .pfn = m, .count = 1, .flags = flags };
	}
	c->value = m < frame_nr() ? m : 0;
	c->reply = true;
	return TSR_OK;
}
