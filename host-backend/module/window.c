// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Windows: a backend's own memory, pinned and registered, over which tokens' pages are swapped in.
 *
 * The pin is ours, not the process's: a page stays pinned until the hypervisor has said that it is the host's own again and no
 * window page any more. If that is not to be had now, the window waits in a list and the module cannot be unloaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

#define RETRY_DELAY HZ

static void retry(struct work_struct *work);
static LIST_HEAD(tsr_waiting);
static DEFINE_SPINLOCK(tsr_waiting_lock);
static DECLARE_DELAYED_WORK(tsr_retry, retry);

static int pin(struct tsr_window_area *area, u64 addr, u32 pages)
{
	while (area->pages < pages) {
		int n = pin_user_pages_fast(addr + (u64)area->pages * PAGE_SIZE, min(pages - area->pages, 1024u),
					    FOLL_LONGTERM | FOLL_WRITE, area->page + area->pages);

		if (n <= 0)
			return n ? n : -EFAULT;
		area->pages += n;
		cond_resched();
	}
	return 0;
}

static bool continues(const struct tsr_window *run, struct page *page)
{
	return run->count < TSR_DONATE_MAX && run->pfn + run->count == page_to_pfn(page);
}

static int make_runs(struct tsr_window_area *area)
{
	u32 i, runs = 1;

	for (i = 1; i < area->pages; i++)
		runs += page_to_pfn(area->page[i]) != page_to_pfn(area->page[i - 1]) + 1;
	runs += area->pages / TSR_DONATE_MAX; /* long ones are cut */
	area->run = kvcalloc(runs, sizeof(*area->run), GFP_KERNEL_ACCOUNT);
	if (!area->run)
		return -ENOMEM;
	for (i = 0; i < area->pages; i++) {
		if (area->runs && continues(&area->run[area->runs - 1], area->page[i]))
			area->run[area->runs - 1].count++;
		else
			area->run[area->runs++] = (struct tsr_window){ .pfn = page_to_pfn(area->page[i]), .count = 1 };
	}
	return 0;
}

static int add_runs(struct tsr_window_area *area)
{
	u32 done;
	int status = tsr_call_batch(TSR_CALL_WINDOW_ADD, 0, area->run, sizeof(*area->run), area->runs, &done);

	/* One that is begun and not finished must be removed as well. */
	area->registered = min(area->runs, done + (status == -TSR_E_AGAIN));
	if (status)
		pr_warn("guest %s: a window of %u pages is refused: %s\n", area->owner, area->pages, tsr_error_text(status));
	return tsr_errno(status);
}

struct tsr_window_area *tsr_window_create(const struct tsr_backend *backend, u64 addr, u64 len)
{
	struct tsr_window_area *area;
	u32 pages = len >> PAGE_SHIFT;
	int err;

	if (!PAGE_ALIGNED(addr) || !PAGE_ALIGNED(len) || !len || len >> PAGE_SHIFT > TSR_HOST_WINDOW_PAGES ||
	    addr + len < addr)
		return ERR_PTR(-EINVAL);
	area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);
	if (!area)
		return ERR_PTR(-ENOMEM);
	snprintf(area->owner, sizeof(area->owner), "%s device %u", backend->guest->name, backend->device);
	INIT_LIST_HEAD(&area->link);
	area->page = kvcalloc(pages, sizeof(*area->page), GFP_KERNEL_ACCOUNT);
	area->mapping = kvcalloc(pages, sizeof(*area->mapping), GFP_KERNEL_ACCOUNT);
	err = area->page && area->mapping ? pin(area, addr, pages) : -ENOMEM;
	if (!err)
		err = make_runs(area);
	if (!err)
		err = add_runs(area);
	if (!err)
		return area;
	tsr_window_release(area);
	return ERR_PTR(err);
}

int tsr_window_run(const struct tsr_window_area *area, u64 offset, u32 pages, u64 *pfn)
{
	u64 first = offset >> PAGE_SHIFT;
	u32 i;

	if (!PAGE_ALIGNED(offset) || !pages || pages > TSR_TOKEN_MAX_PAGES || first >= area->pages ||
	    pages > area->pages - first)
		return -EINVAL;
	*pfn = page_to_pfn(area->page[first]);
	for (i = 1; i < pages; i++) {
		if (page_to_pfn(area->page[first + i]) != *pfn + i)
			return -EINVAL;
	}
	return 0;
}

/* ------------------------------------------------------------------ tokens */

u32 tsr_window_next(const struct tsr_window_area *area, u32 page)
{
	if (!area->mapped)
		return area->pages;
	while (page < area->pages && area->mapping[page].run != page + 1)
		page++;
	return page;
}

void tsr_window_unmapped(struct tsr_window_area *area, u32 page)
{
	u32 first = area->mapping[page].run - 1, i;

	for (i = 0; i < area->mapping[first].pages; i++)
		area->mapping[first + i].run = 0;
	area->mapped--;
}

/* Whatever this module thought was there before has been revoked by its issuer. */
void tsr_window_mapped(struct tsr_window_area *area, const struct tsr_token *token, u32 first, u32 pages)
{
	u32 i;

	for (i = first; i < first + pages; i++) {
		if (area->mapping[i].run)
			tsr_window_unmapped(area, i);
		area->mapping[i].run = first + 1;
	}
	area->mapping[first].token = *token;
	area->mapping[first].pages = pages;
	area->mapped++;
}

int tsr_window_unmap_all(struct tsr_window_area *area)
{
	u32 page;

	for (page = tsr_window_next(area, 0); page < area->pages; page = tsr_window_next(area, page + 1)) {
		struct tsr_token_ref ref = { .token = area->mapping[page].token };
		int status = tsr_call_batch(TSR_CALL_TOKEN_UNMAP, 0, &ref, sizeof(ref), 1, NULL);

		if (status && status != -TSR_E_TOKEN) /* no such token: its issuer has revoked it */
			return status;
		tsr_window_unmapped(area, page);
	}
	return 0;
}

/* ------------------------------------------------------------------ release */

/* Negated enum tsr_error as long as something is left; 0 when area is gone. */
static int try_release(struct tsr_window_area *area)
{
	int status = tsr_window_unmap_all(area);

	while (!status && area->registered) {
		status = tsr_call_batch(TSR_CALL_WINDOW_REMOVE, 0, &area->run[area->registered - 1], sizeof(*area->run), 1,
					NULL);
		if (!status)
			area->registered--;
		cond_resched();
	}
	if (status)
		return status;
	unpin_user_pages_dirty_lock(area->page, area->pages, true);
	kvfree(area->run);
	kvfree(area->mapping);
	kvfree(area->page);
	kfree(area);
	return 0;
}

static void put_off(struct tsr_window_area *area)
{
	spin_lock(&tsr_waiting_lock);
	list_add_tail(&area->link, &tsr_waiting);
	spin_unlock(&tsr_waiting_lock);
	queue_delayed_work(system_long_wq, &tsr_retry, RETRY_DELAY);
}

static void retry(struct work_struct *work)
{
	struct tsr_window_area *area, *next;
	LIST_HEAD(now);

	spin_lock(&tsr_waiting_lock);
	list_splice_init(&tsr_waiting, &now);
	spin_unlock(&tsr_waiting_lock);
	list_for_each_entry_safe(area, next, &now, link) {
		char owner[sizeof(area->owner)];

		memcpy(owner, area->owner, sizeof(owner));
		list_del_init(&area->link);
		if (try_release(area)) {
			put_off(area);
			continue;
		}
		pr_info("guest %s: a window has been returned after all\n", owner);
		module_put(THIS_MODULE);
	}
}

void tsr_window_release(struct tsr_window_area *area)
{
	int status = try_release(area);

	if (!status)
		return;
	pr_err("guest %s: a window of %u pages cannot be returned now (%s): it stays pinned and is tried again each second\n",
	       area->owner, area->pages, tsr_error_text(status));
	__module_get(THIS_MODULE);
	put_off(area);
}

void tsr_window_flush(void)
{
	flush_delayed_work(&tsr_retry);
}
