/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* cmocka, and what it wants included before it. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#endif
