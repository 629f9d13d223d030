/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "hv/x86/layout.h"
/*
 * void svm_run(uint64_t vmcb_pa, struct vcpu_regs *regs)
 *
 * One VMRUN (APM vol. 2, 15.5). GIF is 0 before and after. RAX and RSP travel in
 * the VMCB, everything else in *regs by x86 register number. Interrupts are
 * opened just before VMRUN so that the saved RFLAGS.IF lets an INTR intercept
 * work under V_INTR_MASKING; the nop ends the shadow of sti. FS, GS, TR, LDTR
 * and the syscall MSRs are not touched here.
 */
	.text
	.globl	svm_run
svm_run:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rsi
	movq	%rdi, %rax
	movq	8(%rsi), %rcx
	movq	16(%rsi), %rdx
	movq	24(%rsi), %rbx
	movq	40(%rsi), %rbp
	movq	56(%rsi), %rdi
	movq	64(%rsi), %r8
	movq	72(%rsi), %r9
	movq	80(%rsi), %r10
	movq	88(%rsi), %r11
	movq	96(%rsi), %r12
	movq	104(%rsi), %r13
	movq	112(%rsi), %r14
	movq	120(%rsi), %r15
	movq	48(%rsi), %rsi
	sti
	nop
	vmrun	%rax
	cli
	pushq	%rsi
	movq	8(%rsp), %rsi
	movq	%rcx, 8(%rsi)
	movq	%rdx, 16(%rsi)
	movq	%rbx, 24(%rsi)
	movq	%rbp, 40(%rsi)
	movq	%rdi, 56(%rsi)
	movq	%r8, 64(%rsi)
	movq	%r9, 72(%rsi)
	movq	%r10, 80(%rsi)
	movq	%r11, 88(%rsi)
	movq	%r12, 96(%rsi)
	movq	%r13, 104(%rsi)
	movq	%r14, 112(%rsi)
	movq	%r15, 120(%rsi)
	popq	48(%rsi)
	popq	%rsi
	/* Registers of the container must not steer what runs next. */
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%edi, %edi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	cld
	ret
	.section .note.GNU-stack, "", @progbits
