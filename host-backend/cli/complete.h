/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What may come next on a command line: asked for by the shell (host-backend/shell/tessera.bash), answered from the commands' own help. */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "host-backend/cli/cli.h"

/* Names that depend on what runs here; each prints those it knows, one a line, if they begin with start. */
struct complete_names {
	void (*guests)(FILE *out, const char *start);
	void (*disks)(FILE *out, const char *guest, const char *start);
};

/*
 * words are the line's, without the program's name; the last one is being typed and may be empty. Prints what it may become, one a line. Nothing
 * for what is a file, or unknown.
 */
void complete_line(FILE *out, const struct cli_command *const *commands, size_t count, int words, char **word, const struct complete_names *names);

#endif
