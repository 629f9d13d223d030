/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Never lets go by itself: the host's interrupts and GUEST_STOP must do [GUEST-25]. */
#include "tests/guests/ports.h"

	.section .start, "ax"
	.code32
	.globl	_start
_start:
	movw	$UART, %dx
	movb	$'s', %al
	outb	%al, %dx
	movb	$'\n', %al
	outb	%al, %dx
1:	jmp	1b
