// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Guests that outlive this module, or have outlived another: spec/host.md, "Pause, another module, another kernel".
 *
 * Guests live in the hypervisor. What it does not know of one, the next module finds in the kept page before the guest's lowest run;
 * and that it may read there, and whose the guest's pages are, it knows by the marks in struct page.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

#define HANDOVER_VERSION 1u /* of the structure below */

struct handover {
	u32 version;
	u32 eip, esi;
	char name[TSR_NAME_SIZE];
	struct tsr_guest_create config;
	u64 console_next;
};

/* Takes the lock of a guest that can run. An errno, and then no lock is held. */
static int lock_launched(struct tsr_guest *guest)
{
	int err;

	if (mutex_lock_killable(&guest->lock))
		return -EINTR;
	err = guest->dead ? -ESRCH : guest->launched ? 0 : -EBADFD;
	if (err)
		mutex_unlock(&guest->lock);
	return err;
}

int tsr_guest_pause(struct tsr_guest *guest)
{
	int err = lock_launched(guest);

	if (err)
		return err;
	if (!guest->paused) {
		/* Each thread ends after it has passed on what its last run brought. */
		tsr_vcpus_join(guest);
		WRITE_ONCE(guest->paused, true);
		module_put(THIS_MODULE); /* the caller's descriptor holds another reference */
	}
	mutex_unlock(&guest->lock);
	return 0;
}

int tsr_guest_resume(struct tsr_guest *guest)
{
	int err = lock_launched(guest);

	if (err)
		return err;
	if (guest->paused) {
		/* Wherever it stood, each virtual CPU runs once, and says if it only waits. */
		err = tsr_vcpus_create(guest);
		if (!err) {
			__module_get(THIS_MODULE);
			WRITE_ONCE(guest->paused, false);
			tsr_vcpus_start(guest);
		}
	}
	mutex_unlock(&guest->lock);
	return err;
}

/* The kept page before the lowest run, if that is what mem begins with. */
static struct handover *handover_of(const struct tsr_memory *mem)
{
	if (!mem->nr || mem->chunk[0].kind != TSR_CHUNK_KEPT)
		return NULL;
	return page_address(pfn_to_page(mem->chunk[0].pfn));
}

void tsr_abandon_all(void)
{
	struct tsr_guest *guest;

	while ((guest = tsr_registry_next(0))) {
		*handover_of(&guest->mem) = (struct handover){
			.version = HANDOVER_VERSION,
			.eip = guest->eip,
			.esi = guest->esi,
			.config = guest->config,
			.console_next = guest->console.next,
		};
		memcpy(handover_of(&guest->mem)->name, guest->name, sizeof(guest->name));
		kvfree(guest->mem.chunk);
		tsr_registry_remove(guest);
		tsr_guest_put(guest);
	}
}

static bool any_foreign(const struct tsr_memory *mem)
{
	u32 i;

	for (i = 0; i < mem->nr; i++) {
		if (mem->chunk[i].foreign)
			return true;
	}
	return false;
}

static int adopt(u32 id, struct tsr_memory *mem, const struct tsr_guest_info *info)
{
	const struct handover *left = handover_of(mem);
	struct tsr_ioc_create create = {};
	struct tsr_guest *guest;
	int err;

	if (!left || left->version != HANDOVER_VERSION || left->config.mem_pages != info->mem_pages || left->config.vcpus != info->vcpus) {
		pr_err("guest %u was left by a module of another version: load that one again, and destroy the guest or keep the module\n", id);
		return -EPROTO;
	}
	memcpy(create.name, left->name, sizeof(create.name) - 1);
	create.config = left->config;
	create.eip = left->eip;
	create.esi = left->esi;
	guest = tsr_guest_alloc(&create);
	if (!guest)
		return -ENOMEM;
	guest->id = id;
	guest->mem = *mem;
	guest->console.next = left->console_next;
	guest->launched = guest->paused = true;
	err = tsr_registry_add(guest);
	if (!err) {
		*mem = (struct tsr_memory){};
		if (info->state == TSR_GUEST_STOPPED)
			tsr_guest_set_ended(guest);
		pr_info("guest %s (%u) is taken over, paused\n", guest->name, id);
	}
	tsr_guest_put(guest);
	return err;
}

static void bury(u32 id, struct tsr_memory *mem)
{
	char name[16];
	int status;

	snprintf(name, sizeof(name), "%u", id);
	status = tsr_call_batch(TSR_CALL_GUEST_DESTROY, id, NULL, 0, 0, NULL);
	if (status && status != -TSR_E_STATE) /* a dying one has lost something before */
		pr_err("guest %u, left by a kernel before, cannot be destroyed: %s\n", id, tsr_error_text(status));
	else
		pr_info("guest %u, left by a kernel before, is destroyed\n", id);
	tsr_memory_reclaim(mem, id, name);
	tsr_memory_free(mem, name);
}

static int take_over(u32 id)
{
	struct tsr_guest_info info;
	struct tsr_hypercall call = { .nr = TSR_CALL_GUEST_INFO, .a1 = id, .out = &info, .out_len = sizeof(info) };
	struct tsr_memory mem;
	int err, status = tsr_hypercall(&call);

	if (status == -TSR_E_GUEST)
		return 0;
	if (status)
		return tsr_errno(status);
	err = tsr_memory_find(&mem, id);
	if (err) {
		kvfree(mem.chunk);
		return err;
	}
	/* Only paused guests are handed over, and they were launched. */
	if (info.state == TSR_GUEST_DYING || info.state == TSR_GUEST_BUILDING || any_foreign(&mem))
		bury(id, &mem);
	else
		err = adopt(id, &mem, &info);
	kvfree(mem.chunk); /* NULL if somebody else has it now */
	return err;
}

int tsr_adopt_all(void)
{
	u32 id;
	int err = 0;

	/* Numbers of guests follow those of the hypervisor and the host. */
	for (id = 2; id < 2 + TSR_MAX_GUESTS && !err; id++)
		err = take_over(id);
	if (err)
		tsr_abandon_all();
	return err;
}
