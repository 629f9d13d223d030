/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The four functions the compiler may call by itself. */
#include "hv/x86/x86.h"

void *memset(void *d, int c, size_t n)
{
	void *p = d;
	size_t q = n / 8;

	/* Eight bytes at a time: an emulated CPU does each step by itself, and memory is scrubbed by this. */
	asm volatile("rep stosq" : "+D"(p), "+c"(q) : "a"(0x0101010101010101ull * (uint8_t)c) : "memory");
	n %= 8;
	asm volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(c) : "memory");
	return d;
}

void *memcpy(void *d, const void *s, size_t n)
{
	void *p = d;
	size_t q = n / 8;

	asm volatile("rep movsq" : "+D"(p), "+S"(s), "+c"(q) : : "memory");
	n %= 8;
	asm volatile("rep movsb" : "+D"(p), "+S"(s), "+c"(n) : : "memory");
	return d;
}

void *memmove(void *d, const void *s, size_t n)
{
	uint8_t *to = d;
	const uint8_t *from = s;

	if (to <= from || to >= from + n)
		return memcpy(d, s, n);
	while (n--)
		to[n] = from[n];
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}
