/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Refused accesses: every one is counted by its caller, a few a second are told. */
#include "hv/x86/host.h"
#include "hv/x86/x86.h"

#define BURST	8u

/* Is there room for one more line in this second? */
static bool may_tell(void)
{
	static uint64_t second, told, kept;
	uint64_t now = rdtsc() / (tsc_khz() * 1000), quiet = 0;

	if (__atomic_exchange_n(&second, now, __ATOMIC_RELAXED) != now) {
		__atomic_store_n(&told, 0, __ATOMIC_RELAXED);
		quiet = __atomic_exchange_n(&kept, 0, __ATOMIC_RELAXED);
	}
	if (__atomic_add_fetch(&told, 1, __ATOMIC_RELAXED) > BURST) {
		__atomic_add_fetch(&kept, 1, __ATOMIC_RELAXED);
		return false;
	}
	if (quiet)
		con_printf("%lu more refused accesses were not shown", quiet);
	return true;
}

void dma_refuse_log(uint16_t bdf, uint64_t address, bool write)
{
	if (may_tell())
		con_printf("refused: device %x:%x.%u: %s memory %lx", bdf >> 8, bdf >> 3 & 31, bdf & 7, write ? "write of" : "read of",
			   address);
}

void refuse_log(const struct cpu *c, uint64_t rip, const char *what, uint64_t address)
{
	if (may_tell())
		con_printf("refused: cpu %u rip %lx: %s %lx", c->index, rip, what, address);
}
