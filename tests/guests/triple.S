/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Ends itself by a triple fault [GUEST-26]: no interrupt descriptors, then an invalid instruction. */
	.section .start, "ax"
	.code32
	.globl	_start
_start:
	lidt	none
	ud2
none:	.word	0
	.long	0
