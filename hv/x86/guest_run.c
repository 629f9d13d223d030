/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Running a guest's virtual CPU until the host is needed, and who answers which exit. Exits carry all that is needed: no
 * instruction is ever fetched or decoded. What a guest does wrong ends in an exception or in its own end, never in ours.
 */
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define RFLAGS_IF	(1ull << 9)
#define CS_L		(1u << 9)
#define EXC_AC		17
#define SHADOW		1ull
#define SHADOW_KEPT_MAX	8u
#define NMI_EXITS_MAX	32u
#define INT_PRIO(v)	((uint64_t)((v) >> 4) << 16)
#define INT_WINDOW	(VMCB_INT_VIRQ | 0xfull << 16 | 0xffull << 32)

#define SVM_EXIT_EXCP_DB	(SVM_EXIT_EXCP + EXC_DB)
#define SVM_EXIT_EXCP_AC	(SVM_EXIT_EXCP + EXC_AC)
#define SVM_EXIT_WBINVD		0x089
#define SVM_EXIT_MONITOR	0x08a
#define SVM_EXIT_RDPRU		0x08e
#define SVM_EXIT_INVLPGB	0x0a0
#define SVM_EXIT_TLBSYNC	0x0a4

void guest_leave(struct arch_vcpu *a, uint32_t reason)
{
	if (a->leave)
		return;
	a->leave = true;
	a->exit->reason = reason;
}

void arch_vcpu_exit(struct vcpu *v, const struct tsr_run_exit *exit)
{
	struct arch_vcpu *a = v->arch;

	a->leave = true;
	memcpy(a->exit, exit, offsetof(struct tsr_run_exit, console));
}

/* The target CPU keeps the NMI pending while it is in the hypervisor, so one sent at any time ends its next stay inside. */
uint32_t arch_vcpu_kick(struct vcpu *v)
{
	int32_t cpu = __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST);

	if (cpu >= 0 && (uint32_t)cpu != this_cpu()->index)
		nmi_send(cpus[cpu]);
	/* It sets this before it looks a last time for what is pending, so one of the two sees the other. */
	return __atomic_load_n(&v->arch->halted, __ATOMIC_SEQ_CST) ? 1u << v->index : 0;
}

void arch_vcpu_wake(struct vcpu *by, uint32_t set)
{
	if (!set)
		return;
	by->arch->wake |= set;
	guest_leave(by->arch, TSR_RUN_WAKE);
}

static bool stopped(const struct vcpu *v)
{
	return __atomic_load_n(&v->dom->state, __ATOMIC_SEQ_CST) != TSR_GUEST_RUNNING;
}

static void nmi_open(struct arch_vcpu *a)
{
	a->nmi = NMI_OPEN;
	a->vmcb->intercept1 &= ~VMCB_I1_IRET;
}

/* An exception for the guest, with regard to an event that was being delivered: APM vol. 2, 8.2.9. */
static void inject(struct vcpu *v, uint8_t vector, int err)
{
	struct vmcb *vmcb = v->arch->vmcb;
	uint64_t ev = vmcb->event_inj;

	if ((ev & VMCB_EV_VALID) && (ev & VMCB_EV_TYPE) == VMCB_EV_INTR) {
		guest_apic_unaccept(v, (uint8_t)ev);
	} else if ((ev & VMCB_EV_VALID) && (ev & VMCB_EV_TYPE) == VMCB_EV_NMI) {
		nmi_open(v->arch);
		v->arch->nmi_pending = true;
	} else if ((ev & VMCB_EV_VALID) && (ev & VMCB_EV_TYPE) == VMCB_EV_EXCEPTION) {
		if ((uint8_t)ev == EXC_DF) {
			core_guest_ended(v, TSR_END_TRIPLE, 0, 0);
			return;
		}
		vector = EXC_DF;
		err = 0;
	}
	svm_inject(vmcb, vector, err);
}

static void finish(struct vcpu *v, enum guest_verdict verdict, uint32_t len)
{
	if (verdict == G_DONE) {
		svm_skip(v->arch->vmcb, len);
		return;
	}
	core_count(TSR_COUNT_faults_guest);
	__atomic_fetch_add(&v->dom->faults, 1, __ATOMIC_RELAXED);
	inject(v, EXC_GP, 0);
}

/* INT n, INT3 and INTO are repeated by the instruction itself; re-injected they would run twice. */
static void requeue(struct vmcb *vmcb)
{
	uint64_t type, vector;

	svm_requeue(vmcb);
	type = vmcb->event_inj & VMCB_EV_TYPE;
	vector = vmcb->event_inj & 0xff;
	if (type == VMCB_EV_SOFT || (type == VMCB_EV_EXCEPTION && (vector == 3 || vector == 4)))
		vmcb->event_inj = 0;
}

static void exit_cpuid(struct vcpu *v)
{
	uint64_t *r = v->arch->regs.r;
	struct cpuid_regs c = guest_cpuid(v, (uint32_t)r[R_AX], (uint32_t)r[R_CX]);

	r[R_AX] = c.a;
	r[R_BX] = c.b;
	r[R_CX] = c.c;
	r[R_DX] = c.d;
	finish(v, G_DONE, 2);
}

static void exit_msr(struct vcpu *v)
{
	uint64_t *r = v->arch->regs.r, val = 0;
	uint32_t msr = (uint32_t)r[R_CX];
	enum guest_verdict verdict;

	if (v->arch->vmcb->info1 & 1) {
		verdict = guest_wrmsr(v, msr, (uint32_t)r[R_AX] | r[R_DX] << 32);
	} else {
		verdict = guest_rdmsr(v, msr, &val);
		if (verdict == G_DONE) {
			r[R_AX] = (uint32_t)val;
			r[R_DX] = val >> 32;
		}
	}
	finish(v, verdict, 2);
}

static void exit_io(struct vcpu *v)
{
	struct vmcb *vmcb = v->arch->vmcb;
	uint64_t *r = v->arch->regs.r;
	uint32_t info = (uint32_t)vmcb->info1, size = IOIO_SIZE(info), val = (uint32_t)r[R_AX];
	uint32_t mask = size == 4 ? ~0u : (1u << (8 * size)) - 1;

	/* INS and OUTS need the guest's memory: not offered. */
	if (info & IOIO_STR) {
		finish(v, G_GP, 0);
		return;
	}
	if (info & IOIO_IN) {
		guest_in(v, IOIO_PORT(info), size, &val);
		r[R_AX] = size == 4 ? val : (r[R_AX] & ~(uint64_t)mask) | (val & mask);
	} else if (guest_out(v, IOIO_PORT(info), size, val & mask) == G_AGAIN) {
		return;
	}
	/* info2 is the next instruction: APM vol. 2, 15.10.2. */
	vmcb->rip = vmcb->next_rip = vmcb->info2;
	finish(v, G_DONE, 0);
}

static void exit_npf(struct vcpu *v)
{
	const struct vmcb *vmcb = v->arch->vmcb;
	uint8_t want = vmcb->info1 & NPF_WRITE ? PERM_W : vmcb->info1 & NPF_FETCH ? PERM_X : PERM_R;

	/* On FAULT_RETRY the instruction, or the event in delivery, is simply tried again. */
	if (core_nested_fault(v, gfn(vmcb->info2 / PAGE), want) == FAULT_FORBIDDEN)
		inject(v, EXC_GP, 0);
}

static void exit_vmmcall(struct vcpu *v)
{
	const struct vmcb *vmcb = v->arch->vmcb;
	bool code64 = (vmcb->efer & EFER_LMA) && (vmcb->cs.attr & CS_L);
	uint64_t *r = v->arch->regs.r, mask = code64 ? ~0ull : UINT32_MAX;
	struct hypercall call = { .nr = r[R_AX] & mask, .a0 = r[R_DI] & mask, .a1 = r[R_SI] & mask,
				  .a2 = r[R_DX] & mask };

	if (vmcb->cpl) {
		inject(v, EXC_UD, -1);
		return;
	}
	core_hypercall(v, &call);
	r[R_AX] = (uint64_t)call.status;
	r[R_DX] = call.value;
	finish(v, G_DONE, 3);
}

static void exit_xsetbv(struct vcpu *v)
{
	const uint64_t *r = v->arch->regs.r;
	bool ok = (uint32_t)r[R_CX] == 0 && guest_xsetbv(v->arch, (uint32_t)r[R_AX] | r[R_DX] << 32);

	finish(v, ok ? G_DONE : G_GP, 3);
}

/* After an exit: was the virtual interrupt taken? One whose delivery was cut short is in event_inj now. */
static void run_settle(struct vcpu *v)
{
	struct arch_vcpu *a = v->arch;
	uint64_t ev = a->vmcb->event_inj;

	if (a->offered && (a->vmcb->int_ctl & VMCB_INT_VIRQ) &&
	    ev != (VMCB_EV_VALID | VMCB_EV_INTR | a->offered))
		guest_apic_unaccept(v, a->offered);
	a->vmcb->int_ctl &= ~INT_WINDOW;
	a->offered = 0;
}

static void handle_exit(struct vcpu *v)
{
	struct arch_vcpu *a = v->arch;
	uint32_t code = (uint32_t)a->vmcb->exit_code;

	requeue(a->vmcb);
	guest_eoi_take(v);
	run_settle(v);
	if (a->nmi == NMI_IRET && a->vmcb->rip != a->iret_rip)
		nmi_open(a);
	core_count(TSR_COUNT_exits_guest);
	__atomic_fetch_add(&v->dom->exits, 1, __ATOMIC_RELAXED);
	switch (code) {
	case SVM_EXIT_INTR:
#ifndef TSR_TEST_NO_LEAVE
		guest_leave(a, TSR_RUN_INTR);
#endif
		break;
	case SVM_EXIT_NMI:
		/* Goes before the host's interrupts: other virtual CPUs must not keep those out by their kicks. */
		if (++a->nmi_exits == NMI_EXITS_MAX)
			guest_leave(a, TSR_RUN_INTR);
		break;
	case SVM_EXIT_INIT:
	case SVM_EXIT_VINTR: /* the window for what run_prepare() could not deliver is open */
		break;
	case SVM_EXIT_CPUID:
		exit_cpuid(v);
		break;
	case SVM_EXIT_MSR:
		exit_msr(v);
		break;
	case SVM_EXIT_IOIO:
		exit_io(v);
		break;
	case SVM_EXIT_IRET:
		/* Not executed yet: what comes before it is does not open the way for the next NMI. */
		a->vmcb->intercept1 &= ~VMCB_I1_IRET;
		a->nmi = NMI_IRET;
		a->iret_rip = a->vmcb->rip;
		break;
	case SVM_EXIT_HLT:
		svm_skip(a->vmcb, 1);
		__atomic_store_n(&a->halted, true, __ATOMIC_SEQ_CST);
		break;
	case SVM_EXIT_NPF:
		exit_npf(v);
		break;
	case SVM_EXIT_VMMCALL:
		exit_vmmcall(v);
		break;
	case SVM_EXIT_XSETBV:
		exit_xsetbv(v);
		break;
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
		/* No device of a guest looks past the caches, and dropping lines could undo others' stores. */
		finish(v, G_DONE, 2);
		break;
	case SVM_EXIT_RDPMC:
		finish(v, G_GP, 0);
		break;
	case SVM_EXIT_EXCP_DB:
		inject(v, EXC_DB, -1);
		break;
	case SVM_EXIT_EXCP_AC:
		inject(v, EXC_AC, 0);
		break;
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMRUN + 2 ... SVM_EXIT_SKINIT:
	case SVM_EXIT_MONITOR ... SVM_EXIT_MONITOR + 2:
	case SVM_EXIT_RDPRU:
	case SVM_EXIT_INVLPGB ... SVM_EXIT_TLBSYNC:
		inject(v, EXC_UD, -1);
		break;
	case SVM_EXIT_SHUTDOWN:
#ifdef TSR_TEST_NO_END
		/* What it injects again comes before any interrupt, so nothing else would let the host back in. */
		guest_leave(a, TSR_RUN_INTR);
#else
		core_guest_ended(v, TSR_END_TRIPLE, 0, 0);
#endif
		break;
	default: /* SVM_EXIT_INVALID, and what was never asked for */
		core_guest_ended(v, TSR_END_INVALID, code, 0);
	}
}

/* Is vector, out of guest_apic_next(), above the task priority, and does the CPU listen? */
static bool deliverable(const struct vmcb *vmcb, uint8_t vector)
{
	return vector && (vmcb->rflags & RFLAGS_IF) && vector >> 4 > (vmcb->int_ctl & 0xf);
}

/*
 * Has the CPU deliver vector as a virtual interrupt, or, where it cannot take it yet, exit as soon as it could. Not by EVENTINJ: QEMU
 * 7.2 keeps such a vector as a pending exception and raises it once more when another CPU stops it for a moment.
 */
static void run_prepare(struct vcpu *v, uint8_t vector)
{
	struct arch_vcpu *a = v->arch;
	struct vmcb *vmcb = a->vmcb;

	vmcb->int_ctl &= ~INT_WINDOW;
	vmcb->intercept1 |= VMCB_I1_VINTR;
	if (a->nmi_pending && a->nmi == NMI_OPEN && !(vmcb->int_state & SHADOW) && !(vmcb->event_inj & VMCB_EV_VALID)) {
		vmcb->event_inj = VMCB_EV_VALID | VMCB_EV_NMI | 2;
		vmcb->intercept1 |= VMCB_I1_IRET;
		a->nmi_pending = false;
		a->nmi = NMI_BLOCKED;
	}
	/*
	 * In an interrupt shadow nothing is offered, not even a window: QEMU 7.2 forgets the shadow at VMRUN, and an interrupt between STI and HLT
	 * would leave the guest asleep. The HLT's own exit, or the host's next interrupt, looks again.
	 */
	if (!vector || (vmcb->int_state & SHADOW))
		return;
	vmcb->int_ctl |= VMCB_INT_VIRQ | INT_PRIO(vector) | VMCB_INT_VECTOR(vector);
	if (deliverable(vmcb, vector) && !(vmcb->event_inj & VMCB_EV_VALID)) {
		vmcb->intercept1 &= ~VMCB_I1_VINTR;
		guest_apic_accept(v, vector);
		a->offered = vector;
	}
}

/*
 * Takes what other virtual CPUs asked of this one. A reset waits for the next run where the state is still in the CPU; so does all else
 * where something came just now. One that is about to wait is marked halted first: see arch_vcpu_kick().
 */
static void take_signals(struct vcpu *v, bool loaded)
{
	struct arch_vcpu *a = v->arch;
	uint32_t s = __atomic_load_n(&a->signals, __ATOMIC_SEQ_CST);

	if (!s)
		return;
	if ((s & SIGNAL_INIT) && !loaded)
		__atomic_store_n(&a->halted, true, __ATOMIC_SEQ_CST);
	if (((s & SIGNAL_INIT) && loaded) ||
	    !__atomic_compare_exchange_n(&a->signals, &s, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		guest_leave(a, TSR_RUN_INTR);
		return;
	}
	if (s & SIGNAL_INIT)
		guest_reset(v);
	if ((s & SIGNAL_STARTUP) && a->waits)
		guest_startup(v);
	if ((s & SIGNAL_NMI) && !a->waits)
		a->nmi_pending = true;
}

/* Says whether the virtual CPU is to be run: not when stopped, when a run was ended, or when it sleeps on. */
static bool run_wanted(struct vcpu *v, bool loaded, uint8_t *vector)
{
	struct arch_vcpu *a = v->arch;

	take_signals(v, loaded);
	guest_apic_collect(v);
	if (a->leave || stopped(v))
		return false;
	*vector = guest_apic_next(v);
	if (a->halted) {
		if (a->waits || (!deliverable(a->vmcb, *vector) && !(a->nmi_pending && a->nmi == NMI_OPEN))) {
			guest_leave(a, TSR_RUN_HALT);
			return false;
		}
		__atomic_store_n(&a->halted, false, __ATOMIC_SEQ_CST);
	}
	return true;
}

/*
 * QEMU 7.2 forgets the interrupt shadow at VMRUN, so an exit before the next instruction, for an interrupt of the host's, does not show it any
 * more: it is still on where RIP stands still. Bounded, since RIP also stands still in a jump to itself.
 */
static void run_step(struct cpu *c, struct vcpu *v)
{
	struct vmcb *vmcb = v->arch->vmcb;
	uint64_t rip = vmcb->int_state & SHADOW ? vmcb->rip : ~vmcb->rip;

	container_run(c, v->dom, vmcb, &v->arch->regs);
	if (vmcb->rip == rip && v->arch->shadow_kept < SHADOW_KEPT_MAX) {
		vmcb->int_state |= SHADOW;
		v->arch->shadow_kept++;
	} else {
		v->arch->shadow_kept = 0;
	}
}

/* A deadline in the host's TSC, whatever the host has made of that; 0 stays 0. */
static uint64_t host_time(const struct cpu *c, uint64_t deadline)
{
	uint64_t now = rdtsc(), then = now + c->vmcb->tsc_offset;

	if (deadline <= now)
		return deadline ? then : 0;
	return deadline - now > UINT64_MAX - then ? UINT64_MAX : then + (deadline - now);
}

void arch_vcpu_run(struct vcpu *v, struct tsr_run_exit *exit)
{
	struct arch_vcpu *a = v->arch;
	struct cpu *c = this_cpu();
	bool loaded = false;
	uint8_t vector = 0;

	memset(exit, 0, offsetof(struct tsr_run_exit, console));
	a->exit = exit;
	a->leave = false;
	a->nmi_exits = 0;
	while (run_wanted(v, loaded, &vector)) {
		if (!loaded) {
			guest_state_load(a);
			loaded = true;
			/* What it once left in this CPU's TLB may be old; so may another virtual CPU's. */
			if (a->last_cpu != c->index || c->tlb_vcpu != v)
				c->tlb_guest = 0;
			a->last_cpu = c->index;
			c->tlb_vcpu = v;
		}
		run_prepare(v, vector);
		guest_eoi_offer(v);
		run_step(c, v);
		handle_exit(v);
		if (c->nmi_host)
			guest_leave(a, TSR_RUN_INTR);
	}
	if (loaded)
		guest_state_store(a);
	if (stopped(v))
		exit->reason = TSR_RUN_ENDED;
	exit->deadline = host_time(c, a->apic.deadline);
	a->told = a->apic.deadline;
	exit->wake = a->wake;
	a->wake = 0;
	a->exit = NULL;
}
