/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/image/crc32c.h"
#include <nmmintrin.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* Two steps of four bits: 16 entries need no initialisation at run time. */
static const uint32_t nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};
_Static_assert(POLYNOMIAL == 0x82f63b78u, "the table is of this polynomial");

uint32_t crc32c_table(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *byte = data;

	crc = ~crc;
	while (size--) {
		crc ^= *byte++;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

static inline uint64_t word_at(const uint8_t *byte)
{
	uint64_t word;

	memcpy(&word, byte, sizeof(word));
	return word;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint64_t state = (uint32_t)~crc;

#define WORD(n) state = _mm_crc32_u64(state, word_at(byte + 8 * (n)))
#define WORDS(n) WORD(n); WORD(n + 1); WORD(n + 2); WORD(n + 3); WORD(n + 4); WORD(n + 5); WORD(n + 6); WORD(n + 7)
#define MORE_WORDS(n) WORDS(n); WORDS(n + 8); WORDS(n + 16); WORDS(n + 24)
	for (; size >= 512; size -= 512, byte += 512) {
		MORE_WORDS(0);
		MORE_WORDS(32);
	}
#undef MORE_WORDS
#undef WORDS
	for (; size >= 8; size -= 8, byte += 8)
		WORD(0);
#undef WORD
	while (size--)
		state = _mm_crc32_u8((uint32_t)state, *byte++);
	return ~(uint32_t)state;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, data, size) : crc32c_table(crc, data, size);
}
