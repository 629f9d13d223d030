/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What `tessera top` knows at one time, and how it shows what happened between two such times. */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "host-backend/cli/cli.h"

struct top_guest {
	struct tsr_ioc_guest guest;
	struct tsr_ioc_config config;
	struct tsr_ioc_backend backend[TSR_MAX_DEVICES]; /* mode 0: nobody serves it */
};

struct top_sample {
	double seconds; /* of a clock that only goes forward */
	struct tsr_info info;
	unsigned guests;
	struct top_guest guest[TSR_MAX_GUESTS];
};

/* Rates are those since before; a guest that was not there then, or another with its number, has none yet. */
void top_print(FILE *out, const struct top_sample *before, const struct top_sample *now);
/* The same for programs; the caller owns it. NULL: no memory. */
struct json_t *top_json(const struct top_sample *before, const struct top_sample *now);

#endif
