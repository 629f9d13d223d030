/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Key derivation: spec/storage.md, SEAL-KDF. Used by the hypervisor for TSR_CALL_KEY_DERIVE and by tests that compute a guest's
 * keys from a known root secret. Not for the Linux modules.
 */
#ifndef PROTO_KDF_H
#define PROTO_KDF_H

#include <tessera/hypercall.h>
#include "proto/hash.h"

/*
 * K   = BLAKE2b-256(key = root, "tessera key v1" zero-padded to 32 || identity || label)
 * key = BLAKE2b-256(key = K, purpose (4 bytes LE) || salt)
 */
void tsr_kdf(uint8_t key[TSR_KEY_SIZE], const uint8_t root[TSR_KEY_SIZE], const uint8_t identity[TSR_ID_SIZE],
	     const uint8_t label[TSR_LABEL_SIZE], uint32_t purpose, const uint8_t salt[16]);

#endif
