/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Port numbers for assembly; lib.c checks them against tessera/platform.h. */
#ifndef TESTS_GUESTS_PORTS_H
#define TESTS_GUESTS_PORTS_H

#define UART		0x3f8
#define SLEEP_CONTROL	0x604
#define SLEEP_OFF	0x34
#define RESET		0x606
#define RESET_VALUE	1

#endif
