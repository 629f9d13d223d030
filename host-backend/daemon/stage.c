/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/stage.h"
#include "host-backend/daemon/queue.h"

#define MOST (1u << 20) /* bytes of one I/O: engine.h */

static void engine_take(struct op *op)
{
	struct disk *disk = op->work->queue->disk;

	engine_submit(disk->engine, &disk->image->io, &op->io);
}

static bool follows(const struct op *first, const struct op *op)
{
	const struct engine_io *a = &first->io, *b = &op->io;

	return a->op == b->op && a->meta == b->meta && a->fixed == b->fixed && a->offset + a->size == b->offset && a->data + a->size == b->data &&
	       a->size + b->size <= MOST;
}

void stage_add(struct op *op)
{
	struct stage *stage = &op->work->queue->stage[op->io.meta];

	op->own = op->io.size;
	op->with = NULL;
	if (stage->first && follows(stage->first, op)) {
		stage->first->io.size += op->own;
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
