/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The main thread's watch over the others: a queue's thread that does not come round, or a medium that answers none of its requests, is said
 * on the log. Under systemd (WATCHDOG_USEC=) its watchdog is told only while every thread comes round, so a daemon that hangs is replaced; a
 * medium that hangs would not get better by that.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include "host-backend/daemon/session.h"

#define WATCH_MS    10000u /* between two looks, or half of what systemd allows if that is less */
#define WATCH_LOOKS 3u     /* that pass before something is said */

struct watch {
	int socket; /* systemd's; -1: there is none */
	uint32_t interval;
	uint64_t next; /* ms of CLOCK_MONOTONIC */
	uint32_t session; /* that the following are of */
	uint32_t beat[TSR_BLK_MAX_QUEUES], missed[TSR_BLK_MAX_QUEUES];
};

/* From what systemd has put into the environment. */
void watch_init(struct watch *watch);
void watch_fini(struct watch *watch);

/* Looks if it is time to. Returns how many ms to wait until the next look. */
int watch_look(struct watch *watch, const struct session *session);

#endif
