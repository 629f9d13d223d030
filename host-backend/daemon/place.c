/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/place.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/shared.h"

#define MEMORY_PAUSE_MS 10
#define MEMORY_PAUSES   6000

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

/* ------------------------------------------------------------------ through the hypervisor */

static bool copied(const struct work *work)
{
	return work->queue->limits.mode == TSR_BLK_COPIED;
}

/*
 * A host that has no memory for a copy may have it in a moment. Its guest waits until then; when it takes too long, the guest is better off with another
 * back-end, to which it says its requests again.
 */
static int copy_part(const struct queue *queue, const struct tsr_ioc_copy *part)
{
	const struct timespec pause = { .tv_nsec = MEMORY_PAUSE_MS * 1000000 };
	int error = queue->backend->ops->copy(queue->backend->context, part);

	for (uint32_t i = 0; error == -ENOMEM && i < MEMORY_PAUSES; i++) {
		nanosleep(&pause, NULL);
		error = queue->backend->ops->copy(queue->backend->context, part);
	}
	if (error == -ENOMEM) {
		log_line("the host has had no memory to copy a guest's data for %u s: give it more, and attach the disk again; nothing is lost",
			 MEMORY_PAUSES * MEMORY_PAUSE_MS / 1000);
		_exit(1);
	}
	return error;
}

/* Between own memory and bytes of the data run from at on. A copy that is refused was revoked, whatever else was wrong before. */
static bool copy(const struct work *work, void *own, uint64_t at, uint64_t size, uint32_t dir)
{
	const struct queue *queue = work->queue;

	for (uint64_t done = 0; done < size; done += TSR_IOC_COPY_MAX) {
		struct tsr_ioc_copy copy = {
			.token = queue->token, .addr = (uintptr_t)own + done, .offset = at + done, .session = queue->session, .dir = dir,
			.len = size - done < TSR_IOC_COPY_MAX ? size - done : TSR_IOC_COPY_MAX,
		};

		if (copy_part(queue, &copy) < 0)
			return false;
	}
	return true;
}

static void remember(struct queue *queue, const struct tsr_blk_request *request)
{
	queue->granted[request->id] = request->token;
	queue->granted_page[request->id] = request->data_page;
}

/* The id is used again, so its last token is revoked, by the rules. Where the daemon's own page does not show, it may be a guest that breaks them. */
static void forget(struct queue *queue, uint16_t id)
{
	struct tsr_token *token = &queue->granted[id];

	if (token->generation && shared_live(queue->data + (uint64_t)queue->granted_page[id] * TSR_PAGE_SIZE))
		queue->backend->ops->unmap(queue->backend->context, token);
	*token = (struct tsr_token){ 0 };
}

void place_reach(struct queue *queue, struct work *const works[], uint32_t count)
{
	struct tsr_ioc_map map[QUEUE_MAX_WORK];
	struct work *mapped[QUEUE_MAX_WORK];
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct tsr_blk_request *request = &works[i]->request;

		works[i]->reached = 0;
		forget(queue, request->id);
		if (queue->limits.mode != TSR_BLK_STRICT || tsr_blk_request_check(request, &queue->limits) || !tsr_blk_token_pages(request))
			continue;
		map[n] = (struct tsr_ioc_map){
			.token = request->token,
			.offset = queue->place.offset + (uint64_t)request->data_page * TSR_PAGE_SIZE,
			.window = queue->place.window,
			.pages = tsr_blk_token_pages(request),
			.session = queue->session,
			.dir = tsr_blk_token_dir(request),
			.how = TSR_HOW_EITHER,
		};
		mapped[n++] = works[i];
	}
	if (n == 0)
		return;
	if (queue->backend->ops->maps(queue->backend->context, map, n) < 0)
		for (uint32_t i = 0; i < n; i++)
			map[i].result = -EIO;
	for (uint32_t i = 0; i < n; i++) {
		mapped[i]->reached = map[i].result;
		if (map[i].result == 0)
			remember(queue, &mapped[i]->request);
		DISK_COUNT(queue->counters, granted, map[i].result == 0);
	}
}

void place_leave(struct queue *queue)
{
	for (uint32_t i = 0; i < queue->limits.depth; i++)
		if (queue->granted[i].generation)
			queue->backend->ops->unmap(queue->backend->context, &queue->granted[i]);
}

/* ------------------------------------------------------------------ where */

static enum place_result by_table(struct work *work)
{
	struct tsr_blk_segment segment[TSR_BLK_MAX_BLOCKS];
	uint32_t size = work->request.segments * sizeof(segment[0]), n = 0;

	size = (size + SHARED_MARK - 1) & ~(SHARED_MARK - 1);
	if (copied(work) ? !copy(work, segment, (uint64_t)work->request.data_page * TSR_PAGE_SIZE, size, TSR_DIR_READ) :
			   !shared_copy_in(segment, page_at(work, work->request.data_page), size))
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
	if (work->reached)
		return PLACE_INVALID;
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
	uint32_t count = work->request.count, run;

	for (uint32_t i = 0; i < count; i += run) {
		run = place_run(work, i, count - i);
		if (!shared_live_range(place_data(work, i), (size_t)run * TSR_PAGE_SIZE))
			return false;
	}
	return true;
}

bool place_data_in(struct work *work)
{
	uint32_t count = work->request.count, run;

	DISK_COUNT(work->queue->counters, bytes_in, (uint64_t)count * TSR_PAGE_SIZE);
	for (uint32_t i = 0; copied(work) && i < count; i += run) {
		run = place_run(work, i, count - i);
		DISK_COUNT(work->queue->counters, hv_in, run);
		if (!copy(work, work->buffer + (size_t)i * TSR_PAGE_SIZE, (uint64_t)work->page[i] * TSR_PAGE_SIZE,
			  (uint64_t)run * TSR_PAGE_SIZE, TSR_DIR_READ))
			return false;
	}
	if (copied(work))
		return true;
	for (uint32_t i = 0; i < count; i += run) {
		run = place_run(work, i, count - i);
		if (!shared_copy_in(work->buffer + (size_t)i * TSR_PAGE_SIZE, place_data(work, i), (size_t)run * TSR_PAGE_SIZE))
			return false;
	}
	return true;
}

void place_data_out(struct work *work, uint32_t index, uint32_t count)
{
	uint8_t *data = work->buffer + (size_t)index * TSR_PAGE_SIZE;
	uint32_t size = count * TSR_PAGE_SIZE;

	DISK_COUNT(work->queue->counters, bytes_out, size);
	if (copied(work)) {
		DISK_COUNT(work->queue->counters, hv_out, count);
		copy(work, data, (uint64_t)work->page[index] * TSR_PAGE_SIZE, size, TSR_DIR_WRITE);
		return;
	}
	shared_copy_out(place_data(work, index), data, size);
}

/* Where a table's seals are in the data run. */
static uint64_t table_seals(const struct work *work)
{
	return (uint64_t)work->request.data_page * TSR_PAGE_SIZE + TSR_BLK_TABLE_SEALS;
}

bool place_seals_in(struct work *work)
{
	uint32_t size = work->request.count * sizeof(work->seal[0]);

	DISK_COUNT(work->queue->counters, bytes_in, size);
	if (copied(work) && indirect(work))
		return copy(work, work->seal, table_seals(work), size, TSR_DIR_READ);
	return shared_copy_in(work->seal, seals_of(work), size);
}

void place_seals_out(struct work *work)
{
	uint32_t size = work->request.count * sizeof(work->seal[0]);

	DISK_COUNT(work->queue->counters, bytes_out, size);
	if (copied(work) && indirect(work))
		copy(work, work->seal, table_seals(work), size, TSR_DIR_WRITE);
	else
		shared_copy_out(seals_of(work), work->seal, size);
}
