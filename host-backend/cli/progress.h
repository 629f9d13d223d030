/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* How far long work is, shown as a bar if standard error is a terminal. One piece of work at a time; its own thread only. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "host-backend/cli/cli.h"

/* what is kept, not copied. */
void progress_begin(const char *what);
void progress(uint64_t done, uint64_t total);
/* Takes the bar away, so that a message can follow. */
void progress_end(void);

/* One state of it, from the line's beginning. */
void progress_draw(FILE *out, const char *what, uint64_t done, uint64_t total);

#endif
