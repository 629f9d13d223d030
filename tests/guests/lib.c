/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <tessera/platform.h>

#include "tests/guests/lib.h"
#include "tests/guests/ports.h"

_Static_assert(UART == TSR_PORT_UART && SLEEP_CONTROL == TSR_PORT_SLEEP_CONTROL && SLEEP_OFF == TSR_SLEEP_OFF &&
	       RESET == TSR_PORT_RESET && RESET_VALUE == TSR_RESET_VALUE, "ports.h repeats tessera/platform.h for assembly");

struct gate {
	uint16_t low, sel, attr, high;
};

static struct gate idt[256] __attribute__((aligned(8)));
uint32_t checks, failures;

void idt_set(uint32_t vector, const char *entry)
{
	uint32_t at = (uint32_t)entry;

	idt[vector] = (struct gate){ (uint16_t)at, 0x10, 0x8e00, (uint16_t)(at >> 16) };
}

void idt_load(void)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) p = { sizeof(idt) - 1, (uint32_t)idt };

	asm volatile("lidt %0" : : "m"(p));
}

void idt_init(void)
{
	for (uint32_t i = 0; i < 256; i++)
		idt_set(i, stubs + 16 * i);
	idt_load();
}

void say(const char *text)
{
	while (*text)
		outb(UART, (uint8_t)*text++);
}

void check(const char *id, bool ok, const char *text)
{
	checks++;
	failures += !ok;
	say(id);
	say(ok ? " ok: " : " FAILED: ");
	say(text);
	say("\n");
}

uint32_t try_rdmsr(uint32_t msr)
{
	return TRY("rdmsr", : : "c"(msr) : "eax", "edx", "memory");
}

uint32_t try_wrmsr(uint32_t msr, uint64_t v)
{
	return TRY("wrmsr", : : "c"(msr), "A"(v) : "memory");
}

_Noreturn void power_off(void)
{
	outb(SLEEP_CONTROL, SLEEP_OFF);
	for (;;)
		asm volatile("cli; hlt");
}

void unexpected(void)
{
	say("FAILED: an exception that nobody expected\n");
	power_off();
}

void halt_for(uint64_t ticks)
{
	uint32_t before = taken[TIMER_VECTOR];

	asm volatile("cli");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + ticks);
	while (taken[TIMER_VECTOR] == before)
		asm volatile("sti; hlt; cli" : : : "memory");
}
