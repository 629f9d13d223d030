/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Several virtual CPUs, from inside: how they start and start again, what they send each other, what they share. Lines as those of
 * contract.c. The TLB's check says two numbers, with the guest's shoot-down and without: without there must be old translations
 * to be seen, or the check proves nothing.
 */
#include <tessera/platform.h>

#include "tests/guests/lib.h"

#define CPUS	4u
#define TRAMPOLINE 0x8000u
#define STARTUP	(TRAMPOLINE >> 12)
#define ICR	MSR_X2APIC(0x30)
#define SVR	MSR_X2APIC(0x0f)
#define EOI	MSR_X2APIC(0x0b)
#define ID	MSR_X2APIC(0x02)

#define TO(id)		((uint64_t)(id) << 32)
#define LOWEST		0x100u
#define NMI		0x400u
#define INIT		0x500u
#define SIPI		0x600u
#define ASSERT		0x4000u
#define LEVEL		0x8000u
#define LOGICAL		0x800u
#define OTHERS		0xc0000u

#define IPI_VECTOR	0x60
#define FLUSH_VECTOR	0x61

#define ROUNDS	100u
#define CHANGING (~0u - 1)
#define OVER	~0u
#define LETTERS	600u
/* A wait that fails is a failed check, not a guest that hangs: ticks, far more than any of these takes. */
#define PATIENCE 40000000000ull

enum job { JOB_HALT, JOB_SPIN, JOB_DEAF, JOB_READ, JOB_WRITE, JOB_OFF };

struct cpu {
	uint32_t starts, ipis, nmis, flushes, woken, done;
	uint32_t seen, stale;
	enum job job;
};

extern char ap_page[], ap_page_end[], ap_found[], ipi_entry[], flush_entry[], nmi_entry[];
void ap_main(uint32_t id);
void on_ipi(void);
void on_flush(void);
void on_nmi(void);

static volatile struct cpu cpu[CPUS];
static volatile uint32_t nmi_hold, nmi_nested, nmi_depth;
static volatile uint32_t round, flush_acks;

static uint32_t directory[1024] __attribute__((aligned(4096))), table[1024] __attribute__((aligned(4096)));
static uint32_t frame[2][1024] __attribute__((aligned(4096)));
static volatile uint32_t *const shown = (volatile uint32_t *)0x40000000;

static inline void relax(void) { asm volatile("pause" : : : "memory"); }

#define wait_for(condition)                                     \
	({                                                      \
		uint64_t end_ = rdtsc() + PATIENCE;             \
		bool ok_;                                       \
		while (!(ok_ = (condition)) && rdtsc() < end_)  \
			relax();                                \
		ok_;                                            \
	})

static uint32_t my_id(void)
{
	return (uint32_t)rdmsr(ID);
}

void on_ipi(void)
{
	cpu[my_id()].ipis++;
	wrmsr(EOI, 0);
}

void on_flush(void)
{
	asm volatile("invlpg (%0)" : : "r"(shown) : "memory");
	__atomic_fetch_add(&flush_acks, 1, __ATOMIC_SEQ_CST);
	wrmsr(EOI, 0);
}

void on_nmi(void)
{
	nmi_nested += nmi_depth++ != 0;
	cpu[my_id()].nmis++;
	while (nmi_hold)
		relax();
	nmi_depth--;
}

/* ------------------------------------------------------------------ what the others do */

static void paging_on(void)
{
	uint32_t cr;

	asm volatile("movl %%cr4, %0; orl $0x10, %0; movl %0, %%cr4" : "=r"(cr)); /* PSE */
	asm volatile("movl %0, %%cr3" : : "r"(directory) : "memory");
	asm volatile("movl %%cr0, %0; orl $0x80010000, %0; movl %0, %%cr0" : "=r"(cr) : : "memory");
}

/* What it reads must be what was shown when the round was announced, as long as that round lasts. */
static void read_rounds(uint32_t id)
{
	paging_on();
	while (round != OVER) {
		uint32_t now = round, got;

		if (now == CHANGING)
			continue;
		got = *shown;
		if (round != now)
			continue;
		if (got != (now & 1))
			cpu[id].stale++;
		cpu[id].seen = now;
		relax();
	}
}

static void write_letters(uint32_t id)
{
	for (uint32_t i = 0; i < LETTERS; i++)
		outb(TSR_PORT_UART, (uint8_t)('A' + id));
}

void ap_main(uint32_t id)
{
	idt_load();
	wrmsr(SVR, 0x1ff);
	cpu[id].starts++;
	for (;;) {
		switch (cpu[id].job) {
		case JOB_HALT:
			asm volatile("sti; hlt; cli" : : : "memory");
			cpu[id].woken++;
			break;
		case JOB_SPIN:
			/* PAUSE outside of the shadow: there QEMU 7.2 carries the shadow on to the next instruction. */
			asm volatile("sti; nop; nop; cli; pause" : : : "memory");
			break;
		case JOB_DEAF:
			asm volatile("cli; hlt" : : : "memory");
			cpu[id].woken++;
			break;
		case JOB_READ:
			asm volatile("sti" : : : "memory");
			read_rounds(id);
			asm volatile("cli" : : : "memory");
			cpu[id].job = JOB_HALT;
			break;
		case JOB_WRITE:
			write_letters(id);
			cpu[id].done = 1;
			cpu[id].job = JOB_HALT;
			break;
		case JOB_OFF:
			power_off();
		}
	}
}

/* A new job for one that listens, as its answer to an interrupt shows, and a nudge in case it sleeps again. */
static bool give(uint32_t id, enum job job)
{
	uint32_t had = cpu[id].ipis;
	bool ok;

	wrmsr(ICR, TO(id) | IPI_VECTOR);
	ok = wait_for(cpu[id].ipis > had);
	cpu[id].job = job;
	wrmsr(ICR, TO(id) | IPI_VECTOR);
	return ok;
}

/* Time for what should not come to come. */
static void settle(void)
{
	for (uint32_t i = 0; i < 20; i++)
		halt_for(100000);
}

/* ------------------------------------------------------------------ checks */

static bool start(uint32_t id)
{
	uint32_t before = cpu[id].starts;

	wrmsr(ICR, TO(id) | SIPI | ASSERT | STARTUP);
	return wait_for(cpu[id].starts == before + 1);
}

static void init(uint32_t id)
{
	wrmsr(ICR, TO(id) | INIT | ASSERT | LEVEL);
	wrmsr(ICR, TO(id) | INIT | LEVEL); /* de-assert: nothing */
}

static void check_start(void)
{
	const uint32_t *found = (const uint32_t *)(TRAMPOLINE + (ap_found - ap_page));
	bool ok = (cpuid(1, 0).b >> 16 & 0xff) == CPUS && (cpuid(0xb, 1).b & 0xffff) == CPUS;

	for (uint32_t i = 0; i < (uint32_t)(ap_page_end - ap_page); i++)
		((volatile char *)TRAMPOLINE)[i] = ap_page[i];
	/* To one that does not wait, and to nobody: no effect. */
	wrmsr(ICR, TO(0) | SIPI | ASSERT | STARTUP);
	wrmsr(ICR, TO(9) | SIPI | ASSERT | STARTUP);
	ok &= !cpu[1].starts && !cpu[2].starts && !cpu[3].starts;
	ok &= start(1) && found[0] == cpuid(1, 0).a && (uint16_t)found[1] == TRAMPOLINE >> 4 && found[2] == 0x10;
	for (uint32_t id = 2; id < CPUS; id++) {
		init(id);
		ok &= start(id);
		wrmsr(ICR, TO(id) | SIPI | ASSERT | STARTUP);
	}
	/* Out of HLT, out of HLT that nothing else would end, out of a loop. */
	ok &= give(2, JOB_DEAF) && give(3, JOB_SPIN);
	for (uint32_t id = 1; id < CPUS; id++) {
		cpu[id].job = JOB_HALT;
		for (uint32_t again = 0; again < 3; again++) {
			init(id);
			ok &= start(id);
		}
		ok &= cpu[id].starts == 4;
	}
	check("GUEST-28", ok, "virtual CPUs wait for start-up, start in real mode, and start again after INIT, whatever they did");
}

static uint32_t sum_ipis(void)
{
	uint32_t sum = 0;

	for (uint32_t id = 1; id < CPUS; id++)
		sum += cpu[id].ipis;
	return sum;
}

static void check_ipis(void)
{
	uint32_t before[CPUS], sum, lost = !give(2, JOB_SPIN);
	bool ok;

	/* One that sleeps, one that is awake, one that does both. */
	for (uint32_t i = 0; i < 3 * ROUNDS; i++) {
		uint32_t id = 1 + i % 3, had = cpu[id].ipis;

		if (id == 3)
			cpu[3].job = i & 1 ? JOB_SPIN : JOB_HALT;
		wrmsr(ICR, TO(id) | IPI_VECTOR);
		lost += !wait_for(cpu[id].ipis > had);
	}
	settle();
	for (uint32_t id = 1; id < CPUS; id++)
		before[id] = cpu[id].ipis;
	wrmsr(ICR, OTHERS | IPI_VECTOR);
	ok = wait_for(cpu[1].ipis == before[1] + 1 && cpu[2].ipis == before[2] + 1 && cpu[3].ipis == before[3] + 1);
	wrmsr(ICR, TO(1u << 1 | 1u << 3) | LOGICAL | IPI_VECTOR);
	ok &= wait_for(cpu[1].ipis == before[1] + 2 && cpu[3].ipis == before[3] + 2);
	sum = sum_ipis();
	wrmsr(ICR, TO(1u << 1 | 1u << 2 | 1u << 3) | LOGICAL | LOWEST | IPI_VECTOR);
	ok &= wait_for(sum_ipis() == sum + 1);
	settle();
	ok &= sum_ipis() == sum + 1;
	wrmsr(ICR, TO(2) | LOGICAL | IPI_VECTOR); /* that is 1 */
	settle();
	ok &= sum_ipis() == sum + 2 && cpu[2].ipis == before[2] + 1 && !cpu[0].ipis && !lost;
	check("GUEST-13", ok, "interrupts arrive at sleeping and waking virtual CPUs, one or many, and nowhere else");
}

static void check_nmi(void)
{
	bool ok = give(1, JOB_DEAF) && give(2, JOB_SPIN);
	uint32_t had;

	settle();
	had = cpu[1].woken;
	wrmsr(ICR, TO(1) | NMI | ASSERT);
	wrmsr(ICR, TO(2) | NMI | ASSERT);
	ok &= wait_for(cpu[1].nmis == 1 && cpu[1].woken == had + 1 && cpu[2].nmis == 1);
	nmi_hold = 1;
	wrmsr(ICR, TO(2) | NMI | ASSERT);
	ok &= wait_for(cpu[2].nmis == 2);
	/* While its handler runs two more, of which one stays. It is interrupted meanwhile, so that it could be got wrong. */
	for (uint32_t i = 0; i < 2; i++)
		wrmsr(ICR, TO(2) | NMI | ASSERT);
	settle();
	ok &= cpu[2].nmis == 2 && !nmi_nested;
	nmi_hold = 0;
	ok &= wait_for(cpu[2].nmis == 3);
	settle();
	ok &= cpu[2].nmis == 3 && !nmi_nested && cpu[1].nmis == 1 && !cpu[0].nmis && !cpu[3].nmis;
	wrmsr(ICR, TO(2) | NMI | ASSERT);
	ok &= wait_for(cpu[2].nmis == 4);
	check("GUEST-29", ok, "an NMI is taken whatever a virtual CPU does, and another one only after the first one's IRET");
	cpu[1].job = JOB_HALT;
	init(1);
	(void)start(1);
}

/* Changes what is shown, round by round; returns how often a reader saw what was not shown any more, ~0 if one fell asleep. */
static uint32_t change_rounds(bool shoot_down)
{
	uint32_t stale = 0;
	bool ok = true;

	round = CHANGING;
	table[0] = (uint32_t)frame[0] | 3;
	for (uint32_t id = 1; id < CPUS; id++) {
		cpu[id].stale = 0;
		cpu[id].seen = ~0u;
		(void)give(id, JOB_READ);
	}
	for (uint32_t i = 0; i < ROUNDS && ok; i++) {
		/* A look that still finds the last round is over before the change, or finds another round. */
		round = CHANGING;
		__atomic_store_n(&table[0], (uint32_t)frame[i & 1] | 3, __ATOMIC_SEQ_CST);
		if (shoot_down) {
			flush_acks = 0;
			wrmsr(ICR, OTHERS | FLUSH_VECTOR);
			ok = wait_for(flush_acks == CPUS - 1);
		}
		round = i;
		ok &= wait_for(cpu[1].seen == i && cpu[2].seen == i && cpu[3].seen == i);
	}
	round = OVER;
	for (uint32_t id = 1; id < CPUS; id++) {
		ok &= wait_for(cpu[id].job == JOB_HALT);
		stale += cpu[id].stale;
	}
	return ok ? stale : ~0u;
}

static void say_number(uint32_t n)
{
	char text[11] = { 0 }, *at = text + 10;

	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	say(at);
}

static void check_tlb(void)
{
	uint32_t with, without;

	for (uint32_t i = 0; i < 16; i++)
		directory[i] = i << 22 | 0x83;
	directory[(uint32_t)shown >> 22] = (uint32_t)table | 3;
	frame[1][0] = 1;
	with = change_rounds(true);
	without = change_rounds(false);
	say("tlb: old translations seen with shoot-down ");
	say_number(with);
	say(", without ");
	say_number(without);
	say("\n");
}

static void check_uart(void)
{
	bool ok;

	say("letters: ");
	for (uint32_t id = 1; id < CPUS; id++)
		(void)give(id, JOB_WRITE);
	write_letters(0);
	ok = wait_for(cpu[1].done && cpu[2].done && cpu[3].done);
	say(" :letters\n");
	check("GUEST-17", ok, "all virtual CPUs write to the one UART at once");
}

void guest_main(void)
{
	idt_init();
	idt_set(IPI_VECTOR, ipi_entry);
	idt_set(FLUSH_VECTOR, flush_entry);
	idt_set(2, nmi_entry);
	wrmsr(SVR, 0x1ff);
	wrmsr(MSR_X2APIC(0x32), 2u << 17 | TIMER_VECTOR);
	check_start();
	check_ipis();
	check_nmi();
	check_tlb();
	check_uart();
	say(failures ? "smp: FAILED\n" : "smp: passed\n");
	/* The end must come from one of the others, whatever the rest does: GUEST-30. */
	(void)give(1, JOB_DEAF);
	(void)give(2, JOB_SPIN);
	(void)give(3, JOB_OFF);
	for (;;)
		relax();
}
