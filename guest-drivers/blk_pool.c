// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Places of requests in the shared pages: pages of the data run, and where the seals are. What was given to a request is kept in
 * private memory; a table (spec/block.md) is only ever written here.
 */
#include "blk.h"

/* Its data lies where there is room, and a table says where. */
static bool indirect(const struct blk_req *req)
{
	return req->count > TSR_BLK_DIRECT_BLOCKS;
}

static void *page_at(struct blk_queue *q, u32 page)
{
	return q->data.addr + (size_t)page * PAGE_SIZE;
}

void *blk_pool_data(struct blk_queue *q, const struct blk_req *req, u32 i)
{
	return page_at(q, req->page[i]);
}

void *blk_pool_seals(struct blk_queue *q, const struct blk_req *req, u32 slot)
{
	return indirect(req) ? page_at(q, req->table) + TSR_BLK_TABLE_SEALS : q->seal.addr + slot * TSR_BLK_SEAL_SLOT;
}

static bool take_area(struct blk_queue *q, u32 pages, u32 *first)
{
	u32 size = q->blk->pool_pages;
	unsigned long at = bitmap_find_next_zero_area(q->pool, size, 0, pages, 0);

	if (at + pages > size)
		return false;
	bitmap_set(q->pool, at, pages);
	*first = at;
	return true;
}

static bool take_any(struct blk_queue *q, struct blk_req *req, u32 pages)
{
	u32 table = TSR_BLK_TABLE_PAGES(req->count), size = q->blk->pool_pages, i;
	unsigned long at = 0;

	if (bitmap_weight(q->pool, size) + table + pages > size || !take_area(q, table, &req->table))
		return false;
	for (i = 0; i < pages; i++) {
		at = find_next_zero_bit(q->pool, size, at);
		__set_bit(at, q->pool);
		req->page[i] = at;
	}
	return true;
}

bool blk_pool_take(struct blk_queue *q, struct blk_req *req)
{
	u32 pages = blk_req_pages(req), table = indirect(req) ? TSR_BLK_TABLE_PAGES(req->count) : 0, first = 0, i;

	/* One after the other, so that one token names all: table first. It is the least work otherwise, too. */
	if (table + pages && !take_area(q, table + pages, &first))
		return table && q->blk->mode != TSR_BLK_STRICT && take_any(q, req, pages);
	req->table = first;
	first += table;
	for (i = 0; i < pages; i++)
		req->page[i] = first + i;
	return true;
}

void blk_pool_give(struct blk_queue *q, const struct blk_req *req)
{
	u32 pages = blk_req_pages(req), i;

	if (indirect(req))
		bitmap_clear(q->pool, req->table, TSR_BLK_TABLE_PAGES(req->count));
	for (i = 0; i < pages; i++)
		__clear_bit(req->page[i], q->pool);
}

/* Neighbouring pages are one segment. */
static u32 fill_table(struct blk_queue *q, const struct blk_req *req)
{
	struct tsr_blk_segment *segment = page_at(q, req->table);
	u32 pages = blk_req_pages(req), n = 0, i, end;

	for (i = 0; i < pages; i = end) {
		for (end = i + 1; end < pages && req->page[end] == req->page[end - 1] + 1; end++)
			;
		segment[n++] = (struct tsr_blk_segment){ .page = req->page[i], .count = end - i };
	}
	return n;
}

void blk_pool_name(struct blk_queue *q, const struct blk_req *req, struct tsr_blk_request *request)
{
	if (!indirect(req)) {
		request->data_page = blk_req_pages(req) ? req->page[0] : 0;
		return;
	}
	request->flags |= TSR_BLK_INDIRECT;
	request->data_page = req->table;
	request->segments = fill_table(q, req);
}
