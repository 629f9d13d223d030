/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A queue's io_uring, and what the kernel keeps at hand for it: the image's files and the guest's pages. */
#ifndef DAEMON_URING_H
#define DAEMON_URING_H

#include "host-backend/daemon/queue.h"

/* By the queue's own thread. 0 or a negative errno, after saying why. */
int uring_start(struct queue *queue);

/* Nothing is in flight any more. */
void uring_end(struct queue *queue);

#endif
