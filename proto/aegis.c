/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The state S0..S7 is in xmm0 to xmm7 while it is worked on. An update makes S'i of S(i-1), so the register that held S(i-1) holds S'i after it:
 * the names move on by one, and eight updates bring them back. Hence loops of eight, and UPDATE with the names it finds.
 */
#include "proto/aegis.h"

/* The kernel is compiled without these registers, and its compiler takes no clobbers of them: kernel_fpu_begin() stands for that there. */
#ifdef __SSE2__
#define XMM_CLOBBERS , "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"
#else
#define XMM_CLOBBERS
#endif

struct state {
	uint8_t s[8][16];
};

static const uint8_t c0[16] __attribute__((aligned(16))) = {
	0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d, 0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62,
};
static const uint8_t c1[16] __attribute__((aligned(16))) = {
	0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1, 0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd,
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

/* One step of 32 bytes at number i of the eight: one load of each half from, one store of each half to. */
#define SEAL(i, s0, s1, s2, s3, s4, s5, s6, s7)                                         \
	STREAM(10, 11, s1, s2, s3, s5, s6, s7)                                          \
	"movdqu 32*" #i "(%[from])," X(8) "\n\t" "movdqu 16+32*" #i "(%[from])," X(9) "\n\t" \
	"pxor " X(8) "," X(10) "\n\t" "pxor " X(9) "," X(11) "\n\t"                     \
	"movdqu " X(10) ",32*" #i "(%[to])\n\t" "movdqu " X(11) ",16+32*" #i "(%[to])\n\t"   \
	UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define OPEN(i, s0, s1, s2, s3, s4, s5, s6, s7)                                         \
	STREAM(8, 9, s1, s2, s3, s5, s6, s7)                                            \
	"pxor 32*" #i "(%[from])," X(8) "\n\t" "pxor 16+32*" #i "(%[from])," X(9) "\n\t"     \
	"movdqu " X(8) ",32*" #i "(%[to])\n\t" "movdqu " X(9) ",16+32*" #i "(%[to])\n\t"     \
	UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define ABSORB(i, s0, s1, s2, s3, s4, s5, s6, s7)                                       \
	"movdqu 32*" #i "(%[from])," X(8) "\n\t" "movdqu 16+32*" #i "(%[from])," X(9) "\n\t" \
	UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define AGAIN(i, s0, s1, s2, s3, s4, s5, s6, s7) UPDATE(s0, s1, s2, s3, s4, s5, s6, s7)

#define SEVEN(STEP)                       \
	STEP(0, 0, 1, 2, 3, 4, 5, 6, 7)   \
	STEP(1, 7, 0, 1, 2, 3, 4, 5, 6)   \
	STEP(2, 6, 7, 0, 1, 2, 3, 4, 5)   \
	STEP(3, 5, 6, 7, 0, 1, 2, 3, 4)   \
	STEP(4, 4, 5, 6, 7, 0, 1, 2, 3)   \
	STEP(5, 3, 4, 5, 6, 7, 0, 1, 2)   \
	STEP(6, 2, 3, 4, 5, 6, 7, 0, 1)
#define EIGHT(STEP) SEVEN(STEP) STEP(7, 1, 2, 3, 4, 5, 6, 7, 0)

#define LOAD_STATE                                                                          \
	"movdqu (%[s])," X(0) "\n\t" "movdqu 16(%[s])," X(1) "\n\t"                         \
	"movdqu 32(%[s])," X(2) "\n\t" "movdqu 48(%[s])," X(3) "\n\t"                       \
	"movdqu 64(%[s])," X(4) "\n\t" "movdqu 80(%[s])," X(5) "\n\t"                       \
	"movdqu 96(%[s])," X(6) "\n\t" "movdqu 112(%[s])," X(7) "\n\t"
#define STORE_STATE(s0, s1, s2, s3, s4, s5, s6, s7)                                         \
	"movdqu " X(s0) ",(%[s])\n\t" "movdqu " X(s1) ",16(%[s])\n\t"                       \
	"movdqu " X(s2) ",32(%[s])\n\t" "movdqu " X(s3) ",48(%[s])\n\t"                     \
	"movdqu " X(s4) ",64(%[s])\n\t" "movdqu " X(s5) ",80(%[s])\n\t"                     \
	"movdqu " X(s6) ",96(%[s])\n\t" "movdqu " X(s7) ",112(%[s])\n\t"

/* Eight steps a turn, then single ones. */
#define STEPS(STEP, to_and_from_8, to_and_from_1)                                            \
	LOAD_STATE                                                                           \
	"sub $256,%[size]\n\t"                                                               \
	"jb 2f\n"                                                                            \
	"1:\n\t" EIGHT(STEP) to_and_from_8                                                   \
	"sub $256,%[size]\n\t"                                                               \
	"jae 1b\n"                                                                           \
	"2:\n\t"                                                                             \
	"add $256,%[size]\n\t"                                                               \
	"jz 4f\n"                                                                            \
	"3:\n\t" STEP(0, 0, 1, 2, 3, 4, 5, 6, 7) to_and_from_1                               \
	"movdqa " X(7) "," X(10) "\n\t" "movdqa " X(6) "," X(7) "\n\t" "movdqa " X(5) "," X(6) "\n\t" \
	"movdqa " X(4) "," X(5) "\n\t" "movdqa " X(3) "," X(4) "\n\t" "movdqa " X(2) "," X(3) "\n\t"  \
	"movdqa " X(1) "," X(2) "\n\t" "movdqa " X(0) "," X(1) "\n\t" "movdqa " X(10) "," X(0) "\n\t" \
	"sub $32,%[size]\n\t"                                                                \
	"jnz 3b\n"                                                                           \
	"4:\n\t"                                                                             \
	STORE_STATE(0, 1, 2, 3, 4, 5, 6, 7)

static void init(struct state *state, const uint8_t *nonce, const uint8_t *key)
{
	/* Ten updates with nonce and key: the names have moved on by two. */
	__asm__ volatile("movdqu (%[nonce])," X(8) "\n\t"
			 "movdqu (%[key])," X(9) "\n\t"
			 "movdqa (%[c0])," X(2) "\n\t"
			 "movdqa (%[c1])," X(1) "\n\t"
			 "movdqa " X(1) "," X(3) "\n\t"
			 "movdqa " X(8) "," X(0) "\n\t"
			 "pxor " X(9) "," X(0) "\n\t"
			 "movdqa " X(0) "," X(4) "\n\t"
			 "movdqa " X(2) "," X(5) "\n\t"
			 "pxor " X(9) "," X(5) "\n\t"
			 "movdqa " X(1) "," X(6) "\n\t"
			 "pxor " X(9) "," X(6) "\n\t"
			 "movdqa " X(5) "," X(7) "\n\t"
			 EIGHT(AGAIN)
			 UPDATE(0, 1, 2, 3, 4, 5, 6, 7)
			 UPDATE(7, 0, 1, 2, 3, 4, 5, 6)
			 STORE_STATE(6, 7, 0, 1, 2, 3, 4, 5)
			 :
			 : [s] "r"(state), [nonce] "r"(nonce), [key] "r"(key), [c0] "r"(c0), [c1] "r"(c1)
			 : "memory" XMM_CLOBBERS);
}

/* Whole steps. */
static void absorb(struct state *state, const void *from, size_t size)
{
	__asm__ volatile(STEPS(ABSORB, "add $256,%[from]\n\t", "add $32,%[from]\n\t")
			 : [from] "+r"(from), [size] "+r"(size)
			 : [s] "r"(state)
			 : "memory", "cc" XMM_CLOBBERS);
}

static void seal(struct state *state, void *to, const void *from, size_t size)
{
	__asm__ volatile(STEPS(SEAL, "add $256,%[from]\n\tadd $256,%[to]\n\t", "add $32,%[from]\n\tadd $32,%[to]\n\t")
			 : [from] "+r"(from), [to] "+r"(to), [size] "+r"(size)
			 : [s] "r"(state)
			 : "memory", "cc" XMM_CLOBBERS);
}

static void open(struct state *state, void *to, const void *from, size_t size)
{
	__asm__ volatile(STEPS(OPEN, "add $256,%[from]\n\tadd $256,%[to]\n\t", "add $32,%[from]\n\tadd $32,%[to]\n\t")
			 : [from] "+r"(from), [to] "+r"(to), [size] "+r"(size)
			 : [s] "r"(state)
			 : "memory", "cc" XMM_CLOBBERS);
}

static void finish(struct state *state, uint8_t *tag, size_t ad_size, size_t size)
{
	const uint64_t bits[2] = { (uint64_t)ad_size * 8, (uint64_t)size * 8 };

	/* Seven updates with S2 and the sizes: the names have moved on by seven. The tag is the sum of S0 to S6. */
	__asm__ volatile(LOAD_STATE
			 "movdqu (%[bits])," X(8) "\n\t"
			 "pxor " X(2) "," X(8) "\n\t"
			 "movdqa " X(8) "," X(9) "\n\t"
			 SEVEN(AGAIN)
			 "pxor " X(2) "," X(1) "\n\t"
			 "pxor " X(3) "," X(1) "\n\t"
			 "pxor " X(4) "," X(1) "\n\t"
			 "pxor " X(5) "," X(1) "\n\t"
			 "pxor " X(6) "," X(1) "\n\t"
			 "pxor " X(7) "," X(1) "\n\t"
			 "movdqu " X(1) ",(%[tag])\n\t"
			 :
			 : [s] "r"(state), [bits] "r"(bits), [tag] "r"(tag)
			 : "memory" XMM_CLOBBERS);
	/* Whoever has the state of a key and a nonce can go on with both. */
	memset(state, 0, sizeof(*state));
	__asm__ volatile("" : : "r"(state) : "memory");
}

static void begin(struct state *state, const void *ad, size_t ad_size, const uint8_t *nonce, const uint8_t *key)
{
	const size_t whole = ad_size / TSR_AEGIS_RATE * TSR_AEGIS_RATE;
	uint8_t last[TSR_AEGIS_RATE] = { 0 };

	init(state, nonce, key);
	absorb(state, ad, whole);
	if (whole == ad_size)
		return;
	memcpy(last, (const uint8_t *)ad + whole, ad_size - whole);
	absorb(state, last, sizeof(last));
}

void tsr_aegis_seal(uint8_t tag[TSR_AEGIS_TAG], void *cipher, const void *text, size_t size, const void *ad, size_t ad_size,
		    const uint8_t nonce[TSR_AEGIS_NONCE], const uint8_t key[TSR_AEGIS_KEY])
{
	struct state state;

	begin(&state, ad, ad_size, nonce, key);
	seal(&state, cipher, text, size);
	finish(&state, tag, ad_size, size);
}

void tsr_aegis_open(uint8_t tag[TSR_AEGIS_TAG], void *text, const void *cipher, size_t size, const void *ad, size_t ad_size,
		    const uint8_t nonce[TSR_AEGIS_NONCE], const uint8_t key[TSR_AEGIS_KEY])
{
	struct state state;

	begin(&state, ad, ad_size, nonce, key);
	open(&state, text, cipher, size);
	finish(&state, tag, ad_size, size);
}

bool tsr_aegis_same(const uint8_t a[TSR_AEGIS_TAG], const uint8_t b[TSR_AEGIS_TAG])
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}
