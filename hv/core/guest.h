/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Domains: finding, ending and freeing guests. All with core_lock held. */
#ifndef HV_CORE_GUEST_H
#define HV_CORE_GUEST_H

#include <core/core.h>

/* core.c */

struct domain *domain_by_id(uint32_t id); /* below DOMAIN_NR */
const struct core_boot *core_boot_info(void); /* root_secret is NULL: see core_root_secret */
const uint8_t *core_root_secret(void);

/* guest.c; table pages: memory.c */

/* The live guest of this id, or NULL: ids come from callers. */
struct domain *guest_find(uint64_t id);
uint32_t guest_count(void);
/* From BUILDING or RUNNING to STOPPED. Does nothing to others. */
void guest_end(struct domain *d, enum tsr_guest_end why, uint64_t code0, uint64_t code1);
/* Its identity, memory and tokens are gone: the id is free again. */
void guest_free(struct domain *d);

/* event.c: marks the event and kicks the virtual CPU it is bound to; see arch_vcpu_kick() for the result. */
uint32_t event_raise(struct domain *d, uint32_t event);

#endif
