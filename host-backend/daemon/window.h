/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Windows: own memory that tokens are mapped over. Each is 2 MiB of physically contiguous memory, so that any run of a token fits. They
 * live as long as the backend descriptor and are reused by every session.
 */
#ifndef DAEMON_WINDOW_H
#define DAEMON_WINDOW_H

#include "host-backend/daemon/backend.h"

#define WINDOW_SIZE (2u << 20)
#define WINDOW_MAX  40u /* 16 queues of 2 MiB data, 256 KiB seals, 24 KiB rings, and the control page fit into 20 */

struct window_pool {
	const struct backend *backend;
	uint32_t count;
	struct {
		uint8_t *base;
		uint32_t number; /* the module's */
		uint32_t used;   /* bytes given out */
	} window[WINDOW_MAX];
};

struct window_run {
	void *address;
	uint32_t window; /* number */
	uint64_t offset;
};

void window_init(struct window_pool *pool, const struct backend *backend);

/* Finds room for pages (1..512) consecutive pages, with another window if need be. 0 or a negative errno, after saying why. */
int window_place(struct window_pool *pool, uint32_t pages, struct window_run *run);

/* Forgets all runs. Only when nothing is mapped any more. Fills everything with the mark (shared.h). */
void window_reset(struct window_pool *pool);

/* Unmaps the memory from this process. The module lets go of it when the backend descriptor is closed: do that first. */
void window_fini(struct window_pool *pool);

#endif
