/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* For the tools that run inside the host: says what was not so, where, and ends. */
#ifndef TESTS_TOOLS_CHECK_H
#define TESTS_TOOLS_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                                                    \
	do {                                                                                           \
		if (!(what)) {                                                                         \
			printf("line %d: not so: %s (errno %d, %s)\n", __LINE__, #what, errno, strerror(errno)); \
			exit(1);                                                                       \
		}                                                                                      \
	} while (0)

#endif
