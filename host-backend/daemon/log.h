/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Messages for people, one line each, on stderr or in the file of --log. Any thread. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

/* Put before every message; kept, not copied. */
void log_prefix(const char *prefix);

__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* For what a guest can cause: at most 10 lines a minute, then silence with a count. */
__attribute__((format(printf, 1, 2))) void log_guest(const char *format, ...);

#endif
