/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Instructions and per-CPU state. */
#ifndef HV_X86_CPU_H
#define HV_X86_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/x86/layout.h"

#define PAGE		4096ull
#define PAGE_2M		0x200000ull
#define PAGE_1G		0x40000000ull
#define MAX_CPUS	16u

/* Physical memory is identity-mapped in the hypervisor. */
static inline void *phys(uint64_t pa)
{
	return (void *)(uintptr_t)pa;
}

static inline uint64_t virt_to_phys(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static inline void outb(uint16_t port, uint8_t v) { asm volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outw(uint16_t port, uint16_t v) { asm volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outl(uint16_t port, uint32_t v) { asm volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* The same, but #GP gives false instead of an end: isr.c finds the pair in .extable. */
static inline bool rdmsr_safe(uint32_t msr, uint64_t *v)
{
	uint32_t lo, hi, ok = 1;

	asm volatile("1: rdmsr\n\tjmp 3f\n2: xorl %2, %2\n\txorl %0, %0\n\txorl %1, %1\n3:\n\t"
		     ".pushsection .extable, \"a\"; .quad 1b, 2b; .popsection"
		     : "=&a"(lo), "=&d"(hi), "+&r"(ok) : "c"(msr));
	*v = (uint64_t)hi << 32 | lo;
	return ok;
}

static inline bool wrmsr_safe(uint32_t msr, uint64_t v)
{
	uint32_t ok = 1;

	asm volatile("1: wrmsr\n\tjmp 3f\n2: xorl %0, %0\n3:\n\t"
		     ".pushsection .extable, \"a\"; .quad 1b, 2b; .popsection"
		     : "+&r"(ok) : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
	return ok;
}

struct cpuid_regs {
	uint32_t a, b, c, d;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t sub)
{
	struct cpuid_regs r;

	asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
	return r;
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void cpu_relax(void) { asm volatile("pause" : : : "memory"); }

#define MSR_TSC			0x00000010
#define MSR_APIC_BASE		0x0000001b
#define MSR_PAT			0x00000277
#define MSR_X2APIC		0x00000800
#define MSR_VM_CR		0xc0010114
#define MSR_VM_HSAVE_PA		0xc0010117

/* A container's general registers by x86 number: rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
enum { R_AX, R_CX, R_DX, R_BX, R_SP, R_BP, R_SI, R_DI };
struct vcpu_regs {
	uint64_t r[16];
};

struct vmcb;
struct npt;

/* What the CPU is inside of, see shoot.c. */
#define INSIDE_NONE	(-1)

struct cpu {
	struct cpu *self;
	uint32_t index;			/* 0..cpu_count-1, in MADT order, boot CPU 0 */
	uint32_t apic_id;
	uint32_t ldr;			/* last logical destination the host wrote, as in the register */
	bool dfr_flat;
	bool x2apic;
	volatile bool parked;		/* waits in hv for a SIPI; nothing else may start it */
	volatile bool online;
	volatile int sipi;		/* vector + 1, or 0 */
	volatile bool init;		/* the host sent INIT: park before going inside again */
	volatile bool stopped;		/* will never run anything again */

	/* The host's virtual CPU on this CPU. */
	struct vmcb *vmcb;
	struct vcpu_regs regs;
	uint64_t rip;			/* of the host at its last exit, for the log */
	uint32_t invalid;		/* INVALID exits in a row */

	/* Non-maskable interrupts: ours for shoot-downs, the host's own to be passed on. */
	volatile bool nmi_ours;
	volatile bool nmi_host;
	bool steps;			/* the host itself stepped when its NMI handler ended */

	/* Shoot-down: see shoot.c. */
	volatile int inside;		/* domain whose translations this CPU may use, or INSIDE_NONE */
	volatile uint64_t seen;		/* generation seen before it went inside */
	uint64_t tlb_host, tlb_guest;	/* generations the TLB was last flushed for, by ASID */
	const void *tlb_vcpu;		/* whose translations are under the guests' ASID */
};

_Static_assert(sizeof(struct cpu) <= CPU_RESERVE, "struct cpu outgrew its place on the stack");

extern struct cpu *cpus[MAX_CPUS];
extern uint32_t cpu_count;

static inline struct cpu *this_cpu(void)
{
	uint64_t sp;

	asm("movq %%rsp, %0" : "=r"(sp));
	return phys((sp | (STACK_SIZE - 1)) + 1 - CPU_RESERVE);
}

/* isr.S pushes this. */
struct isr_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vec, err, rip, cs, rflags, rsp, ss;
};

#endif
