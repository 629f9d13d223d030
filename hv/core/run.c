/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Running a guest's virtual CPU inside the host's hypercall, and typing into its console. */
#include <core/arch.h>
#include <core/call.h>
#include <core/check.h>
#include <core/guest.h>
#include "proto/port.h"

/* By the host's CPU: the mailbox is written only after the lock is held again. */
static struct tsr_run_exit exits[TSR_MAX_VCPUS];

int call_VCPU_RUN(struct call *c)
{
	struct tsr_run_exit *exit = &exits[c->v->index];
	struct domain *d = guest_find(c->a0);
	struct vcpu *v;

	if (!d)
		return -TSR_E_GUEST;
	if (c->a1 >= d->nr_vcpus)
		return -TSR_E_ARG;
	if (d->state == TSR_GUEST_BUILDING)
		return -TSR_E_STATE;
	v = &d->vcpu[c->a1];
	if (CHECKED(RUNNER) && v->running_on >= 0)
		return -TSR_E_BUSY;
	memset(exit, 0, sizeof(*exit));
	if (d->state == TSR_GUEST_RUNNING) {
		/* Seen by all before the run looks for what is pending: see arch_vcpu_kick(). */
		__atomic_store_n(&v->running_on, (int32_t)c->v->index, __ATOMIC_SEQ_CST);
		arch_unlock();
		arch_vcpu_run(v, exit);
		arch_lock();
		__atomic_store_n(&v->running_on, -1, __ATOMIC_SEQ_CST);
	}
	/* What it still wrote is shown, whatever the reason was. */
	arch_console_take(d, exit);
	if (d->state != TSR_GUEST_RUNNING)
		exit->reason = TSR_RUN_ENDED;
	memcpy(c->mail, exit, sizeof(*exit));
	c->reply = true;
	return TSR_OK;
}

int call_CONSOLE_INPUT(struct call *c)
{
	const struct tsr_console_input *input = c->mail;
	struct domain *d = guest_find(c->a1);

	if (!d)
		return -TSR_E_GUEST;
	if (!input->len || input->len > sizeof(input->bytes))
		return -TSR_E_ARG;
	if (!(d->flags & TSR_GUEST_CONSOLE_INPUT))
		return -TSR_E_POLICY;
	if (d->state != TSR_GUEST_RUNNING)
		return -TSR_E_STATE;
	c->value = arch_console_input(d, input->bytes, input->len);
	return TSR_OK;
}
