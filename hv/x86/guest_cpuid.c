/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * CPUID as a guest sees it: the machine's CPU with what we do not switch, emulate or want taken out (AMD APM vol. 3,
 * appendix E). Lists say what is let through, so that a feature of tomorrow's CPU is not.
 */
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/svm.h"

#define BIT(n) (1u << (n))

/* Leaf 1. ECX: SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND. */
#define L1_ECX (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(26) | \
		BIT(28) | BIT(29) | BIT(30))
#define L1_ECX_X2APIC		BIT(21)
#define L1_ECX_TSC_DEADLINE	BIT(24)
#define L1_ECX_OSXSAVE		BIT(27)
#define L1_ECX_HYPERVISOR	BIT(31)
/* EDX: FPU VME DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT PSE36 CLFLUSH MMX FXSR SSE SSE2. No MCE, MCA, MTRR. */
#define L1_EDX (BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(9) | BIT(11) | BIT(13) | BIT(15) | \
		BIT(16) | BIT(17) | BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26))
#define L1_EDX_HTT		BIT(28)
#define L6_EAX_ARAT		BIT(2)

/* Leaf 7. EBX: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA; AVX512 F DQ IFMA CD BW VL. */
#define L7_EBX (BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(23) | BIT(24) | BIT(29))
#define L7_EBX_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
/* ECX: UMIP PKU GFNI VAES VPCLMULQDQ RDPID; AVX512 VBMI VBMI2 VNNI BITALG VPOPCNTDQ. No LA57: our nested tables have 4 levels. */
#define L7_ECX (BIT(2) | BIT(8) | BIT(9) | BIT(10) | BIT(22))
#define L7_ECX_PKU BIT(3)
#define L7_ECX_OSPKE BIT(4)
#define L7_ECX_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
/* EDX: FSRM. */
#define L7_EDX BIT(4)

/* Leaf 0xd.1 EAX: XSAVEOPT XSAVEC XGETBV1. No XSAVES: no supervisor state. */
#define LD1_EAX (BIT(0) | BIT(1) | BIT(2))

/* 0x80000001. ECX: LAHF CR8 ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM TOPOEXT. */
#define X1_ECX (BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(16) | BIT(21) | BIT(22))
#define X1_ECX_CMP BIT(1)
/* EDX: as leaf 1, and SYSCALL NX MMXEXT FFXSR 1G RDTSCP LM. */
#define X1_EDX ((L1_EDX & 0x0183f3ffu) | BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(26) | BIT(27) | BIT(29))
#define X7_EDX_INVTSC BIT(8)
/* 0x80000008 EBX: CLZERO XSAVEERPTR IBPB IBRS STIBP SSBD. */
#define X8_EBX (BIT(0) | BIT(2) | BIT(12) | BIT(14) | BIT(15) | BIT(24))
/* 0x80000021 EAX: LFENCE serializing, null selector clears base. */
#define X21_EAX (BIT(2) | BIT(6))

#define CR4_OSXSAVE (1ull << 18)
#define CR4_PKE (1ull << 22)

/* KVM's leaves (Linux, Documentation/virt/kvm/x86/cpuid.rst): NOP_IO_DELAY, CLOCKSOURCE2, PV_EOI, CLOCKSOURCE_STABLE. */
#define KVM_BASE 0x40000000u
#define KVM_FEATURES (BIT(1) | BIT(3) | BIT(6) | BIT(24))

static uint32_t core_bits(uint32_t n)
{
	uint32_t b = 0;

	while (1u << b < n)
		b++;
	return b;
}

/* Leaves 0xb: one thread a core, all cores in one package. */
static struct cpuid_regs topology(const struct vcpu *v, uint32_t sub)
{
	struct cpuid_regs r = { 0, 0, sub & 0xff, v->index };

	if (sub == 0) {
		r.b = 1;
		r.c |= 1u << 8;
	} else if (sub == 1) {
		r.a = core_bits(v->dom->nr_vcpus);
		r.b = v->dom->nr_vcpus;
		r.c |= 2u << 8;
	}
	return r;
}

static struct cpuid_regs basic(const struct vcpu *v, uint32_t leaf, uint32_t sub, struct cpuid_regs r)
{
	uint64_t cr4 = v->arch->vmcb->cr4;
	bool avx512 = guest_xcr0_mask & (1ull << 5), pku = guest_xcr0_mask & (1ull << 9);

	switch (leaf) {
	case 0:
		r.a = 0xd;
		break;
	case 1:
		r.b = (r.b & 0xffff) | v->dom->nr_vcpus << 16 | v->index << 24;
		r.c = (r.c & L1_ECX) | L1_ECX_X2APIC | L1_ECX_TSC_DEADLINE | L1_ECX_HYPERVISOR;
		if (cr4 & CR4_OSXSAVE)
			r.c |= L1_ECX_OSXSAVE;
		r.d = (r.d & L1_EDX) | (v->dom->nr_vcpus > 1 ? L1_EDX_HTT : 0);
		break;
	case 6:
		r = (struct cpuid_regs){ .a = L6_EAX_ARAT };
		break;
	case 7:
		if (sub)
			return (struct cpuid_regs){ 0 };
		r.a = 0;
		r.b &= L7_EBX | (avx512 ? L7_EBX_AVX512 : 0);
		r.c &= L7_ECX | (avx512 ? L7_ECX_AVX512 : 0) | (pku ? L7_ECX_PKU : 0);
		if ((r.c & L7_ECX_PKU) && (cr4 & CR4_PKE))
			r.c |= L7_ECX_OSPKE;
		r.d &= L7_EDX;
		break;
	case 0xb:
		return topology(v, sub);
	case 0xd:
		/* The guest's XCR0 is in the CPU, so EBX of the first two is right. */
		if (sub == 0)
			r = (struct cpuid_regs){ (uint32_t)guest_xcr0_mask, r.b, guest_xsave_size, 0 };
		else if (sub == 1)
			r = (struct cpuid_regs){ r.a & LD1_EAX, r.b, 0, 0 };
		else if (sub > 31 || !(guest_xcr0_mask & (1ull << sub)))
			r = (struct cpuid_regs){ 0 };
		break;
	default:
		/* Cache descriptions of other vendors, MONITOR, PMU, DCA, and what is to come. */
		r = (struct cpuid_regs){ 0 };
	}
	return r;
}

static struct cpuid_regs extended(const struct vcpu *v, uint32_t leaf, struct cpuid_regs r)
{
	uint32_t n = v->dom->nr_vcpus, lin;

	switch (leaf & 0xffff) {
	case 0:
		if (r.a > 0x80000021)
			r.a = 0x80000021;
		break;
	case 1:
		r.c = (r.c & X1_ECX) | (n > 1 ? X1_ECX_CMP : 0);
		r.d &= X1_EDX;
		break;
	case 2 ... 6: /* brand string, caches */
		break;
	case 7:
		r = (struct cpuid_regs){ .d = r.d & X7_EDX_INVTSC };
		break;
	case 8:
		lin = (r.a >> 8) & 0xff;
		r.a = (r.a & 0xff) | (lin > 48 ? 48 : lin) << 8;
		r.b &= X8_EBX;
		r.c = (n - 1) | core_bits(n) << 12;
		r.d = 0;
		break;
	case 0x19: /* TLBs for 1 GiB pages, width of the FPU */
	case 0x1a:
		break;
	case 0x1d: /* caches: shared by all, as far as a guest can tell */
		r.a = (r.a & 0x3fff) | (n - 1) << 14;
		break;
	case 0x1e:
		r = (struct cpuid_regs){ v->index, v->index, 0, 0 };
		break;
	case 0x21:
		r = (struct cpuid_regs){ .a = r.a & X21_EAX };
		break;
	default: /* SVM, IBS, LWP, memory encryption, bandwidth */
		r = (struct cpuid_regs){ 0 };
	}
	return r;
}

struct cpuid_regs guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub)
{
	switch (leaf) {
	case KVM_BASE: /* "KVMKVMKVM" */
		return (struct cpuid_regs){ KVM_BASE + 1, 0x4b4d564b, 0x564b4d56, 0x4d };
	case KVM_BASE + 1:
		return (struct cpuid_regs){ KVM_FEATURES, 0, 0, 0 };
	case TSR_CPUID_BASE:
		return (struct cpuid_regs){ TSR_CPUID_FEATURES, TSR_CPUID_EBX, TSR_CPUID_ECX, TSR_CPUID_EDX };
	case TSR_CPUID_FEATURES:
		return (struct cpuid_regs){ TSR_ABI_VERSION, core_features(), TSR_CPUID_ROLE_GUEST, 0 };
	}
	if (leaf <= 0xd)
		return basic(v, leaf, sub, cpuid(leaf, sub));
	if (leaf >= 0x80000000 && leaf <= 0x80000021 && leaf <= cpuid(0x80000000, 0).a)
		return extended(v, leaf, cpuid(leaf, sub));
	return (struct cpuid_regs){ 0 };
}
