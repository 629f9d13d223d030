/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/queue.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/place.h"
#include "host-backend/daemon/shared.h"
#include "host-backend/daemon/stage.h"
#include "host-backend/daemon/tag.h"
#include "host-backend/daemon/uring.h"
#include "host-backend/daemon/watch.h"
#include "proto/ring.h"

#define BUFFER_SIZE    ((size_t)TSR_BLK_MAX_BLOCKS * TSR_BLOCK_SIZE)
#define KEPT_OF_BUFFER ((size_t)TSR_BLK_DIRECT_BLOCKS * TSR_BLOCK_SIZE)

/* Of the front-end's cache line: bytes it never uses, to see whether the page is still its. */
#define HEADER_LIVE 32u

static struct tsr_ring_header *header(const struct queue *queue)
{
	return (struct tsr_ring_header *)queue->ring;
}

/* ------------------------------------------------------------------ io_uring */

static struct io_uring_sqe *queue_sqe(struct queue *queue)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&queue->uring);

	while (!sqe) {
		io_uring_submit(&queue->uring);
		sqe = io_uring_get_sqe(&queue->uring);
	}
	return sqe;
}

struct io_uring_sqe *engine_sqe(struct engine_io *io)
{
	struct io_uring_sqe *sqe = queue_sqe(op_of(io)->work->queue);

	/* The engine's preparation leaves user_data as it is. */
	tag_set(sqe, TAG_IO, io);
	return sqe;
}

void engine_done(struct engine_io *io, int result)
{
	struct queue *queue = op_of(io)->work->queue;
	const uint64_t one = 1;

	/* The thread may end, and the queue with it, as soon as it has seen the last io: not before this lock is free again. */
	pthread_mutex_lock(&queue->lock);
	io->result = result;
	io->next = queue->done;
	queue->done = io;
	if (!io->next && write(queue->kick, &one, sizeof(one)) < 0)
		log_line("waking a queue failed: %s", strerror(errno));
	pthread_mutex_unlock(&queue->lock);
}

static void take_done(struct queue *queue)
{
	struct engine_io *io, *next;

	pthread_mutex_lock(&queue->lock);
	io = queue->done;
	queue->done = NULL;
	pthread_mutex_unlock(&queue->lock);
	for (; io; io = next) {
		next = io->next;
		work_io_done(io, io->result);
	}
}

/* Each signal of the eventfd is a completion from now on. What it has counted is never read: it would take centuries to be full. */
static void arm(struct queue *queue, enum tag tag, int fd)
{
	struct io_uring_sqe *sqe = queue_sqe(queue);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	tag_set(sqe, tag, NULL);
}

/* The kernel may end it, for want of memory. */
static void arm_again(struct queue *queue, const struct io_uring_cqe *cqe, int fd)
{
	if (!(cqe->flags & IORING_CQE_F_MORE))
		arm(queue, cqe->user_data & TAG_MASK, fd);
}

static void raise_event(struct queue *queue)
{
	struct io_uring_sqe *sqe;

	DISK_COUNT(queue->counters, raised, 1);
	if (!queue->commands) {
		queue->backend->ops->raise(queue->backend->context, queue->event);
		return;
	}
	sqe = queue_sqe(queue);
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, queue->backend->command, NULL, 0, 0);
	sqe->cmd_op = TSR_CMD_RAISE;
	memcpy(sqe->cmd, &queue->event, sizeof(queue->event));
	tag_set(sqe, TAG_RAISE, NULL);
}

/* A host module without io_uring commands still has the ioctl. */
static void raise_done(struct queue *queue, int result)
{
	if (result != -EOPNOTSUPP && result != -ENOTTY && result != -EINVAL && result != -ENOSYS)
		return;
	queue->commands = false;
	queue->backend->ops->raise(queue->backend->context, queue->event);
}

static void handle(struct queue *queue, const struct io_uring_cqe *cqe)
{
	switch ((enum tag)(cqe->user_data & TAG_MASK)) {
	case TAG_IO:
		work_io_done(tag_pointer(cqe), cqe->res);
		break;
	case TAG_KICK:
		arm_again(queue, cqe, queue->kick);
		take_done(queue);
		work_retry(queue);
		break;
	case TAG_DOORBELL:
		DISK_COUNT(queue->counters, doorbells, 1);
		arm_again(queue, cqe, queue->doorbell);
		break;
	case TAG_RAISE:
		raise_done(queue, cqe->res);
		break;
	}
}

/* ------------------------------------------------------------------ the ring */

static void broken(struct queue *queue, const char *why)
{
	const uint64_t one = 1;

	log_guest("queue %u: the guest broke the ring's rules (%s); its session is over until it connects again", queue->number, why);
	atomic_store(&queue->state, QUEUE_BROKEN);
	if (write(queue->trouble, &one, sizeof(one)) < 0)
		log_line("telling the main thread failed: %s", strerror(errno));
}

static void put_back(struct queue *queue, struct work *work)
{
	/* Of what large requests take of their buffers nothing is kept, or all of them would grow to their largest. */
	if (work->request.count > TSR_BLK_DIRECT_BLOCKS && work->buffered)
		madvise(work->buffer + KEPT_OF_BUFFER, BUFFER_SIZE - KEPT_OF_BUFFER, MADV_DONTNEED);
	work->next = queue->idle;
	queue->idle = work;
	queue->busy--;
}

void queue_revoked(struct queue *queue, struct work *work)
{
	atomic_store(&queue->state, QUEUE_REVOKED);
	put_back(queue, work);
}

void queue_complete(struct work *work, enum tsr_blk_status status)
{
	struct queue *queue = work->queue;
	struct tsr_blk_completion completion = { .id = work->request.id, .status = status };

	if (status != TSR_BLK_OK)
		DISK_COUNT(queue->counters, failed, 1);
	queue->in_use[work->request.id] = false;
	put_back(queue, work);
	shared_copy_out(queue->ring + tsr_ring_cq_at(queue->completed, queue->limits.depth), &completion, sizeof(completion));
	queue->completed++;
	/* Release: data, seals and the entry are seen before the index. */
	shared_store(&header(queue)->cq_tail, queue->completed);
}

/* Once for all completions since the last time. */
static void announce(struct queue *queue)
{
	uint32_t event;

	if (queue->completed == queue->announced)
		return;
	/* cq_tail is published before cq_event is read; the front-end writes cq_event before it reads cq_tail. One of us sees the other. */
	shared_fence();
	event = shared_load(&header(queue)->cq_event);
	if (tsr_ring_need_event(event, queue->completed, queue->announced))
		raise_event(queue);
	else
		DISK_COUNT(queue->counters, quiet, 1);
	queue->announced = queue->completed;
}

/* Requests in the ring, or -1: the queue's state says why. */
static int waiting_in_ring(struct queue *queue)
{
	/* Acquire: the entries are read after the index. */
	uint32_t tail = shared_load(&header(queue)->sq_tail);
	int count;

	if (!shared_live(queue->ring + HEADER_LIVE)) {
		atomic_store(&queue->state, QUEUE_REVOKED);
		return -1;
	}
	count = tsr_ring_new(tail, queue->taken, queue->limits.depth);
	if (count == TSR_RING_BROKEN)
		broken(queue, "more submissions than the ring holds");
	return count;
}

static struct work *take(struct queue *queue)
{
	struct work *work = queue->idle;

	if (!shared_copy_in(&work->request, queue->ring + tsr_ring_sq_at(queue->taken, queue->limits.depth), sizeof(work->request))) {
		atomic_store(&queue->state, QUEUE_REVOKED);
		return NULL;
	}
	if (!tsr_blk_request_id_valid(&work->request, queue->limits.depth)) {
		broken(queue, "id out of range");
		return NULL;
	}
	if (queue->in_use[work->request.id]) {
		broken(queue, "id already in flight");
		return NULL;
	}
	queue->taken++;
	queue->in_use[work->request.id] = true;
	queue->idle = work->next;
	queue->busy++;
	return work;
}

/* All that are there now, so that their tokens are mapped with one shoot-down. false: the ring is not the guest's any more, or broken. */
static bool take_all(struct queue *queue, int count)
{
	struct work *taken[QUEUE_MAX_WORK] = { NULL };
	uint32_t n = 0;

	while (count-- && queue->idle) {
		taken[n] = take(queue);
		if (!taken[n])
			break;
		n++;
	}
	place_reach(queue, taken, n);
	work_start(taken, n);
	return atomic_load(&queue->state) == QUEUE_RUNNING;
}

/* Takes what is there, at most one ring full. true: look again before sleeping. */
static bool serve(struct queue *queue)
{
	int count;

	if (!queue->idle || atomic_load(&queue->stop) || atomic_load(&queue->state) != QUEUE_RUNNING)
		return false;
	count = waiting_in_ring(queue);
	if (count == 0) {
		/* Ask for the doorbell, then look once more: the front-end writes sq_tail before it reads sq_event. */
		shared_store(&header(queue)->sq_event, queue->taken);
		shared_fence();
		count = waiting_in_ring(queue);
	}
	if (count <= 0)
		return false;
	if (!take_all(queue, count))
		return false;
	shared_store(&header(queue)->sq_head, queue->taken);
	return queue->idle != NULL;
}

/* ------------------------------------------------------------------ the thread */

static int setup_works(struct queue *queue)
{
	queue->works = queue->limits.depth < QUEUE_MAX_WORK ? queue->limits.depth : QUEUE_MAX_WORK;
	queue->work = calloc(queue->works, sizeof(*queue->work));
	queue->buffers = mmap(NULL, queue->works * BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!queue->work || queue->buffers == MAP_FAILED)
		return -ENOMEM;
	/*
	 * In small pages: a little of each is used most of the time, and what lies across two huge ones may be sent as one piece, which TCP of Linux 6.1 takes
	 * for an overrun where both of its ends are on this machine. A kernel without huge pages refuses, and needs none of it.
	 */
	(void)madvise(queue->buffers, queue->works * BUFFER_SIZE, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < queue->works; i++) {
		queue->work[i].queue = queue;
		queue->work[i].buffer = queue->buffers + i * BUFFER_SIZE;
		queue->work[i].next = queue->idle;
		queue->idle = &queue->work[i];
	}
	queue->reclaim.queue = queue;
	queue->waiting_end = &queue->waiting;
	queue->commands = queue->backend->command >= 0;
	queue->counters = queue->disk->page->counter[queue->number];
	return 0;
}

static void free_works(struct queue *queue)
{
	free(queue->work);
	if (queue->buffers && queue->buffers != MAP_FAILED)
		munmap(queue->buffers, queue->works * BUFFER_SIZE);
}

static void reap(struct queue *queue)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen;

	/* The first of them may have to be fetched from the kernel, the others lie behind it. */
	while (io_uring_peek_cqe(&queue->uring, &cqe) == 0) {
		seen = 0;
		io_uring_for_each_cqe(&queue->uring, head, cqe) {
			handle(queue, cqe);
			seen++;
		}
		io_uring_cq_advance(&queue->uring, seen);
	}
}

/* Each that many ms. Requests that wait and none that ends: it is not this daemon that hangs. */
static void notice(struct queue *queue, uint32_t ms)
{
	if (queue->busy && queue->completed == queue->noticed) {
		if (++queue->looks == WATCH_LOOKS)
			log_line("queue %u: for %u s none of %u requests has ended: the medium does not answer, and the guest waits",
				 queue->number, WATCH_LOOKS * ms / 1000, queue->busy);
		return;
	}
	if (queue->looks >= WATCH_LOOKS)
		log_line("queue %u: the medium answers again", queue->number);
	queue->looks = 0;
	queue->noticed = queue->completed;
}

static void run(struct queue *queue)
{
	uint32_t asked;

	arm(queue, TAG_KICK, queue->kick);
	arm(queue, TAG_DOORBELL, queue->doorbell);
	for (;;) {
		bool more = serve(queue);

		work_unpin(queue);
		stage_flush(queue);
		announce(queue);
		atomic_fetch_add(&queue->beat, 1);
		asked = atomic_exchange(&queue->asked, 0);
		if (asked)
			notice(queue, asked);
		if (atomic_load(&queue->stop) && !queue->busy && !queue->reclaiming)
			return;
		if (more)
			io_uring_submit_and_get_events(&queue->uring);
		else
			io_uring_submit_and_wait(&queue->uring, 1);
		reap(queue);
	}
}

static void *queue_main(void *argument)
{
	struct queue *queue = argument;

	queue->start_error = uring_start(queue);
	sem_post(&queue->started);
	if (queue->start_error)
		return NULL;
	run(queue);
	uring_end(queue);
	return NULL;
}

static void release(struct queue *queue)
{
	close(queue->kick);
	close(queue->doorbell);
	sem_destroy(&queue->started);
	pthread_mutex_destroy(&queue->lock);
	free_works(queue);
}

static int start_thread(struct queue *queue)
{
	int error = pthread_create(&queue->thread, NULL, queue_main, queue);

	if (error) {
		log_line("starting a thread failed: %s", strerror(error));
		return -error;
	}
	sem_wait(&queue->started);
	if (queue->start_error)
		pthread_join(queue->thread, NULL);
	return queue->start_error;
}

int queue_start(struct queue *queue)
{
	int error;

	queue->kick = eventfd(0, EFD_CLOEXEC);
	queue->doorbell = eventfd(0, EFD_CLOEXEC);
	sem_init(&queue->started, 0, 0);
	pthread_mutex_init(&queue->lock, NULL);
	error = queue->kick < 0 || queue->doorbell < 0 ? -errno : setup_works(queue);
	if (error)
		log_line("queue %u: no resources: %s", queue->number, strerror(-error));
	if (!error)
		error = start_thread(queue);
	if (error) {
		release(queue);
		return error;
	}
	disk_set_kick(queue->disk, queue->number, queue->kick);
	error = queue->backend->ops->doorbell(queue->backend->context, queue->number, queue->doorbell);
	if (error < 0) {
		log_line("queue %u: binding the doorbell failed: %s", queue->number, strerror(-error));
		queue_stop(queue);
		return error;
	}
	return 0;
}

void queue_stop(struct queue *queue)
{
	const uint64_t one = 1;

	atomic_store(&queue->stop, true);
	if (write(queue->kick, &one, sizeof(one)) < 0)
		log_line("stopping a queue failed: %s", strerror(errno));
	pthread_join(queue->thread, NULL);
	queue->backend->ops->doorbell(queue->backend->context, queue->number, -1);
	disk_set_kick(queue->disk, queue->number, -1);
	release(queue);
}
