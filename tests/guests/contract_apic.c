/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The local APIC and its timer, as spec/guests.md has them. */
#include "tests/guests/lib.h"

#define ID	MSR_X2APIC(0x02)
#define VERSION	MSR_X2APIC(0x03)
#define TPR	MSR_X2APIC(0x08)
#define EOI	MSR_X2APIC(0x0b)
#define SVR	MSR_X2APIC(0x0f)
#define ISR(v)	MSR_X2APIC(0x10 + (v) / 32)
#define IRR(v)	MSR_X2APIC(0x20 + (v) / 32)
#define ICR	MSR_X2APIC(0x30)
#define LVT_TIMER MSR_X2APIC(0x32)
#define SELF	MSR_X2APIC(0x3f)
#define APIC_BASE 0x1b
#define MSR_KVM_PV_EOI 0x4b564d04
#define OUTSIDE 0xc0000000u

#define DEADLINE (2u << 17)
#define MASKED	 (1u << 16)

#define SHADOWS	 300u

static void window(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

static void check_timer(void)
{
	uint32_t before = taken[TIMER_VECTOR];
	bool ok;

	/* One-shot mode: the deadline is no deadline. */
	wrmsr(LVT_TIMER, TIMER_VECTOR);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);
	ok = rdmsr(MSR_TSC_DEADLINE) == 0;
	wrmsr(LVT_TIMER, DEADLINE | MASKED | TIMER_VECTOR);
	wrmsr(MSR_TSC_DEADLINE, 1);
	window();
	ok &= taken[TIMER_VECTOR] == before;
	wrmsr(LVT_TIMER, DEADLINE | TIMER_VECTOR);
	wrmsr(MSR_TSC_DEADLINE, 1);
	window();
	ok &= taken[TIMER_VECTOR] == before + 1 && rdmsr(MSR_TSC_DEADLINE) == 0;
	wrmsr(MSR_TSC_DEADLINE, ~0ull);
	window();
	ok &= taken[TIMER_VECTOR] == before + 1 && rdmsr(MSR_TSC_DEADLINE) == ~0ull;
	wrmsr(MSR_TSC_DEADLINE, 0);
	check("GUEST-11", ok, "the timer knows deadlines, fires once, can be masked and disarmed");
	before = taken[TIMER_VECTOR];
	for (uint32_t i = 0; i < 20; i++)
		halt_for(100000);
	check("GUEST-14", taken[TIMER_VECTOR] == before + 20, "HLT sleeps until the deadline, twenty times");
}

/*
 * No interrupt between STI and the next instruction: one there, before HLT, would leave a guest asleep. Every interrupt must find the
 * CPU behind that instruction; the short loop makes it likely that the host's own interrupts come in the shadow.
 */
static void check_shadow(void)
{
	uint32_t before = taken[TIMER_VECTOR], wrong = 0, behind = 0;

	for (uint32_t had = before; had < before + SHADOWS; had = taken[TIMER_VECTOR]) {
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + 20000 + 997 * (had & 63));
		while (taken[TIMER_VECTOR] == had)
			asm volatile("movl $1f, %0; sti; nop; 1: cli" : "=r"(behind) : : "memory");
		wrong += last_eip != behind;
	}
	for (uint32_t i = 0; i < SHADOWS; i++) {
		asm volatile("cli");
		wrmsr(MSR_TSC_DEADLINE, rdtsc() + 500 + 97 * (i & 63));
		before = taken[TIMER_VECTOR];
		while (taken[TIMER_VECTOR] == before)
			asm volatile("movl $1f, %0; sti; hlt; 1: cli" : "=r"(behind) : : "memory");
		wrong += last_eip != behind;
	}
	check("GUEST-14", !wrong, "no interrupt comes between STI and the next instruction");
}

static void check_priority(void)
{
	bool ok;

	wrmsr(TPR, 0x60);
	wrmsr(SELF, 0x51);
	window();
	ok = !taken[0x51] && (rdmsr(IRR(0x51)) & 1u << 0x51 % 32);
	wrmsr(SELF, 0x72);
	window();
	ok &= taken[0x72] == 1 && !taken[0x51];
	wrmsr(TPR, 0);
	ok &= !taken[0x51];
	window();
	ok &= taken[0x51] == 1;
	/* Both at once: the higher one first. */
	wrmsr(SELF, 0x53);
	wrmsr(SELF, 0x94);
	window();
	ok &= taken[0x53] == 1 && taken[0x94] == 1 && last_vector == 0x53;
	check("GUEST-12", ok, "interrupts wait for IF and for the task priority, and come by priority");
	wrmsr(ICR, 0x40000 | 0x55); /* shorthand self */
	wrmsr(ICR, 0x0000000000000056ull); /* to id 0 */
	wrmsr(ICR, 0xffffffff00000057ull); /* to all */
	window();
	ok = taken[0x55] == 1 && taken[0x56] == 1 && taken[0x57] == 1;
	wrmsr(ICR, 0x0000000700000058ull); /* to nobody */
	window();
	check("GUEST-13", ok && !taken[0x58], "interrupts to itself arrive, those to nobody do not");
}

/* One interrupt alone is ended by the word; of two at once the first is ended at the register, so that the other one comes. */
static void check_eoi_word(void)
{
	bool ok = try_wrmsr(MSR_KVM_PV_EOI, OUTSIDE | 1) == GP && try_wrmsr(MSR_KVM_PV_EOI, (uint32_t)&eoi_word | 3) == GP &&
		  try_wrmsr(MSR_KVM_PV_EOI, (uint32_t)&eoi_word) == GP && rdmsr(MSR_KVM_PV_EOI) == 0;

	wrmsr(SELF, 0x61);
	window();
	ok &= taken[0x61] == 1 && eoi_words == 0;
	wrmsr(MSR_KVM_PV_EOI, (uint32_t)&eoi_word | 1);
	wrmsr(SELF, 0x61);
	window();
	ok &= taken[0x61] == 2 && eoi_words == 1 && !(rdmsr(ISR(0x61)) & 1u << 0x61 % 32);
	wrmsr(SELF, 0x61);
	wrmsr(SELF, 0x93);
	window();
	ok &= taken[0x61] == 3 && taken[0x93] == 1 && last_vector == 0x61 && eoi_words == 2;
	ok &= !(rdmsr(ISR(0x61)) & 1u << 0x61 % 32) && !(rdmsr(ISR(0x93)) & 1u << 0x93 % 32);
	for (uint32_t i = 0; i < 20; i++)
		halt_for(100000);
	ok &= eoi_words == 22 && !(eoi_word & 1);
	wrmsr(MSR_KVM_PV_EOI, 0);
	wrmsr(SELF, 0x61);
	window();
	check("GUEST-31", ok && taken[0x61] == 4 && eoi_words == 22, "an interrupt is ended in memory, where it is the only one");
}

void check_apic(void)
{
	uint64_t base = rdmsr(APIC_BASE);
	bool ok = (base & 0xfffff000) == 0xfee00000 && (base & 0xc00) == 0xc00;

	ok &= try_wrmsr(APIC_BASE, base & ~0xc00ull) == GP && try_wrmsr(APIC_BASE, base ^ 0x100000) == GP;
	ok &= rdmsr(ID) == 0 && (rdmsr(VERSION) & 0xf0) == 0x10;
	ok &= try_rdmsr(MSR_X2APIC(0x04)) == GP && try_wrmsr(ID, 1) == GP && try_wrmsr(EOI, 1) == GP && try_wrmsr(TPR, 0x100) == GP &&
	      try_rdmsr(MSR_X2APIC(0xff)) == GP;
	check("GUEST-10", ok, "the local APIC is in x2APIC mode for good, at its usual registers");
	wrmsr(SVR, 0x1ff);
	check_timer();
	check_shadow();
	check_priority();
	check_eoi_word();
}
