// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Places of requests of more than one page. What was given to a request is kept in private memory; a table is only ever written here. */
#include "blk_pool.h"

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

bool blk_pool_take_run(struct blk_queue *q, struct blk_req *req)
{
	u32 pages = blk_req_pages(req), table = blk_req_indirect(req) ? TSR_BLK_TABLE_PAGES(req->count) : 0, first = 0, i;

	/* One after the other, so that one token names all: table first. It is the least work otherwise, too. */
	if (table + pages && !take_area(q, table + pages, &first))
		return table && q->blk->mode != TSR_BLK_STRICT && take_any(q, req, pages);
	req->table = first;
	first += table;
	for (i = 0; i < pages; i++)
		req->page[i] = first + i;
	return true;
}

void blk_pool_give_run(struct blk_queue *q, const struct blk_req *req)
{
	u32 pages = blk_req_pages(req), i;

	if (blk_req_indirect(req))
		bitmap_clear(q->pool, req->table, TSR_BLK_TABLE_PAGES(req->count));
	for (i = 0; i < pages; i++)
		__clear_bit(req->page[i], q->pool);
}

/* Neighbouring pages are one segment. */
u32 blk_pool_table(struct blk_queue *q, const struct blk_req *req)
{
	struct tsr_blk_segment *segment = blk_pool_page(q, req->table);
	u32 pages = blk_req_pages(req), n = 0, i, end;

	for (i = 0; i < pages; i = end) {
		for (end = i + 1; end < pages && req->page[end] == req->page[end - 1] + 1; end++)
			;
		segment[n++] = (struct tsr_blk_segment){ .page = req->page[i], .count = end - i };
	}
	return n;
}
