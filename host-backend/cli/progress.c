// SPDX-License-Identifier: BSD-2-Clause-Patent
/* A bar on standard error for long work, where somebody looks on: a terminal. */
#include <time.h>
#include <unistd.h>

#include "host-backend/cli/progress.h"

#define WIDTH 40

static struct {
	const char *what; /* NULL: nothing is being done, or nobody looks on */
	double drawn;     /* when */
	bool shown;
} bar;

void progress_draw(FILE *out, const char *what, uint64_t done, uint64_t total)
{
	static const char full[] = "########################################", empty[] = "                                        ";
	double part = total ? (double)done / (double)total : 1;
	int filled;

	if (part > 1)
		part = 1;
	filled = (int)(part * WIDTH);
	fprintf(out, "\r%s [%.*s%.*s] %3d %%", what, filled, full, WIDTH - filled, empty, (int)(part * 100));
}

void progress_begin(const char *what)
{
	bar.what = isatty(STDERR_FILENO) ? what : NULL;
	bar.shown = false;
	bar.drawn = 0;
}

void progress(uint64_t done, uint64_t total)
{
	struct timespec now;
	double seconds;

	if (!bar.what)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	/* What takes no time needs no bar: the first call only starts the clock. */
	if (!bar.drawn)
		bar.drawn = seconds;
	if (seconds - bar.drawn < 0.2)
		return;
	bar.drawn = seconds;
	bar.shown = true;
	progress_draw(stderr, bar.what, done, total);
	fflush(stderr);
}

void progress_end(void)
{
	if (bar.what && bar.shown)
		fputs("\r\033[K", stderr);
	bar.what = NULL;
}
