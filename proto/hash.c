/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/hash.h"
#include <sodium/crypto_generichash_blake2b.h>

_Static_assert(sizeof(struct tsr_hash) == sizeof(crypto_generichash_blake2b_state), "libsodium's state has another size");
_Static_assert(_Alignof(struct tsr_hash) >= _Alignof(crypto_generichash_blake2b_state), "libsodium's state has another alignment");

static crypto_generichash_blake2b_state *state(struct tsr_hash *hash)
{
	return (crypto_generichash_blake2b_state *)hash->opaque;
}

/* None of these can fail with the constant sizes given here: libsodium refuses sizes only. */
void tsr_hash_init(struct tsr_hash *hash, const uint8_t *key)
{
	(void)crypto_generichash_blake2b_init(state(hash), key, key ? 32 : 0, TSR_HASH_SIZE);
}

void tsr_hash_update(struct tsr_hash *hash, const void *data, size_t size)
{
	(void)crypto_generichash_blake2b_update(state(hash), data, size);
}

void tsr_hash_final(struct tsr_hash *hash, uint8_t digest[TSR_HASH_SIZE])
{
	(void)crypto_generichash_blake2b_final(state(hash), digest, TSR_HASH_SIZE);
	tsr_wipe(hash, sizeof(*hash));
}

void tsr_wipe(void *data, size_t size)
{
	memset(data, 0, size);
	/* Makes the compiler believe that the zeros are read. */
	__asm__ volatile("" : : "r"(data) : "memory");
}
