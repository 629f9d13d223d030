/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What the checks of the guest contract share. */
#ifndef TESTS_GUESTS_LIB_H
#define TESTS_GUESTS_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry_state {
	uint32_t esi, cr0, cr4;
	uint16_t cs, ss;
	uint32_t eflags;
};

/* start.S */
extern const struct entry_state entry_state;
extern volatile uint32_t taken[256]; /* by vector */
extern volatile uint32_t last_vector, last_eip, caught, caught_error, resume_at;
extern volatile uint32_t eoi_word, eoi_words; /* bit 0 set: clearing it ends an interrupt; how often that was done */
extern char stubs[];
void try_user(void);
void guest_main(void);
void unexpected(void);

#define NOTHING 0xffffffffu
#define UD 6u
#define GP 13u

/* Runs the instructions; what they raise: an exception's vector, or NOTHING. */
#define TRY(code, ...)                                                                                \
	({                                                                                            \
		caught = NOTHING;                                                                     \
		asm volatile("movl $77f, resume_at\n\t" code "\n77:\tmovl $0, resume_at" __VA_ARGS__); \
		caught;                                                                               \
	})

static inline void outb(uint16_t port, uint8_t v) { asm volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint64_t v;

	asm volatile("rdmsr" : "=A"(v) : "c"(msr));
	return v;
}

static inline void wrmsr(uint32_t msr, uint64_t v) { asm volatile("wrmsr" : : "c"(msr), "A"(v) : "memory"); }

static inline uint64_t rdtsc(void)
{
	uint64_t v;

	asm volatile("lfence; rdtsc" : "=A"(v) : : "memory");
	return v;
}

struct cpuid {
	uint32_t a, b, c, d;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
	return r;
}

static inline int32_t hypercall(uint32_t nr, uint32_t a0, uint32_t a1, uint32_t a2, uint32_t *value)
{
	int32_t status;
	uint32_t v;

	asm volatile("vmmcall" : "=a"(status), "=d"(v) : "a"(nr), "D"(a0), "S"(a1), "d"(a2) : "memory");
	if (value)
		*value = v;
	return status;
}

/* lib.c */
uint32_t try_rdmsr(uint32_t msr);
uint32_t try_wrmsr(uint32_t msr, uint64_t v);
void say(const char *text);
void check(const char *id, bool ok, const char *text); /* one line, and a count of the failures */
extern uint32_t checks, failures;
void idt_init(void);
void idt_load(void);	/* on another CPU */
void idt_set(uint32_t vector, const char *entry);
_Noreturn void power_off(void);
void halt_for(uint64_t ticks);	/* HLT with the deadline timer armed; interrupts on */

#define TIMER_VECTOR 0x40
#define MSR_X2APIC(reg) (0x800u + (reg))
#define MSR_TSC_DEADLINE 0x6e0

/* contract_*.c */
void check_apic(void);
void check_cpu(void);

#endif
