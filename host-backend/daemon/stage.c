/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/stage.h"
#include "host-backend/daemon/queue.h"

#define MOST (1u << 20) /* bytes of one I/O: engine.h */
#define GAP  4096u      /* bytes of records: a page of them more to copy is less work than another I/O */

static void engine_take(struct op *op)
{
	struct disk *disk = op->work->queue->disk;

	engine_submit(disk->engine, &disk->image->io, &op->io);
}

/*
 * Records are written from the one table that has them all, so those between two of them may go along: what it says of them is there or may be
 * there already. Another request's, which that has not written yet, is no harm either: after a crash its data is verified, and if it was caught half
 * made it counts as free.
 */
static uint64_t gap_allowed(const struct op *op)
{
	const struct disk *disk = op->work->queue->disk;
	const uint8_t *table = (const uint8_t *)disk->image->store.record;
	bool record = op->io.data >= table && op->io.data < table + disk->image->store.super.slots * IMAGE_RECORD_SIZE;

	return record && op->io.op == ENGINE_WRITE && disk->engine->late_reads ? GAP : 0;
}

static bool follows(const struct op *first, const struct op *op)
{
	const struct engine_io *a = &first->io, *b = &op->io;
	uint64_t distance = b->offset - a->offset;

	return a->op == b->op && a->meta == b->meta && a->fixed == b->fixed && b->offset >= a->offset + a->size && b->data == a->data + distance &&
	       distance - a->size <= gap_allowed(op) && distance + b->size <= MOST;
}

void stage_add(struct op *op)
{
	struct stage *stage = &op->work->queue->stage[op->io.meta];

	op->own = op->io.size;
	op->with = NULL;
	if (stage->first && follows(stage->first, op)) {
		stage->first->io.size = (uint32_t)(op->io.offset - stage->first->io.offset) + op->own;
		stage->last->with = op;
	} else {
		if (stage->first)
			engine_take(stage->first);
		stage->first = op;
	}
	stage->last = op;
}

void stage_flush(struct queue *queue)
{
	for (int i = 0; i < 2; i++) {
		struct op *first = queue->stage[i].first;

		queue->stage[i].first = NULL;
		if (first)
			engine_take(first);
	}
}

void stage_done(struct op *op, int result)
{
	bool whole = result == (int)op->io.size;
	struct op *next;

	if (!op->with) {
		work_op_done(op, result);
		return;
	}
	op->io.size = op->own;
	for (; op; op = next) {
		next = op->with; /* op may be another request's after this */
		op->with = NULL;
		if (whole)
			work_op_done(op, (int)op->own);
		else
			engine_take(op);
	}
}
