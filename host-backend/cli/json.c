// SPDX-License-Identifier: BSD-2-Clause-Patent
#include <jansson.h>

#include "host-backend/cli/cli.h"

int print_json(struct json_t *value)
{
	int failed = !value || json_dumpf(value, stdout, JSON_COMPACT) || putchar('\n') == EOF;

	json_decref(value);
	return failed ? cli_fail("the answer cannot be written: no memory, or standard output takes no more") : CLI_OK;
}
