/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * MSRs of a guest. Those that VMLOAD and VMSAVE switch are its own without an exit; the rest of this table is emulated;
 * any other access is #GP(0). Nothing here reads or writes an MSR of the machine on a guest's word but SPEC_CTRL,
 * PRED_CMD and TSC_AUX, which are switched.
 */
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define MSR_SPEC_CTRL		0x00000048
#define MSR_PRED_CMD		0x00000049
#define MSR_PATCH_LEVEL		0x0000008b
#define MSR_MCG_CAP		0x00000179
#define MSR_MCG_STATUS		0x0000017a
#define MSR_DEBUGCTL		0x000001d9
#define MSR_TSC_DEADLINE	0x000006e0
#define MSR_TSC_AUX		0xc0000103
#define MSR_SYSCFG		0xc0010010
#define MSR_HWCR		0xc0010015
#define MSR_NB_CFG		0xc001001f
#define MSR_INT_PENDING		0xc0010055
#define MSR_DE_CFG		0xc0011029

#define APIC_BASE_VALUE(bsp)	(0xfee00000ull | 1u << 11 | 1u << 10 | ((bsp) ? 1u << 8 : 0))
#define HWCR_TSC_FREQ		(1ull << 24)	/* the TSC counts at P0's frequency: Linux wants to see it */
#define HWCR_IGNORED		(HWCR_TSC_FREQ | 1u << 3 | 1u << 6 | 1u << 8)
#define DE_CFG_LFENCE		(1ull << 1)
#define NB_CFG_CF8_EXT		(1ull << 46)	/* set, so that Linux has no reason to write */
#define DEBUGCTL_BTF		(1ull << 1)
#define CR0_PG			(1ull << 31)

void guest_msr_map(uint8_t *msrpm)
{
	/* STAR LSTAR CSTAR SFMASK, FS.base GS.base KernelGSbase, SYSENTER CS ESP EIP: APM vol. 2, 15.5.2. */
	static const uint32_t own[] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
					0x174, 0x175, 0x176 };

	for (uint32_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		uint32_t bit = ((own[i] >> 31) * 8192 + (own[i] & 0x1fff)) * 2;

		msrpm[bit / 8] &= (uint8_t)~(3u << (bit % 8));
	}
}

static enum guest_verdict set_efer(struct vmcb *vmcb, uint64_t val)
{
	uint64_t ok = EFER_SCE | EFER_LME | EFER_NXE;

	if (cpuid(0x80000001, 0).d & (1u << 25))
		ok |= EFER_FFXSR;
	if (val & ~(ok | EFER_LMA))
		return G_GP;
	if (((val ^ vmcb->efer) & EFER_LME) && (vmcb->cr0 & CR0_PG))
		return G_GP;
	vmcb->efer = (val & ok) | EFER_SVME | (vmcb->efer & EFER_LMA);
	return G_DONE;
}

/* Eight types: UC, WC, WT, WP, WB, UC-. */
static bool pat_valid(uint64_t val)
{
	for (uint32_t i = 0; i < 8; i++, val >>= 8)
		if ((val & 0xff) > 7 || (val & 0xff) == 2 || (val & 0xff) == 3)
			return false;
	return true;
}

enum guest_verdict guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	struct arch_vcpu *a = v->arch;

	if (msr >= MSR_X2APIC && msr <= MSR_X2APIC + 0xff)
		return guest_apic_read(v, msr, val);
	*val = 0;
	switch (msr) {
	case MSR_TSC:
		*val = guest_tsc(a);
		return G_DONE;
	case MSR_APIC_BASE:
		*val = APIC_BASE_VALUE(v->index == 0);
		return G_DONE;
	case MSR_SPEC_CTRL:
		*val = a->spec_ctrl;
		return guest_spec_ctrl_mask ? G_DONE : G_GP;
	case MSR_PAT:
		*val = a->vmcb->g_pat;
		return G_DONE;
	case MSR_TSC_DEADLINE:
		*val = a->apic.deadline ? a->apic.deadline_msr : 0;
		return G_DONE;
	case MSR_EFER:
		*val = a->vmcb->efer & ~(uint64_t)EFER_SVME;
		return G_DONE;
	case MSR_TSC_AUX:
		*val = a->tsc_aux;
		return guest_has_tsc_aux ? G_DONE : G_GP;
	case MSR_HWCR:
		*val = HWCR_TSC_FREQ;
		return G_DONE;
	case MSR_DE_CFG:
		*val = DE_CFG_LFENCE;
		return G_DONE;
	case MSR_NB_CFG:
		*val = NB_CFG_CF8_EXT;
		return G_DONE;
	case MSR_KVM_WALL_CLOCK:
		*val = a->wall_msr;
		return G_DONE;
	case MSR_KVM_PV_EOI:
		*val = a->eoi_msr;
		return G_DONE;
	case MSR_KVM_SYSTEM_TIME:
		*val = a->clock_msr;
		return G_DONE;
	case MSR_PATCH_LEVEL:
		/* A failed read leaves 0. */
		(void)rdmsr_safe(MSR_PATCH_LEVEL, val);
		return G_DONE;
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL:
	case MSR_SYSCFG:
	case MSR_INT_PENDING:
		return G_DONE;
	default:
		return G_GP;
	}
}

enum guest_verdict guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct arch_vcpu *a = v->arch;
	uint64_t deadline;

	if (msr >= MSR_X2APIC && msr <= MSR_X2APIC + 0xff)
		return guest_apic_write(v, msr, val);
	switch (msr) {
	case MSR_TSC:
		deadline = a->apic.deadline ? a->apic.deadline_msr : 0;
		a->vmcb->tsc_offset = val - rdtsc();
		guest_deadline_set(v, deadline);
		guest_clock_update(v);
		return G_DONE;
	case MSR_APIC_BASE:
		return val == APIC_BASE_VALUE(v->index == 0) ? G_DONE : G_GP;
	case MSR_SPEC_CTRL:
		if (!guest_spec_ctrl_mask || (val & ~guest_spec_ctrl_mask))
			return G_GP;
		a->spec_ctrl = val;
		wrmsr(MSR_SPEC_CTRL, val);
		return G_DONE;
	case MSR_PRED_CMD:
		if (!guest_has_ibpb || (val & ~1ull))
			return G_GP;
		if (val)
			wrmsr(MSR_PRED_CMD, val);
		return G_DONE;
	case MSR_PAT:
		if (!pat_valid(val))
			return G_GP;
		a->vmcb->g_pat = val;
		return G_DONE;
	case MSR_TSC_DEADLINE:
		guest_deadline_set(v, val);
		return G_DONE;
	case MSR_EFER:
		return set_efer(a->vmcb, val);
	case MSR_TSC_AUX:
		if (!guest_has_tsc_aux || val >> 32)
			return G_GP;
		a->tsc_aux = val;
		wrmsr(MSR_TSC_AUX, val);
		return G_DONE;
	case MSR_KVM_WALL_CLOCK:
		return guest_wall_set(v, val);
	case MSR_KVM_SYSTEM_TIME:
		return guest_clock_set(v, val);
	case MSR_KVM_PV_EOI:
		return guest_eoi_set(v, val);
	case MSR_HWCR:
		return val & ~HWCR_IGNORED ? G_GP : G_DONE;
	case MSR_DE_CFG:
		return val == DE_CFG_LFENCE ? G_DONE : G_GP;
	case MSR_DEBUGCTL:
		/* Single-stepping by branches stays without effect; last-branch records are refused. */
		return val & ~DEBUGCTL_BTF ? G_GP : G_DONE;
	case MSR_PATCH_LEVEL:
	case MSR_MCG_STATUS:
		return val ? G_GP : G_DONE;
	default:
		return G_GP;
	}
}
