/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A guest's virtual CPU, inside the guest_*.c files. Its state lives in pages donated for the guest's tables. Whoever runs
 * it owns it, except for what other CPUs change: the atomic fields, said so below.
 */
#ifndef HV_X86_GUEST_VCPU_H
#define HV_X86_GUEST_VCPU_H

#include <core/arch.h>

#include "hv/x86/cpu.h"
#include "hv/x86/vmcb.h"

/* The local APIC in x2APIC mode: Intel SDM vol. 3, 11.12; APM vol. 2, 16.9. */
enum { LVT_TIMER, LVT_THERMAL, LVT_PMC, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_NR };

struct guest_apic {
	uint32_t irr[8];	/* by vector; atomic: other virtual CPUs send here */
	uint32_t isr[8];
	uint32_t svr, esr;
	uint32_t lvt[LVT_NR];
	uint64_t icr;
	uint32_t initial_count, divide; /* kept, without effect: the timer knows TSC-deadline mode only */
	uint64_t deadline;	/* in the machine's TSC, 0: not armed */
	uint64_t deadline_msr;	/* the same in the guest's, as it wrote it */
};

/* A 16550A without its interrupt, to be polled; its input FIFO is longer. Virtual CPU 0 has it, for all; under core_lock. */
#define UART_FIFO 64u
struct guest_uart {
	uint8_t ier, lcr, mcr, scr, fcr;
	uint16_t divisor;
	uint8_t rx[UART_FIFO];
	uint32_t rx_head, rx_tail;
	uint32_t out_len;
	uint64_t out_at;	/* bytes the host has taken */
	uint8_t out[TSR_RUN_CONSOLE_MAX];
};

/* What other virtual CPUs asked of this one; see guest_signal(). */
#define SIGNAL_NMI	(1u << 0)
#define SIGNAL_INIT	(1u << 1)
#define SIGNAL_STARTUP	(1u << 2)

/* A second NMI waits until the first one's handler has executed IRET: APM vol. 2, 8.2.3. */
enum nmi_state { NMI_OPEN, NMI_BLOCKED, NMI_IRET /* about to be executed at iret_rip */ };

struct arch_vcpu {
	struct vcpu_regs regs;
	struct vmcb *vmcb;
	void *fpu, *host_fpu;	/* XSAVE areas, one page each */
	uint64_t xcr0, host_xcr0, host_xss;
	uint64_t dr[4], host_dr[4];
	uint64_t tsc_aux, host_tsc_aux;
	uint64_t spec_ctrl, host_spec_ctrl;
	uint64_t eoi_msr;	/* guest_eoi.c */
	bool eoi_offered;	/* its word is 1, or the guest has cleared it */
	uint64_t clock_msr, wall_msr, clock_base; /* guest_clock.c; base in the machine's TSC */
	uint32_t clock_version;
	uint32_t last_cpu;	/* where its translations may be cached */
	bool halted;		/* atomic */
	bool waits;		/* for a start-up command; halted as well */
	uint32_t signals;	/* SIGNAL_*; atomic */
	uint8_t startup;	/* vector of the latest start-up command; atomic */
	bool nmi_pending;
	enum nmi_state nmi;
	uint64_t iret_rip;
	uint32_t wake;		/* virtual CPUs that the host is told to wake when the run ends */
	bool leave;		/* the run ends; exit says why */
	uint8_t shadow_kept;	/* see run_step() */
	uint8_t nmi_exits;	/* of this run */
	uint64_t told;		/* deadline that the host knows of, as in guest_apic.deadline */
	struct tsr_run_exit *exit; /* of the run going on */
	struct guest_apic apic;
	struct guest_uart uart;
	uint8_t offered;	/* vector given to the CPU as a virtual interrupt, and accepted; 0: none */
};
_Static_assert(sizeof(struct arch_vcpu) <= 4096, "one donated page");

/* What an emulated access comes to. */
enum guest_verdict {
	G_DONE,	/* step over the instruction */
	G_GP,	/* #GP(0) and a count */
	G_AGAIN, /* end the run, then the same instruction again */
};

/* guest_state.c: what VMRUN does not switch. Interrupts off, GIF 0; nothing between the two uses the FPU. */
bool guest_state_init(void);	/* once; false: a CPU that cannot run guests */
void guest_state_load(struct arch_vcpu *a);
void guest_state_store(struct arch_vcpu *a);
bool guest_xsetbv(struct arch_vcpu *a, uint64_t v);
extern uint64_t guest_xcr0_mask;	/* what a guest may enable: fits a page, no supervisor state */
extern uint32_t guest_xsave_size;	/* bytes in standard format with all of it */
#define SPEC_CTRL_IBRS	(1u << 0)
#define SPEC_CTRL_STIBP	(1u << 1)
#define SPEC_CTRL_SSBD	(1u << 2)
extern uint64_t guest_spec_ctrl_mask;	/* 0: no such MSR */
extern bool guest_has_ibpb, guest_has_tsc_aux;

/* guest_cpuid.c */
struct cpuid_regs guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub);

/* guest_msr.c */
enum guest_verdict guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *val);
enum guest_verdict guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val);
void guest_msr_map(uint8_t *msrpm); /* clears the bits of those that need no exit, in a map of all ones */

/* guest_create.c */
void guest_reset(struct vcpu *v);	/* as after reset, waiting for its start; not loaded on any CPU */
void guest_startup(struct vcpu *v);	/* the start-up command */

/* guest_apic.c */
void guest_apic_reset(struct guest_apic *p);
enum guest_verdict guest_apic_read(struct vcpu *v, uint32_t msr, uint64_t *val);
enum guest_verdict guest_apic_write(struct vcpu *v, uint32_t msr, uint64_t val);
void guest_apic_collect(struct vcpu *v);	/* events of the core and an expired deadline become requested vectors */
uint8_t guest_apic_next(const struct vcpu *v);	/* vector to deliver once the CPU can take one, or 0 */
void guest_apic_accept(struct vcpu *v, uint8_t vector);	/* it is being delivered */
void guest_apic_unaccept(struct vcpu *v, uint8_t vector); /* its delivery failed */
void guest_apic_eoi(struct guest_apic *p);
bool guest_apic_single(const struct guest_apic *p); /* one interrupt is in service, and none waits */
void guest_deadline_set(struct vcpu *v, uint64_t guest_tsc);

/* guest_eoi.c: KVM's paravirtual end of interrupt. Before an entry, and after an exit before the APIC is looked at. */
enum guest_verdict guest_eoi_set(struct vcpu *v, uint64_t val);
void guest_eoi_offer(struct vcpu *v);
void guest_eoi_take(struct vcpu *v);
#define MSR_KVM_PV_EOI		0x4b564d04u

/* guest_io.c. One access of 1, 2 or 4 bytes. */
void guest_in(struct vcpu *v, uint16_t port, uint32_t size, uint32_t *val);
enum guest_verdict guest_out(struct vcpu *v, uint16_t port, uint32_t size, uint32_t val);

/* guest_clock.c: KVM's paravirtual clock. */
void guest_clock_init(void);	/* boot CPU, before the host runs: reads the real-time clock */
enum guest_verdict guest_clock_set(struct vcpu *v, uint64_t val);
enum guest_verdict guest_wall_set(struct vcpu *v, uint64_t val);
void guest_clock_update(struct vcpu *v);	/* the guest's TSC was changed */
#define MSR_KVM_WALL_CLOCK	0x4b564d00u
#define MSR_KVM_SYSTEM_TIME	0x4b564d01u

/* guest_run.c: ends the run with this reason, if nothing has ended it before. */
void guest_leave(struct arch_vcpu *a, uint32_t reason);
static inline uint64_t guest_tsc(const struct arch_vcpu *a)
{
	return rdtsc() + a->vmcb->tsc_offset;
}

#endif
