/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Numbers shared by assembly and C: selectors, control registers, stacks. */
#ifndef HV_X86_LAYOUT_H
#define HV_X86_LAYOUT_H

#define SEL_CODE	0x08
#define SEL_DATA	0x10

/* APM vol. 2, 3.1: control registers the hypervisor itself runs with. */
#define CR0_HV		0x80010033	/* PG WP NE ET MP PE */
#define CR4_HV		0x00000020	/* PAE */
#define MSR_EFER	0xc0000080
#define EFER_SCE	(1 << 0)
#define EFER_LME	(1 << 8)
#define EFER_LMA	(1 << 10)
#define EFER_NXE	(1 << 11)
#define EFER_SVME	(1 << 12)
#define EFER_FFXSR	(1 << 14)
#define EFER_TCE	(1 << 15)

/* Each CPU's stack is aligned to its size; struct cpu sits at its top, CPU_RESERVE bytes. */
#define STACK_SIZE	32768
#define CPU_RESERVE	4096

#endif
