/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * First instructions of the boot CPU (multiboot 1 and 2, "Machine state", which is
 * the same, from BIOS and from UEFI) and of every other CPU (real mode, after SIPI). Both end in C, in 64-bit mode, on a stack of
 * their own, with the first 4 GiB identity-mapped or the final tables in use.
 */
#include "hv/x86/layout.h"

#define MB_MAGIC	0x1badb002
#define MB2_MAGIC	0xe85250d6
#define MB_FLAGS	0x00000003	/* page-align modules, give a memory map */

	.section .multiboot, "a"
	.balign 4
	.long	MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)

	.balign 8
mb2:	.long	MB2_MAGIC, 0, mb2_end - mb2, -(MB2_MAGIC + mb2_end - mb2)
	.short	5, 1			/* a graphical screen, of any size: taken if there is one */
	.long	20, 0, 0, 0
	.balign 8
	.short	6, 0			/* page-align modules */
	.long	8
	.short	0, 0
	.long	8
mb2_end:

	.text
	.code32
	.globl	_start
_start:
	cli
	cld
	movl	%eax, %ebp		/* multiboot magic */
	movl	%ebx, %esi		/* multiboot information */

	/* First 4 GiB, 2 MiB pages: boot_pml4 -> boot_pdpt -> four boot_pd. */
	movl	$boot_pdpt + 3, boot_pml4
	xorl	%ecx, %ecx
1:	movl	%ecx, %eax
	shll	$12, %eax
	addl	$boot_pd + 3, %eax
	movl	%eax, boot_pdpt(, %ecx, 8)
	incl	%ecx
	cmpl	$4, %ecx
	jb	1b
	xorl	%ecx, %ecx
2:	movl	%ecx, %eax
	shll	$21, %eax
	orl	$0x83, %eax
	movl	%eax, boot_pd(, %ecx, 8)
	incl	%ecx
	cmpl	$2048, %ecx
	jb	2b

	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$CR4_HV, %eax
	movl	%eax, %cr4
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl	$CR0_HV, %eax
	movl	%eax, %cr0
	lgdt	boot_gdtr
	ljmp	$SEL_CODE, $3f

	.code64
3:	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	leaq	boot_stack + STACK_SIZE - CPU_RESERVE(%rip), %rsp
	movl	%ebp, %edi
	movl	%esi, %esi
	xorl	%ebp, %ebp
	call	boot_main
4:	cli
	hlt
	jmp	4b

/*
 * Real-mode start of the other CPUs, copied to a page below 1 MiB. The page
 * tables may lie above 4 GiB, therefore the boot ones first. ap_stack is set by
 * smp_start() for the one CPU that is being started.
 */
	.code16
	.globl	ap_trampoline, ap_trampoline_end
ap_trampoline:
	cli
	cld
	movl	$CR4_HV, %eax
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$(EFER_LME | EFER_NXE), %eax
	wrmsr
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	ap_gdtr - ap_trampoline
	movl	$CR0_HV, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE, $ap_start64
	.balign 8
ap_gdtr:
	.word	boot_gdt_end - boot_gdt - 1
	.long	boot_gdt
ap_trampoline_end:

	.code64
ap_start64:
	movl	$SEL_DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movq	ap_stack(%rip), %rsp
	xorl	%ebp, %ebp
	call	ap_main
5:	cli
	hlt
	jmp	5b

	.section .rodata
	.balign 8
	.globl	boot_gdt, boot_gdt_end
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* SEL_CODE: 64-bit code, ring 0 */
	.quad	0x00cf93000000ffff	/* SEL_DATA */
boot_gdt_end:
	.balign 8
boot_gdtr:
	.word	boot_gdt_end - boot_gdt - 1
	.long	boot_gdt

	.bss
	.balign 4096
boot_pml4:	.skip 4096
boot_pdpt:	.skip 4096
boot_pd:	.skip 4 * 4096
	.balign STACK_SIZE
	.globl	boot_stack
boot_stack:	.skip STACK_SIZE
	.globl	ap_stack
ap_stack:	.skip 8
	.section .note.GNU-stack, "", @progbits
