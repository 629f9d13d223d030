/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The rest of what the core asks for: memory, lock, time, randomness. */
#include <core/arch.h>

#include "hv/x86/x86.h"

#define PIT_HZ		1193182u
#define PIT_COUNT	(PIT_HZ / 200)	/* 5 ms */
#define PIT_TRIES	30u
#define RDRAND		(1u << 30)	/* CPUID 1 ECX */
#define RDRAND_TRIES	100u

static struct {
	volatile uint32_t next, serving;
} core_ticket;
static uint64_t khz;

void *arch_frame(mfn_t m)
{
	return phys(m.n * PAGE);
}

void arch_lock(void)
{
	uint32_t mine = __atomic_fetch_add(&core_ticket.next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&core_ticket.serving, __ATOMIC_ACQUIRE) != mine) {
		/* Its holder may never give it back. */
		if (stopping)
			cpu_stop();
		cpu_relax();
	}
}

void arch_unlock(void)
{
	__atomic_store_n(&core_ticket.serving, core_ticket.serving + 1, __ATOMIC_RELEASE);
}

/*
 * The TSC against channel 2 of the PIT. Where we are held up, by SMM or an emulator's scheduler, two readings around the
 * port's access lie far apart: by half of that the result may be off, told in *doubt as a whole.
 */
static uint64_t measure_khz(uint64_t *doubt)
{
	uint64_t before, start, last, now;

	outb(0x61, (uint8_t)((inb(0x61) & ~2) | 1));
	outb(0x43, 0xb0);
	outb(0x42, (uint8_t)PIT_COUNT);
	before = rdtsc();
	outb(0x42, (uint8_t)(PIT_COUNT >> 8));
	start = now = rdtsc();
	do {
		last = now;
		now = rdtsc();
	} while (!(inb(0x61) & 0x20));
	now = rdtsc();
	*doubt = (start - before + now - last) * PIT_HZ / (PIT_COUNT * 1000);
	return (last + now - before - start) / 2 * PIT_HZ / (PIT_COUNT * 1000);
}

/* Once, on the boot CPU: the least doubtful of several, ended early by a good one. */
static uint64_t calibrate(void)
{
	uint64_t best = 0, least = UINT64_MAX, doubt;

	for (uint32_t i = 0; i < PIT_TRIES && (!best || least > best / 1000); i++) {
		uint64_t k = measure_khz(&doubt);

		if (doubt < least) {
			least = doubt;
			best = k;
		}
	}
	return best;
}

uint64_t tsc_khz(void)
{
	if (!khz)
		khz = calibrate();
	return khz;
}

uint64_t arch_tsc_khz(void)
{
	return tsc_khz();
}

static uint64_t rdrand(void)
{
	uint64_t v;
	uint8_t ok;

	for (uint32_t i = 0; i < RDRAND_TRIES; i++) {
		asm volatile("rdrand %0; setc %1" : "=r"(v), "=qm"(ok) : : "cc");
		if (ok)
			return v;
		cpu_relax();
	}
	arch_halt("the CPU's random number generator gives nothing");
}

void arch_random(void *buf, size_t len)
{
	uint8_t *p = buf;

	if (!(cpuid(1, 0).c & RDRAND))
		arch_halt("the CPU has no RDRAND: keys could be guessed");
	while (len) {
		uint64_t v = rdrand();
		size_t n = len < sizeof(v) ? len : sizeof(v);

		memcpy(p, &v, n);
		p += n;
		len -= n;
	}
}
