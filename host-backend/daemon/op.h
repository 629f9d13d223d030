/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The pieces of I/O that a request takes: made here, handed to stage.c. */
#ifndef DAEMON_OP_H
#define DAEMON_OP_H

#include "host-backend/daemon/queue.h"

static inline struct store *op_store(const struct work *work)
{
	return &work->queue->disk->image->store;
}

/* Whether DMA goes to the guest's pages itself. */
static inline bool op_reads_direct(const struct work *work)
{
	return work->queue->mode != TSR_BACKEND_COPY;
}

static inline bool op_writes_direct(const struct work *work)
{
	return work->queue->mode == TSR_BACKEND_DIRECT;
}

/* Where block data is read from or written to. */
uint8_t *op_data_at(struct work *work, uint32_t index, bool direct);

/* The data of count blocks from index on, in as many consecutive slots. */
void op_data(struct work *work, bool write, uint32_t index, uint32_t count, uint32_t slot);
void op_records(struct work *work, uint32_t slot, uint32_t count);

/* The slots were free, and no data will be stored in them: what lies there of earlier blocks is nobody's. */
void op_discard(struct work *work, uint32_t slot, uint32_t count);

/* A guest's header, by way of the work's buffer. */
void op_header(struct work *work, bool write);

/* Once more, what is left of it. */
void op_submit(struct op *op);

#endif
