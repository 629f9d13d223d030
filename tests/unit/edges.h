/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Each hypercall with each argument, and each field of its structure, at the edges of what it can hold, by the host or by a guest, on a
 * machine with a bystander who was never named. With its checks in place nothing of this halts the machine or concerns the bystander.
 */
#ifndef EDGES_H
#define EDGES_H

#include <stdbool.h>

struct edges {
	unsigned calls, done, refused;
	unsigned halts;    /* calls that stopped the machine */
	unsigned breaches; /* calls after which the bystander's memory, tokens or existence were not what they were */
	unsigned calls_done; /* different calls that succeeded at least once */
};

/* As the host on CPU 0, or as a guest, until so many calls have halted or breached. Starts machines of its own. */
struct edges edges_run(bool guest, unsigned most_bad);

#endif
