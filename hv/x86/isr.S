/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The hypervisor's own exceptions and NMI. Interrupts stay disabled but where
 * they are thrown away. No stack switch: nothing here ever leaves ring 0.
 */
	.text
	.macro	ISR vec, err
	.balign 16
	.if	\err == 0
	pushq	$0
	.endif
	pushq	$\vec
	jmp	isr_common
	.endm

	.balign 16
	.globl	isr_stubs
isr_stubs:
	.set	i, 0
	.rept	32
	.if	(i == 8) || (i >= 10 && i <= 14) || (i == 17) || (i == 21) || (i == 29) || (i == 30)
	ISR	i, 1
	.else
	ISR	i, 0
	.endif
	.set	i, i + 1
	.endr

isr_common:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	isr_main
	movq	%rbp, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	addq	$16, %rsp
	iretq

/* Whoever lets an interrupt in has it acknowledged: apic_reset(). */
	.globl	isr_drop
isr_drop:
	iretq
	.section .note.GNU-stack, "", @progbits
