/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Where further virtual CPUs of smp.bin start, and the handlers that more than one of them may run at a time. */

	/* Copied to a page below 1 MiB; CS is that page's. What the CPU started with is kept at the end. */
	.text
	.globl	ap_page, ap_page_end, ap_found
	.code16
ap_page:
	movl	%edx, %cs:(ap_found - ap_page)
	movw	%cs, %ax
	movw	%ax, %cs:(ap_found - ap_page + 4)
	movl	%cr0, %eax
	movl	%eax, %cs:(ap_found - ap_page + 8)
	lgdtl	%cs:(ap_gdt - ap_page)
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$0x10, $ap_flat
ap_gdt:
	.word	63
	.long	gdt
ap_found:
	.long	0, 0, 0
ap_page_end:

	.code32
ap_flat:
	movl	$0x18, %eax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$0x802, %ecx
	rdmsr
	movl	%eax, %ebx
	incl	%eax
	shll	$12, %eax
	leal	ap_stacks(%eax), %esp
	pushl	%ebx
	call	ap_main
1:	cli
	hlt
	jmp	1b

	.macro	handler name, function
	.globl	\name
\name:
	pushal
	cld
	call	\function
	popal
	iretl
	.endm

	handler	ipi_entry, on_ipi
	handler	flush_entry, on_flush
	handler	nmi_entry, on_nmi

	.bss
	.balign	4096
ap_stacks:
	.skip	16 * 4096
	.section .note.GNU-stack, "", @progbits
