/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What the handlers of hypercalls get, and their names. All run with core_lock held. */
#ifndef HV_CORE_CALL_H
#define HV_CORE_CALL_H

#include <core/core.h>

/* One hypercall in progress. in is a private copy, made once, of what the mailbox held. */
struct call {
	struct vcpu *v;
	struct domain *d; /* the caller */
	uint64_t a0, a1, a2;
	uint64_t value;   /* RDX: result, or index of the element refused, or number of those finished */
	unsigned n;       /* elements of a batch */
	void *mail;       /* the copy; results are written here too */
	bool reply;       /* copy the call's structures back to the mailbox, also after an error */
};

/* Each returns 0 or a negated enum tsr_error. */
typedef int call_fn(struct call *c);

#define CALL_DECLARE(number, name, callers, batch, type, text) call_fn call_##name;
TSR_CALLS(CALL_DECLARE)
#undef CALL_DECLARE

static inline int call_refuse(struct call *c, unsigned index, enum tsr_error why)
{
	c->value = index;
	return -(int)why;
}

/* mailbox.c: the page a virtual CPU registered, or NULL. Valid while the lock is held. */
void *mailbox_page(const struct vcpu *v);
void mailbox_forget(struct vcpu *v);

#endif
