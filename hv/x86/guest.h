/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What the boot code calls of the guests' virtual CPUs; the rest is in core/arch.h. */
#ifndef HV_X86_GUEST_H
#define HV_X86_GUEST_H

/* Boot CPU, after tsc_khz() is known and before the host runs. A CPU unfit for guests is said once; guests then fail to create. */
void guest_init(void);

#endif
