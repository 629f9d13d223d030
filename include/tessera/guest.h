/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * /dev/tessera-guest, the bus driver's interface to a Linux guest's user space; root only. Not part of the ABI between domains;
 * another guest system may have another. All calls return 0, or -1 with errno; errno of a refused hypercall is that of TSR_ERRORS.
 */
#ifndef TESSERA_GUEST_H
#define TESSERA_GUEST_H

#include <linux/ioctl.h>
#include <tessera/hypercall.h>

#define TSR_GUEST_DEVICE "/dev/tessera-guest"

/* A key of purpose TSR_KEY_APPLICATION; disks' keys are not to be had here. */
struct tsr_ioc_guest_key {
	uint8_t label[TSR_LABEL_SIZE]; /* in: any; a device's label gives no key of that device */
	uint8_t salt[16];              /* in */
	uint8_t key[TSR_KEY_SIZE];     /* out: the caller wipes it */
};

struct tsr_ioc_guest_random {
	uint32_t len;      /* in: 1..64 */
	uint32_t reserved; /* in: 0 */
	uint8_t bytes[64]; /* out: from the hypervisor's generator */
};

/* The bus driver's counters since it was loaded. */
struct tsr_ioc_guest_counters {
	uint64_t hypercalls;     /* all but doorbells */
	uint64_t doorbells;
	uint64_t tokens_issued;
	uint64_t tokens_revoked;
	uint64_t revoke_repeats; /* TSR_E_AGAIN answers: some CPU had not let go yet */
	uint64_t reserved[3];    /* 0 */
};

#define TSR_GUEST_IOC_MAGIC 0xB6
#define TSR_IOC_GUEST_INFO       _IOR(TSR_GUEST_IOC_MAGIC, 0, struct tsr_info) /* as a guest may see it */
#define TSR_IOC_GUEST_KEY_DERIVE _IOWR(TSR_GUEST_IOC_MAGIC, 1, struct tsr_ioc_guest_key)
#define TSR_IOC_GUEST_RANDOM     _IOWR(TSR_GUEST_IOC_MAGIC, 2, struct tsr_ioc_guest_random)
#define TSR_IOC_GUEST_COUNTERS   _IOR(TSR_GUEST_IOC_MAGIC, 3, struct tsr_ioc_guest_counters)

#endif
