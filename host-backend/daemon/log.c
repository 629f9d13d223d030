/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/log.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define LINES_A_MINUTE 10u

static const char *prefix = "tesserad";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static time_t minute;
static unsigned int lines, suppressed;

void log_prefix(const char *text)
{
	prefix = text;
}

static void print(const char *format, va_list arguments)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, arguments);
	fprintf(stderr, "%s: %s\n", prefix, line);
	fflush(stderr);
}

void log_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
}

static int may_print(void)
{
	struct timespec now;
	unsigned int missed = 0;
	int may;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if (now.tv_sec / 60 != minute) {
		minute = now.tv_sec / 60;
		missed = suppressed;
		lines = suppressed = 0;
	}
	may = lines < LINES_A_MINUTE;
	*(may ? &lines : &suppressed) += 1;
	pthread_mutex_unlock(&lock);
	if (missed)
		log_line("%u more messages caused by the guest were not printed", missed);
	return may;
}

void log_guest(const char *format, ...)
{
	va_list arguments;

	if (!may_print())
		return;
	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
}
