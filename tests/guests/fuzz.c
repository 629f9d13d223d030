/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Throws what a guest can throw at the hypervisor: MSRs, ports, CPUID leaves, hypercalls with mailboxes of all kinds, writes of
 * control registers. Any answer is right as long as there is one: the guest must reach its end, the hypervisor must live and its
 * oracle stay silent (threat model: a guest may break itself and nothing else). Another seed makes another run.
 */
#include <tessera/hypercall.h>
#include <tessera/platform.h>

#include "tests/guests/lib.h"

#ifndef SEED
#define SEED 0x2545f491u
#endif
#define ROUNDS 20000u
#define MSR_EFER 0xc0000080
#define MSR_ICR 0x830
#define ICR_OWN_END 0x400 /* without this bit no NMI and no INIT: either would be this program's end */

static uint32_t state = SEED;
static uint32_t mailbox[1024] __attribute__((aligned(4096)));

static uint32_t any(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Numbers near where limits are. */
static uint32_t number(void)
{
	static const uint32_t edges[] = { 0, 1, 2, 63, 64, 65, 255, 256, 511, 512, 513, 0xfff, 0x1000, 0x7fffffff, 0x80000000, ~0u };

	switch (any() % 4) {
	case 0:
		return any();
	case 1:
		return any() % 1024;
	default:
		return edges[any() % (sizeof(edges) / sizeof(edges[0]))];
	}
}

static void fuzz_msr(void)
{
	static const uint32_t base[] = { 0, 0x800, 0x800, 0xc0000000, 0xc0000080, 0xc0010000, 0xc0011000, 0x4b564d00, 0x6e0, 0x270 };
	uint32_t msr = base[any() % (sizeof(base) / sizeof(base[0]))] + any() % 256;
	uint64_t value = (uint64_t)number() << 32 | number();

	if (any() % 16 == 0)
		msr = any();
	/* EFER is what this program stands on. Interrupts stay off, so what is armed or sent never comes. */
	if (any() % 2 || msr == MSR_EFER)
		try_rdmsr(msr);
	else
		try_wrmsr(msr, msr == MSR_ICR ? value & ~(uint64_t)ICR_OWN_END : value);
}

static void fuzz_port(void)
{
	uint16_t port = (uint16_t)(any() % 4 ? 0x3f0 + any() % 16 : any());
	uint32_t v = number();

	if (port <= TSR_PORT_RESET && port + 3u >= TSR_PORT_SLEEP_CONTROL)
		return;
	/* Sends nothing that a console would show. */
	if (port == TSR_PORT_UART)
		port = 0x80;
	switch (any() % 6) {
	case 0:
		inb(port);
		break;
	case 1:
		asm volatile("inw %1, %w0" : "=a"(v) : "d"(port));
		break;
	case 2:
		asm volatile("inl %1, %0" : "=a"(v) : "d"(port));
		break;
	case 3:
		outb(port, (uint8_t)v);
		break;
	case 4:
		asm volatile("outw %w0, %1" : : "a"(v), "d"(port));
		break;
	default:
		asm volatile("outl %0, %1" : : "a"(v), "d"(port));
	}
}

static void fuzz_call(void)
{
	uint32_t nr = any() % 80;

	if (nr == TSR_CALL_REPORT || (nr == TSR_CALL_MAILBOX && any() % 8))
		return;
	for (uint32_t i = 0; i < 64; i++)
		mailbox[i] = number();
	/* Keep the first word plausible often, so that calls get past their first check. */
	if (any() % 2)
		mailbox[0] = any() % 1024;
	hypercall(nr, number(), number(), number(), NULL);
	if (nr == TSR_CALL_MAILBOX)
		hypercall(nr, (uint32_t)mailbox >> 12, 0, 0, NULL);
}

static void fuzz_control(void)
{
	uint32_t v = 1u << any() % 32, old;

	/* Only bits that hardware knows: QEMU ends a guest for the others, see invalid.S. No paging, no way out of 32-bit mode. */
	v &= 0x7ff & ~(1u << 5);
	asm volatile("movl %%cr4, %0" : "=r"(old));
	TRY("movl %0, %%cr4", : : "r"(v) : "memory");
	asm volatile("movl %0, %%cr4" : : "r"(old));
	cpuid(any() % 2 ? number() : 0x40000000 + any() % 0x200, number());
	v = number();
	TRY("movl %0, %%dr0; movl %0, %%cr2", : : "r"(v) : "memory");
}

void guest_main(void)
{
	idt_init();
	say("fuzz: begins\n");
	hypercall(TSR_CALL_MAILBOX, (uint32_t)mailbox >> 12, 0, 0, NULL);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		switch (any() % 8) {
		case 0:
			fuzz_control();
			break;
		case 1 ... 2:
			fuzz_port();
			break;
		case 3 ... 4:
			fuzz_msr();
			break;
		default:
			fuzz_call();
		}
	}
	/* The UART may be in any state. */
	outb(TSR_PORT_UART + 3, 3);
	outb(TSR_PORT_UART + 4, 3);
	say("fuzz: reached its end\n");
	power_off();
}
