/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Attacks by instructions, ports, model-specific registers and devices.
 *
 *	insn NUMBER N		runs privileged instruction NUMBER (see the table) N times
 *	vmmcall NUMBER		a hypercall without arguments; value = status
 *	rdmsr MSR, wrmsr MSR VALUE N
 *	in PORT BYTES N, out PORT BYTES VALUE N
 *	pciread REG, pciwrite REG VALUE N	configuration space by ports; REG = bus << 16 | devfn << 8 | offset, 32 bits
 *	mmread PA, mmwrite PA VALUE N		32 bits of a device's memory, uncached
 *	ioapic INDEX, ioapicset INDEX VALUE N	a register of the IOAPIC at 0xFEC00000
 */
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <asm/asm.h>
#include <asm/msr.h>
#include <asm/svm.h>
#include "attack.h"

/* Runs one instruction; gives the trap that refused it, or -1. */
#define TRY(insn, ...)                                                  \
	({                                                              \
		int trap_ = -1;                                         \
		asm volatile("1: " insn "\n2:\n"                        \
			     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)   \
			     : "+a" (trap_) : __VA_ARGS__ : "memory");  \
		trap_;                                                  \
	})

/* Numbers are the test's: tests/system/attack.py. RAX is -1 as each starts, an address that none of them would accept. */
static int try_insn(u64 number)
{
	switch (number) {
	case 0:
		return TRY(".byte 0x0f,0x01,0xd8"); /* VMRUN */
	case 1:
		return TRY(".byte 0x0f,0x01,0xda"); /* VMLOAD */
	case 2:
		return TRY(".byte 0x0f,0x01,0xdb"); /* VMSAVE */
	case 3:
		return TRY(".byte 0x0f,0x01,0xdc"); /* STGI */
	case 4:
		return TRY(".byte 0x0f,0x01,0xdd"); /* CLGI */
	case 5:
		return TRY(".byte 0x0f,0x01,0xde"); /* SKINIT */
	case 6:
		return TRY(".byte 0x0f,0x01,0xdf", "c" (0)); /* INVLPGA */
	case 7:
		return TRY("invd");
	case 8:
		return TRY(".byte 0x0f,0x01,0xc1"); /* VMCALL: the other vendor's hypercall */
	default:
		return -ENOENT;
	}
}

static int try_wrmsr(u32 msr, u64 value)
{
	int trap = -1;

	asm volatile("mov %[low], %%eax\n"
		     "1: wrmsr\n"
		     "mov $-1, %%eax\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : "+a" (trap) : "c" (msr), [low] "r" ((u32)value), "d" ((u32)(value >> 32)) : "memory");
	return trap;
}

static int try_rdmsr(u32 msr, u64 *value)
{
	u32 low = 0, high = 0, bad = 1;
	int trap;

	asm volatile("1: rdmsr\n"
		     "xor %[bad], %[bad]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : "=a" (low), "=d" (high), [bad] "+r" (bad) : "c" (msr));
	trap = bad ? low : -1;
	if (!bad)
		*value = low | (u64)high << 32;
	return trap;
}

static int try_out(u16 port, u64 bytes, u32 value)
{
	u32 bad = 1, trap = value;

	switch (bytes) {
	case 1:
		asm volatile("1: outb %%al, %%dx\n xor %[bad], %[bad]\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
			     : "+a" (trap), [bad] "+r" (bad) : "d" (port));
		break;
	case 2:
		asm volatile("1: outw %%ax, %%dx\n xor %[bad], %[bad]\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
			     : "+a" (trap), [bad] "+r" (bad) : "d" (port));
		break;
	default:
		asm volatile("1: outl %%eax, %%dx\n xor %[bad], %[bad]\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
			     : "+a" (trap), [bad] "+r" (bad) : "d" (port));
	}
	return bad ? trap : -1;
}

static int try_in(u16 port, u64 bytes, u64 *value)
{
	u32 bad = 1, v = 0;

	switch (bytes) {
	case 1:
		asm volatile("1: inb %%dx, %%al\n xor %[bad], %[bad]\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
			     : "+a" (v), [bad] "+r" (bad) : "d" (port));
		break;
	case 2:
		asm volatile("1: inw %%dx, %%ax\n xor %[bad], %[bad]\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
			     : "+a" (v), [bad] "+r" (bad) : "d" (port));
		break;
	default:
		asm volatile("1: inl %%dx, %%eax\n xor %[bad], %[bad]\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
			     : "+a" (v), [bad] "+r" (bad) : "d" (port));
	}
	if (bad)
		return v;
	*value = v;
	return -1;
}

/* The address and the data are one try: a second CPU that uses the ports in between would make it another one. */
static int try_pci(u32 reg, bool write, u32 value, u64 *result)
{
	unsigned long flags;
	int trap;

	local_irq_save(flags);
	trap = try_out(0xcf8, 4, 0x80000000u | (reg & 0xfffffc));
	if (trap < 0)
		trap = write ? try_out(0xcfc, 4, value) : try_in(0xcfc, 4, result);
	local_irq_restore(flags);
	return trap;
}

static int try_mmwrite(volatile void __iomem *p, u32 value)
{
	int trap = -1;

	asm volatile("1: movl %[v], (%[p])\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : "+a" (trap) : [p] "r" (p), [v] "r" (value) : "memory");
	return trap;
}

static int try_mmread(const volatile void __iomem *p, u64 *value)
{
	int trap = -1;
	u32 v = 0;

	asm volatile("1: movl (%[p]), %[v]\n2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : "+a" (trap), [v] "+r" (v) : [p] "r" (p) : "memory");
	if (trap < 0)
		*value = v;
	return trap;
}

static int device_memory(struct attack *a, u64 pa, bool write, u32 value, u64 count)
{
	void __iomem *p = ioremap(pa & PAGE_MASK, PAGE_SIZE);
	void __iomem *at = p + (pa & ~PAGE_MASK);
	u64 i;

	if (!p)
		return -ENXIO;
	for (i = 0; i < count; i++)
		attack_note(a, write ? try_mmwrite(at, value) : try_mmread(at, &a->value));
	iounmap(p);
	return 0;
}

/* Index and data, not to be torn apart by an interrupt that uses the same pair. */
static int ioapic(struct attack *a, u32 index, bool write, u32 value, u64 count)
{
	void __iomem *p = ioremap(0xfec00000, PAGE_SIZE);
	unsigned long flags;
	u64 i;

	if (!p)
		return -ENXIO;
	for (i = 0; i < count; i++) {
		int trap;

		local_irq_save(flags);
		trap = try_mmwrite(p, index);
		if (trap < 0)
			trap = write ? try_mmwrite(p + 0x10, value) : try_mmread(p + 0x10, &a->value);
		local_irq_restore(flags);
		attack_note(a, trap);
	}
	iounmap(p);
	return 0;
}

int attack_insn(struct attack *a, const char *op, const u64 *arg, int nr)
{
	u64 i;

	if (!strcmp(op, "insn") && nr == 2) {
		for (i = 0; i < arg[1]; i++) {
			int trap = try_insn(arg[0]);

			if (trap == -ENOENT)
				return -ENOENT;
			attack_note(a, trap);
		}
	} else if (!strcmp(op, "vmmcall") && nr == 1) {
		u64 rdx = 0;

		asm volatile("vmmcall" : "=a" (a->value), "+d" (rdx) : "a" (arg[0]), "D" (0l), "S" (0l) : "memory");
		attack_note(a, -1);
	} else if (!strcmp(op, "wrmsr") && nr == 3) {
		for (i = 0; i < arg[2]; i++)
			attack_note(a, try_wrmsr(arg[0], arg[1]));
	} else if (!strcmp(op, "rdmsr") && nr == 1) {
		attack_note(a, try_rdmsr(arg[0], &a->value));
	} else if (!strcmp(op, "out") && nr == 4) {
		for (i = 0; i < arg[3]; i++)
			attack_note(a, try_out(arg[0], arg[1], arg[2]));
	} else if (!strcmp(op, "in") && nr == 3) {
		for (i = 0; i < arg[2]; i++)
			attack_note(a, try_in(arg[0], arg[1], &a->value));
	} else if (!strcmp(op, "pciread") && nr == 1) {
		attack_note(a, try_pci(arg[0], false, 0, &a->value));
	} else if (!strcmp(op, "pciwrite") && nr == 3) {
		for (i = 0; i < arg[2]; i++)
			attack_note(a, try_pci(arg[0], true, arg[1], &a->value));
	} else if (!strcmp(op, "mmread") && nr == 1) {
		return device_memory(a, arg[0], false, 0, 1);
	} else if (!strcmp(op, "mmwrite") && nr == 3) {
		return device_memory(a, arg[0], true, arg[1], arg[2]);
	} else if (!strcmp(op, "ioapic") && nr == 1) {
		return ioapic(a, arg[0], false, 0, 1);
	} else if (!strcmp(op, "ioapicset") && nr == 3) {
		return ioapic(a, arg[0], true, arg[1], arg[2]);
	} else {
		return -EINVAL;
	}
	return 0;
}
