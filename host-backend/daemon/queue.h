/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * One queue of a session: a thread with an io_uring of its own. It takes requests from the ring and has the engine do the image's I/O, for
 * data on the guest's pages themselves where DMA reaches them (medium.h), else on private buffers to and from which it copies.
 */
#ifndef DAEMON_QUEUE_H
#define DAEMON_QUEUE_H

#include <liburing.h>
#include <semaphore.h>
#include "host-backend/daemon/backend.h"
#include "host-backend/daemon/disk.h"
#include "host-backend/daemon/window.h"
#include "proto/request.h"

#define QUEUE_MAX_WORK 64u /* requests that one queue works on at a time; the others stay in the ring */
#define QUEUE_UNPINS   (4 * TSR_BLK_MAX_BLOCKS)
#define QUEUE_MAX_OPS  (2 * TSR_BLK_MAX_BLOCKS)
_Static_assert(TSR_TOKEN_MAX_PAGES <= UINT16_MAX, "a page of the data run does not fit");
_Static_assert(STORE_MAX_BLOCKS == TSR_BLK_MAX_BLOCKS, "a request does not fit into a write");

struct queue;
struct work;

/* One piece of I/O. */
struct op {
	struct engine_io io; /* first: see op_of() */
	struct work *work;
	uint32_t own;    /* stage.c: bytes of it, when io has those of others too */
	struct op *with; /* and the next of them */
};

static inline struct op *op_of(struct engine_io *io)
{
	return (struct op *)io;
}

/* One request being worked on. Its buffer is the thread's own memory. */
struct work {
	struct work *next; /* in the free or the waiting list */
	struct queue *queue;
	struct tsr_blk_request request;
	uint8_t *buffer; /* TSR_BLK_MAX_BLOCKS blocks */
	struct tsr_seal seal[TSR_BLK_MAX_BLOCKS];
	uint16_t page[TSR_BLK_MAX_BLOCKS]; /* of the data run, for each block with data */
	uint32_t crc[TSR_BLK_MAX_BLOCKS]; /* writes: of the data */
	uint32_t slot[TSR_BLK_MAX_BLOCKS]; /* reads: pinned */
	struct store_write write;
	struct store_sync sync;
	struct op sync_op;
	struct op op[QUEUE_MAX_OPS];
	uint32_t ops, pending;
	bool buffered; /* its data went by way of the buffer */
	int reached; /* strict: 0, or why its pages could not be mapped */
	int error;   /* first failure of the current step, negative errno */
	int failure; /* why a write is being undone; -ESTALE: its pages were revoked, so nobody waits for an answer */
};

/* I/O not yet sent that more may join: stage.c */
struct stage {
	struct op *first, *last;
};

enum queue_state {
	QUEUE_RUNNING,
	QUEUE_REVOKED, /* the guest took its pages back: nothing more comes from this session */
	QUEUE_BROKEN,  /* the guest broke the ring's rules */
};

struct queue {
	/* set before queue_start, constant */
	struct disk *disk;
	const struct backend *backend;
	uint32_t number;
	struct tsr_blk_limits limits;
	uint32_t event;
	uint8_t *ring, *seals, *data; /* shared runs; data: strict: the window that requests' pages come into, copied: NULL */
	uint32_t session;
	struct window_run place;      /* strict: where data is */
	struct tsr_token token;       /* copied: of the data run */
	int trouble;                  /* eventfd: told when the queue is broken */
	/* between threads */
	atomic_bool stop;
	atomic_int state;             /* enum queue_state */
	atomic_uint beat;             /* how often the thread came round */
	atomic_uint asked;            /* by the main thread, each so many ms, to look whether the medium answers */
	pthread_mutex_t lock;
	struct engine_io *done;       /* under lock: ended by engine_done, not yet seen by the thread */
	int kick, doorbell;           /* eventfds */
	pthread_t thread;
	sem_t started;
	int start_error;
	/* the thread's own */
	struct io_uring uring;
	uint64_t *counters;                   /* enum tsr_backend_counter */
	enum tsr_backend_mode mode;
	uint32_t taken, completed, announced; /* sq_head, cq_tail, and cq_tail when the event was last considered */
	uint32_t works, busy;                 /* works there are, works in use */
	struct work *work, *idle;
	struct work *waiting, **waiting_end;  /* writes without slots, first come first served */
	struct work reclaim;                  /* the sync that frees slots for them */
	struct stage stage[2];                /* of data; of records and headers */
	uint32_t noticed, looks;              /* completed when last asked, and how often it was the same then */
	uint32_t unpin[QUEUE_UNPINS], unpins; /* slots of reads that have ended */
	bool reclaiming, commands, raising;
	uint8_t *buffers;
	bool in_use[TSR_RING_MAX_DEPTH];      /* ids */
	struct tsr_token granted[TSR_RING_MAX_DEPTH]; /* strict: mapped for a request of this id, and perhaps revoked since */
	uint32_t granted_page[TSR_RING_MAX_DEPTH];    /* its first one, in the window */
};

/* Starts serving. 0 or a negative errno, after saying why; then nothing is left behind. */
int queue_start(struct queue *queue);

/* Takes no more requests, finishes those taken, ends the thread, frees what it had. */
void queue_stop(struct queue *queue);

/* work.c: what the thread does with one request. All are for the queue's own thread. */
void work_start(struct work *const works[], uint32_t count); /* that came together, at most QUEUE_MAX_WORK */
void work_op_done(struct op *op, int result);
void work_sync_done(struct work *work, int result);
void work_io_done(struct engine_io *io, int result); /* one of the above */
void work_retry(struct queue *queue);
void work_unpin(struct queue *queue); /* lets go of what was read: before the thread sleeps or ends */

/* queue.c, for work.c: posting a completion, which also frees the work. */
void queue_complete(struct work *work, enum tsr_blk_status status);
void queue_revoked(struct queue *queue, struct work *work);

#endif
