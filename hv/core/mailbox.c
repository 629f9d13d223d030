/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Mailboxes: the one page of a virtual CPU through which structures travel. */
#include <core/arch.h>
#include <core/call.h>
#include <core/frame.h>

void *mailbox_page(const struct vcpu *v)
{
	mfn_t m;

	if (!leaf_lookup(v->dom, v->mailbox, &m))
		return NULL;
	return arch_frame(m);
}

void mailbox_forget(struct vcpu *v)
{
	struct frame f;
	mfn_t m;

	if (leaf_lookup(v->dom, v->mailbox, &m)) {
		f = *frame_of(m);
		f.state = FRAME_OWNED;
		frame_put(m, f);
	}
	v->mailbox = GFN_NONE;
}

int call_MAILBOX(struct call *c)
{
	struct frame f;
	mfn_t m;

	if (c->a0 == UINT64_MAX) {
		mailbox_forget(c->v);
		return TSR_OK;
	}
	if (!leaf_lookup(c->d, c->a0, &m))
		return -TSR_E_FRAME;
	if (c->a0 == c->v->mailbox)
		return TSR_OK;
	if (frame_of(m)->state != FRAME_OWNED)
		return -TSR_E_FRAME;
	mailbox_forget(c->v);
	f = *frame_of(m);
	f.state = FRAME_MAILBOX;
	frame_put(m, f);
	c->v->mailbox = (uint32_t)c->a0;
	return TSR_OK;
}
