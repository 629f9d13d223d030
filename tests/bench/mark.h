/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The NOPs that the plugin count.c answers to. */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_TEXT_(n) #n
#define MARK_TEXT(n) MARK_TEXT_(n)
/* nopl disp32(%rax,%rax,1), by its bytes, so that no assembler picks a shorter form. */
#define MARK(kind, number) asm volatile(".byte 0x0f, 0x1f, 0x84, 0x00; .long 0x7e5e0000 | " #kind " << 12 | (" MARK_TEXT(number) ")" : : : "memory")
#define MARK_BEGIN() MARK(1, 0)
#define MARK_END() MARK(2, 0)
#define MARK_POINT(number) MARK(3, number)

#endif
