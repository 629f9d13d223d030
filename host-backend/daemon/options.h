/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	uint32_t guest, device;
	const char *image;
	const char *engine; /* one there is */
	uint64_t create; /* blocks of an image to be made if the place is empty; 0: none */
	const char *log; /* or NULL */
	bool read_only, foreground;
	bool write_through; /* a completed write is durable */
	bool bounce_always; /* writes from a private copy, whatever the medium is */
};

/* Fills options from the command line. -1: go on; else the program's exit status, everything having been said. */
int options_parse(struct options *options, int argc, char **argv);

#endif
