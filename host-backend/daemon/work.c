/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * One request from its private copy to its completion.
 *
 * A write that DMA takes from the guest's pages: their CRC goes into the records, and they are looked at for the mark of revoked pages (shared.h)
 * before the DMA begins and after it has ended. If the pages went away in between, the slots hold something else than the
 * records say, which a crash uncovers and undo_write() clears away; no block's present pair is touched by it.
 */
#include <errno.h>
#include "host-backend/daemon/op.h"
#include "host-backend/daemon/place.h"
#include "host-backend/daemon/shared.h"
#include "host-backend/daemon/stage.h"
#include "host-backend/image/crc32c.h"

static void start_sync(struct work *work)
{
	struct disk *disk = work->queue->disk;

	if (atomic_load(&disk->failed)) {
		work_sync_done(work, -EIO);
		return;
	}
	work->sync = disk_sync_begin(disk);
	work->sync_op = (struct op){ .work = work, .io = { .op = ENGINE_SYNC } };
	engine_submit(disk->engine, &disk->image->io, &work->sync_op.io);
	DISK_COUNT(work->queue->counters, syncs, 1);
}

/* The table of spec/block.md. */
static enum tsr_blk_status status_of(int error)
{
	switch (-error) {
	case 0:
		return TSR_BLK_OK;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return TSR_BLK_E_NOSPACE;
	case EROFS:
	case EPERM:
	case EACCES:
		return TSR_BLK_E_READONLY;
	}
	return TSR_BLK_E_IO;
}

/* ------------------------------------------------------------------ reads */

static bool read_has_data(const struct work *work, uint32_t index)
{
	return work->slot[index] != STORE_NONE && !(work->seal[index].flags & TSR_SEAL_ZERO);
}

/* Neighbouring slots are read at once. */
static uint32_t read_run(const struct work *work, uint32_t from)
{
	uint32_t end = from + 1;

	while (end < work->request.count && read_has_data(work, end))
		end++;
	return end == from + 1 ? 1 : store_run(op_store(work), work->slot, from, end);
}

/* Neighbouring pages are copied at once. */
static uint32_t data_run(const struct work *work, uint32_t from)
{
	uint32_t most = place_run(work, from, work->request.count - from), run = 1;

	while (run < most && read_has_data(work, from + run))
		run++;
	return run;
}

/* Of all reads that came together. */
static void pin(struct work *const works[], uint32_t count)
{
	struct disk *disk = works[0]->queue->disk;

	disk_pin_begin(disk);
	for (uint32_t i = 0; i < count; i++)
		disk_pin(disk, works[i]->request.block, works[i]->request.count, works[i]->slot, works[i]->seal);
	disk_pin_end(disk);
}

/* Of all that have ended since the last time. */
void work_unpin(struct queue *queue)
{
	if (queue->unpins)
		disk_unpin(queue->disk, queue->unpin, queue->unpins);
	queue->unpins = 0;
}

static void unpin(struct work *work)
{
	struct queue *queue = work->queue;

	if (queue->unpins + work->request.count > QUEUE_UNPINS)
		work_unpin(queue);
	for (uint32_t i = 0; i < work->request.count; i++)
		queue->unpin[queue->unpins++] = work->slot[i];
}

/* What DMA has not put into the guest's pages itself. */
static void copy_read(struct work *work)
{
	uint32_t count = work->request.count;

	for (uint32_t i = 0, run; i < count; i += run) {
		run = read_has_data(work, i) ? data_run(work, i) : 1;
		if (!read_has_data(work, i))
			continue;
		if (work->queue->data)
			DISK_COUNT(work->queue->counters, copied_out, run);
		place_data_out(work, i, run);
	}
}

static uint32_t blocks_with_data(const struct work *work)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < work->request.count; i++)
		n += read_has_data(work, i);
	return n;
}

static void finish_read(struct work *work)
{
	uint64_t *counters = work->queue->counters;

	unpin(work);
	if (!work->error) {
		if (op_reads_direct(work))
			DISK_COUNT(counters, direct_out, blocks_with_data(work));
		else
			copy_read(work);
		place_seals_out(work);
	}
	DISK_COUNT(counters, blocks_read, work->request.count);
	queue_complete(work, status_of(work->error));
}

static void start_read(struct work *work)
{
	uint32_t run;

	for (uint32_t i = 0; i < work->request.count; i += run) {
		run = read_has_data(work, i) ? read_run(work, i) : 1;
		if (read_has_data(work, i))
			op_data(work, false, i, run, work->slot[i]);
	}
	if (!work->pending)
		finish_read(work);
}

/* ------------------------------------------------------------------ writes */

/* Data and records go out together: whichever lands first, a crash between them is seen by the data's CRC. */
static void write_slots(struct work *work)
{
	struct store *store = op_store(work);
	const uint32_t *slots = work->write.slot;
	bool data = work->request.op == TSR_BLK_WRITE;
	bool discard = work->request.flags & TSR_BLK_UNMAP && !atomic_load(&work->queue->disk->keeps_space);
	uint32_t run;

	for (uint32_t i = 0; i < work->request.count; i++)
		store_seal(store, &work->write, i, data ? work->crc[i] : 0);
	for (uint32_t i = 0; i < work->request.count; i += run) {
		run = store_run(store, slots, i, work->request.count);
		if (data)
			op_data(work, true, i, run, slots[i]);
		if (discard)
			op_discard(work, slots[i], run);
		op_records(work, slots[i], run);
	}
}

/* A failed write's records become zero again: after a refusal the guest counts on the old pairs, also over a restart of this daemon. */
static void undo_write(struct work *work)
{
	struct store *store = op_store(work);
	const uint32_t *slots = work->write.slot;
	uint32_t run;

	work->failure = work->error;
	work->error = 0;
	work->ops = 0;
	store_void(store, &work->write);
	for (uint32_t i = 0; i < work->request.count; i += run) {
		run = store_run(store, slots, i, work->request.count);
		op_records(work, slots[i], run);
	}
}

/* DMA has taken the data. Was it still the guest's? */
static bool taken_whole(const struct work *work)
{
	return work->request.op != TSR_BLK_WRITE || !op_writes_direct(work) || place_live(work);
}

static void reclaim(struct queue *queue)
{
	if (queue->reclaiming)
		return;
	queue->reclaiming = true;
	start_sync(&queue->reclaim);
}

static void finish_write(struct work *work)
{
	struct queue *queue = work->queue;
	struct disk *disk = queue->disk;
	bool sync;

	if (work->failure) {
		disk_abort(disk, &work->write, !work->error);
		if (work->failure == -ESTALE)
			queue_revoked(queue, work);
		else
			queue_complete(work, work->error ? TSR_BLK_E_IO : status_of(work->failure));
		return;
	}
	if (!work->error && !taken_whole(work))
		work->error = -ESTALE;
	if (work->error) {
		undo_write(work);
		return;
	}
	if (work->request.op == TSR_BLK_WRITE && op_writes_direct(work))
		DISK_COUNT(queue->counters, direct_in, work->request.count);
	sync = disk_commit(disk, &work->write);
	DISK_COUNT(queue->counters, blocks_written, work->request.count);
	if (work->request.flags & TSR_BLK_FUA || disk->through) {
		start_sync(work);
		return;
	}
	queue_complete(work, TSR_BLK_OK);
	if (sync)
		reclaim(queue);
}

/* false: no slots now. Slots come free by a sync, and if none would help, when another write ends: that one kicks this queue. */
static bool try_write(struct work *work)
{
	struct queue *queue = work->queue;
	bool sync;

	if (disk_begin(queue->disk, queue->number, &work->write, work->request.block, work->request.count, work->seal, &sync)) {
		write_slots(work);
		return true;
	}
	if (sync)
		reclaim(queue);
	return false;
}

void work_retry(struct queue *queue)
{
	while (queue->waiting) {
		struct work *work = queue->waiting;
		bool failed = atomic_load(&queue->disk->failed);

		if (!failed && !try_write(work))
			return;
		queue->waiting = work->next;
		if (!queue->waiting)
			queue->waiting_end = &queue->waiting;
		if (failed)
			queue_complete(work, TSR_BLK_E_IO);
	}
}

/* The one time that the data is looked at here: afterwards the CRCs are those of the guest's words. */
static bool take_data(struct work *work)
{
	uint32_t count = work->request.count;
	bool direct = op_writes_direct(work);

	if (!direct) {
		if (work->queue->data)
			DISK_COUNT(work->queue->counters, copied_in, count);
		if (!place_data_in(work))
			return false;
	}
	for (uint32_t i = 0; i < count; i++)
		work->crc[i] = crc32c(0, op_data_at(work, i, direct), TSR_BLOCK_SIZE);
	return !direct || place_live(work);
}

static void start_write(struct work *work)
{
	struct queue *queue = work->queue;

	if (!place_seals_in(work) || (work->request.op == TSR_BLK_WRITE && !take_data(work))) {
		queue_revoked(queue, work);
		return;
	}
	for (uint32_t i = 0; i < work->request.count; i++) {
		if (!tsr_blk_seal_suits(&work->request, &work->seal[i])) {
			queue_complete(work, TSR_BLK_E_INVALID);
			return;
		}
	}
	work->next = NULL;
	*queue->waiting_end = work;
	queue->waiting_end = &work->next;
	if (queue->waiting == work)
		work_retry(queue);
	if (queue->waiting == work)
		DISK_COUNT(queue->counters, starved, 1);
}

/* ------------------------------------------------------------------ header */

static void start_header(struct work *work)
{
	bool write = work->request.op == TSR_BLK_HEADER_WRITE;

	if (write && !place_data_in(work)) {
		queue_revoked(work->queue, work);
		return;
	}
	op_header(work, write);
}

static void finish_header(struct work *work)
{
	if (!work->error && work->request.op == TSR_BLK_HEADER_WRITE) {
		start_sync(work);
		return;
	}
	if (!work->error)
		place_data_out(work, 0, TSR_HEADER_BLOCKS);
	queue_complete(work, status_of(work->error));
}

/* ------------------------------------------------------------------ all */

static void count_request(struct work *work)
{
	uint64_t *counters = work->queue->counters;

	switch (work->request.op) {
	case TSR_BLK_READ:
		DISK_COUNT(counters, reads, 1);
		break;
	case TSR_BLK_WRITE:
		DISK_COUNT(counters, writes, 1);
		break;
	case TSR_BLK_WRITE_ZEROES:
		DISK_COUNT(counters, zeroes, 1);
		break;
	case TSR_BLK_FLUSH:
		DISK_COUNT(counters, flushes, 1);
		break;
	default:
		DISK_COUNT(counters, headers, 1);
	}
}

/* false: it was refused, and is answered. */
static bool check(struct work *work)
{
	enum tsr_blk_status status = tsr_blk_request_check(&work->request, &work->queue->limits);
	bool reads = work->request.op == TSR_BLK_READ || work->request.op == TSR_BLK_HEADER_READ;

	work->ops = work->pending = 0;
	work->error = work->failure = 0;
	work->buffered = false;
	if (status == TSR_BLK_OK && !reads && atomic_load(&work->queue->disk->failed))
		status = TSR_BLK_E_IO;
	if (status == TSR_BLK_OK) {
		switch (place_find(work)) {
		case PLACE_OK:
			return true;
		case PLACE_INVALID:
			status = TSR_BLK_E_INVALID;
			break;
		case PLACE_REVOKED:
			queue_revoked(work->queue, work);
			return false;
		}
	}
	queue_complete(work, status);
	return false;
}

static void start(struct work *work)
{
	count_request(work);
	switch (work->request.op) {
	case TSR_BLK_READ:
		start_read(work);
		break;
	case TSR_BLK_WRITE:
	case TSR_BLK_WRITE_ZEROES:
		start_write(work);
		break;
	case TSR_BLK_FLUSH:
		start_sync(work);
		break;
	default:
		start_header(work);
	}
}

void work_start(struct work *const works[], uint32_t count)
{
	struct work *begun[QUEUE_MAX_WORK], *reads[QUEUE_MAX_WORK];
	uint32_t n = 0, pins = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!check(works[i]))
			continue;
		begun[n++] = works[i];
		if (works[i]->request.op == TSR_BLK_READ)
			reads[pins++] = works[i];
	}
	if (pins)
		pin(reads, pins);
	for (uint32_t i = 0; i < n; i++)
		start(begun[i]);
}

void work_op_done(struct op *op, int result)
{
	struct work *work = op->work;

	work->pending--;
	if (op->io.op == ENGINE_DISCARD) {
		if (result < 0)
			atomic_store(&work->queue->disk->keeps_space, true);
		result = (int)op->io.size;
	}
	if (result > 0 && (uint32_t)result < op->io.size) {
		op->io.data += result;
		op->io.offset += result;
		op->io.size -= result;
		op_submit(op);
		return;
	}
	if (result == -EINTR) {
		op_submit(op);
		return;
	}
	if (result <= 0 && !work->error)
		work->error = result ? result : -EIO; /* 0: the image was cut short under us */
	if (work->pending)
		return;
	if (work->request.op == TSR_BLK_READ)
		finish_read(work);
	else if (work->request.op == TSR_BLK_HEADER_READ || work->request.op == TSR_BLK_HEADER_WRITE)
		finish_header(work);
	else
		finish_write(work);
}

void work_sync_done(struct work *work, int result)
{
	struct queue *queue = work->queue;

	disk_sync_end(queue->disk, work->sync, result);
	if (work != &queue->reclaim) {
		queue_complete(work, result ? TSR_BLK_E_IO : TSR_BLK_OK);
		return;
	}
	queue->reclaiming = false;
	work_retry(queue);
}

void work_io_done(struct engine_io *io, int result)
{
	struct op *op = op_of(io);

	if (io->op == ENGINE_SYNC)
		work_sync_done(op->work, result);
	else if (io->op == ENGINE_DISCARD)
		work_op_done(op, result);
	else
		stage_done(op, result);
}
