/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Dispatch: what all calls have in common is checked here, from the tables made of TSR_CALLS, before a handler runs: the caller's
 * kind, unused arguments, the mailbox, a batch's length. The mailbox is read once, into a private copy.
 */
#include <core/arch.h>
#include <core/call.h>
#include <core/frame.h>
#include <core/guest.h>
#include <core/oracle.h>
#include "proto/hash.h"

#define CALL_NR 58u /* one more than the highest number */

struct call_entry {
	call_fn *fn;
	uint8_t callers; /* TSR_BY_* */
	uint8_t batch;   /* elements at most; 0: no batch */
	uint16_t size;   /* of one structure; 0: none */
};

#define CALL_SIZE(type) (__builtin_types_compatible_p(type, void) ? 0 : sizeof(type))
#define CALL_ENTRY(number, name, callers, batch, type, text) [number] = { call_##name, callers, batch, CALL_SIZE(type) },
static const struct call_entry calls[CALL_NR] = { TSR_CALLS(CALL_ENTRY) };

#define CALL_FITS(number, name, callers, batch, type, text) \
	_Static_assert((number) < CALL_NR && ((batch) ? (batch) : 1) * CALL_SIZE(type) <= TSR_PAGE_SIZE, #name);
TSR_CALLS(CALL_FITS)

/* Arguments beyond a batch's a0 that a call uses; all others must be 0. */
#define A0 1u
#define A1 2u
#define A2 4u
static const uint8_t call_args[CALL_NR] = {
	[TSR_CALL_MAILBOX] = A0,
	[TSR_CALL_HOST_RESET] = A0,
	[TSR_CALL_GUEST_DONATE] = A1,
	[TSR_CALL_GUEST_LOAD] = A1,
	[TSR_CALL_GUEST_LAUNCH] = A1,
	[TSR_CALL_VCPU_RUN] = A0 | A1,
	[TSR_CALL_GUEST_STOP] = A1,
	[TSR_CALL_GUEST_DESTROY] = A1,
	[TSR_CALL_GUEST_RECLAIM] = A1,
	[TSR_CALL_GUEST_INFO] = A1,
	[TSR_CALL_EVENT_RAISE] = A1 | A2,
	[TSR_CALL_CONSOLE_INPUT] = A1,
	[TSR_CALL_BACKEND_STATE] = A0 | A1 | A2,
	[TSR_CALL_GUEST_FRAMES] = A0 | A1,
	[TSR_CALL_TOKEN_LIST] = A0,
	[TSR_CALL_TOKEN_OWN] = A0 | A1,
	[TSR_CALL_NOTIFY] = A0 | A1,
	[TSR_CALL_EVENT_BIND] = A0 | A1 | A2,
	[TSR_CALL_DEVICE_INFO] = A0,
	[TSR_CALL_REPORT] = A0 | A1 | A2,
};

/* The private copy. One is enough: a handler that lets go of the lock (VCPU_RUN) takes nothing from it afterwards. */
static union {
	uint8_t bytes[TSR_PAGE_SIZE];
	uint64_t aligned;
} mail;

static bool args_ok(const struct call *c, uint64_t nr)
{
	uint8_t used = call_args[nr] | (calls[nr].batch ? A0 : 0);

	return (used & A0 || !c->a0) && (used & A1 || !c->a1) && (used & A2 || !c->a2);
}

static int dispatch(struct call *c, uint64_t nr)
{
	uint8_t caller = c->d->id == DOMAIN_HOST ? TSR_BY_HOST : TSR_BY_GUEST;
	const struct call_entry *entry;
	size_t size;
	void *page;
	int ret;

#ifdef TSR_TEST_BAD_LEAF
	if (nr == 240) {
		leaf_corrupt(mfn(core_boot_info()->hv.first));
		oracle_want_full();
		return TSR_OK;
	}
#endif
	if (nr >= CALL_NR || !(calls[nr].callers & caller)) /* what is no call has no callers */
		return -TSR_E_CALL;
	entry = &calls[nr];
	if (!args_ok(c, nr))
		return -TSR_E_ARG;
	if (!entry->size)
		return entry->fn(c);

	page = mailbox_page(c->v);
	if (!page)
		return -TSR_E_MAILBOX;
	if (entry->batch && (!c->a0 || c->a0 > entry->batch))
		return -TSR_E_ARG;
	c->n = entry->batch ? (unsigned)c->a0 : 1;
	c->mail = mail.bytes;
	size = (size_t)c->n * entry->size;
	memcpy(mail.bytes, page, size);
#ifdef TSR_TEST_MAIL_IN_PLACE
	c->mail = page;
#endif
	ret = entry->fn(c);
	/* Looked up again: VCPU_RUN lets go of the lock, and meanwhile another CPU may have ended all mailboxes. */
	page = c->reply && c->mail == mail.bytes ? mailbox_page(c->v) : NULL;
	if (page)
		memcpy(page, mail.bytes, size);
	tsr_wipe(mail.bytes, size);
	return ret;
}

void core_hypercall(struct vcpu *v, struct hypercall *call)
{
	struct call c = { .v = v, .d = v->dom, .a0 = call->a0, .a1 = call->a1, .a2 = call->a2 };

	core_count(v->dom->id == DOMAIN_HOST ? TSR_COUNT_hypercalls_host : TSR_COUNT_hypercalls_guest);
	__atomic_fetch_add(&v->dom->hypercalls, 1, __ATOMIC_RELAXED);
	arch_lock();
	/* A stopped guest may be inside for some more instructions: it gets nothing done in them. */
	call->status = v->dom->state == TSR_GUEST_RUNNING ? dispatch(&c, call->nr) : -TSR_E_STATE;
	call->value = c.value;
	oracle_after_call();
	arch_unlock();
}

int call_VERSION(struct call *c)
{
	c->value = TSR_ABI_VERSION;
	return TSR_OK;
}
