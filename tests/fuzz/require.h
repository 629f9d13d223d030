/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What must hold for every input: a fuzzer that finds one for which it does not says which rule was broken, and keeps the input. */
#ifndef FUZZ_REQUIRE_H
#define FUZZ_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#define require(holds) ((holds) ? (void)0 : broken_rule(#holds, __FILE__, __LINE__))

static inline void broken_rule(const char *rule, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, rule);
	abort();
}

#endif
