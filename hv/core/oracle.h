/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The oracle of debug builds: nested tables must be what the frame table says, frames, tokens and domains must agree with each
 * other. After each hypercall the frames it touched and the next ORACLE_WINDOW frames of a rolling walk are checked, so that a
 * machine of any size stays usable; everything is checked when a guest is launched and when it is gone. A difference halts.
 */
#ifndef HV_CORE_ORACLE_H
#define HV_CORE_ORACLE_H

#include <core/types.h>

#ifdef TSR_ORACLE
void oracle_init(void);
void oracle_domain(uint32_t id); /* domain_by_id tells: one that there is not halts */
void oracle_touched(mfn_t m); /* frame_put tells */
void oracle_want_full(void);  /* the next check is of everything */
void oracle_after_call(void);
void oracle_check_all(void);
#else
/* A release build checks nothing. */
static inline void oracle_init(void) {}
static inline void oracle_domain(uint32_t id) { (void)id; }
static inline void oracle_touched(mfn_t m) { (void)m; }
static inline void oracle_want_full(void) {}
static inline void oracle_after_call(void) {}
#endif

#endif
