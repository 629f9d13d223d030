/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A guest's identity: unkeyed BLAKE2b-256 over records, in the order in which things were done: one CREATE, any number of LOADs with
 * rising gfn, one LAUNCH. Used by the hypervisor and by the command line, which predicts identities. Not for the Linux modules.
 */
#ifndef PROTO_MEASURE_H
#define PROTO_MEASURE_H

#include <tessera/hypercall.h>
#include "proto/hash.h"

#define TSR_MEASURE_MAGIC "TSRMEAS1"

enum tsr_measure_type {
	TSR_MEASURE_CREATE = 1, /* payload: TSR_ABI_VERSION (4), 0 (4), struct tsr_guest_create (400) */
	TSR_MEASURE_LOAD = 2,   /* gfn; payload: the page (4096) */
	TSR_MEASURE_LAUNCH = 3, /* payload: eip (4), esi (4) */
};

/* Every record begins with this; its payload follows without padding. */
struct tsr_measure_record {
	uint8_t magic[8];  /* TSR_MEASURE_MAGIC without a terminating zero */
	uint32_t type;     /* enum tsr_measure_type */
	uint32_t size;     /* of the payload in bytes */
	uint64_t gfn;      /* LOAD only, else 0 */
	uint8_t reserved[40]; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_measure_record, 64);

struct tsr_measure {
	struct tsr_hash hash;
};

void tsr_measure_create(struct tsr_measure *measure, const struct tsr_guest_create *config);

/* page: TSR_PAGE_SIZE bytes that nobody else can write any more. */
void tsr_measure_load(struct tsr_measure *measure, uint64_t gfn, const void *page);

/* Ends the measurement; measure cannot be used afterwards. */
void tsr_measure_launch(struct tsr_measure *measure, uint32_t eip, uint32_t esi, uint8_t identity[TSR_ID_SIZE]);

#endif
