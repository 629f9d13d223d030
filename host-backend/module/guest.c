// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* A guest's life: object, gate, stop and destroy. How it is built is in build.c. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

#define BACKENDS_LIMIT (10 * HZ)

struct tsr_guest *tsr_guest_alloc(const struct tsr_ioc_create *create)
{
	struct tsr_guest *guest = kzalloc(sizeof(*guest), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!guest)
		return NULL;
	if (tsr_console_init(&guest->console)) {
		kfree(guest);
		return NULL;
	}
	kref_init(&guest->ref);
	INIT_LIST_HEAD(&guest->link);
	memcpy(guest->name, create->name, sizeof(guest->name));
	guest->config = create->config;
	guest->eip = create->eip;
	guest->esi = create->esi;
	mutex_init(&guest->lock);
	init_rwsem(&guest->gate);
	spin_lock_init(&guest->slot_lock);
	for (i = 0; i < TSR_MAX_DEVICES; i++)
		init_waitqueue_head(&guest->slot[i].wait);
	return guest;
}

static void guest_free(struct kref *ref)
{
	struct tsr_guest *guest = container_of(ref, struct tsr_guest, ref);

	tsr_console_free(&guest->console);
	kfree(guest->vcpu);
	kfree(guest);
}

void tsr_guest_put(struct tsr_guest *guest)
{
	kref_put(&guest->ref, guest_free);
}

bool tsr_guest_enter(struct tsr_guest *guest, bool nonblock)
{
	if (!nonblock)
		down_read(&guest->gate);
	else if (!down_read_trylock(&guest->gate))
		return false;
	if (!guest->dead)
		return true;
	up_read(&guest->gate);
	return false;
}

void tsr_guest_leave(struct tsr_guest *guest)
{
	up_read(&guest->gate);
}

int tsr_guest_call(struct tsr_guest *guest, struct tsr_hypercall *call)
{
	int status;

	if (!tsr_guest_enter(guest, false))
		return -ESRCH;
	call->a1 = guest->id;
	status = tsr_hypercall(call);
	tsr_guest_leave(guest);
	return tsr_errno(status);
}

int tsr_guest_raise(struct tsr_guest *guest, u32 event, bool nonblock)
{
	int status;
	u64 wake;

	if (!tsr_guest_enter(guest, nonblock))
		return nonblock ? -EAGAIN : -ESRCH;
	status = tsr_call_regs(TSR_CALL_EVENT_RAISE, 0, guest->id, event, &wake);
	if (!status)
		tsr_vcpus_wake(guest, wake);
	tsr_guest_leave(guest);
	return tsr_errno(status);
}

int tsr_guest_stop(struct tsr_guest *guest)
{
	struct tsr_hypercall call = { .nr = TSR_CALL_GUEST_STOP };
	int err = tsr_guest_call(guest, &call);

	if (!err && READ_ONCE(guest->paused))
		tsr_guest_set_ended(guest); /* no thread will notice */
	if (!err)
		tsr_vcpus_wake(guest, TSR_VCPUS_ALL);
	return err;
}

void tsr_guest_set_ended(struct tsr_guest *guest)
{
	u32 i;

	spin_lock(&guest->slot_lock);
	guest->ended = true;
	spin_unlock(&guest->slot_lock);
	tsr_console_end(&guest->console);
	for (i = 0; i < TSR_MAX_DEVICES; i++)
		wake_up_interruptible_all(&guest->slot[i].wait);
}

/* The caller's own does not end while it waits here. */
static bool others_serve(struct tsr_guest *guest, const struct tsr_slot *slot)
{
	bool yes;

	spin_lock(&guest->slot_lock);
	yes = slot->backend && slot->pid != task_tgid(current);
	spin_unlock(&guest->slot_lock);
	return yes;
}

/*
 * Back-ends know by now. They end their I/O, and with it what devices still do to the guest's pages, before these become the host's
 * again; and whoever starts the guest anew finds its images free. One that hangs is not waited for for ever: the revoke does without it.
 */
static void wait_for_backends(struct tsr_guest *guest)
{
	unsigned long end = jiffies + BACKENDS_LIMIT;
	u32 i;

	for (i = 0; i < TSR_MAX_DEVICES; i++) {
		long left = end - jiffies;

		if (!wait_event_timeout(guest->slot[i].wait, !others_serve(guest, &guest->slot[i]), max(left, 0L)))
			pr_warn("guest %s: the back-end of device %u does not end; it is left behind\n", guest->name, i);
	}
}

int tsr_guest_destroy(struct tsr_guest *guest)
{
	int status;

	mutex_lock(&guest->lock);
	if (guest->dead) {
		mutex_unlock(&guest->lock);
		return -ESRCH;
	}
	/* Refused while it is being built or has ended by itself: both are as good as stopped. */
	tsr_call_regs(TSR_CALL_GUEST_STOP, 0, guest->id, 0, NULL);
	tsr_vcpus_join(guest);
	tsr_guest_set_ended(guest);
	wait_for_backends(guest);

	/* Revokes its tokens: backends' window pages are their own again when this returns. */
	status = tsr_call_batch(TSR_CALL_GUEST_DESTROY, guest->id, NULL, 0, 0, NULL);
	if (status) {
		pr_err("guest %s cannot be destroyed yet: %s\n", guest->name, tsr_error_text(status));
		mutex_unlock(&guest->lock);
		return tsr_errno(status);
	}
	/*
	 * The last page that goes back frees the id, and the next guest may get it. So first nobody may find this guest by its
	 * id, and whoever found it before may not call with it: that is the gate.
	 */
	tsr_registry_remove(guest);
	down_write(&guest->gate);
	guest->dead = true;
	up_write(&guest->gate);
	tsr_memory_reclaim(&guest->mem, guest->id, guest->name);
	tsr_memory_free(&guest->mem, guest->name);
	mutex_unlock(&guest->lock);
	if (!guest->paused)
		module_put(THIS_MODULE); /* taken when it was created; the caller's own descriptor or the kernel holds another */
	return 0;
}
