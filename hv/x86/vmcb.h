/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The VMCB, APM vol. 2, appendix B, and the numbers that go with it. */
#ifndef HV_X86_VMCB_H
#define HV_X86_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_seg {
	uint16_t sel;
	uint16_t attr;		/* descriptor bits 55:52 and 47:40 packed to 12 bits */
	uint32_t limit;
	uint64_t base;
};

struct vmcb {
	uint16_t cr_read, cr_write, dr_read, dr_write;
	uint32_t exceptions;
	uint32_t intercept1;	/* VMCB_I1_* */
	uint32_t intercept2;	/* VMCB_I2_* */
	uint32_t intercept3;	/* VMCB_I3_* */
	uint8_t rsvd018[0x3c - 0x18];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm_pa, msrpm_pa, tsc_offset;
	uint32_t asid;
	uint8_t tlb_ctl;	/* VMCB_TLB_* */
	uint8_t rsvd05d[3];
	uint64_t int_ctl;	/* VMCB_INT_* */
	uint64_t int_state;	/* bit 0: interrupt shadow */
	uint64_t exit_code, info1, info2;
	uint64_t exit_int_info;	/* as event_inj */
	uint64_t np_enable;	/* bit 0 */
	uint8_t rsvd098[0xa8 - 0x98];
	uint64_t event_inj;	/* VMCB_EV_*, error code in the upper half */
	uint64_t nested_cr3;
	uint64_t lbr_ctl;
	uint32_t clean, rsvd0c4;
	uint64_t next_rip;	/* only with NRIP save */
	uint8_t insn_len;	/* only with decode assists */
	uint8_t insn[15];
	uint8_t rsvd0e0[0x400 - 0xe0];

	struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t rsvd4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint8_t rsvd4cc[4];
	uint64_t efer;
	uint8_t rsvd4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t rsvd580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t rsvd5e0[0x5f8 - 0x5e0];
	uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t rsvd648[0x668 - 0x648];
	uint64_t g_pat, dbgctl, br_from, br_to, excp_from, excp_to;
	uint8_t rsvd698[0x1000 - 0x698];
} __attribute__((packed, aligned(4096)));

_Static_assert(offsetof(struct vmcb, iopm_pa) == 0x40, "VMCB layout");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "VMCB layout");
_Static_assert(offsetof(struct vmcb, np_enable) == 0x90, "VMCB layout");
_Static_assert(offsetof(struct vmcb, nested_cr3) == 0xb0, "VMCB layout");
_Static_assert(offsetof(struct vmcb, insn) == 0xd1, "VMCB layout");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB layout");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "VMCB layout");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "VMCB layout");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "VMCB layout");
_Static_assert(offsetof(struct vmcb, g_pat) == 0x668, "VMCB layout");
_Static_assert(sizeof(struct vmcb) == 4096, "VMCB layout");

#define VMCB_I1_INTR		(1u << 0)
#define VMCB_I1_NMI		(1u << 1)
#define VMCB_I1_SMI		(1u << 2)
#define VMCB_I1_INIT		(1u << 3)
#define VMCB_I1_VINTR		(1u << 4)
#define VMCB_I1_RDPMC		(1u << 15)
#define VMCB_I1_CPUID		(1u << 18)
#define VMCB_I1_IRET		(1u << 20)
#define VMCB_I1_INVD		(1u << 22)
#define VMCB_I1_HLT		(1u << 24)
#define VMCB_I1_INVLPGA		(1u << 26)
#define VMCB_I1_IOIO		(1u << 27)
#define VMCB_I1_MSR		(1u << 28)
#define VMCB_I1_TASK		(1u << 29)
#define VMCB_I1_SHUTDOWN	(1u << 31)
#define VMCB_I2_VMRUN		(1u << 0)
#define VMCB_I2_VMMCALL		(1u << 1)
#define VMCB_I2_VMLOAD		(1u << 2)
#define VMCB_I2_VMSAVE		(1u << 3)
#define VMCB_I2_STGI		(1u << 4)
#define VMCB_I2_CLGI		(1u << 5)
#define VMCB_I2_SKINIT		(1u << 6)
#define VMCB_I2_RDTSCP		(1u << 7)
#define VMCB_I2_WBINVD		(1u << 9)
#define VMCB_I2_MONITOR		(1u << 10)
#define VMCB_I2_MWAIT		(1u << 11)
#define VMCB_I2_XSETBV		(1u << 13)
/* Every SVM instruction: VMRUN through SKINIT. VMMCALL is the hypercall. */
#define VMCB_I2_SVM		0x7fu

#define VMCB_TLB_NONE		0
#define VMCB_TLB_ALL		1

#define VMCB_INT_TPR		0xffull
#define VMCB_INT_VIRQ		(1ull << 8)
#define VMCB_INT_IGN_TPR	(1ull << 20)
#define VMCB_INT_MASKING	(1ull << 24)
#define VMCB_INT_VECTOR(v)	((uint64_t)(v) << 32)

#define VMCB_EV_VALID		(1ull << 31)
#define VMCB_EV_ERROR		(1ull << 11)
#define VMCB_EV_INTR		(0ull << 8)
#define VMCB_EV_NMI		(2ull << 8)
#define VMCB_EV_EXCEPTION	(3ull << 8)
#define VMCB_EV_SOFT		(4ull << 8)
#define VMCB_EV_TYPE		(7ull << 8)

#define SVM_EXIT_CR0_READ	0x000
#define SVM_EXIT_EXCP		0x040
#define SVM_EXIT_INTR		0x060
#define SVM_EXIT_NMI		0x061
#define SVM_EXIT_SMI		0x062
#define SVM_EXIT_INIT		0x063
#define SVM_EXIT_VINTR		0x064
#define SVM_EXIT_RDPMC		0x06f
#define SVM_EXIT_CPUID		0x072
#define SVM_EXIT_IRET		0x074
#define SVM_EXIT_INVD		0x076
#define SVM_EXIT_HLT		0x078
#define SVM_EXIT_INVLPGA	0x07a
#define SVM_EXIT_IOIO		0x07b
#define SVM_EXIT_MSR		0x07c
#define SVM_EXIT_SHUTDOWN	0x07f
#define SVM_EXIT_VMRUN		0x080
#define SVM_EXIT_VMMCALL	0x081
#define SVM_EXIT_SKINIT		0x086
#define SVM_EXIT_RDTSCP		0x087
#define SVM_EXIT_XSETBV		0x08d
#define SVM_EXIT_NPF		0x400
/* All of 64 bits on hardware; QEMU writes 32, so compare the low half. */
#define SVM_EXIT_INVALID	0xffffffffu

/* info1 of a nested page fault, APM vol. 2, 15.25.6 */
#define NPF_PRESENT		(1ull << 0)
#define NPF_WRITE		(1ull << 1)
#define NPF_FETCH		(1ull << 4)
#define NPF_FINAL		(1ull << 32)
#define NPF_WALK		(1ull << 33)

/* info1 of IOIO, APM vol. 2, 15.10.2 */
#define IOIO_IN			(1u << 0)
#define IOIO_STR		(1u << 2)
#define IOIO_REP		(1u << 3)
#define IOIO_SIZE(i)		(((i) >> 4) & 7)	/* bytes */
#define IOIO_PORT(i)		((uint16_t)((i) >> 16))

#endif
