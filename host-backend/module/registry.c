// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* The list of live guests. */
#include <linux/string.h>

#include "internal.h"

static LIST_HEAD(tsr_guests);
static DEFINE_SPINLOCK(tsr_guests_lock);

static struct tsr_guest *find_name(const char *name)
{
	struct tsr_guest *guest;

	list_for_each_entry(guest, &tsr_guests, link) {
		if (!strncmp(guest->name, name, TSR_NAME_SIZE))
			return guest;
	}
	return NULL;
}

bool tsr_registry_has(const char *name)
{
	bool found;

	spin_lock(&tsr_guests_lock);
	found = find_name(name);
	spin_unlock(&tsr_guests_lock);
	return found;
}

int tsr_registry_add(struct tsr_guest *guest)
{
	int err = 0;

	spin_lock(&tsr_guests_lock);
	if (find_name(guest->name)) {
		err = -EEXIST;
	} else {
		kref_get(&guest->ref);
		list_add_tail(&guest->link, &tsr_guests);
	}
	spin_unlock(&tsr_guests_lock);
	return err;
}

void tsr_registry_remove(struct tsr_guest *guest)
{
	bool was_in;

	spin_lock(&tsr_guests_lock);
	was_in = !list_empty(&guest->link);
	list_del_init(&guest->link);
	spin_unlock(&tsr_guests_lock);
	if (was_in)
		tsr_guest_put(guest);
}

struct tsr_guest *tsr_registry_get(u32 id)
{
	struct tsr_guest *guest = tsr_registry_next(id);

	if (guest && guest->id != id) {
		tsr_guest_put(guest);
		return NULL;
	}
	return guest;
}

struct tsr_guest *tsr_registry_next(u32 id)
{
	struct tsr_guest *guest, *best = NULL;

	spin_lock(&tsr_guests_lock);
	list_for_each_entry(guest, &tsr_guests, link) {
		if (guest->id >= id && (!best || guest->id < best->id))
			best = guest;
	}
	if (best)
		kref_get(&best->ref);
	spin_unlock(&tsr_guests_lock);
	return best;
}
