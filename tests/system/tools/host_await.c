/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * host_await FILE FROM PREFIX LIMIT
 *
 * Waits until FILE, which grows, has a line that begins with PREFIX at its byte FROM (the first is 1) or later. 0: it has; 124: not within LIMIT seconds;
 * 125: not, and FILE.ended is there. Looking with programs of the shell would take more of an emulated machine than what is waited for.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAUSE 10000u /* microseconds */

/* Goes on in what has come to fd; matched: how much of prefix the current line has so far, -1 if it is another. */
static bool look(int fd, const char *prefix, int *matched)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (part[i] == '\n')
				*matched = 0;
			else if (*matched >= 0)
				*matched = part[i] == prefix[*matched] ? *matched + 1 : -1;
			if (*matched > 0 && !prefix[*matched])
				return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	char ended[512];
	int fd, matched = 0;
	time_t end;

	if (argc != 5)
		return 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || lseek(fd, strtol(argv[2], NULL, 10) - 1, SEEK_SET) < 0)
		return 2;
	snprintf(ended, sizeof(ended), "%s.ended", argv[1]);
	for (end = time(NULL) + strtol(argv[4], NULL, 10);; usleep(PAUSE)) {
		bool last = !access(ended, F_OK);

		if (look(fd, argv[3], &matched))
			return 0;
		if (last)
			return 125;
		if (time(NULL) >= end)
			return 124;
	}
}
