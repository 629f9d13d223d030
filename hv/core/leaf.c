/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The one writer of leaves. Nested tables are caches of the frame table: every function here first asks the table what a leaf
 * has to be and then writes just that, so a caller cannot ask for anything else.
 */
#include <core/arch.h>
#include <core/frame.h>
#include <core/grant.h>

static const struct leaf none;

struct leaf leaf_of_host(mfn_t m)
{
	const struct frame *f = frame_of(m);

	if (frame_host_own(m))
		return (struct leaf){ .frame = m, .perm = PERM_RWX };
	if (f->state == FRAME_DISPLACED)
		return (struct leaf){ .frame = mfn(f->partner), .perm = grant_host_perm(f->slot) };
#ifdef TSR_TEST_NO_PROTECT
	if (f->state != FRAME_NONE)
		return (struct leaf){ .frame = m, .perm = PERM_RWX };
#endif
	return none;
}

struct leaf leaf_of_devices(mfn_t m)
{
	const struct frame *f = frame_of(m);

	if (f->state == FRAME_DISPLACED)
		return (struct leaf){ .frame = mfn(f->partner), .perm = grant_device_perm(f->slot) };
	return (struct leaf){ .frame = m, .perm = leaf_of_host(m).perm & (PERM_R | PERM_W) };
}

void leaf_sync_host(mfn_t m)
{
	arch_leaf_set(core_host(), gfn(m.n), leaf_of_host(m));
	arch_dma_set(gfn(m.n), leaf_of_devices(m));
}

void leaf_sync_guest(struct domain *d, mfn_t m, gfn_t g)
{
	const struct frame *f = frame_of(m);
	struct leaf l = none;

	if (f->owner == d->id && f->gfn == g.n && frame_guest_visible(f))
		l = (struct leaf){ .frame = m, .perm = PERM_RWX };
	arch_leaf_set(d, g, l);
}

bool leaf_lookup(const struct domain *d, uint64_t g, mfn_t *out)
{
	struct leaf l;

	if (d->id == DOMAIN_HOST || d->id == DOMAIN_HV) {
		*out = mfn(g);
		if (d->id == DOMAIN_HV)
			return g < frame_nr() && frame_of(*out)->owner == DOMAIN_HV && frame_of(*out)->state != FRAME_NONE;
		return g < frame_nr() && frame_host_own(*out);
	}
	if (!d->tables || g >= d->mem_pages)
		return false;
	/* The guest's table is only an index here: what it says counts if the frame table agrees. */
	l = arch_leaf_get(d, gfn(g));
	if (!l.perm || l.frame.n >= frame_nr())
		return false;
	*out = l.frame;
	return frame_of(l.frame)->owner == d->id && frame_of(l.frame)->gfn == g && frame_guest_visible(frame_of(l.frame));
}

struct leaf core_leaf_expected(const struct domain *d, gfn_t g)
{
	mfn_t m;

	if (d->id == DOMAIN_HOST)
		return g.n < frame_nr() ? leaf_of_host(mfn(g.n)) : none;
	if (!leaf_lookup(d, g.n, &m))
		return none;
	return (struct leaf){ .frame = m, .perm = PERM_RWX };
}

enum fault_verdict core_nested_fault(struct vcpu *v, gfn_t g, uint8_t wanted_perm)
{
	struct domain *d = v->dom;
	bool allowed;

	arch_lock();
	allowed = wanted_perm && (core_leaf_expected(d, g).perm & wanted_perm) == wanted_perm;
	arch_unlock();
	if (allowed)
		return FAULT_RETRY;
	__atomic_fetch_add(&d->faults, 1, __ATOMIC_RELAXED);
	core_count(d->id == DOMAIN_HOST ? TSR_COUNT_faults_memory : TSR_COUNT_faults_guest);
	return FAULT_FORBIDDEN;
}

#ifdef TSR_TEST_BAD_LEAF
/* The negative control of the oracle: shows the host a frame of the hypervisor, behind the frame table's back. */
void leaf_corrupt(mfn_t m)
{
	arch_leaf_set(core_host(), gfn(m.n), (struct leaf){ .frame = m, .perm = PERM_R });
}
#endif
