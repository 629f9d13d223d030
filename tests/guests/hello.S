/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The twenty-line guest: says hello on the UART [GUEST-17], powers off [GUEST-19]. */
#include "tests/guests/ports.h"

	.section .start, "ax"
	.code32
	.globl	_start
_start:
	movl	$text, %esi
	movw	$UART, %dx
1:	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	movw	$SLEEP_CONTROL, %dx
	movb	$SLEEP_OFF, %al
	outb	%al, %dx
3:	hlt
	jmp	3b
text:	.asciz	"hello from a guest of Tessera\n"
