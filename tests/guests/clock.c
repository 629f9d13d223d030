/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Looks at its clocks for three seconds of its own, while its host changes what the processors' time stamp counters say. */
#include "tests/guests/lib.h"

#define MSR_KVM_SYSTEM_TIME 0x4b564d01
#define SECONDS 3000000000ull

static volatile struct {
	uint32_t version, pad;
	uint64_t tsc, nsec;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
} page __attribute__((aligned(32)));

void guest_main(void)
{
	uint64_t tsc = rdtsc(), first, nsec;
	uint32_t back = 0;

	idt_init();
	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&page | 1);
	first = nsec = page.nsec;
	say("clock: begins\n");
	while (nsec - first < SECONDS) {
		uint64_t now = rdtsc();

		back += now < tsc;
		tsc = now;
		wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&page | 1);
		now = page.nsec;
		back += now < nsec;
		nsec = now;
	}
	say(back ? "clock: went back\n" : "clock: never went back\n");
	power_off();
}
