/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A session: from one CONNECT of the guest's front-end to the next, or to the guest's end. At most one at a time; all requests of the old
 * one have ended before the new one's pages are mapped.
 */
#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include "host-backend/daemon/queue.h"
#include "host-backend/daemon/window.h"

#define SESSION_MAX_TOKENS (1 + 3 * TSR_BLK_MAX_QUEUES)

struct session {
	struct disk *disk;
	const struct backend *backend;
	struct window_pool pool;
	int trouble;      /* eventfd: a queue is broken; the main thread then calls session_broken */
	bool open;
	uint32_t number;
	uint32_t features; /* that the front-end understands */
	uint32_t event;   /* raised when the control page has changed */
	uint32_t queues;  /* running */
	uint32_t tokens;  /* mapped */
	struct tsr_backend_event again; /* a CONNECT that found a limit reached, to be tried again; type 0: none */
	struct tsr_blk_control *control; /* shared */
	struct tsr_token token[SESSION_MAX_TOKENS];
	struct queue *queue[TSR_BLK_MAX_QUEUES];
};

/* 0 or a negative errno. */
int session_init(struct session *session, struct disk *disk, const struct backend *backend);

/* Ends the session there is, then begins the one of a CONNECT event. What goes wrong is said on the log and, if possible, to the guest. */
void session_connect(struct session *session, const struct tsr_backend_event *event);

/* Tells the guest that the session has failed, and stops its queues. */
void session_broken(struct session *session);

/* Finishes all requests, then unmaps everything. */
void session_end(struct session *session);

void session_fini(struct session *session);

#endif
