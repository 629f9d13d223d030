/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The state S0..S7 is in xmm0 to xmm7, from beginning to end: none of it is ever in memory. An update makes S'i of S(i-1), so the register that held
 * S(i-1) holds S'i after it: the names move on by one, and eight updates bring them back. Hence steps of eight, and UPDATE with the names it finds.
 */
#include "proto/aegis.h"

/* The kernel is compiled without these registers, and its compiler takes no clobbers of them: kernel_fpu_begin() stands for that there. */
#ifdef __SSE2__
#define XMM_CLOBBERS , "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"
#else
#define XMM_CLOBBERS
#endif

static const uint8_t constant[2][16] __attribute__((aligned(16))) = {
	{ 0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d, 0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62 },
	{ 0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd },
};

#define X(n) "%%xmm" #n

/* Update(xmm8, xmm9). s0..s7: the registers' numbers; afterwards they are s7 s0 s1 s2 s3 s4 s5 s6. */
#define UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)                    \
	"movdqa " X(s7) "," X(10) "\n\t"                          \
	"aesenc " X(s0) "," X(s7) "\n\t" "pxor " X(8) "," X(s7) "\n\t" \
	"aesenc " X(s1) "," X(s0) "\n\t"                          \
	"aesenc " X(s2) "," X(s1) "\n\t"                          \
	"aesenc " X(s3) "," X(s2) "\n\t"                          \
	"aesenc " X(s4) "," X(s3) "\n\t" "pxor " X(9) "," X(s3) "\n\t" \
	"aesenc " X(s5) "," X(s4) "\n\t"                          \
	"aesenc " X(s6) "," X(s5) "\n\t"                          \
	"aesenc " X(10) "," X(s6) "\n\t"

/* The key stream, into z0 and z1. */
#define STREAM(z0, z1, s1, s2, s3, s5, s6, s7)                     \
	"movdqa " X(s2) "," X(z0) "\n\t" "pand " X(s3) "," X(z0) "\n\t" \
	"pxor " X(s1) "," X(z0) "\n\t" "pxor " X(s6) "," X(z0) "\n\t"   \
	"movdqa " X(s6) "," X(z1) "\n\t" "pand " X(s7) "," X(z1) "\n\t" \
	"pxor " X(s2) "," X(z1) "\n\t" "pxor " X(s5) "," X(z1) "\n\t"

/* One step of 32 bytes, at at of a register: one load of each half from there, one store of each half to there. */
#define SEAL(i, at, s0, s1, s2, s3, s4, s5, s6, s7)                                                                    \
	STREAM(10, 11, s1, s2, s3, s5, s6, s7)                                                                         \
	"movdqu 32*" #i "(%[from]" at ")," X(8) "\n\t" "movdqu 16+32*" #i "(%[from]" at ")," X(9) "\n\t"               \
	"pxor " X(8) "," X(10) "\n\t" "pxor " X(9) "," X(11) "\n\t"                                                    \
	"movdqu " X(10) ",32*" #i "(%[to]" at ")\n\t" "movdqu " X(11) ",16+32*" #i "(%[to]" at ")\n\t"                 \
	UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define OPEN(i, at, s0, s1, s2, s3, s4, s5, s6, s7)                                                                    \
	STREAM(8, 9, s1, s2, s3, s5, s6, s7)                                                                           \
	"pxor 32*" #i "(%[from]" at ")," X(8) "\n\t" "pxor 16+32*" #i "(%[from]" at ")," X(9) "\n\t"                   \
	"movdqu " X(8) ",32*" #i "(%[to]" at ")\n\t" "movdqu " X(9) ",16+32*" #i "(%[to]" at ")\n\t"                   \
	UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define ABSORB(i, at, s0, s1, s2, s3, s4, s5, s6, s7)                                                                  \
	"movdqu 32*" #i "(%[ad]" at ")," X(8) "\n\t" "movdqu 16+32*" #i "(%[ad]" at ")," X(9) "\n\t"                   \
	UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define AGAIN(i, at, s0, s1, s2, s3, s4, s5, s6, s7) UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define SEVEN(STEP, at)                       \
	STEP(0, at, 0, 1, 2, 3, 4, 5, 6, 7)   \
	STEP(1, at, 7, 0, 1, 2, 3, 4, 5, 6)   \
	STEP(2, at, 6, 7, 0, 1, 2, 3, 4, 5)   \
	STEP(3, at, 5, 6, 7, 0, 1, 2, 3, 4)   \
	STEP(4, at, 4, 5, 6, 7, 0, 1, 2, 3)   \
	STEP(5, at, 3, 4, 5, 6, 7, 0, 1, 2)   \
	STEP(6, at, 2, 3, 4, 5, 6, 7, 0, 1)
#define EIGHT(STEP, at) SEVEN(STEP, at) STEP(7, at, 1, 2, 3, 4, 5, 6, 7, 0)

/* One step, and the names as they were. */
#define SINGLE(STEP)                                                                                                   \
	STEP(0, "", 0, 1, 2, 3, 4, 5, 6, 7)                                                                            \
	"movdqa " X(7) "," X(10) "\n\t" "movdqa " X(6) "," X(7) "\n\t" "movdqa " X(5) "," X(6) "\n\t"                  \
	"movdqa " X(4) "," X(5) "\n\t" "movdqa " X(3) "," X(4) "\n\t" "movdqa " X(2) "," X(3) "\n\t"                   \
	"movdqa " X(1) "," X(2) "\n\t" "movdqa " X(0) "," X(1) "\n\t" "movdqa " X(10) "," X(0) "\n\t"

/* Ten updates with nonce and key. They move the names by two, so those begin with 2. */
#define BEGIN                                                                                                          \
	"movdqu (%[nonce])," X(8) "\n\t" "movdqu (%[key])," X(9) "\n\t"                                                \
	"movdqa (%[constant])," X(4) "\n\t" "movdqa 16(%[constant])," X(3) "\n\t" "movdqa " X(3) "," X(5) "\n\t"       \
	"movdqa " X(8) "," X(2) "\n\t" "pxor " X(9) "," X(2) "\n\t" "movdqa " X(2) "," X(6) "\n\t"                     \
	"movdqa " X(4) "," X(7) "\n\t" "pxor " X(9) "," X(7) "\n\t" "movdqa " X(7) "," X(1) "\n\t"                     \
	"movdqa " X(3) "," X(0) "\n\t" "pxor " X(9) "," X(0) "\n\t"                                                    \
	UPDATE(2, 3, 4, 5, 6, 7, 0, 1) UPDATE(1, 2, 3, 4, 5, 6, 7, 0) EIGHT(AGAIN, "")

/* Seven updates with S2 and the sizes move the names by seven. The tag is the sum of S0 to S6. Nothing stays behind. */
#define END                                                                                                            \
	"movdqu (%[bits])," X(8) "\n\t" "pxor " X(2) "," X(8) "\n\t" "movdqa " X(8) "," X(9) "\n\t"                    \
	SEVEN(AGAIN, "")                                                                                               \
	"pxor " X(2) "," X(1) "\n\t" "pxor " X(3) "," X(1) "\n\t" "pxor " X(4) "," X(1) "\n\t"                         \
	"pxor " X(5) "," X(1) "\n\t" "pxor " X(6) "," X(1) "\n\t" "pxor " X(7) "," X(1) "\n\t"                         \
	"movdqu " X(1) ",(%[tag])\n\t"                                                                                 \
	CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7) CLEAR(8) CLEAR(9) CLEAR(10) CLEAR(11)
#define CLEAR(n) "pxor " X(n) "," X(n) "\n\t"

/* from and to point behind what is done in steps of eight, eights counts up from there to 0; singles are what is left. */
#define WORK(STEP)                                                                                                     \
	__asm__ volatile(BEGIN                                                                                         \
			 "test %[ads],%[ads]\n\t"                                                                      \
			 "jz 2f\n"                                                                                     \
			 "1:\n\t" SINGLE(ABSORB)                                                                       \
			 "add $32,%[ad]\n\t"                                                                           \
			 "sub $32,%[ads]\n\t"                                                                          \
			 "jnz 1b\n"                                                                                    \
			 "2:\n\t"                                                                                      \
			 "test %[eights],%[eights]\n\t"                                                                \
			 "jz 4f\n"                                                                                     \
			 "3:\n\t" EIGHT(STEP, ",%[eights]")                                                            \
			 "add $256,%[eights]\n\t"                                                                      \
			 "jnz 3b\n"                                                                                    \
			 "4:\n\t"                                                                                      \
			 "test %[singles],%[singles]\n\t"                                                              \
			 "jz 6f\n"                                                                                     \
			 "5:\n\t" SINGLE(STEP)                                                                         \
			 "add $32,%[from]\n\t"                                                                         \
			 "add $32,%[to]\n\t"                                                                           \
			 "sub $32,%[singles]\n\t"                                                                      \
			 "jnz 5b\n"                                                                                    \
			 "6:\n\t" END                                                                                  \
			 : [from] "+r"(from), [to] "+r"(to), [eights] "+r"(eights), [singles] "+r"(singles), [ad] "+r"(ad), [ads] "+r"(ads) \
			 : [nonce] "r"(nonce), [key] "r"(key), [constant] "r"(constant), [bits] "r"(bits), [tag] "r"(tag) \
			 : "memory", "cc" XMM_CLOBBERS)

#define PREPARE(text, cipher)                                                                                          \
	const uint64_t bits[2] = { (uint64_t)ad_size * 8, (uint64_t)size * 8 };                                        \
	size_t eights = size & ~(size_t)255, singles = size & 255;                                                     \
	size_t ads = (ad_size + TSR_AEGIS_RATE - 1) & ~(size_t)(TSR_AEGIS_RATE - 1);                                   \
	const uint8_t *from = (const uint8_t *)(text) + eights;                                                        \
	uint8_t *to = (uint8_t *)(cipher) + eights;                                                                    \
                                                                                                                       \
	eights = -eights

void tsr_aegis_seal(uint8_t tag[TSR_AEGIS_TAG], void *cipher, const void *text, size_t size, const void *ad, size_t ad_size,
		    const uint8_t nonce[TSR_AEGIS_NONCE], const uint8_t key[TSR_AEGIS_KEY])
{
	PREPARE(text, cipher);
	WORK(SEAL);
}

void tsr_aegis_open(uint8_t tag[TSR_AEGIS_TAG], void *text, const void *cipher, size_t size, const void *ad, size_t ad_size,
		    const uint8_t nonce[TSR_AEGIS_NONCE], const uint8_t key[TSR_AEGIS_KEY])
{
	PREPARE(cipher, text);
	WORK(OPEN);
}
