/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * BLAKE2b-256 (RFC 7693) for identities and keys, from libsodium, whose reference code the hypervisor is built with too. Not for
 * the Linux modules. This is the only place in proto/ that knows libsodium.
 */
#ifndef PROTO_HASH_H
#define PROTO_HASH_H

#include "proto/port.h"

#define TSR_HASH_SIZE 32u

/* libsodium's state; may hold key material: tsr_hash_final wipes it. */
struct tsr_hash {
	_Alignas(64) uint8_t opaque[384];
};

/* key: 32 bytes, or NULL for an unkeyed hash. */
void tsr_hash_init(struct tsr_hash *hash, const uint8_t *key);
void tsr_hash_update(struct tsr_hash *hash, const void *data, size_t size);
void tsr_hash_final(struct tsr_hash *hash, uint8_t digest[TSR_HASH_SIZE]);

/* Wipes secrets in a way the compiler keeps. */
void tsr_wipe(void *data, size_t size);

#endif
