/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Text on COM1. The host uses the same UART, so a line goes out in one piece and
 * the UART's own settings are left as they are once the host runs.
 */
#include <stdarg.h>

#include <core/arch.h>

#include "hv/x86/x86.h"

#define COM1		0x3f8
#define LSR_EMPTY	0x20
#define LINE_MAX	240

bool console_shared;
static volatile uint32_t console_lock;	/* innermost lock: nothing is taken inside */

void console_init(void)
{
	outb(COM1 + 1, 0);	/* no interrupts */
	outb(COM1 + 3, 0x80);
	outb(COM1 + 0, 1);	/* 115200 */
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x03);	/* 8N1 */
	outb(COM1 + 2, 0x07);
	outb(COM1 + 4, 0x0b);
}

static void put(char c)
{
	for (uint32_t i = 0; i < 100000 && !(inb(COM1 + 5) & LSR_EMPTY); i++)
		cpu_relax();
	outb(COM1, (uint8_t)c);
}

struct line {
	char text[LINE_MAX];
	uint32_t len;
};

static void add(struct line *l, char c)
{
	if (l->len < LINE_MAX)
		l->text[l->len++] = c;
}

static void add_number(struct line *l, uint64_t v, uint32_t base, uint32_t width, char pad)
{
	char digits[24];
	uint32_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (width > n) {
		add(l, pad);
		width--;
	}
	while (n)
		add(l, digits[--n]);
}

/* %s %c %d %u %x %p and %%, with l, ll or z, a zero flag and a width; %.*s. */
static void format(struct line *l, const char *f, va_list ap)
{
	for (; *f; f++) {
		char pad = ' ';
		uint32_t width = 0, longs = 0;
		int prec = -1;
		const char *s;
		uint64_t v;

		if (*f != '%') {
			add(l, *f);
			continue;
		}
		f++;
		if (*f == '0') {
			pad = '0';
			f++;
		}
		while (*f >= '0' && *f <= '9')
			width = width * 10 + (uint32_t)(*f++ - '0');
		if (f[0] == '.' && f[1] == '*') {
			prec = va_arg(ap, int);
			f += 2;
		}
		while (*f == 'l' || *f == 'z') {
			longs++;
			f++;
		}
		switch (*f) {
		case 's':
			for (s = va_arg(ap, const char *); prec && *s; s++, prec--)
				add(l, *s);
			break;
		case 'c':
			add(l, (char)va_arg(ap, int));
			break;
		case 'd':
			v = longs ? va_arg(ap, uint64_t) : (uint64_t)va_arg(ap, int);
			if ((int64_t)v < 0) {
				add(l, '-');
				v = -v;
			}
			add_number(l, v, 10, width, pad);
			break;
		case 'u':
			add_number(l, longs ? va_arg(ap, uint64_t) : va_arg(ap, uint32_t), 10, width, pad);
			break;
		case 'x':
			add_number(l, longs ? va_arg(ap, uint64_t) : va_arg(ap, uint32_t), 16, width, pad);
			break;
		case 'p':
			add_number(l, va_arg(ap, uint64_t), 16, 0, ' ');
			break;
		case 0:
			return;
		default:
			add(l, *f);
		}
	}
}

static void vprint(const char *fmt, va_list ap)
{
	struct line l = { .len = 0 };

	for (const char *s = "tessera: "; *s; s++)
		add(&l, *s);
	format(&l, fmt, ap);
	while (__atomic_exchange_n(&console_lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
	if (console_shared) {
		/* The host may be in the middle of a line of its own. */
		put('\r');
		put('\n');
	}
	for (uint32_t i = 0; i < l.len; i++)
		put(l.text[i]);
	put('\r');
	put('\n');
	__atomic_store_n(&console_lock, 0, __ATOMIC_RELEASE);
}

void con_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

_Noreturn void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	arch_halt("the hypervisor cannot go on safely");
}

void arch_log(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}
