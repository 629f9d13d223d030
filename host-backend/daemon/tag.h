/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What an io_uring completion is about: a pointer with a tag in its low bits. */
#ifndef DAEMON_TAG_H
#define DAEMON_TAG_H

#include <liburing.h>

enum tag { TAG_IO, TAG_KICK, TAG_DOORBELL, TAG_RAISE };
#define TAG_MASK 7ull

static inline void tag_set(struct io_uring_sqe *sqe, enum tag tag, void *pointer)
{
	sqe->user_data = (uintptr_t)pointer | tag;
}

static inline void *tag_pointer(const struct io_uring_cqe *cqe)
{
	return (void *)(uintptr_t)(cqe->user_data & ~TAG_MASK);
}

#endif
