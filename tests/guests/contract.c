/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Checks the contract of spec/guests.md from inside: one line for each rule, "GUEST-n ok: ..." or "GUEST-n FAILED: ...", then the
 * sum, then power-off. Runs alone, on any hypervisor that claims the contract.
 */
#include <tessera/hypercall.h>
#include <tessera/platform.h>

#include "tests/guests/lib.h"

#define MSR_KVM_WALL_CLOCK  0x4b564d00
#define MSR_KVM_SYSTEM_TIME 0x4b564d01
#define OUTSIDE 0xc0000000u /* no guest of this test has so much memory */

static struct {
	uint32_t version, pad0;
	uint64_t tsc, nsec;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad[2];
} clock __attribute__((aligned(64)));
static struct {
	uint32_t version, sec, nsec;
} wall __attribute__((aligned(64)));
static union {
	uint8_t bytes[4096];
	struct tsr_info info;
	struct tsr_random random;
} mailbox __attribute__((aligned(4096)));

static void check_entry(void)
{
	check("GUEST-1", entry_state.cr0 == 0x11 && entry_state.cr4 == 0 && entry_state.cs == 0x10 && entry_state.ss == 0x18 &&
	      !(entry_state.eflags & 0x200), "entered in flat 32-bit protected mode, paging and interrupts off");
}

static void check_memory(void)
{
	static char text[] = "string output";
	const char *from = text;
	uint32_t count = sizeof(text) - 1;
	bool ok = TRY("movl 0xc0000000, %%eax", : : : "eax", "memory") == GP;

	ok &= TRY("movl $1, 0xc0000000", : : : "memory") == GP;
	ok &= TRY("movl 0xfee00020, %%eax", : : : "eax", "memory") == GP;
	check("GUEST-2", ok, "no memory, and no device memory, outside RAM");
	check("GUEST-3", TRY("rep outsb", : "+S"(from), "+c"(count) : "d"(TSR_PORT_UART) : "memory") == GP, "string I/O is refused");
}

static void check_ports(void)
{
	uint16_t port;
	bool ok = true;
	uint32_t v;

	outb(TSR_PORT_UART + 3, 0x80);
	outb(TSR_PORT_UART, 12);
	ok &= inb(TSR_PORT_UART) == 12;
	outb(TSR_PORT_UART + 3, 3);
	outb(TSR_PORT_UART + 7, 0xa5);
	ok &= inb(TSR_PORT_UART + 7) == 0xa5 && (inb(TSR_PORT_UART + 5) & 0x60) == 0x60;
	outb(TSR_PORT_UART + 1, 0);
	ok &= (inb(TSR_PORT_UART + 2) & 1) == 1;
	outb(TSR_PORT_UART + 1, 2);
	ok &= (inb(TSR_PORT_UART + 2) & 0xf) == 2;
	outb(TSR_PORT_UART + 1, 0);
	check("GUEST-17", ok, "the UART keeps its registers and is always ready to send");
	check("GUEST-18", !(inb(TSR_PORT_UART + 5) & 1), "nobody types where the policy says no");
	ok = true;
	for (port = 0; port < 0x3f8; port++) {
		outb(port, 0x5a);
		ok &= inb(port) == 0xff;
	}
	outb(TSR_PORT_SLEEP_CONTROL, 0); /* no SLP_EN: nothing */
	asm volatile("inl %%dx, %%eax" : "=a"(v) : "d"(0xcf8));
	check("GUEST-20", ok && v == ~0u, "every other port reads as all ones and ignores writes");
}

static void check_clock(void)
{
	uint64_t first;
	bool ok = try_wrmsr(MSR_KVM_SYSTEM_TIME, OUTSIDE | 1) == GP;

	ok &= try_wrmsr(MSR_KVM_SYSTEM_TIME, ((uint32_t)&mailbox + 4080) | 1) == GP;
	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&clock | 1);
	ok &= clock.version && !(clock.version & 1) && clock.mul && (clock.flags & 1) && clock.tsc <= rdtsc();
	first = clock.nsec;
	halt_for(1000000);
	wrmsr(MSR_KVM_SYSTEM_TIME, (uint32_t)&clock | 1);
	ok &= clock.nsec > first && clock.version > 2;
	check("GUEST-15", ok, "the clock page is written, stable and moving on, and refused outside RAM");
	wrmsr(MSR_KVM_WALL_CLOCK, (uint32_t)&wall);
	check("GUEST-16", !(wall.version & 1) && wall.sec > 1600000000u && wall.nsec < 1000000000u &&
	      try_wrmsr(MSR_KVM_WALL_CLOCK, OUTSIDE) == GP, "time of day is given, and refused outside RAM");
}

/* A call that succeeds, with values in all registers that it does not return anything in, and odd flags. */
static bool registers_kept(void)
{
	uint32_t a = TSR_CALL_VERSION, b = 0x11111111, c = 0x22222222, d = 0, flags, ok;

	asm volatile("pushl %%ebp; movl $0x33333333, %%ebp; std; stc; vmmcall; pushfl; cld\n\t"
		     "cmpl $0x33333333, %%ebp; popl %%esi; popl %%ebp; sete %%al; movzbl %%al, %%edi"
		     : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "=&S"(flags), "=&D"(ok) : "4"(0), "5"(0) : "memory", "cc");
	return ok && b == 0x11111111 && c == 0x22222222 && (flags & 0x401) == 0x401;
}

static void check_calls(void)
{
	uint32_t value, sum = 0;

	try_user(); /* HC-2 as well */
	check("GUEST-21", caught == UD, "VMMCALL raises #UD outside ring 0");
	check("HC-3", registers_kept(), "a call keeps flags and all registers but those it returns something in");
	check("GUEST-22", hypercall(TSR_CALL_VERSION, 0, 0, 0, &value) == 0 && value == TSR_ABI_VERSION &&
	      hypercall(TSR_CALL_GUEST_CREATE, 0, 0, 0, NULL) < 0 && hypercall(12345, 0, 0, 0, NULL) < 0 &&
	      hypercall(TSR_CALL_MAILBOX, OUTSIDE >> 12, 0, 0, NULL) < 0, "hypercalls answer, and refuse what is not a guest's");
	hypercall(TSR_CALL_MAILBOX, (uint32_t)&mailbox >> 12, 0, 0, NULL);
	value = (uint32_t)hypercall(TSR_CALL_INFO, 0, 0, 0, NULL);
	check("GUEST-23", !value && mailbox.info.abi_version == TSR_ABI_VERSION && mailbox.info.max_batch && !mailbox.info.census.host &&
	      !mailbox.info.hv_base_pfn, "a guest learns versions and limits, nothing of the machine");
	mailbox.random = (struct tsr_random){ .len = 64 };
	value = (uint32_t)hypercall(TSR_CALL_RANDOM, 0, 0, 0, NULL);
	for (uint32_t i = 0; i < 64; i++)
		sum += mailbox.random.bytes[i];
	check("GUEST-24", !value && sum, "random bytes come from the hypervisor");
}

void guest_main(void)
{
	idt_init();
	say("contract: checking the guest contract\n");
	check_entry();
	check_memory();
	check_cpu();
	check_apic();
	check_ports();
	check_clock();
	check_calls();
	say(failures ? "contract: FAILED\n" : "contract: passed\n");
	check("GUEST-19", !failures, "the rest was fine; power-off follows, which ends the guest");
	power_off();
}
