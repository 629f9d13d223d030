/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Making a guest's virtual CPU: its pages, its VMCB, the ABI's entry state. */
#include "hv/x86/guest.h"
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define SEG_CODE32	0xc9b
#define SEG_DATA32	0xc93
#define SEG_CODE16	0x09b
#define SEG_DATA16	0x093
#define SEG_LDT		0x082
#define SEG_TSS		0x08b
#define RFLAGS_1	0x2ull
#define CR0_PE		0x01ull
#define CR0_ET		0x10ull
#define DR6_RESET	0xffff0ff0ull
#define DR7_RESET	0x400ull
#define PAT_RESET	0x0007040600070406ull
#define FCW_RESET	0x037fu
#define MXCSR_RESET	0x1f80u

#define EXC_AC		17
#define VMCB_I2_RDPRU	(1u << 14)
#define VMCB_I2_MWAIT_ARMED (1u << 12)
#define VMCB_I3_INVLPGB	(3u << 0)	/* legal and illegal form */
#define VMCB_I3_MCOMMIT	(1u << 3)
#define VMCB_I3_TLBSYNC	(1u << 4)

/* One of each for all guests. Every port exits, and every MSR but those of guest_msr_map(). */
static uint8_t iopm[3 * 4096] __attribute__((aligned(4096)));
static uint8_t msrpm[2 * 4096] __attribute__((aligned(4096)));
static bool ready;

void guest_init(void)
{
	memset(iopm, 0xff, sizeof(iopm));
	memset(msrpm, 0xff, sizeof(msrpm));
	guest_msr_map(msrpm);
	guest_clock_init();
	ready = guest_state_init();
	if (!ready)
		con_printf("this CPU has no XSAVE: it can run the host, but no guests");
}

static void set_segments(struct vmcb *vmcb, struct vmcb_seg code, struct vmcb_seg data)
{
	vmcb->cs = code;
	vmcb->ds = vmcb->es = vmcb->ss = vmcb->fs = vmcb->gs = data;
}

/* As after reset (APM vol. 2, 14.1.3). */
static void vmcb_init(const struct domain *d, struct vmcb *vmcb)
{
	vmcb->intercept1 = VMCB_I1_INTR | VMCB_I1_NMI | VMCB_I1_INIT | VMCB_I1_VINTR | VMCB_I1_RDPMC | VMCB_I1_CPUID |
			   VMCB_I1_INVD | VMCB_I1_HLT | VMCB_I1_INVLPGA | VMCB_I1_IOIO | VMCB_I1_MSR | VMCB_I1_SHUTDOWN;
	vmcb->intercept2 = VMCB_I2_SVM | VMCB_I2_WBINVD | VMCB_I2_MONITOR | VMCB_I2_MWAIT | VMCB_I2_MWAIT_ARMED |
			   VMCB_I2_XSETBV | VMCB_I2_RDPRU;
	vmcb->intercept3 = VMCB_I3_INVLPGB | VMCB_I3_MCOMMIT | VMCB_I3_TLBSYNC;
	/* A guest can make the CPU raise these two without end, with no interrupt in between (CVE-2015-5307, CVE-2015-8104). */
	vmcb->exceptions = 1u << EXC_DB | 1u << EXC_AC;
	vmcb->iopm_pa = virt_to_phys(iopm);
	vmcb->msrpm_pa = virt_to_phys(msrpm);
	vmcb->asid = ASID_GUEST;
	vmcb->np_enable = 1;
	vmcb->nested_cr3 = npt_root(d);
	vmcb->int_ctl = VMCB_INT_MASKING;
	vmcb->g_pat = PAT_RESET;
	vmcb->efer = EFER_SVME;
	vmcb->dr6 = DR6_RESET;
	vmcb->dr7 = DR7_RESET;
	vmcb->rflags = RFLAGS_1;
	vmcb->cr0 = CR0_ET;
	set_segments(vmcb, (struct vmcb_seg){ 0, SEG_CODE16, 0xffff, 0 }, (struct vmcb_seg){ 0, SEG_DATA16, 0xffff, 0 });
	vmcb->gdtr = vmcb->idtr = (struct vmcb_seg){ 0, 0, 0xffff, 0 };
	vmcb->ldtr = (struct vmcb_seg){ 0, SEG_LDT, 0xffff, 0 };
	vmcb->tr = (struct vmcb_seg){ 0, SEG_TSS, 0xffff, 0 };
}

/* x87 and SSE as after reset; XSTATE_BV 0 says that the rest is in its initial state. */
static void fpu_init(void *area)
{
	uint16_t fcw = FCW_RESET;
	uint32_t mxcsr = MXCSR_RESET;

	memcpy(area, &fcw, sizeof(fcw));
	memcpy((char *)area + 24, &mxcsr, sizeof(mxcsr));
}

bool arch_vcpu_create(struct vcpu *v)
{
	const struct arch_vcpu *first = v->dom->vcpu[0].arch;
	struct arch_vcpu *a;
	mfn_t m[4];

	if (!ready)
		return false;
	for (uint32_t i = 0; i < 4; i++)
		if (!core_table_page(v->dom, &m[i]))
			return false;
	a = arch_frame(m[0]);
	a->vmcb = arch_frame(m[1]);
	a->fpu = arch_frame(m[2]);
	a->host_fpu = arch_frame(m[3]);
	/* A guest's time begins here, and is one for all its virtual CPUs. */
	a->clock_base = v->index ? first->clock_base : rdtsc();
	a->vmcb->tsc_offset = v->index ? first->vmcb->tsc_offset : -a->clock_base;
	v->arch = a;
	guest_reset(v);
	return true;
}

void guest_reset(struct vcpu *v)
{
	struct arch_vcpu *a = v->arch;
	uint64_t tsc_offset = a->vmcb->tsc_offset;

	memset(a->vmcb, 0, sizeof(*a->vmcb));
	vmcb_init(v->dom, a->vmcb);
	a->vmcb->tsc_offset = tsc_offset;
	memset(a->fpu, 0, PAGE);
	fpu_init(a->fpu);
	memset(&a->regs, 0, sizeof(a->regs));
	memset(a->dr, 0, sizeof(a->dr));
	a->xcr0 = 1;
	a->tsc_aux = a->spec_ctrl = 0;
	a->clock_msr = a->wall_msr = a->eoi_msr = 0;
	a->eoi_offered = false;
	a->nmi_pending = false;
	a->nmi = NMI_OPEN;
	guest_apic_reset(&a->apic);
	a->last_cpu = UINT32_MAX; /* nothing cached is good any more */
	a->waits = true;
	__atomic_store_n(&a->halted, true, __ATOMIC_SEQ_CST);
}

static void go(struct arch_vcpu *a)
{
	a->waits = false;
	__atomic_store_n(&a->halted, false, __ATOMIC_SEQ_CST);
}

void guest_startup(struct vcpu *v)
{
	struct arch_vcpu *a = v->arch;
	uint32_t vector = __atomic_load_n(&a->startup, __ATOMIC_RELAXED);

	a->vmcb->cs.sel = (uint16_t)(vector << 8);
	a->vmcb->cs.base = vector << 12;
	a->regs.r[R_DX] = guest_cpuid(v, 1, 0).a;
	go(a);
}

void arch_vcpu_entry(struct vcpu *v, uint32_t eip, uint32_t esi)
{
	struct arch_vcpu *a = v->arch;

	a->vmcb->cr0 |= CR0_PE;
	set_segments(a->vmcb, (struct vmcb_seg){ 0x10, SEG_CODE32, ~0u, 0 }, (struct vmcb_seg){ 0x18, SEG_DATA32, ~0u, 0 });
	a->vmcb->gdtr = a->vmcb->idtr = (struct vmcb_seg){ 0, 0, 0, 0 };
	a->vmcb->rip = eip;
	a->regs.r[R_SI] = esi;
	go(a);
}

/* The pages are the core's, which scrubs them. */
void arch_vcpu_destroy(struct vcpu *v)
{
	v->arch = NULL;
}
