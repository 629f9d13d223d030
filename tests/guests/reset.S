/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Asks for a reset, which ends a guest [GUEST-19]. */
#include "tests/guests/ports.h"

	.section .start, "ax"
	.code32
	.globl	_start
_start:
	movw	$RESET, %dx
	movb	$RESET_VALUE, %al
	outb	%al, %dx
1:	hlt
	jmp	1b
