/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/uring.h"
#include <errno.h>
#include <string.h>
#include "host-backend/daemon/log.h"

#define SUBMISSIONS 256u
#define COMPLETIONS 8192u /* usually more than are outstanding; what is beyond them the kernel keeps (IORING_FEAT_NODROP) */

static int setup_uring(struct queue *queue)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = COMPLETIONS,
	};
	int error = io_uring_queue_init_params(SUBMISSIONS, &queue->uring, &params);

	if (error == -EINVAL) { /* kernels before 6.1 */
		memset(&params, 0, sizeof(params));
		params.flags = IORING_SETUP_CQSIZE;
		params.cq_entries = COMPLETIONS;
		error = io_uring_queue_init_params(SUBMISSIONS, &queue->uring, &params);
	}
	if (!error && !(params.features & IORING_FEAT_NODROP)) {
		io_uring_queue_exit(&queue->uring);
		error = -ENOSYS;
	}
	if (error)
		log_line("setting up io_uring failed: %s; see kernel.io_uring_disabled", strerror(-error));
	return error;
}

static int setup_files(struct queue *queue)
{
	const struct engine *engine = queue->disk->engine;
	int files[ENGINE_FILES], error = 0;
	uint32_t count = engine->files ? engine->files(queue->disk->image->io.context, files) : 0;

	if (count)
		error = io_uring_register_files(&queue->uring, files, count);
	if (error) {
		log_line("registering the image's files failed: %s", strerror(-error));
		io_uring_queue_exit(&queue->uring);
	}
	return error;
}

/* The data run, registered once for all requests of the session. The kernel pins the daemon's own pages; what DMA finds there is the guest's. */
static void setup_pages(struct queue *queue)
{
	struct iovec pages = { .iov_base = queue->data, .iov_len = (size_t)queue->limits.data_pages * TSR_PAGE_SIZE };
	int error;

	if (queue->data && queue->disk->medium.mode != TSR_BACKEND_COPY) {
		error = io_uring_register_buffers(&queue->uring, &pages, 1);
		if (error) {
			log_line("registering the guest's pages failed: %s", strerror(-error));
			disk_copy_all(queue->disk, TSR_BACKEND_WHY_REGISTER);
		}
	}
	queue->mode = queue->data ? queue->disk->medium.mode : TSR_BACKEND_COPY;
}

int uring_start(struct queue *queue)
{
	int error = setup_uring(queue);

	if (!error)
		error = setup_files(queue);
	if (!error)
		setup_pages(queue);
	return error;
}

void uring_end(struct queue *queue)
{
	/* Now, not when the kernel gets round to taking the ring down: who closes the image's files then lets go of its lock. */
	io_uring_unregister_files(&queue->uring);
	io_uring_queue_exit(&queue->uring);
}
