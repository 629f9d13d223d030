/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What the fuzzers of tesserad share: an input that is taken byte by byte, and a log that is not kept. */
#ifndef FUZZ_DAEMON_H
#define FUZZ_DAEMON_H

#include <stddef.h>
#include <stdint.h>
#include "host-backend/daemon/log.h"

static const uint8_t *input;
static size_t left;

/* 0 when there is none any more. */
static uint8_t byte(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

void log_line(const char *format, ...)
{
	(void)format;
}

void log_guest(const char *format, ...)
{
	(void)format;
}

#endif
