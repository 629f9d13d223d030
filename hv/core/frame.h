/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The frame table and the leaves derived from it. All with core_lock held. */
#ifndef HV_CORE_FRAME_H
#define HV_CORE_FRAME_H

#include <core/core.h>

/* frame.c */

void frame_init(struct frame *table, uint64_t nr);
uint64_t frame_nr(void);
/* m must be below frame_nr(). The entry changes only through the two below. */
const struct frame *frame_of(mfn_t m);
void frame_put(mfn_t m, struct frame to);
/* At start: frame_put for first .. end - 1, each with its own number as gfn; the oracle begins after it. */
void frame_fill(uint64_t first, uint64_t end, struct frame to);
/* Are first .. first + count - 1 all below frame_nr()? Safe against overflow. */
bool frame_run_ok(uint64_t first, uint64_t count);
/* Where a call that looks at frames from m on ends: it holds the lock meanwhile. */
uint64_t frame_look_end(uint64_t m);
void frame_census(struct tsr_census *census);
/* Is this what the host sees at the frame's own address: OWNED, MAILBOX or WINDOW? */
bool frame_host_own(mfn_t m);
/* Is the frame a guest's RAM that the guest sees? */
bool frame_guest_visible(const struct frame *f);

/*
 * Runs of frames or pages in one batch. Is page, which is frame m, also in one of the runs before run[n]? Asked for each page of each run, in
 * order: the frame keeps which run named it, and a number left by an earlier call is none that its run would confirm.
 */
struct run {
	uint64_t first, count;
};
bool frame_named(mfn_t m, uint64_t page, const struct run *run, unsigned n);
bool run_overlaps(const struct run *run, unsigned n); /* asks that for all of run[n], of frames that exist */

/* leaf.c: the one writer of leaves. Each derives the leaf from the frame table and writes it. */

void leaf_sync_host(mfn_t m); /* and of the host's devices */
/* The place frame m has (or had: pass its entry before the change) in guest d. */
void leaf_sync_guest(struct domain *d, mfn_t m, gfn_t g);
struct leaf leaf_of_host(mfn_t m);
/* What the host's devices may do there: nested paging has no write-only, the IOMMU has. */
struct leaf leaf_of_devices(mfn_t m);
/* The frame that d sees as its own RAM at g. False if it has none there, as at GFN_NONE, or for the host, if another's is shown. */
bool leaf_lookup(const struct domain *d, uint64_t g, mfn_t *out);
#ifdef TSR_TEST_BAD_LEAF
void leaf_corrupt(mfn_t m);
#endif

#endif
