/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/* Between the files of tessera.ko. The init functions are called once each, in this order, and undone in the reverse. */
#ifndef TSR_GUEST_BUS_H
#define TSR_GUEST_BUS_H

#include <linux/atomic.h>
#include "tessera_bus.h"

struct bus_counters {
	atomic64_t hypercalls, doorbells, tokens_issued, tokens_revoked, revoke_repeats;
};
extern struct bus_counters bus_counters;

/* Finds the hypervisor: -ENODEV if there is none, -EPROTO if it cannot be used. Registers every CPU's mailbox. */
int bus_call_init(void);
void bus_call_exit(void);

int bus_event_init(void);
void bus_event_exit(void);

/* /dev/tessera-guest, the random source, the panic report. */
int bus_misc_init(void);
void bus_misc_exit(void);

#endif
