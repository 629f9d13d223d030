/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A guest's measured devices, and the bell wire between their two ends. */
#include <core/arch.h>
#include <core/grant.h>
#include <core/guest.h>
#include <tessera/block.h>
#include "proto/port.h"

/* The device of this number in the guest's measured configuration, or NULL. */
static struct device *device_find(struct domain *d, uint64_t number)
{
	if (number >= TSR_MAX_DEVICES || d->device[number].desc.type == TSR_DEVICE_NONE)
		return NULL;
	return &d->device[number];
}

int call_DEVICE_INFO(struct call *c)
{
	struct device *device = device_find(c->d, c->a0);
	struct tsr_device_info *info = c->mail;

	if (!device)
		return -TSR_E_NODEV;
	*info = (struct tsr_device_info){
		.desc = device->desc, .backend = device->backend, .backend_change = device->backend_change
	};
	c->reply = true;
	return TSR_OK;
}

int call_BACKEND_STATE(struct call *c)
{
	struct domain *d = guest_find(c->a1);
	struct device *device;

	if (!d)
		return -TSR_E_GUEST;
	if (c->a2 > 1)
		return -TSR_E_ARG;
	if (d->state != TSR_GUEST_BUILDING && d->state != TSR_GUEST_RUNNING)
		return -TSR_E_STATE;
	device = device_find(d, c->a0);
	if (!device)
		return -TSR_E_NODEV;
	if (device->backend == c->a2)
		return TSR_OK;
	device->backend = (uint32_t)c->a2;
	device->backend_change++;
	c->value = event_raise(d, TSR_EVENT_BACKEND((uint32_t)c->a0));
	return TSR_OK;
}

/* Exits are large: built here, with the lock held, and copied by the architecture. */
static struct tsr_run_exit leaving;

int call_CONNECT(struct call *c)
{
	const struct tsr_connect *connect = c->mail;
	const struct grant *g;

	if (!device_find(c->d, connect->device))
		return -TSR_E_NODEV;
	if (!connect->session)
		return -TSR_E_ARG;
	g = grant_find(&connect->token);
	if (!g || g->issuer != c->d->id || g->state != TSR_TOKEN_ISSUED)
		return -TSR_E_TOKEN;
	if (g->device != connect->device || g->session != connect->session || g->pages != 1 || g->dir != TSR_DIR_BOTH)
		return -TSR_E_BIND;
	memset(&leaving, 0, sizeof(leaving));
	leaving.reason = TSR_RUN_CONNECT;
	leaving.device = connect->device;
	leaving.session = connect->session;
	leaving.token = connect->token;
	arch_vcpu_exit(c->v, &leaving);
	return TSR_OK;
}

int call_NOTIFY(struct call *c)
{
	if (!device_find(c->d, c->a0))
		return -TSR_E_NODEV;
	if (c->a1 >= TSR_BLK_MAX_QUEUES)
		return -TSR_E_ARG;
	core_count(TSR_COUNT_doorbells);
	__atomic_fetch_add(&c->d->doorbells, 1, __ATOMIC_RELAXED);
	memset(&leaving, 0, sizeof(leaving));
	leaving.reason = TSR_RUN_DOORBELL;
	leaving.device = (uint32_t)c->a0;
	leaving.queue = (uint32_t)c->a1;
	arch_vcpu_exit(c->v, &leaving);
	return TSR_OK;
}
