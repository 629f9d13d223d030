/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* AMD SVM on one CPU, and the small operations on a VMCB that all containers need. */
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define CPUID_SVM	(1u << 2)	/* 0x80000001 ECX */
#define SVM_NP		(1u << 0)	/* 0x8000000a EDX */
#define SVM_NRIP	(1u << 3)
#define SVM_CLEAN	(1u << 5)
#define SVM_DECODE	(1u << 7)
#define VM_CR_R_INIT	(1ull << 1)	/* INIT becomes #SX, which desc.c drops */
#define VM_CR_SVMDIS	(1ull << 4)
#define RFLAGS_RF	(1ull << 16)

struct svm_features svm_features;

void svm_cpu_init(struct cpu *c)
{
	struct cpuid_regs f;
	uint64_t vm_cr;

	if (cpuid(0x80000000, 0).a < 0x8000000a || !(cpuid(0x80000001, 0).c & CPUID_SVM))
		panic("this CPU has no AMD SVM: Tessera needs it (QEMU: -cpu EPYC,+svm,+npt)");
	f = cpuid(0x8000000a, 0);
	if (!(f.d & SVM_NP) || f.b < 3)
		panic("this CPU has no nested paging: Tessera needs it (QEMU: -cpu EPYC,+svm,+npt)");
	if (rdmsr_safe(MSR_VM_CR, &vm_cr) && (vm_cr & VM_CR_SVMDIS))
		panic("SVM is disabled: enable it in the firmware's setup");
	svm_features = (struct svm_features){ .nrip = f.d & SVM_NRIP, .decode = f.d & SVM_DECODE,
					      .clean = f.d & SVM_CLEAN, .asids = f.b };
	/* QEMU ignores this: an INIT by a device then takes a CPU out of the container. */
	svm_features.r_init = wrmsr_safe(MSR_VM_CR, vm_cr | VM_CR_R_INIT) && rdmsr_safe(MSR_VM_CR, &vm_cr) &&
			      (vm_cr & VM_CR_R_INIT);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	c->vmcb = boot_alloc(1);
	wrmsr(MSR_VM_HSAVE_PA, virt_to_phys(boot_alloc(1)));
}

void svm_requeue(struct vmcb *v)
{
	uint64_t ev = v->exit_int_info;

	if (!(ev & VMCB_EV_VALID)) {
		v->event_inj = 0;
		return;
	}
	if ((ev & VMCB_EV_TYPE) == VMCB_EV_EXCEPTION && (ev & 0xff) >= 32)
		ev &= ~VMCB_EV_TYPE;
	v->event_inj = ev;
}

void svm_inject(struct vmcb *v, uint8_t vector, int err)
{
	v->event_inj = VMCB_EV_VALID | VMCB_EV_EXCEPTION | vector;
	if (err >= 0)
		v->event_inj |= VMCB_EV_ERROR | (uint64_t)(uint32_t)err << 32;
}

void svm_skip(struct vmcb *v, uint32_t len)
{
	v->rip = svm_features.nrip && v->next_rip ? v->next_rip : v->rip + len;
	v->int_state &= ~1ull;
	v->rflags &= ~RFLAGS_RF;
	if (v->rflags & RFLAGS_TF) {
		v->dr6 |= DR6_BS;
		svm_inject(v, EXC_DB, -1);
	}
}
