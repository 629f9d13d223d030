/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Entry of guests written in C: keeps the entry state, sets up segments, descriptors and a stack. */
	.section .start, "ax"
	.code32
	.globl	_start
_start:
	movl	%esi, entry_state
	movl	%cr0, %eax
	movl	%eax, entry_state + 4
	movl	%cr4, %eax
	movl	%eax, entry_state + 8
	movw	%cs, entry_state + 12
	movw	%ss, entry_state + 14
	movl	$stack_top, %esp
	pushfl
	popl	entry_state + 16
	lgdt	gdt_pointer
	ljmp	$0x10, $1f
1:	movl	$0x18, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$tss, %eax
	movw	%ax, gdt_tss + 2
	shrl	$16, %eax
	movb	%al, gdt_tss + 4
	movb	%ah, gdt_tss + 7
	movl	$stack_ring0, tss + 4
	movl	$0x18, tss + 8
	movl	$0x30, %eax
	ltr	%ax
	call	guest_main
2:	hlt
	jmp	2b

	.text
	/* Vectors without an error code get a 0, so that all frames are alike. */
	.balign	16
	.globl	stubs
stubs:
	.set	i, 0
	.rept	256
	.balign	16
	.if	(i != 8) && !((i >= 10) && (i <= 14)) && (i != 17)
	pushl	$0
	.endif
	pushl	$i
	jmp	trap
	.set	i, i + 1
	.endr

	/* Vectors below 32 end the attempt that TRY or try_user began; the others are counted and acknowledged. */
trap:
	pushal
	movl	32(%esp), %eax
	incl	taken(, %eax, 4)
	cmpl	$32, %eax
	jb	1f
	movl	%eax, last_vector
	movl	40(%esp), %ecx
	movl	%ecx, last_eip
	/* As Linux does: where the word says so, clearing it is all. */
	btrl	$0, eoi_word
	jc	2f
	movl	$0x80b, %ecx
	xorl	%eax, %eax
	xorl	%edx, %edx
	wrmsr
	jmp	3f
2:	incl	eoi_words
3:	popal
	addl	$8, %esp
	iretl
1:	movl	%eax, caught
	movl	36(%esp), %ecx
	movl	%ecx, caught_error
	movl	resume_at, %eax
	testl	%eax, %eax
	jz	unexpected
	testl	$3, 44(%esp)
	jnz	2f
	movl	%eax, 40(%esp)
	popal
	addl	$8, %esp
	iretl
2:	movl	resume_stack, %esp
	movl	$0x18, %eax
	movw	%ax, %ds
	movw	%ax, %es
	jmp	*resume_at

	/* void try_user(void): VMMCALL in ring 3; caught says what came of it. */
	.globl	try_user
try_user:
	pushl	%ebx
	pushl	%esi
	pushl	%edi
	pushl	%ebp
	movl	%esp, resume_stack
	movl	$2f, resume_at
	pushl	$0x2b
	pushl	$stack_ring3
	pushl	$2
	pushl	$0x23
	pushl	$1f
	iretl
1:	movl	$0, %eax
	vmmcall
	int	$3
2:	movl	$0, resume_at
	popl	%ebp
	popl	%edi
	popl	%esi
	popl	%ebx
	ret

	.data
	.balign	8
gdt:
	.quad	0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff
gdt_tss:
	.quad	0x0000890000000067
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt

	.bss
	.balign	16
	.skip	8192
stack_top:
	.skip	1024
stack_ring0:
	.skip	1024
stack_ring3:
tss:	.skip	104
	.globl	gdt, entry_state, taken, last_vector, last_eip, caught, caught_error, resume_at, eoi_word, eoi_words
entry_state:	.skip 20
taken:		.skip 1024
last_vector:	.skip 4
last_eip:	.skip 4
caught:		.skip 4
caught_error:	.skip 4
resume_at:	.skip 4
resume_stack:	.skip 4
eoi_word:	.skip 4
eoi_words:	.skip 4
	.section .note.GNU-stack, "", @progbits
