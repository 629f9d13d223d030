/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/serve.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/watch.h"

#define AGAIN_MS 1000

/* -1: go on. */
static int take_event(struct session *session)
{
	struct tsr_backend_event event;
	ssize_t got = read(session->backend->fd, &event, sizeof(event));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return -1;
	if (got != sizeof(event)) {
		log_line("reading the guest's events failed: %s; see the kernel's log", got < 0 ? strerror(errno) : "short read");
		return SERVE_FAILED;
	}
	switch (event.type) {
	case TSR_BACKEND_CONNECT:
		session_connect(session, &event);
		return -1;
	case TSR_BACKEND_ENDED:
		log_line("the guest has ended");
		return SERVE_GUEST_ENDED;
	}
	log_line("the host module sent event %u, which this version does not know; it is ignored", event.type);
	return -1;
}

static int take_signal(struct session *session, int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return -1;
	if (info.ssi_signo == SIGUSR1) {
		disk_report(session->disk);
		return -1;
	}
	log_line("%s: finishing the requests in flight", strsignal(info.ssi_signo));
	return SERVE_STOPPED;
}

enum serve_end serve(struct session *session, int signals)
{
	struct watch watch;
	int end = -1;

	watch_init(&watch);
	while (end < 0) {
		int wait_ms = watch_look(&watch, session);

		struct pollfd wait[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = session->trouble, .events = POLLIN },
			{ .fd = session->backend->fd, .events = POLLIN },
		};

		int ready = poll(wait, 3, session->again.type && wait_ms > AGAIN_MS ? AGAIN_MS : wait_ms);

		if (ready == 0 && session->again.type) {
			struct tsr_backend_event again = session->again;

			session_connect(session, &again);
		}
		if (ready <= 0)
			continue;
		if (wait[0].revents)
			end = take_signal(session, signals);
		if (end < 0 && wait[1].revents)
			session_broken(session);
		if (end < 0 && wait[2].revents)
			end = take_event(session);
	}
	session_end(session);
	watch_fini(&watch);
	return end;
}
