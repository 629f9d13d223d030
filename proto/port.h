/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * What proto/ needs of its surroundings: memcpy, memset, memcmp and bool. The Linux kernel, user space and the freestanding
 * hypervisor all have them.
 */
#ifndef PROTO_PORT_H
#define PROTO_PORT_H

#include <tessera/types.h>

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <stdbool.h>
#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
#endif
#endif

/* Structures are used as they lie in memory; a big-endian machine would need conversions everywhere. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Tessera's formats are little-endian");

/* True if all size bytes are zero. For reserved fields: not constant time. */
static inline bool tsr_is_zero(const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), byte += sizeof(word)) {
		memcpy(&word, byte, sizeof(word));
		if (word)
			return false;
	}
	for (; size; size--, byte++)
		if (*byte)
			return false;
	return true;
}

#endif
