/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Between requests and the engine: I/O of one round of a queue's thread that follows one another, in memory and on the medium, becomes one.
 * So do the records of many small writes, which take neighbouring slots, and often their data.
 */
#ifndef DAEMON_STAGE_H
#define DAEMON_STAGE_H

struct op;
struct queue;

/* Goes to the engine at the next stage_flush at the latest. Reads and writes only. */
void stage_add(struct op *op);
void stage_flush(struct queue *queue);

/* What a staged op has come to: calls work_op_done for it and all that went with it, or sends each by itself, to learn which of them fails. */
void stage_done(struct op *op, int result);

#endif
