/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The one place that reads the host's instructions: a store to a guarded device
 * page, in 64-bit code, one of MOV r8/r32/r64 -> m, MOV imm -> m, XCHG r32, m with an
 * optional 66 or REX prefix. Anything else is refused. Bytes are fetched once, each
 * through a frame that is the host's; where they say the store goes is not looked
 * at: the fault has the address.
 */
#include <core/arch.h>

#include "hv/x86/host.h"
#include "hv/x86/x86.h"

#define MAX_INSN	15u
#define ENTRY_P		1ull
#define ENTRY_PS	0x80ull
#define ENTRY_ADDR	0x000ffffffffff000ull
#define CR4_LA57	(1ull << 12)
#define REX_W		8
#define REX_R		4

static bool host_read(uint64_t pa, void *out, uint32_t len)
{
	if (!core_host_frame(mfn(pa >> 12)))
		return false;
	memcpy(out, phys(pa), len);
	return true;
}

/* Long-mode page walk for reading only; permissions were checked by the CPU when it fetched. */
static bool walk(const struct host_state *s, uint64_t va, uint64_t *pa)
{
	uint64_t table = s->cr3 & ENTRY_ADDR, e;

	for (uint32_t l = s->cr4 & CR4_LA57 ? 4 : 3;; l--) {
		uint64_t span = 1ull << (12 + 9 * l);

		if (!host_read(table + ((va / span) & 511) * 8, &e, 8) || !(e & ENTRY_P))
			return false;
		if (!l || (l <= 2 && (e & ENTRY_PS))) {
			*pa = (e & ENTRY_ADDR & ~(span - 1)) | (va & (span - 1));
			return true;
		}
		table = e & ENTRY_ADDR;
	}
}

/* Up to MAX_INSN bytes; fewer when the next page is not there. */
static uint32_t fetch(const struct host_state *s, uint8_t *insn)
{
	uint32_t first = (uint32_t)(PAGE - (s->rip & (PAGE - 1))), n = first < MAX_INSN ? first : MAX_INSN;
	uint64_t pa;

	if (!walk(s, s->rip, &pa) || !host_read(pa, insn, n))
		return 0;
	if (n < MAX_INSN && walk(s, s->rip + n, &pa) && host_read(pa, insn + n, MAX_INSN - n))
		n = MAX_INSN;
	return n;
}

/* Bytes of a ModRM memory operand: ModRM itself, SIB, displacement; 0 for a register form. */
static uint32_t operand_len(const uint8_t *p)
{
	uint8_t mod = p[0] >> 6, rm = p[0] & 7;
	uint32_t len = 1;

	if (mod == 3)
		return 0;
	if (rm == 4) {
		len++;
		if (mod == 0 && (p[1] & 7) == 5)
			len += 4;
	} else if (mod == 0 && rm == 5) {
		len += 4;
	}
	return len + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

static uint64_t reg_value(const struct vcpu_regs *r, uint32_t reg, uint32_t size, bool rex)
{
	if (size == 1 && !rex && reg >= 4)
		return (uint8_t)(r->r[reg - 4] >> 8);
	if (size == 8)
		return r->r[reg];
	return size == 4 ? (uint32_t)r->r[reg] : size == 2 ? (uint16_t)r->r[reg] : (uint8_t)r->r[reg];
}

bool decode_store(const struct vcpu_regs *r, const struct host_state *s, struct store *out)
{
	/* Zeros behind the fetched bytes keep every look inside the buffer. */
	uint8_t insn[MAX_INSN + 16] = { 0 }, op, rex = 0;
	uint32_t have, at = 0, len, size = 4, reg;

	if (!s->code64)
		return false;
	/* Under the lock no frame changes hands between the look at its owner and the read. */
	arch_lock();
	have = fetch(s, insn);
	arch_unlock();
	if (insn[at] == 0x66) {
		size = 2;
		at++;
	}
	if ((insn[at] & 0xf0) == 0x40)
		rex = insn[at++];
	op = insn[at++];
	if (rex & REX_W) {
		if (op != 0x89)
			return false;
		size = 8;
	}
	len = operand_len(&insn[at]);
	reg = ((insn[at] >> 3) & 7) | (rex & REX_R ? 8 : 0);
	if (!len)
		return false;
	at += len;
	if (op == 0x88 || op == 0xc6)
		size = 1;
	*out = (struct store){ .size = size, .xchg = -1 };
	switch (op) {
	case 0x87:
		if (size != 4)
			return false;
		out->xchg = (int)reg;
		out->value = reg_value(r, reg, size, rex);
		break;
	case 0x88:
	case 0x89:
		out->value = reg_value(r, reg, size, rex);
		break;
	case 0xc6:
	case 0xc7:
		if (reg & 7)
			return false;
		memcpy(&out->value, &insn[at], size);
		at += size;
		break;
	default:
		return false;
	}
	out->len = at;
	return at <= have;
}
