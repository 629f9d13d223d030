/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Ending the machine: every other CPU is stopped first, then guests' memory and the
 * hypervisor's own are overwritten, and only then the hardware gets its command.
 */
#include <core/arch.h>

#include "hv/x86/host.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define STOP_US		1000000u

extern char boot_stack[];

volatile bool stopping;

_Noreturn void cpu_stop(void)
{
	this_cpu()->stopped = true;
	for (;;)
		asm volatile("clgi; cli; hlt");
}

/* Bounded: a CPU that does not answer is told of, and the rest goes on. */
static void stop_others(void)
{
	struct cpu *self = this_cpu();
	uint64_t end = rdtsc() + STOP_US * tsc_khz() / 1000;

	if (__atomic_exchange_n(&stopping, true, __ATOMIC_SEQ_CST))
		cpu_stop();	/* somebody else is at it */
	for (uint32_t i = 0; i < cpu_count; i++)
		if (cpus[i] != self && !cpus[i]->parked)
			nmi_send(cpus[i]);
	for (uint32_t i = 0; i < cpu_count; i++) {
		while (cpus[i] != self && !cpus[i]->parked && !cpus[i]->stopped && rdtsc() < end)
			cpu_relax();
		if (cpus[i] != self && !cpus[i]->parked && !cpus[i]->stopped)
			con_printf("cpu %u does not stop", i);
	}
}

static void clear(uint64_t from, uint64_t to)
{
	if (from < to)
		memset(phys(from), 0, to - from);
}

/* Everything but the code, the page tables in use and this CPU's stack. Interrupts and NMIs stay off: the IDT goes too. */
static void scrub_self(void)
{
	uint64_t stack = virt_to_phys(this_cpu()) & ~(STACK_SIZE - 1ull), from[2], to[2];

	/* What earlier calls left on this stack; the frames in use below hold no secrets. */
	clear(stack, virt_to_phys(__builtin_frame_address(0)) - 1024);
	/* Boot page tables and stacks lie in .bss (boot CPU) or behind the tables (others). */
	from[0] = virt_to_phys(hv_bss);
	to[0] = virt_to_phys(hv_end);
	from[1] = paging_end;
	to[1] = hv_limit;
	for (uint32_t i = 0; i < 2; i++) {
		if (stack >= from[i] && stack < to[i]) {
			clear(from[i], stack);
			from[i] = stack + STACK_SIZE;
		}
		clear(from[i], to[i]);
	}
}

_Noreturn void machine_reset(const char *why)
{
	uint16_t port = acpi.reset_port;
	uint8_t value = acpi.reset_value;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	stop_others();
	con_printf("reset: %s; scrubbing first", why);
	core_scrub_all();
	scrub_self();
	if (port)
		outb(port, value);
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
	outb(0x64, 0xfe);
	asm volatile("lidt %0; int3" : : "m"(none));
	for (;;)
		asm volatile("hlt");
}

_Noreturn void machine_off(uint16_t port, uint16_t value)
{
	stop_others();
	con_printf("power off; scrubbing first");
	core_scrub_all();
	scrub_self();
	for (;;)
		outw(port, value);
}

_Noreturn void arch_halt(const char *why)
{
	con_printf("halted: %s", why);
	stop_others();
	cpu_stop();
}
