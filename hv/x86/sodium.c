/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What libsodium's reference BLAKE2b wants from the rest of libsodium. */
#include "hv/x86/x86.h"
#include "proto/hash.h"

void sodium_memzero(void *p, size_t n);
void sodium_misuse(void);

void sodium_memzero(void *p, size_t n)
{
	tsr_wipe(p, n);
}

void sodium_misuse(void)
{
	panic("libsodium was called with impossible sizes");
}
