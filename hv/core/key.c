/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Keys and randomness for guests. A disk's write lease: of live guests with one identity, only the first to derive a disk's keys
 * gets them, until it is destroyed. Two writers under one key would overwrite each other's blocks with seals that both are valid.
 */
#include <core/arch.h>
#include <core/call.h>
#include <core/check.h>
#include <core/guest.h>
#include "proto/kdf.h"

static struct device *by_label(struct domain *d, const uint8_t *label)
{
	for (unsigned i = 0; i < TSR_MAX_DEVICES; i++)
		if (d->device[i].desc.type == TSR_DEVICE_BLOCK &&
		    !memcmp(d->device[i].desc.label, label, TSR_LABEL_SIZE))
			return &d->device[i];
	return NULL;
}

static enum tsr_error take_lease(struct domain *d, const uint8_t *label)
{
	struct device *device = by_label(d, label), *other;

	if (!device)
		return TSR_E_NODEV;
	for (uint32_t id = DOMAIN_GUEST; id < DOMAIN_NR; id++) {
		struct domain *o = domain_by_id(id);

		if (o == d || memcmp(o->identity, d->identity, sizeof(d->identity)))
			continue;
		other = by_label(o, label);
		if (CHECKED(LEASE) && other && other->lease)
			return TSR_E_BUSY;
	}
	device->lease = true;
	return TSR_OK;
}

int call_KEY_DERIVE(struct call *c)
{
	struct tsr_key_derive *req = c->mail;
	enum tsr_error e = TSR_OK;

	if (req->reserved || req->purpose < TSR_KEY_DISK_HEADER || req->purpose > TSR_KEY_APPLICATION)
		return -TSR_E_ARG;
	if (req->purpose == TSR_KEY_DISK_HEADER && !tsr_is_zero(req->salt, sizeof(req->salt)))
		return -TSR_E_ARG;
	if (req->purpose != TSR_KEY_APPLICATION)
		e = take_lease(c->d, req->label);
	if (e)
		return -(int)e;
	tsr_kdf(req->key, core_root_secret(), c->d->identity, req->label, req->purpose, req->salt);
	c->reply = true;
	return TSR_OK;
}

int call_RANDOM(struct call *c)
{
	struct tsr_random *req = c->mail;

	if (!req->len || req->len > sizeof(req->bytes) || req->reserved)
		return -TSR_E_ARG;
	arch_random(req->bytes, req->len);
	c->reply = true;
	return TSR_OK;
}
