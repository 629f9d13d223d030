/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sd_notify(3)'s protocol, by which systemd is told how a service is. */
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include <stdbool.h>

/* systemd's socket, as NOTIFY_SOCKET names it; -1: there is none (errno 0), or it cannot be reached. */
int notify_open(void);
/* An assignment such as "READY=1". False, with errno, if it could not be sent. */
bool notify_send(int socket, const char *text);

#endif
