/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* CPUID as the host sees it: the machine's own, less what is the hypervisor's, plus our leaves. */
#include <core/core.h>

#include "hv/x86/host.h"
#include "hv/x86/x86.h"

#define CR4_OSXSAVE	(1ull << 18)
#define CR4_PKE		(1ull << 22)

struct cpuid_regs guard_cpuid(uint32_t leaf, uint32_t sub, uint64_t cr4)
{
	struct cpuid_regs r;

	if (leaf >= 0x40000000 && leaf < 0x50000000) {
		if (leaf == TSR_CPUID_BASE)
			return (struct cpuid_regs){ TSR_CPUID_FEATURES, TSR_CPUID_EBX, TSR_CPUID_ECX, TSR_CPUID_EDX };
		if (leaf == TSR_CPUID_FEATURES)
			return (struct cpuid_regs){ TSR_ABI_VERSION, core_features(), TSR_CPUID_ROLE_HOST, 0 };
		return (struct cpuid_regs){ 0, 0, 0, 0 };
	}
	r = cpuid(leaf, sub);
	switch (leaf) {
	case 1:
		r.c &= ~(1u << 27);
		if (cr4 & CR4_OSXSAVE)
			r.c |= 1u << 27;
		r.c |= 1u << 31;	/* hypervisor present */
		break;
	case 7:
		if (sub)
			break;
		r.b &= ~(1u << 1);	/* TSC_ADJUST */
		r.c &= ~(1u << 4 | 1u << 7);	/* OSPKE, shadow stacks */
		if (cr4 & CR4_PKE)
			r.c |= 1u << 4;
		r.d &= ~(1u << 20);	/* indirect branch tracking */
		break;
	case 0x80000001:
		/* SVM, IBS, SKINIT, LWP, performance counters */
		r.c &= ~(1u << 2 | 1u << 10 | 1u << 12 | 1u << 15 | 1u << 23 | 1u << 24 | 1u << 28);
		break;
	case 0x80000008:
		r.b &= ~(1u << 3);	/* INVLPGB would pass by the shoot-down */
		break;
	case 0x8000000a:	/* SVM */
	case 0x8000001b:	/* IBS */
	case 0x8000001f:	/* SEV */
	case 0x80000022:	/* performance monitoring */
		r = (struct cpuid_regs){ 0, 0, 0, 0 };
		break;
	}
	return r;
}
