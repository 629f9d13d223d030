/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "decode.h"

static void decode_two(struct decoded *d, const uint8_t *p, size_t left)
{
	uint8_t modrm = left > 1 ? p[1] : 0;

	switch (p[0]) {
	case 0x01:
		if (modrm == 0xd8)
			d->event = EVENT_vmrun;
		else if (modrm == 0xd9 || modrm == 0xc1)
			d->event = EVENT_vmmcall; /* VMCALL is what PVH guests of Xen's and KVM's on Intel use */
		else if (modrm < 0xc0 && (modrm & 0x38) == 0x38)
			d->event = EVENT_invlpg;
		break;
	case 0x05:
		d->event = EVENT_syscall;
		break;
	case 0x07:
		d->event = EVENT_sysret;
		break;
	case 0x1f:
		if (left >= 7 && p[1] == 0x84 && p[2] == 0x00 && (p[5] | p[6] << 8) == MARK)
			d->mark = p[3] | p[4] << 8 | (uint64_t)MARK << 16;
		break;
	case 0x22:
		if ((modrm & 0x38) == 0x18)
			d->event = EVENT_cr3;
		break;
	case 0x30:
		d->event = EVENT_wrmsr;
		break;
	case 0x32:
		d->event = EVENT_rdmsr;
		break;
	case 0xa2:
		d->event = EVENT_cpuid;
		break;
	}
}

struct decoded decode(const uint8_t *p, size_t size)
{
	struct decoded d = { .event = -1, .string_event = -1, .width = 4 };
	bool rep = false;

	for (; size && (*p == 0x66 || *p == 0xf2 || *p == 0xf3 || *p == 0x2e || *p == 0x3e || *p == 0x26 || *p == 0x64 || *p == 0x65 || *p == 0x67);
	     p++, size--) {
		rep |= *p == 0xf3 || *p == 0xf2;
		if (*p == 0x66)
			d.width = 2;
	}
	if (size && (*p & 0xf0) == 0x40) {
		if (*p & 8)
			d.width = 8;
		p++, size--;
	}
	if (!size)
		return d;
	switch (*p) {
	case 0x0f:
		if (size > 1)
			decode_two(&d, p + 1, size - 1);
		break;
	case 0x8b:
		d.load = size > 1 && p[1] < 0xc0;
		break;
	case 0x90:
		if (rep)
			d.event = EVENT_pause;
		break;
	case 0xa4:
	case 0xaa:
		d.width = 1;
		/* fall through */
	case 0xa5:
	case 0xab:
		if (rep) {
			d.string_event = *p < 0xa8 ? EVENT_rep_movs : EVENT_rep_stos;
			d.rw = *p < 0xa8 ? MEM_R : MEM_W;
		}
		break;
	case 0xcf:
		d.event = EVENT_iret;
		break;
	case 0xe4: case 0xe5: case 0xec: case 0xed: case 0x6c: case 0x6d:
		d.event = EVENT_in;
		break;
	case 0xe6: case 0xe7: case 0xee: case 0xef: case 0x6e: case 0x6f:
		d.event = EVENT_out;
		break;
	case 0xf4:
		d.event = EVENT_hlt;
		break;
	}
	return d;
}
