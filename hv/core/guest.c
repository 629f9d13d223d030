/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A guest's life: create, launch, stop, destroy. Its memory: memory.c. */
#include <core/arch.h>
#include <core/call.h>
#include <core/check.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include <core/oracle.h>
#include <tessera/seal.h>
#include "proto/measure.h"

_Static_assert(sizeof(struct tsr_measure) <= sizeof(((struct domain *)0)->measure), "measure is too small");

static struct tsr_measure *measure_of(struct domain *d)
{
	return (struct tsr_measure *)d->measure;
}

struct domain *guest_find(uint64_t id)
{
	struct domain *d;

	if (id < DOMAIN_GUEST || id >= DOMAIN_NR)
		return NULL;
	d = domain_by_id((uint32_t)id);
	return d->state == TSR_GUEST_NONE ? NULL : d;
}

uint32_t guest_count(void)
{
	uint32_t n = 0;

	for (uint32_t i = DOMAIN_GUEST; i < DOMAIN_NR; i++)
		n += domain_by_id(i)->state != TSR_GUEST_NONE;
	return n;
}

static bool device_ok(const struct tsr_guest_create *config, unsigned i)
{
	const struct tsr_device_desc *desc = &config->device[i];

	if (desc->type == TSR_DEVICE_NONE)
		return tsr_is_zero(desc, sizeof(*desc));
	if (desc->type != TSR_DEVICE_BLOCK || !desc->suite || desc->suite >= TSR_SUITE_NR || desc->flags || desc->reserved ||
	    tsr_is_zero(desc->label, sizeof(desc->label)))
		return false;
	/* Two devices of one label would be two disks under one key. */
	for (unsigned k = 0; k < i; k++)
		if (config->device[k].type && !memcmp(config->device[k].label, desc->label, sizeof(desc->label)))
			return false;
	return true;
}

static bool config_ok(const struct tsr_guest_create *config)
{
	if (!config->mem_pages || config->mem_pages > frame_nr() || !config->vcpus ||
	    config->vcpus > TSR_MAX_VCPUS || config->flags & ~TSR_GUEST_FLAGS)
		return false;
	for (unsigned i = 0; i < TSR_MAX_DEVICES; i++)
		if (!device_ok(config, i))
			return false;
	return true;
}

int call_GUEST_CREATE(struct call *c)
{
	const struct tsr_guest_create *config = c->mail;
	uint32_t id = DOMAIN_GUEST;
	struct domain *d;

	if (!core_boot_info()->guests_allowed)
		return -TSR_E_UNSAFE;
	if (!config_ok(config))
		return -TSR_E_ARG;
	if (guest_count() >= core_boot_info()->limit.guests)
		return -TSR_E_LIMIT;
	while (domain_by_id(id)->state != TSR_GUEST_NONE)
		id++;

	d = domain_by_id(id);
	d->nr_vcpus = config->vcpus;
	for (uint32_t i = 0; i < TSR_MAX_VCPUS; i++)
		d->vcpu[i] = (struct vcpu){ .dom = d, .index = i, .running_on = -1, .mailbox = GFN_NONE };
	d->flags = config->flags;
	d->mem_pages = config->mem_pages;
	d->table_free = GFN_NONE;
	for (unsigned i = 0; i < TSR_MAX_DEVICES; i++)
		d->device[i].desc = config->device[i];
	tsr_measure_create(measure_of(d), config);
	d->state = TSR_GUEST_BUILDING;
	c->value = id;
	return TSR_OK;
}

void guest_free(struct domain *d)
{
	/* The generation goes on: a CPU may remember the one it saw of the guest that had this id before. */
	uint64_t generation = d->generation;
	uint32_t id = d->id;

	tsr_wipe(d, sizeof(*d));
	d->id = id;
	d->generation = generation;
	oracle_want_full();
}

/* Sets up the virtual CPUs, or none of them: the table pages taken go back to the list, which still links them. */
static bool create_vcpus(struct domain *d)
{
	uint32_t free = d->table_free;

	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		if (arch_vcpu_create(&d->vcpu[i]))
			continue;
		while (i--)
			arch_vcpu_destroy(&d->vcpu[i]);
		for (i = 0; i < d->nr_vcpus; i++)
			d->vcpu[i].arch = NULL;
		d->table_free = free;
		return false;
	}
	return true;
}

int call_GUEST_LAUNCH(struct call *c)
{
	struct tsr_guest_launch *launch = c->mail;
	struct domain *d = guest_find(c->a1);

	if (!d)
		return -TSR_E_GUEST;
	if (d->state != TSR_GUEST_BUILDING || d->ram_pages != d->mem_pages)
		return -TSR_E_STATE;
	if (launch->reserved)
		return -TSR_E_ARG;
	if (!create_vcpus(d))
		return -TSR_E_NOMEM;
	tsr_measure_launch(measure_of(d), launch->eip, launch->esi, d->identity);
	arch_vcpu_entry(&d->vcpu[0], launch->eip, launch->esi);
	__atomic_store_n(&d->state, TSR_GUEST_RUNNING, __ATOMIC_RELEASE);
	memcpy(launch->identity, d->identity, sizeof(d->identity));
	c->reply = true;
	oracle_want_full();
	return TSR_OK;
}

void guest_end(struct domain *d, enum tsr_guest_end why, uint64_t code0, uint64_t code1)
{
	if (d->state != TSR_GUEST_BUILDING && d->state != TSR_GUEST_RUNNING)
		return;
	d->end = why;
	d->end_code[0] = code0;
	d->end_code[1] = code1;
	__atomic_store_n(&d->state, TSR_GUEST_STOPPED, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (d->vcpu[i].arch)
			(void)arch_vcpu_kick(&d->vcpu[i]); /* the host runs those that sleep when it learns of the end */
}

void core_guest_ended(struct vcpu *v, enum tsr_guest_end why, uint64_t code0, uint64_t code1)
{
	arch_lock();
	guest_end(v->dom, why, code0, code1);
	arch_unlock();
}

int call_REPORT(struct call *c)
{
	static const struct tsr_run_exit ended = { .reason = TSR_RUN_ENDED };

	if (c->a0 != 1)
		return -TSR_E_ARG;
	guest_end(c->d, TSR_END_PANIC, c->a1, c->a2);
	arch_vcpu_exit(c->v, &ended);
	return TSR_OK;
}

int call_GUEST_STOP(struct call *c)
{
	struct domain *d = guest_find(c->a1);

	if (!d)
		return -TSR_E_GUEST;
	if (d->state == TSR_GUEST_DYING)
		return -TSR_E_STATE;
	guest_end(d, TSR_END_HOST, 0, 0);
	return TSR_OK;
}

int call_GUEST_DESTROY(struct call *c)
{
	struct domain *d = guest_find(c->a1);

	if (!d)
		return -TSR_E_GUEST;
	if (d->state == TSR_GUEST_DYING)
		return -TSR_E_STATE;
	guest_end(d, TSR_END_HOST, 0, 0);
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (CHECKED(IDLE) && d->vcpu[i].running_on >= 0)
			return -TSR_E_AGAIN;
	if (!grant_revoke_all(d))
		return -TSR_E_AGAIN;

	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		mailbox_forget(&d->vcpu[i]);
		if (d->vcpu[i].arch)
			arch_vcpu_destroy(&d->vcpu[i]);
		d->vcpu[i].arch = NULL;
	}
	for (unsigned i = 0; i < TSR_MAX_DEVICES; i++)
		d->device[i].lease = false;
	tsr_wipe(d->measure, sizeof(d->measure));
	d->state = TSR_GUEST_DYING;
	if (!d->ram_pages && !d->moving_ram && !d->table_pages && !d->moving_tables)
		guest_free(d);
	return TSR_OK;
}

int call_GUEST_INFO(struct call *c)
{
	struct tsr_guest_info *info = c->mail;
	struct domain *d = guest_find(c->a1);

	if (!d)
		return -TSR_E_GUEST;
	*info = (struct tsr_guest_info){
		.state = d->state,
		.end = d->end,
		.end_code = { d->end_code[0], d->end_code[1] },
		.mem_pages = d->mem_pages,
		.table_pages = d->table_pages + d->moving_tables,
		.ram_pages = d->ram_pages + d->moving_ram,
		.vcpus = d->nr_vcpus,
		.flags = d->flags,
		.tokens = d->tokens,
		.granted = d->granted,
		.exits = __atomic_load_n(&d->exits, __ATOMIC_RELAXED),
		.hypercalls = __atomic_load_n(&d->hypercalls, __ATOMIC_RELAXED),
		.faults = __atomic_load_n(&d->faults, __ATOMIC_RELAXED),
		.doorbells = __atomic_load_n(&d->doorbells, __ATOMIC_RELAXED),
		.events = __atomic_load_n(&d->events, __ATOMIC_RELAXED),
	};
	memcpy(info->identity, d->identity, sizeof(d->identity));
	c->reply = true;
	return TSR_OK;
}
