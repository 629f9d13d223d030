/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/watch.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "host-backend/common/notify.h"
#include "host-backend/daemon/log.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int connect_to_systemd(void)
{
	int fd = notify_open();

	if (fd < 0 && errno)
		log_line("systemd's socket %s cannot be reached: %s", getenv("NOTIFY_SOCKET"), strerror(errno));
	return fd;
}

static void tell(const struct watch *watch, const char *text)
{
	if (watch->socket >= 0 && !notify_send(watch->socket, text))
		log_line("telling systemd's watchdog failed: %s", strerror(errno));
}

void watch_init(struct watch *watch)
{
	const char *allowed = getenv("WATCHDOG_USEC");
	uint64_t usec = allowed ? strtoull(allowed, NULL, 10) : 0, half = usec / 2000;
	char text[64];

	*watch = (struct watch){ .socket = half ? connect_to_systemd() : -1, .interval = WATCH_MS };
	if (half && half < WATCH_MS)
		watch->interval = (uint32_t)half;
	watch->next = now_ms();
	/* Only from here on: while a unit waits for its guest nobody tells systemd anything. */
	snprintf(text, sizeof(text), "WATCHDOG_USEC=%" PRIu64, usec);
	tell(watch, text);
}

void watch_fini(struct watch *watch)
{
	if (watch->socket >= 0)
		close(watch->socket);
}

/* true: the queue's thread came round since the last look, or has had no three looks of time. */
static bool comes_round(struct watch *watch, struct queue *queue)
{
	uint32_t beat = atomic_load(&queue->beat), *missed = &watch->missed[queue->number];
	const uint64_t one = 1;

	if (beat != watch->beat[queue->number]) {
		if (*missed >= WATCH_LOOKS)
			log_line("queue %u: its thread comes round again", queue->number);
		*missed = 0;
	} else if (++*missed == WATCH_LOOKS) {
		log_line("queue %u: its thread has not come round for %u s, and the guest waits", queue->number,
			 WATCH_LOOKS * watch->interval / 1000);
	}
	watch->beat[queue->number] = beat;
	atomic_store(&queue->asked, watch->interval);
	if (write(queue->kick, &one, sizeof(one)) < 0)
		log_line("waking a queue failed: %s", strerror(errno));
	return *missed < WATCH_LOOKS;
}

int watch_look(struct watch *watch, const struct session *session)
{
	uint64_t now = now_ms();
	bool well = true;

	if (now < watch->next)
		return (int)(watch->next - now);
	watch->next = now + watch->interval;
	if (session->number != watch->session || !session->open) {
		memset(watch->missed, 0, sizeof(watch->missed));
		watch->session = session->number;
	}
	for (uint32_t i = 0; i < session->queues; i++)
		well &= comes_round(watch, session->queue[i]);
	if (well)
		tell(watch, "WATCHDOG=1");
	return (int)watch->interval;
}
