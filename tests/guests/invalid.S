/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Asks for CPU state that no processor has, a reserved bit of CR4 [GUEST-26]: hardware answers with #GP, hence a triple fault
 * here; QEMU gives up on the whole state. Either way the guest ends and nothing else does.
 */
	.section .start, "ax"
	.code32
	.globl	_start
_start:
	lidt	none
	movl	$0x80000000, %eax
	movl	%eax, %cr4
1:	hlt
	jmp	1b
none:	.word	0
	.long	0
