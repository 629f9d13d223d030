/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Loops of known length, by which the counts of count.c are checked: a multiboot kernel of 32 bits without paging and without interrupts,
 * which stands in for a hypervisor and runs two guests. tests/system/test_bench.py has the sums; one of the two marks of an interval is in it.
 */
#include "known.h"

	.text
	.balign 4
	.long	0x1badb002, 0, -0x1badb002

	.macro	MARK kind
	.byte	0x0f, 0x1f, 0x84, 0x00
	.long	0x7e5e0000 | \kind << 12
	.endm

	.globl	_start, enter
_start:
	cld
	movl	$stack_end, %esp
	movl	$0xc0000080, %ecx	/* EFER.SVME */
	rdmsr
	orl	$0x1000, %eax
	wrmsr
	movl	$0xc0010117, %ecx	/* VM_HSAVE_PA */
	movl	$host_save, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$first_vmcb, %edi
	call	make_vmcb
	movl	$second_vmcb, %edi
	call	make_vmcb
	/* What is first entered is the host. */
	movl	$first, %esi
	call	enter

	/* 0: a loop: KNOWN_LOOP times 2, MOV, and the mark */
	MARK	1
	movl	$KNOWN_LOOP, %ecx
1:	subl	$1, %ecx
	jnz	1b
	MARK	2

	/* 1: string instructions: KNOWN_STRING units of 4 bytes and of 1 */
	MARK	1
	movl	$buffer, %edi
	movl	$KNOWN_STRING, %ecx
	rep stosl
	movl	$buffer, %esi
	movl	$buffer + KNOWN_STRING, %edi
	movl	$KNOWN_STRING, %ecx
	rep movsb
	MARK	2

	/* 2: KNOWN_RUNS runs of the first and of the second guest */
	MARK	1
	movl	$KNOWN_RUNS, %ebx
2:	movl	$first, %esi
	call	enter
	movl	$second, %esi
	call	enter
	subl	$1, %ebx
	jnz	2b
	MARK	2

	movl	$0xf4, %edx		/* isa-debug-exit */
	xorl	%eax, %eax
	outl	%eax, %dx
3:	hlt
	jmp	3b

/* Runs the guest that %esi describes, from its beginning. The first load here is of what differs between the two. 7 instructions. */
enter:
	nop
	movl	(%esi), %eax
	movl	4(%esi), %edx
	movl	%edx, 0x578(%eax)
	vmrun	%eax
	clgi
	ret

	.macro	SEGMENT offset attributes
	movw	$0x10, \offset(%edi)
	movw	$\attributes, \offset + 2(%edi)
	movl	$0xffffffff, \offset + 4(%edi)
	.endm

/* %edi: VMCB. Flat, 32 bits, no paging; VMRUN, VMMCALL and SHUTDOWN leave it. */
make_vmcb:
	movl	$1 << 31, 0x00c(%edi)
	movl	$3, 0x010(%edi)
	movl	$1, 0x058(%edi)
	SEGMENT	0x400 0xc93
	SEGMENT	0x410 0xc9b
	SEGMENT	0x420 0xc93
	SEGMENT	0x430 0xc93
	movl	$0x1000, 0x4d0(%edi)	/* EFER */
	movl	$0x11, 0x558(%edi)	/* CR0 */
	movl	$0x400, 0x560(%edi)
	movl	$0xffff0ff0, 0x568(%edi)
	movl	$2, 0x570(%edi)
	ret

first_guest:
	movl	$KNOWN_FIRST, %ecx
4:	subl	$1, %ecx
	jnz	4b
	vmmcall
second_guest:
	movl	$KNOWN_SECOND, %ecx
5:	subl	$1, %ecx
	jnz	5b
	vmmcall

	.data
	.balign 4
first:	.long	first_vmcb, first_guest
second:	.long	second_vmcb, second_guest

	.bss
	.balign 4096
first_vmcb:	.skip 4096
second_vmcb:	.skip 4096
host_save:	.skip 4096
buffer:		.skip 4 * KNOWN_STRING + KNOWN_STRING
stack:		.skip 4096
stack_end:
	.section .note.GNU-stack, "", @progbits
