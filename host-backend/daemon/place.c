/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/place.h"
#include "host-backend/daemon/shared.h"

static bool indirect(const struct work *work)
{
	return work->request.flags & TSR_BLK_INDIRECT;
}

static uint8_t *page_at(const struct work *work, uint32_t page)
{
	return work->queue->data + (uint64_t)page * TSR_PAGE_SIZE;
}

static struct tsr_seal *seals_of(const struct work *work)
{
	if (indirect(work))
		return (struct tsr_seal *)(page_at(work, work->request.data_page) + TSR_BLK_TABLE_SEALS);
	return (struct tsr_seal *)(work->queue->seals + (uint32_t)work->request.id * TSR_BLK_SEAL_SLOT);
}

static enum place_result by_table(struct work *work)
{
	struct tsr_blk_segment segment[TSR_BLK_MAX_BLOCKS];
	uint32_t size = work->request.segments * sizeof(segment[0]), n = 0;

	size = (size + SHARED_MARK - 1) & ~(SHARED_MARK - 1);
	if (!shared_copy_in(segment, page_at(work, work->request.data_page), size))
		return PLACE_REVOKED;
	if (!tsr_blk_segments_check(&work->request, segment, &work->queue->limits))
		return PLACE_INVALID;
	for (uint32_t i = 0; i < work->request.segments; i++)
		for (uint32_t k = 0; k < segment[i].count; k++)
			work->page[n++] = segment[i].page + k;
	return PLACE_OK;
}

enum place_result place_find(struct work *work)
{
	if (indirect(work) && work->request.segments)
		return by_table(work);
	for (uint32_t i = 0; !indirect(work) && i < work->request.count; i++)
		work->page[i] = work->request.data_page + i;
	return PLACE_OK;
}

uint8_t *place_data(const struct work *work, uint32_t index)
{
	return page_at(work, work->page[index]);
}

uint32_t place_run(const struct work *work, uint32_t index, uint32_t count)
{
	uint32_t run = 1;

	while (run < count && work->page[index + run] == work->page[index + run - 1] + 1)
		run++;
	return run;
}

bool place_live(const struct work *work)
{
	for (uint32_t i = 0; i < work->request.count; i++)
		if (!shared_live_range(place_data(work, i), TSR_PAGE_SIZE))
			return false;
	return true;
}

bool place_data_in(struct work *work)
{
	uint32_t count = work->request.count;

	DISK_COUNT(work->queue->counters, bytes_in, (uint64_t)count * TSR_PAGE_SIZE);
	for (uint32_t i = 0; i < count; i++)
		if (!shared_copy_in(work->buffer + (size_t)i * TSR_PAGE_SIZE, place_data(work, i), TSR_PAGE_SIZE))
			return false;
	return true;
}

bool place_seals_in(struct work *work)
{
	uint32_t size = work->request.count * sizeof(work->seal[0]);

	DISK_COUNT(work->queue->counters, bytes_in, size);
	return shared_copy_in(work->seal, seals_of(work), size);
}

void place_seals_out(struct work *work)
{
	uint32_t size = work->request.count * sizeof(work->seal[0]);

	DISK_COUNT(work->queue->counters, bytes_out, size);
	shared_copy_out(seals_of(work), work->seal, size);
}
