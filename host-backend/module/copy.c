// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Copies through tokens, between a guest's pages and a program's own memory, by the hypervisor: nothing is mapped. */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

#define PAGES (TSR_IOC_COPY_MAX / PAGE_SIZE + 1) /* the range may begin anywhere in a page */

struct copy_room {
	struct page *page[PAGES];
	struct tsr_token_copy element[PAGES];
};

/* One element for each page of the program's. */
static u32 fill(struct copy_room *room, const struct tsr_backend *backend, const struct tsr_ioc_copy *copy)
{
	u32 done = 0, n = 0, part;

	for (; done < copy->len; done += part, n++) {
		u64 at = offset_in_page(copy->addr + done);

		part = min_t(u64, copy->len - done, PAGE_SIZE - at);
		room->element[n] = (struct tsr_token_copy){
			.token = copy->token,
			.address = page_to_phys(room->page[n]) + at,
			.offset = copy->offset + done,
			.length = part,
			.issuer = backend->guest->id,
			.session = copy->session,
			.dir = copy->dir,
		};
	}
	return n;
}

static int copy_pinned(struct tsr_backend *backend, const struct tsr_ioc_copy *copy, struct copy_room *room)
{
	int status;

	if (!tsr_guest_enter(backend->guest, false))
		return -ESRCH;
	status = tsr_call_batch(TSR_CALL_TOKEN_COPY, 0, room->element, sizeof(room->element[0]), fill(room, backend, copy), NULL);
	tsr_guest_leave(backend->guest);
	return tsr_errno(status);
}

int tsr_backend_copy(struct tsr_backend *backend, const struct tsr_ioc_copy *copy, bool nonblock)
{
	bool out = copy->dir == TSR_DIR_READ;
	struct copy_room *room;
	int pages, pinned, err;

	if (nonblock)
		return -EAGAIN; /* pinning may sleep */
	if (!copy->len || copy->len > TSR_IOC_COPY_MAX || copy->offset + copy->len < copy->offset || copy->addr + copy->len < copy->addr ||
	    (!out && copy->dir != TSR_DIR_WRITE))
		return -EINVAL;
	pages = DIV_ROUND_UP(offset_in_page(copy->addr) + copy->len, PAGE_SIZE);
	room = kvmalloc(sizeof(*room), GFP_KERNEL_ACCOUNT);
	if (!room)
		return -ENOMEM;
	pinned = pin_user_pages_fast(copy->addr & PAGE_MASK, pages, out ? FOLL_WRITE : 0, room->page);
	err = pinned < 0 ? pinned : pinned < pages ? -EFAULT : copy_pinned(backend, copy, room);
	if (pinned > 0)
		unpin_user_pages_dirty_lock(room->page, pinned, out && !err);
	kvfree(room);
	return err;
}
