/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * AEGIS-128L (suite 2, spec/storage.md) with a 128-bit tag, on x86-64's AES instructions.
 *
 * Written out in assembly, because a promise of spec/storage.md hangs on it: each byte of the text, when sealing, and of the ciphertext, when
 * opening, is loaded exactly once, into a register, and what is authenticated is what is stored. So ciphertext may be written to and read
 * from memory that the host can change at any moment. A compiler would not promise that.
 *
 * In the Linux kernel every call belongs between kernel_fpu_begin() and kernel_fpu_end().
 */
#ifndef PROTO_AEGIS_H
#define PROTO_AEGIS_H

#include "proto/port.h"

#define TSR_AEGIS_KEY   16u
#define TSR_AEGIS_NONCE 16u
#define TSR_AEGIS_TAG   16u
#define TSR_AEGIS_RATE  32u

/*
 * size is a multiple of TSR_AEGIS_RATE. text and cipher do not overlap, or are the same; what is opened is aligned to 16 bytes. ad is followed by
 * zeros up to the next multiple of TSR_AEGIS_RATE.
 * tsr_aegis_open stores the text before anybody has compared the tag: whoever calls it does, by tsr_aegis_same, and wipes the text if they differ.
 */
void tsr_aegis_seal(uint8_t tag[TSR_AEGIS_TAG], void *cipher, const void *text, size_t size, const void *ad, size_t ad_size,
		    const uint8_t nonce[TSR_AEGIS_NONCE], const uint8_t key[TSR_AEGIS_KEY]);
void tsr_aegis_open(uint8_t tag[TSR_AEGIS_TAG], void *text, const void *cipher, size_t size, const void *ad, size_t ad_size,
		    const uint8_t nonce[TSR_AEGIS_NONCE], const uint8_t key[TSR_AEGIS_KEY]);

/* In constant time. */
static inline bool tsr_aegis_same(const uint8_t a[TSR_AEGIS_TAG], const uint8_t b[TSR_AEGIS_TAG])
{
	uint64_t a0, a1, b0, b1;

	memcpy(&a0, a, 8);
	memcpy(&a1, a + 8, 8);
	memcpy(&b0, b, 8);
	memcpy(&b1, b + 8, 8);
	return ((a0 ^ b0) | (a1 ^ b1)) == 0;
}

#endif
