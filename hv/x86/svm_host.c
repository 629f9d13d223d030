/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The host's virtual CPUs on SVM: entry state, the exit loop, and who answers which exit. */
#include "hv/x86/host.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define SEG_CODE32	0xc9b
#define SEG_DATA32	0xc93
#define SEG_CODE16	0x09b
#define SEG_DATA16	0x093
#define SEG_LDT		0x082
#define SEG_TSS		0x08b
#define CS_L		(1u << 9)
#define CS_D		(1u << 10)
#define RFLAGS_1	0x2ull
#define RFLAGS_VM	(1ull << 17)
#define CR0_PE		1ull
#define DR6_RESET	0xffff0ff0ull
#define DR7_RESET	0x400ull
#define PAT_RESET	0x0007040600070406ull
#define INVALID_MAX	3u

static uint8_t *iopm, *msrpm;

/* MSRPM (APM vol. 2, 15.11): two bits an MSR, three ranges of 8192; outside them every access exits. */
static void fill_msrpm(void)
{
	static const uint32_t base[3] = { 0, 0xc0000000, 0xc0010000 };

	for (uint32_t r = 0; r < 3; r++)
		for (uint32_t i = 0; i < 8192;) {
			struct msr_rules rules = guard_msr_rules(base[r] + i);
			uint32_t exits = (rules.read != MSR_PASS) | (uint32_t)(rules.write != MSR_PASS) << 1;

			for (; i < 8192 && base[r] + i <= rules.last; i++)
				msrpm[(r * 8192 + i) / 4] |= (uint8_t)(exits << i % 4 * 2);
		}
}

static void build_maps(void)
{
	iopm = boot_alloc(3);
	msrpm = boot_alloc(2);
	fill_msrpm();
	guard_port_map(iopm);
	/* The bits behind port 0xffff are read for accesses that cross the end. */
	iopm[8192] = 0xff;
}

static void vmcb_common(struct vmcb *v)
{
	memset(v, 0, sizeof(*v));
	v->intercept1 = VMCB_I1_NMI | VMCB_I1_INIT | VMCB_I1_CPUID | VMCB_I1_INVD | VMCB_I1_INVLPGA |
			VMCB_I1_IOIO | VMCB_I1_MSR | VMCB_I1_SHUTDOWN;
	v->intercept2 = VMCB_I2_SVM;
	v->iopm_pa = virt_to_phys(iopm);
	v->msrpm_pa = virt_to_phys(msrpm);
	v->asid = ASID_HOST;
	v->np_enable = 1;
	v->nested_cr3 = npt_root(core_host());
	v->g_pat = PAT_RESET;
	v->efer = EFER_SVME;
	v->dr6 = DR6_RESET;
	v->dr7 = DR7_RESET;
	v->rflags = RFLAGS_1;
	v->ldtr = (struct vmcb_seg){ 0, SEG_LDT, 0xffff, 0 };
	v->tr = (struct vmcb_seg){ 0, SEG_TSS, 0xffff, 0 };
}

static void set_data_segments(struct vmcb *v, struct vmcb_seg s)
{
	v->ds = v->es = v->ss = v->fs = v->gs = s;
}

/* Divide error, invalid TSS to #GP, #PF: a #GP on the way to their handlers is a double fault (APM vol. 2, 8.2.9). */
#define CONTRIBUTORY	(1u << 0 | 0xfu << 10 | 1u << 14)

static void inject_gp(struct vmcb *v)
{
	uint64_t ev = v->event_inj;

	if (!(ev & VMCB_EV_VALID) || (ev & VMCB_EV_TYPE) != VMCB_EV_EXCEPTION || (ev & 0xff) > 31)
		svm_inject(v, EXC_GP, 0);
	else if ((ev & 0xff) == EXC_DF)
		machine_reset("the host's processor shut down (triple fault)");
	else
		svm_inject(v, (CONTRIBUTORY >> (ev & 0xff)) & 1 ? EXC_DF : EXC_GP, 0);
}

static void apply(struct vmcb *v, enum verdict verdict, uint32_t len)
{
	if (verdict == V_DONE)
		svm_skip(v, len);
	else if (verdict == V_GP)
		inject_gp(v);
}

static void exit_cpuid(struct cpu *c, struct vmcb *v)
{
	struct cpuid_regs r = guard_cpuid((uint32_t)c->regs.r[R_AX], (uint32_t)c->regs.r[R_CX], v->cr4);

	c->regs.r[R_AX] = r.a;
	c->regs.r[R_BX] = r.b;
	c->regs.r[R_CX] = r.c;
	c->regs.r[R_DX] = r.d;
	svm_skip(v, 2);
}

#define EFER_HOST	(EFER_SCE | EFER_LME | EFER_NXE | EFER_FFXSR | EFER_TCE)

/* EFER lives in the VMCB; SVME must stay set there and stays invisible. */
static enum verdict write_efer(struct vmcb *v, uint64_t val)
{
	uint64_t ok = EFER_HOST;

	if (!(cpuid(0x80000001, 0).d & (1u << 25)))
		ok &= ~(uint64_t)EFER_FFXSR;
	if (!(cpuid(0x80000001, 0).c & (1u << 17)))
		ok &= ~(uint64_t)EFER_TCE;
	if (val & ~(ok | EFER_LMA))
		return V_GP;
	if (((val ^ v->efer) & EFER_LME) && (v->cr0 & (1u << 31)))
		return V_GP;
	v->efer = (val & ok) | EFER_SVME | (v->efer & EFER_LMA);
	return V_DONE;
}

static void exit_msr(struct cpu *c, struct vmcb *v)
{
	uint32_t msr = (uint32_t)c->regs.r[R_CX];
	enum verdict verdict;
	uint64_t val;

	if (v->info1 & 1) {
		val = (uint32_t)c->regs.r[R_AX] | c->regs.r[R_DX] << 32;
		if (msr == MSR_EFER) {
			verdict = write_efer(v, val);
		} else if (msr == MSR_TSC) {
			v->tsc_offset = val - rdtsc();
			verdict = V_DONE;
		} else {
			verdict = guard_wrmsr(c, msr, val);
		}
	} else {
		verdict = V_DONE;
		if (msr == MSR_EFER)
			val = v->efer & ~(uint64_t)EFER_SVME;
		else if (msr == MSR_TSC)
			val = rdtsc() + v->tsc_offset;
		else
			verdict = guard_rdmsr(c, msr, &val);
		if (verdict == V_DONE) {
			c->regs.r[R_AX] = (uint32_t)val;
			c->regs.r[R_DX] = val >> 32;
		}
	}
	if (verdict == V_GP) {
		core_count(TSR_COUNT_faults_msr);
		refuse_log(c, v->rip, v->info1 & 1 ? "write of MSR" : "read of MSR", msr);
	}
	apply(v, verdict, 2);
}

static void exit_io(struct cpu *c, struct vmcb *v)
{
	uint32_t info = (uint32_t)v->info1, size = IOIO_SIZE(info), val = (uint32_t)c->regs.r[R_AX];
	uint32_t mask = size == 4 ? ~0u : (1u << (8 * size)) - 1;
	bool in = info & IOIO_IN;
	enum verdict verdict = V_GP;

	val &= mask;
	if (!(info & IOIO_STR))
		verdict = guard_port(c, IOIO_PORT(info), in, size, &val);
	if (verdict != V_DONE) {
		core_count(TSR_COUNT_faults_port);
		refuse_log(c, v->rip, in ? "read of port" : "write of port", IOIO_PORT(info));
		inject_gp(v);
		return;
	}
	if (in) {
		if (size == 4)
			c->regs.r[R_AX] = val;
		else
			c->regs.r[R_AX] = (c->regs.r[R_AX] & ~(uint64_t)mask) | (val & mask);
	}
	v->rip = v->info2;
	svm_skip(v, 0);
}

static void exit_npf(struct cpu *c, struct vmcb *v)
{
	uint64_t gpa = v->info2;
	bool write = v->info1 & NPF_WRITE;
	uint8_t want = write ? PERM_W : v->info1 & NPF_FETCH ? PERM_X : PERM_R;
	struct host_state s = { .rip = v->rip, .cr0 = v->cr0, .cr3 = v->cr3, .cr4 = v->cr4, .efer = v->efer,
				.cs_base = v->cs.base, .cpl = v->cpl };
	enum verdict verdict;
	uint32_t len = 0;

	s.code64 = (v->efer & EFER_LMA) && (v->cs.attr & CS_L);
	s.code32 = !s.code64 && (v->cs.attr & CS_D);
	if (mem_is_ram(gpa & ~(PAGE - 1), PAGE)) {
		verdict = core_nested_fault(&core_host()->vcpu[c->index], gfn(gpa / PAGE), want) == FAULT_RETRY ?
			  V_RETRY : V_GP;
	} else {
		/* A page-table walk into device memory is nothing the host's kernel does. */
		verdict = v->info1 & NPF_WALK ? V_GP : guard_mmio(c, &s, gpa, write, &len);
		if (verdict == V_GP)
			core_count(TSR_COUNT_faults_memory);
	}
	if (verdict == V_GP)
		refuse_log(c, v->rip, want == PERM_W ? "write of address" : want == PERM_X ? "execution of address" :
			   "read of address", gpa);
	apply(v, verdict, len);
}

static void exit_vmmcall(struct cpu *c, struct vmcb *v)
{
	struct hypercall call = { .nr = c->regs.r[R_AX], .a0 = c->regs.r[R_DI], .a1 = c->regs.r[R_SI],
				  .a2 = c->regs.r[R_DX] };

#ifndef TSR_TEST_NO_PROTECT
	if (v->cpl) {
		svm_inject(v, EXC_UD, -1);
		return;
	}
#endif
	core_hypercall(&core_host()->vcpu[c->index], &call);
	c->regs.r[R_AX] = (uint64_t)call.status;
	c->regs.r[R_DX] = call.value;
	svm_skip(v, 3);
}

/*
 * The host's NMIs, one at a time: the next waits until the handler of the one before has executed its IRET (APM vol. 2, 8.2.3), or its frame
 * would be overwritten while in use. The processor does not keep count when NMIs are intercepted: the IRET is, and is stepped over.
 */
static bool nmi_open(const struct vmcb *v)
{
	return !(v->intercept1 & VMCB_I1_IRET) && !(v->exceptions & (1u << EXC_DB));
}

static void nmi_inject(struct vmcb *v)
{
	v->event_inj = VMCB_EV_VALID | VMCB_EV_NMI | 2;
	v->intercept1 |= VMCB_I1_IRET;
	core_count(TSR_COUNT_nmis_forwarded);
}

static void nmi_step(struct cpu *c, struct vmcb *v)
{
	v->intercept1 &= ~VMCB_I1_IRET;
	v->exceptions |= 1u << EXC_DB;
	c->steps = v->rflags & RFLAGS_TF;
	v->rflags |= RFLAGS_TF;
}

static void nmi_stepped(struct cpu *c, struct vmcb *v)
{
	v->exceptions &= ~(1u << EXC_DB);
	if (c->steps)
		svm_inject(v, EXC_DB, -1);
	else
		v->dr6 &= ~DR6_BS;
}

/* A VMCB whose RIP or CR3 is ours would mean that the switch itself went wrong: stop, do not run it. */
static void check_sane(const struct vmcb *v)
{
	if (v->cr3 == hv_cr3 || (v->efer & EFER_SVME) == 0)
		panic("hypervisor state in the host's VMCB: cpu %u rip %lx cr3 %lx exit %lx info %lx %lx event %lx %lx", this_cpu()->index,
		      v->rip, v->cr3, v->exit_code, v->info1, v->info2, v->exit_int_info, v->event_inj);
}

static void host_exit(struct cpu *c)
{
	struct vmcb *v = c->vmcb;
	uint32_t code = (uint32_t)v->exit_code;

	svm_requeue(v);
	c->rip = v->rip;
	core_count(TSR_COUNT_exits_host);
	check_sane(v);
	if (code != SVM_EXIT_INVALID)
		c->invalid = 0;
	switch (code) {
	case SVM_EXIT_NMI:
	case SVM_EXIT_INIT:
		break;
	case SVM_EXIT_IRET:
		nmi_step(c, v);
		break;
	case SVM_EXIT_EXCP + EXC_DB:
		nmi_stepped(c, v);
		break;
	case SVM_EXIT_CPUID:
		exit_cpuid(c, v);
		break;
	case SVM_EXIT_MSR:
		exit_msr(c, v);
		break;
	case SVM_EXIT_IOIO:
		exit_io(c, v);
		break;
	case SVM_EXIT_NPF:
		exit_npf(c, v);
		break;
	case SVM_EXIT_VMMCALL:
		exit_vmmcall(c, v);
		break;
	case SVM_EXIT_INVD:
		/* Dropping dirty lines could undo our own stores. */
		asm volatile("wbinvd" : : : "memory");
		svm_skip(v, 2);
		break;
	case SVM_EXIT_SHUTDOWN:
		machine_reset("the host's processor shut down (triple fault)");
	case SVM_EXIT_INVALID:
		/* QEMU ends so on a reserved CR4 bit; on hardware it is #GP. */
		if (++c->invalid > INVALID_MAX)
			machine_reset("the host's processor state became invalid");
		inject_gp(v);
		break;
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMRUN + 2 ... SVM_EXIT_SKINIT:
		svm_inject(v, EXC_UD, -1);
		break;
	default:
		panic("unexpected exit %lx of the host, info %lx %lx, rip %lx", v->exit_code, v->info1, v->info2,
		      v->rip);
	}
}

static _Noreturn void host_loop(struct cpu *c)
{
	struct domain *host = core_host();

	for (;;) {
		if (c->init)
			cpu_park();
		if (c->nmi_host && nmi_open(c->vmcb)) {
			if (!(c->vmcb->event_inj & VMCB_EV_VALID)) {
				__atomic_store_n(&c->nmi_host, false, __ATOMIC_SEQ_CST);
				nmi_inject(c->vmcb);
			} else {
				/* Another event goes first; come back right after it. */
				nmi_send(c);
			}
		}
		container_run(c, host, c->vmcb, &c->regs);
		host_exit(c);
	}
}

_Noreturn void svm_host_start_boot(struct cpu *c, uint32_t eip, uint32_t esi, uint32_t gdt, uint32_t gdt_limit)
{
	struct vmcb *v = c->vmcb;

	build_maps();
	vmcb_common(v);
	v->cs = (struct vmcb_seg){ 0x10, SEG_CODE32, ~0u, 0 };
	set_data_segments(v, (struct vmcb_seg){ 0x18, SEG_DATA32, ~0u, 0 });
	v->gdtr = (struct vmcb_seg){ 0, 0, gdt_limit, gdt };
	v->cr0 = 0x11;
	v->rip = eip;
	c->regs.r[R_SI] = esi;
	asm volatile("clgi");
	svm_load_extra(v);
	host_loop(c);
}

/* State after INIT, APM vol. 2, 14.1.3, at the SIPI's vector. */
_Noreturn void svm_host_start_ap(struct cpu *c, uint32_t vector)
{
	struct vmcb *v = c->vmcb;
	uint64_t tsc_offset = v->tsc_offset;

	vmcb_common(v);
	v->tsc_offset = tsc_offset; /* the one register that INIT leaves alone */
	memset(&c->regs, 0, sizeof(c->regs));
	v->cs = (struct vmcb_seg){ (uint16_t)(vector << 8), SEG_CODE16, 0xffff, vector << 12 };
	set_data_segments(v, (struct vmcb_seg){ 0, SEG_DATA16, 0xffff, 0 });
	v->gdtr = v->idtr = (struct vmcb_seg){ 0, 0, 0xffff, 0 };
	v->cr0 = 0x60000010;
	c->regs.r[R_DX] = cpuid(1, 0).a;
	svm_load_extra(v);
	host_loop(c);
}
