/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Refused accesses: every one is counted by its caller, a few a second are told. */
#include "hv/x86/host.h"
#include "hv/x86/x86.h"

#define BURST	8u

void refuse_log(const struct cpu *c, uint64_t rip, const char *what, uint64_t address)
{
	static uint64_t second, told, kept;
	uint64_t now = rdtsc() / (tsc_khz() * 1000), quiet = 0;

	if (__atomic_exchange_n(&second, now, __ATOMIC_RELAXED) != now) {
		__atomic_store_n(&told, 0, __ATOMIC_RELAXED);
		quiet = __atomic_exchange_n(&kept, 0, __ATOMIC_RELAXED);
	}
	if (__atomic_add_fetch(&told, 1, __ATOMIC_RELAXED) > BURST) {
		__atomic_add_fetch(&kept, 1, __ATOMIC_RELAXED);
		return;
	}
	if (quiet)
		con_printf("%lu more refused accesses were not shown", quiet);
	con_printf("refused: cpu %u rip %lx: %s %lx", c->index, rip, what, address);
}
