/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What of x86 instructions the counting needs to know: see count.c. */
#ifndef BENCH_DECODE_H
#define BENCH_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS(X) \
	X(vmrun) X(pv_entry) X(vmmcall) X(hlt) X(syscall) X(sysret) X(iret) X(cr3) X(invlpg) X(wrmsr) X(rdmsr) X(cpuid) X(in) X(out) X(pause) \
	X(rep_movs) X(rep_movs_bytes) X(rep_stos) X(rep_stos_bytes)
#define ENUM(name) EVENT_##name,
enum event { EVENTS(ENUM) EVENT_NR };

#define MARK 0x7e5e
#define INSN_MAX 16
enum { MEM_R = 1, MEM_W = 2 };

struct decoded {
	int event;	 /* or -1 */
	bool load;	 /* a plain one, MOV r, r/m */
	int string_event; /* of each iteration, by its access of this kind: */
	int rw;
	unsigned int width;
	uint64_t mark; /* or 0 */
};

struct decoded decode(const uint8_t *p, size_t size);

#endif
