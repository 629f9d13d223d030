/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/op.h"
#include "host-backend/daemon/place.h"
#include "host-backend/daemon/stage.h"

uint8_t *op_data_at(struct work *work, uint32_t index, bool direct)
{
	work->buffered |= !direct;
	return direct ? place_data(work, index) : work->buffer + (size_t)index * TSR_BLOCK_SIZE;
}

enum op_kind {
	OP_META,  /* on a private buffer, by way of the page cache */
	OP_DATA,  /* of slots, on a private buffer */
	OP_FIXED, /* of slots, on the guest's pages as the ring has registered them */
};

static void submit(struct op *op)
{
	struct disk *disk = op->work->queue->disk;

	engine_submit(disk->engine, &disk->image->io, &op->io);
}

void op_submit(struct op *op)
{
	op->work->pending++;
	if (op->io.op == ENGINE_DISCARD)
		submit(op);
	else
		stage_add(op);
}

static void add(struct work *work, enum op_kind kind, enum engine_op what, void *data, uint32_t size, uint64_t offset)
{
	struct op *op = &work->op[work->ops++];

	*op = (struct op){
		.work = work,
		.io = {
			.op = what,
			.meta = kind == OP_META,
			.fixed = kind == OP_FIXED,
			.data = data,
			.size = size,
			.offset = offset,
		},
	};
	op_submit(op);
}

void op_data(struct work *work, bool write, uint32_t index, uint32_t count, uint32_t slot)
{
	bool direct = write ? op_writes_direct(work) : op_reads_direct(work);
	uint32_t run;

	for (uint32_t end = index + count; index < end; index += run, slot += run) {
		run = direct ? place_run(work, index, end - index) : end - index;
		add(work, direct ? OP_FIXED : OP_DATA, write ? ENGINE_WRITE : ENGINE_READ, op_data_at(work, index, direct),
		    run * TSR_BLOCK_SIZE, image_data_of(&op_store(work)->super, slot));
	}
}

void op_records(struct work *work, uint32_t slot, uint32_t count)
{
	add(work, OP_META, ENGINE_WRITE, &op_store(work)->record[slot], count * IMAGE_RECORD_SIZE,
	    image_record_of(&op_store(work)->super, slot));
}

void op_discard(struct work *work, uint32_t slot, uint32_t count)
{
	add(work, OP_DATA, ENGINE_DISCARD, NULL, count * TSR_BLOCK_SIZE, image_data_of(&op_store(work)->super, slot));
}

void op_header(struct work *work, bool write)
{
	add(work, OP_META, write ? ENGINE_WRITE : ENGINE_READ, work->buffer, TSR_HEADER_SIZE,
	    IMAGE_HEADER_OFFSET + work->request.block * TSR_HEADER_SIZE);
}
