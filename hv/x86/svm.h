/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Containers by AMD SVM, for the host's CPUs (svm_host.c) and for guests'
 * virtual CPUs (guest_*.c).
 */
#ifndef HV_X86_SVM_H
#define HV_X86_SVM_H

#include <core/core.h>

#include "hv/x86/cpu.h"
#include "hv/x86/vmcb.h"

#define ASID_HOST	1u
#define ASID_GUEST	2u	/* all guests; the TLB is flushed when another one comes */

struct svm_features {
	bool nrip, decode, clean, r_init;
	uint32_t asids;
};
extern struct svm_features svm_features;

/* Checks the CPU (panics with the reason when unfit), sets EFER.SVME and the host save area. GIF is 0 afterwards on others. */
void svm_cpu_init(struct cpu *c);

/* svm_run.S: bare VMRUN; use container_run(). */
void svm_run(uint64_t vmcb_pa, struct vcpu_regs *regs);

/*
 * One stay in a container of domain d on this CPU: marks the CPU as inside, rechecks d's generation, flushes when it is
 * old, VMRUN, marks it outside. regs holds all 16 registers, RAX and RSP included, before and after. An NMI that ended
 * the stay has been taken: ours are done with, the host's wait in c->nmi_host for svm_host.c. GIF is 0 throughout.
 * Events in delivery at the exit (EXITINTINFO) are the caller's: see svm_requeue().
 */
void container_run(struct cpu *c, struct domain *d, struct vmcb *v, struct vcpu_regs *regs);

/* State of a container's CPU that VMRUN does not switch: FS, GS, TR, LDTR with hidden parts, syscall and sysenter MSRs. */
static inline void svm_save_extra(struct vmcb *v)
{
	asm volatile("vmsave %%rax" : : "a"(virt_to_phys(v)) : "memory");
}

static inline void svm_load_extra(struct vmcb *v)
{
	asm volatile("vmload %%rax" : : "a"(virt_to_phys(v)) : "memory");
}

/* Puts an event that the exit interrupted back for the next VMRUN (QEMU reports interrupts as exceptions). */
void svm_requeue(struct vmcb *v);
/* Queues an exception for the next VMRUN; err < 0: without an error code. Replaces a queued event. */
void svm_inject(struct vmcb *v, uint8_t vector, int err);
/* Steps over an instruction of len bytes (next_rip when the CPU gives it), ends the interrupt shadow, honours TF. */
void svm_skip(struct vmcb *v, uint32_t len);

#define EXC_DB	1
#define DR6_BS	(1ull << 14)
#define RFLAGS_TF (1ull << 8)
#define EXC_UD	6
#define EXC_DF	8
#define EXC_GP	13

/* npt.c: physical address of a domain's nested tables, for nested_cr3. */
uint64_t npt_root(const struct domain *d);
/* Host MMIO only (never RAM): 4 KiB pages from pa on get perm PERM_* (0: absent). Boot time, before the host runs. */
void npt_host_mmio(uint64_t pa, uint64_t size, uint8_t perm);
void npt_init(void);

/* shoot.c: generations are never used twice, so that a CPU need not know whose it saw. */
uint64_t next_generation(void);
void flush_cpus(struct domain *d); /* waits, bounded; devices keep what they have: their table says the same as before */

/* svm_host.c */
_Noreturn void svm_host_start_ap(struct cpu *c, uint32_t vector);
_Noreturn void svm_host_start_boot(struct cpu *c, uint32_t eip, uint32_t esi, uint32_t gdt, uint32_t gdt_limit);

/* shoot.c */
void nmi_taken(void);		/* from the NMI handler */
void nmi_send(struct cpu *to);	/* one of ours: makes it leave its container and look */
void nmi_forward(struct cpu *to); /* one of the host's, to one of its CPUs */

/* smp.c */
void cpu_park_wake(struct isr_frame *f);

#endif
