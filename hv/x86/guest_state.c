/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The CPU state around a guest's run that VMRUN does not switch: XSAVE state with XCR0 and PKRU, debug registers, syscall
 * MSRs, TSC_AUX, SPEC_CTRL. What was live before belongs to the host and comes back exactly.
 */
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define CR4_OSFXSR	(1ull << 9)
#define CR4_OSXMMEXCPT	(1ull << 10)
#define CR4_OSXSAVE	(1ull << 18)

#define XSTATE_X87	(1ull << 0)
#define XSTATE_SSE	(1ull << 1)
#define XSTATE_AVX	(1ull << 2)
#define XSTATE_AVX512	(7ull << 5)
#define XSTATE_PKRU	(1ull << 9)
#define XSTATE_KNOWN	(XSTATE_X87 | XSTATE_SSE | XSTATE_AVX | XSTATE_AVX512 | XSTATE_PKRU)
#define XSAVE_LEGACY	576u	/* legacy region and header */

#define MSR_SPEC_CTRL	0x00000048
#define MSR_PRED_CMD	0x00000049
#define MSR_XSS		0x00000da0
#define MSR_TSC_AUX	0xc0000103

uint64_t guest_xcr0_mask, guest_spec_ctrl_mask;
uint32_t guest_xsave_size;
bool guest_has_ibpb, guest_has_tsc_aux;
static bool has_xsaves, has_spec_ctrl;

bool guest_state_init(void)
{
	struct cpuid_regs r;

	if (guest_xcr0_mask)
		return true;
	if (!(cpuid(1, 0).c & (1u << 26)) || cpuid(0, 0).a < 0xd)
		return false;
	r = cpuid(0xd, 0);
	guest_xsave_size = XSAVE_LEGACY;
	guest_xcr0_mask = XSTATE_X87 | XSTATE_SSE;
	for (uint32_t i = 2; i < 32; i++) {
		struct cpuid_regs s = cpuid(0xd, i);

		if (!(r.a & XSTATE_KNOWN & (1u << i)) || s.b + s.a > PAGE)
			continue;
		guest_xcr0_mask |= 1ull << i;
		if (s.b + s.a > guest_xsave_size)
			guest_xsave_size = s.b + s.a;
	}
	if ((guest_xcr0_mask & XSTATE_AVX512) != XSTATE_AVX512)
		guest_xcr0_mask &= ~XSTATE_AVX512;
	has_xsaves = cpuid(0xd, 1).a & (1u << 3);
	guest_has_tsc_aux = (cpuid(0x80000001, 0).d & (1u << 27)) || (cpuid(7, 0).c & (1u << 22));
	if (cpuid(0x80000000, 0).a >= 0x80000008) {
		r.b = cpuid(0x80000008, 0).b;
		guest_has_ibpb = r.b & (1u << 12);
		guest_spec_ctrl_mask = (r.b & (1u << 14) ? SPEC_CTRL_IBRS : 0) | (r.b & (1u << 15) ? SPEC_CTRL_STIBP : 0) |
				       (r.b & (1u << 24) ? SPEC_CTRL_SSBD : 0);
		has_spec_ctrl = guest_spec_ctrl_mask;
	}
	return true;
}

static inline uint64_t xgetbv(void)
{
	uint32_t lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static inline void xsetbv(uint64_t v)
{
	asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static void xsave(void *area)
{
	asm volatile("xsave64 (%0)" : : "r"(area), "a"((uint32_t)guest_xcr0_mask), "d"(0) : "memory");
}

static void xrstor(const void *area)
{
	asm volatile("xrstor64 (%0)" : : "r"(area), "a"((uint32_t)guest_xcr0_mask), "d"(0) : "memory");
}

static void cr4_open(void)
{
	uint64_t cr4;

	asm volatile("movq %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	asm volatile("movq %0, %%cr4" : : "r"(cr4) : "memory");
}

static void dr_read(uint64_t *d)
{
	asm volatile("movq %%dr0, %0" : "=r"(d[0]));
	asm volatile("movq %%dr1, %0" : "=r"(d[1]));
	asm volatile("movq %%dr2, %0" : "=r"(d[2]));
	asm volatile("movq %%dr3, %0" : "=r"(d[3]));
}

static void dr_write(const uint64_t *d)
{
	asm volatile("movq %0, %%dr0" : : "r"(d[0]));
	asm volatile("movq %0, %%dr1" : : "r"(d[1]));
	asm volatile("movq %0, %%dr2" : : "r"(d[2]));
	asm volatile("movq %0, %%dr3" : : "r"(d[3]));
}

/* Predictions trained on one side must not steer the other. */
static void predictor_barrier(void)
{
	if (guest_has_ibpb)
		wrmsr(MSR_PRED_CMD, 1);
}

void guest_state_load(struct arch_vcpu *a)
{
	svm_save_extra(this_cpu()->vmcb);
	cr4_open();
	a->host_xcr0 = xgetbv();
	if (has_xsaves) {
		a->host_xss = rdmsr(MSR_XSS);
		wrmsr(MSR_XSS, 0);
	}
	/*
	 * State that the host may have and a guest may not (tiles, for one) stays in the registers: with its bits clear in
	 * XCR0 a guest has no way to them.
	 */
	xsetbv(guest_xcr0_mask);
	xsave(a->host_fpu);
	xrstor(a->fpu);
	xsetbv(a->xcr0);
	dr_read(a->host_dr);
	dr_write(a->dr);
	if (guest_has_tsc_aux) {
		a->host_tsc_aux = rdmsr(MSR_TSC_AUX);
		wrmsr(MSR_TSC_AUX, a->tsc_aux);
	}
	predictor_barrier();
	if (has_spec_ctrl) {
		a->host_spec_ctrl = rdmsr(MSR_SPEC_CTRL);
		wrmsr(MSR_SPEC_CTRL, a->spec_ctrl);
	}
	svm_load_extra(a->vmcb);
}

void guest_state_store(struct arch_vcpu *a)
{
	svm_save_extra(a->vmcb);
	if (has_spec_ctrl)
		wrmsr(MSR_SPEC_CTRL, a->host_spec_ctrl);
	predictor_barrier();
	if (guest_has_tsc_aux)
		wrmsr(MSR_TSC_AUX, a->host_tsc_aux);
	dr_read(a->dr);
	dr_write(a->host_dr);
	/* QEMU lets a guest change XCR0 without an exit. */
	a->xcr0 = (xgetbv() & guest_xcr0_mask) | XSTATE_X87;
	xsetbv(guest_xcr0_mask);
	xsave(a->fpu);
	xrstor(a->host_fpu);
	xsetbv(a->host_xcr0);
	if (has_xsaves)
		wrmsr(MSR_XSS, a->host_xss);
	svm_load_extra(this_cpu()->vmcb);
}

/* The rules of Intel SDM vol. 1, 13.3, for what a guest is offered; takes effect at once. */
bool guest_xsetbv(struct arch_vcpu *a, uint64_t v)
{
	if ((v & ~guest_xcr0_mask) || !(v & XSTATE_X87))
		return false;
	if ((v & XSTATE_AVX) && !(v & XSTATE_SSE))
		return false;
	if ((v & XSTATE_AVX512) && ((v & XSTATE_AVX512) != XSTATE_AVX512 || !(v & XSTATE_AVX)))
		return false;
	a->xcr0 = v;
	xsetbv(v);
	return true;
}
