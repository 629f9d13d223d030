/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/* What the driver core calls differently in Debian 12's kernel (6.1) and Debian 13's (6.12). */
#ifndef TSR_GUEST_KERNEL_H
#define TSR_GUEST_KERNEL_H

#include <linux/device.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
typedef const struct device uevent_device;
typedef const struct device_driver match_driver;
#else
typedef struct device uevent_device;
typedef struct device_driver match_driver;
#endif

#endif
