// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * A guest's memory, as the host sees it: pages allocated, given to the hypervisor, taken back, freed.
 *
 * While a page is given, any access of this kernel to it faults. Linux has one kind of read that goes past what it was told to
 * read: load_unaligned_zeropad() may touch the page after the one it works on, and survives a page fault there but not the
 * general protection fault that the hypervisor injects. Therefore the page right before a run of given pages is always one that
 * this module keeps for itself and where no name or string ever is.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "internal.h"

#define BLOCK_ORDER     9u
#define BLOCK_ORDER_MIN 4u /* below, a kept page for each block would cost too much */
#define LOWEST_PFN      0x1000u /* nothing below 16 MiB can be given: firmware and old devices reach it */
#define GIVE_PAGES      1024u /* in one hypercall: it scrubs them, and this CPU takes no interrupt meanwhile */

#define MARK      0x7465737365720000ul /* in page->private, with: */
#define MARK_KEPT 0x8000ul             /* and the guest's number */

static void mark(unsigned long pfn, u32 count, unsigned long what)
{
	while (count--)
		set_page_private(pfn_to_page(pfn++), what);
}

bool tsr_page_marked(unsigned long pfn, u32 guest, bool kept)
{
	return pfn_valid(pfn) && page_private(pfn_to_page(pfn)) == (MARK | guest | (kept ? MARK_KEPT : 0));
}

static int add_chunk(struct tsr_memory *mem, unsigned long pfn, u32 count, u8 kind)
{
	if (mem->nr == mem->max) {
		u32 max = mem->max ? mem->max * 2 : 256;
		struct tsr_chunk *more = kvmalloc_array(max, sizeof(*more), GFP_KERNEL);

		if (!more)
			return -ENOMEM;
		if (mem->nr)
			memcpy(more, mem->chunk, mem->nr * sizeof(*more));
		kvfree(mem->chunk);
		mem->chunk = more;
		mem->max = max;
	}
	mem->chunk[mem->nr++] = (struct tsr_chunk){ .pfn = pfn, .count = count, .kind = kind };
	return 0;
}

static void free_pages_at(unsigned long pfn, u32 count)
{
	mark(pfn, count, 0);
	while (count--)
		__free_page(pfn_to_page(pfn++));
}

static struct page *alloc_block(unsigned int *order)
{
	for (;; (*order)--) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL, *order);

		if (page || *order == BLOCK_ORDER_MIN)
			return page;
	}
}

/* Blocks until there are pages enough even if each block needs its own kept page. */
static int alloc_blocks(struct tsr_memory *mem, u64 pages)
{
	unsigned int order = BLOCK_ORDER;
	LIST_HEAD(low);
	u64 usable = 0;
	int err = 0;

	while (usable < pages && !err) {
		struct page *page, *next;

		order = min(order, max_t(unsigned int, BLOCK_ORDER_MIN, ilog2(pages - usable) + 1));
		page = alloc_block(&order);
		if (!page || fatal_signal_pending(current)) {
			if (page)
				__free_pages(page, order);
			err = page ? -EINTR : -ENOMEM;
			break;
		}
		split_page(page, order);
		if (page_to_pfn(page) < LOWEST_PFN) { /* held until the end, so that it is not offered again */
			for (next = page; next < page + (1 << order); next++)
				list_add(&next->lru, &low);
			continue;
		}
		err = add_chunk(mem, page_to_pfn(page), 1 << order, TSR_CHUNK_KEPT);
		if (err)
			free_pages_at(page_to_pfn(page), 1 << order);
		usable += (1 << order) - 1;
		cond_resched();
	}
	while (!list_empty(&low)) {
		struct page *page = list_first_entry(&low, struct page, lru);

		list_del(&page->lru);
		__free_page(page);
	}
	return err;
}

static int by_pfn(const void *a, const void *b)
{
	const struct tsr_chunk *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* Cuts what is left of a block: tables first, then RAM; the rest goes back. */
static int cut(struct tsr_memory *mem, unsigned long pfn, u32 count, u64 *tables, u64 *ram)
{
	while (count) {
		u64 *want = *tables ? tables : ram;
		u32 n = min_t(u64, *want, count);
		int err = n ? add_chunk(mem, pfn, n, *tables ? TSR_CHUNK_TABLE : TSR_CHUNK_RAM) : 0;

		if (err || !n) {
			free_pages_at(pfn, count);
			return err;
		}
		*want -= n;
		pfn += n;
		count -= n;
	}
	return 0;
}

/* From blocks to chunks: the first page of each physically contiguous run is kept. */
static int assign(struct tsr_memory *mem, u64 tables, u64 ram)
{
	struct tsr_memory blocks = *mem;
	unsigned long end = 0;
	int err = 0;
	u32 i;

	*mem = (struct tsr_memory){};
	sort(blocks.chunk, blocks.nr, sizeof(*blocks.chunk), by_pfn, NULL);
	for (i = 0; i < blocks.nr; i++) {
		unsigned long pfn = blocks.chunk[i].pfn;
		u32 count = blocks.chunk[i].count;

		if (!err && pfn != end && (tables || ram)) {
			err = add_chunk(mem, pfn, 1, TSR_CHUNK_KEPT);
			if (!err) {
				pfn++;
				count--;
			}
		}
		if (err)
			free_pages_at(pfn, count);
		else
			err = cut(mem, pfn, count, &tables, &ram);
		end = pfn + count;
	}
	kvfree(blocks.chunk);
	return err ? err : tables || ram ? -ENOMEM : 0;
}

int tsr_memory_alloc(struct tsr_memory *mem, u64 mem_pages, u32 vcpus)
{
	u64 tables = TSR_GUEST_TABLE_PAGES(mem_pages, vcpus);
	int err;

	*mem = (struct tsr_memory){};
	err = alloc_blocks(mem, mem_pages + tables);
	if (!err)
		err = assign(mem, tables, mem_pages);
	if (err)
		tsr_memory_free(mem, "");
	return err;
}

/* Donates one batch beginning at chunk i; returns the chunk after it, or an errno. */
static int donate_batch(struct tsr_memory *mem, u32 guest, u8 kind, u32 i, u64 *gfn)
{
	struct tsr_donate batch[8];
	u32 from[8], n = 0, pages = 0, done = 0, k;
	int status;

	for (; i < mem->nr && n < ARRAY_SIZE(batch) && pages < GIVE_PAGES; i++) {
		struct tsr_chunk *c = &mem->chunk[i];

		if (c->kind != kind)
			continue;
		from[n] = i;
		batch[n++] = (struct tsr_donate){
			.host_pfn = c->pfn,
			.gfn = kind == TSR_CHUNK_RAM ? *gfn : 0,
			.count = c->count,
			.flags = kind == TSR_CHUNK_TABLE ? TSR_DONATE_TABLES : 0,
		};
		pages += c->count;
		if (kind == TSR_CHUNK_RAM)
			*gfn += c->count;
	}
	if (!n)
		return i;
	status = tsr_call_batch(TSR_CALL_GUEST_DONATE, guest, batch, sizeof(batch[0]), n, &done);
	/* An element that is begun and not finished is not ours either. */
	if (status == -TSR_E_AGAIN && done < n)
		done++;
	for (k = 0; k < done; k++)
		mem->chunk[from[k]].given = true;
	if (status) {
		pr_err("guest %u: the hypervisor refuses memory at pfn %#llx: %s\n", guest, batch[min(done, n - 1)].host_pfn,
		       tsr_error_text(status));
		return tsr_errno(status);
	}
	return fatal_signal_pending(current) ? -EINTR : i;
}

int tsr_memory_donate(struct tsr_memory *mem, u32 guest)
{
	static const u8 kinds[] = { TSR_CHUNK_TABLE, TSR_CHUNK_RAM };
	u64 gfn = 0;
	u32 i;
	int k;

	for (i = 0; i < mem->nr; i++)
		mark(mem->chunk[i].pfn, mem->chunk[i].count, MARK | guest | (mem->chunk[i].kind == TSR_CHUNK_KEPT ? MARK_KEPT : 0));
	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		i = 0;
		while (i < mem->nr) {
			int next = donate_batch(mem, guest, kinds[k], i, &gfn);

			if (next < 0)
				return next;
			i = next;
		}
	}
	return 0;
}

/* One chunk: if patient, busy pages are waited for a while before they are left to the hypervisor. */
static int reclaim_chunk(struct tsr_chunk *c, u32 guest, bool patient)
{
	unsigned long limit = jiffies + TSR_AGAIN_SECONDS * HZ;
	struct tsr_donate one = { .host_pfn = c->pfn, .count = c->count };
	int status;

	for (;;) {
		status = tsr_call_batch(TSR_CALL_GUEST_RECLAIM, guest, &one, sizeof(one), 1, NULL);
		if (status != -TSR_E_BUSY || !patient || time_after(jiffies, limit))
			return status;
		msleep(1);
	}
}

void tsr_memory_reclaim(struct tsr_memory *mem, u32 guest, const char *name)
{
	static const u8 kinds[] = { TSR_CHUNK_RAM, TSR_CHUNK_TABLE };
	bool said = false;
	int k;
	u32 i;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (i = 0; i < mem->nr; i++) {
			struct tsr_chunk *c = &mem->chunk[i];
			int status;

			if (!c->given || c->kind != kinds[k])
				continue;
			/* Once something stays away, the tables that map it stay as well: no use in waiting for each. */
			status = reclaim_chunk(c, guest, !said);
			c->given = status != 0;
			if (status && !said)
				pr_err("guest %s: memory at pfn %#lx does not come back: %s\n", name, c->pfn,
				       tsr_error_text(status));
			said |= status != 0;
			cond_resched();
		}
	}
}

void tsr_memory_free(struct tsr_memory *mem, const char *name)
{
	u64 leaked = 0;
	u32 i;

	for (i = 0; i < mem->nr; i++) {
		struct tsr_chunk *c = &mem->chunk[i];

		if (c->given)
			leaked += c->count; /* freed, it would be handed out and fault */
		else if (!c->foreign && !(c->kind == TSR_CHUNK_KEPT && i + 1 < mem->nr && mem->chunk[i + 1].given))
			free_pages_at(c->pfn, c->count);
		cond_resched();
	}
	if (leaked)
		pr_err("guest %s: %llu pages stay with the hypervisor until the machine restarts\n", name, leaked);
	kvfree(mem->chunk);
	*mem = (struct tsr_memory){};
}

static int find_run(struct tsr_memory *mem, u32 guest, unsigned long pfn, u32 count, u8 kind)
{
	const struct tsr_chunk *last = mem->nr ? &mem->chunk[mem->nr - 1] : NULL;
	int err = 0;

	if ((!last || last->pfn + last->count != pfn) && tsr_page_marked(pfn - 1, guest, true))
		err = add_chunk(mem, pfn - 1, 1, TSR_CHUNK_KEPT);
	while (count && !err) {
		bool foreign = !tsr_page_marked(pfn, guest, false);
		u32 n = 1;

		while (n < count && n < TSR_DONATE_MAX && tsr_page_marked(pfn + n, guest, false) != foreign)
			n++;
		err = add_chunk(mem, pfn, n, kind);
		if (!err) {
			mem->chunk[mem->nr - 1].given = true;
			mem->chunk[mem->nr - 1].foreign = foreign;
		}
		pfn += n;
		count -= n;
	}
	return err;
}

int tsr_memory_find(struct tsr_memory *mem, u32 guest)
{
	struct tsr_guest_frames *list = kmalloc(sizeof(*list), GFP_KERNEL);
	struct tsr_hypercall call = { .nr = TSR_CALL_GUEST_FRAMES, .a1 = guest, .out = list, .out_len = sizeof(*list) };
	int err = list ? 0 : -ENOMEM;
	u32 i;

	*mem = (struct tsr_memory){};
	while (!err) {
		err = tsr_errno(tsr_hypercall(&call));
		for (i = 0; !err && i < min_t(u32, list->count, ARRAY_SIZE(list->run)); i++)
			err = find_run(mem, guest, list->run[i].pfn, list->run[i].count,
				       list->run[i].flags & TSR_DONATE_TABLES ? TSR_CHUNK_TABLE : TSR_CHUNK_RAM);
		call.a0 = call.value;
		if (!call.a0)
			break;
		cond_resched();
	}
	kfree(list);
	return err;
}
