/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include "host-backend/daemon/session.h"

enum serve_end {
	SERVE_GUEST_ENDED,
	SERVE_STOPPED, /* by a signal */
	SERVE_FAILED,  /* the backend descriptor failed */
};

/*
 * The main thread's loop: the guest's events, signals (signals: a signalfd of SIGTERM, SIGINT, SIGUSR1), broken queues. Returns when the
 * session has ended and all its requests are finished.
 */
enum serve_end serve(struct session *session, int signals);

#endif
