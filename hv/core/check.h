/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Negative controls: a unit test can leave one check out at a time, to see the attack succeed that it stops (tests/unit/core_left_out.c). In every other
 * build CHECKED() is 1.
 */
#ifndef HV_CORE_CHECK_H
#define HV_CORE_CHECK_H

#ifdef TSR_TEST_CONTROLS
enum check {
	CHECK_NONE,
	CHECK_BOUND,     /* a token is used as it was bound */
	CHECK_RANGE,     /* a copy stays in the token's range */
	CHECK_ISSUER,    /* only its issuer revokes a token */
	CHECK_ONCE,      /* a token is mapped once in its life */
	CHECK_DONATED,   /* only the host's plain pages are donated */
	CHECK_LET_GO,    /* every CPU has let go of a donated page before the guest gets it */
	CHECK_RESET,     /* and of every window page before the next host gets it */
	CHECK_RUNNER,    /* a virtual CPU runs on one CPU at a time */
	CHECK_IDLE,      /* a guest that is destroyed runs nowhere */
	CHECK_VECTOR,    /* events are no exceptions */
	CHECK_LEASE,     /* one writer a disk */
};
extern enum check left_out;
#define CHECKED(which) (left_out != CHECK_##which)
#else
#define CHECKED(which) 1
#endif

#endif
