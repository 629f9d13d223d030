/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* CPUID, MSRs, refused instructions, and state that must outlive a visit to the host. */
#include <tessera/hypercall.h>

#include "tests/guests/lib.h"

#define CR4_OSFXSR  (1u << 9)
#define CR4_OSXSAVE (1u << 18)

/* [HC-1] */
static void check_cpuid(void)
{
	struct cpuid one = cpuid(1, 0), kvm = cpuid(0x40000000, 0), kf = cpuid(0x40000001, 0);
	struct cpuid ours = cpuid(TSR_CPUID_BASE, 0), of = cpuid(TSR_CPUID_FEATURES, 0);
	struct cpuid ext = cpuid(0x80000001, 0), seven = cpuid(7, 0), d0 = cpuid(0xd, 0), d1 = cpuid(0xd, 1);
	bool ok = (one.c & 1u << 31) && (one.c & 1u << 21) && (one.c & 1u << 24) && (one.c & 1u << 30) && (cpuid(6, 0).a & 4);

	ok &= kvm.b == 0x4b4d564b && kvm.c == 0x564b4d56 && kvm.d == 0x4d && (kf.a & 1u << 3) && (kf.a & 1u << 6) && (kf.a & 1u << 24);
	ok &= ours.b == TSR_CPUID_EBX && ours.c == TSR_CPUID_ECX && ours.d == TSR_CPUID_EDX && ours.a >= TSR_CPUID_FEATURES;
	ok &= of.a == TSR_ABI_VERSION && of.c == TSR_CPUID_ROLE_GUEST && of.d == 0;
	check("GUEST-4", ok, "CPUID shows a hypervisor, KVM's clock, x2APIC, the deadline timer, and us");
	ok = !(one.c & (1u << 3 | 1u << 5)) && !(one.d & (1u << 7 | 1u << 12 | 1u << 14)) && !(ext.c & (1u << 2 | 1u << 10 | 1u << 12));
	ok &= !(seven.c & 1u << 16) && !(seven.b & 1u << 4) && !cpuid(0xa, 0).a && !(d1.a & 1u << 3) && !cpuid(0x8000000a, 0).d;
	ok &= (d0.a & 3) == 3 && d0.c <= 4096 && d0.b <= d0.c;
	check("GUEST-5", ok, "CPUID offers nothing that is refused or not switched");
}

static void check_msrs(void)
{
	/* SMBASE, HSAVE_PA, VM_CR, TOP_MEM, an IORR, an MTRR, PMU, IBS, microcode, MMCONFIG base, XSS. */
	static const uint32_t refused[] = { 0xc0010111, 0xc0010117, 0xc0010114, 0xc001001a, 0xc0010016, 0x200, 0xc0010000, 0xc0011030,
					    0xc0010020, 0xc0010058, 0xda0 };
	bool ok = true;

	for (uint32_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ok &= try_wrmsr(refused[i], 0) == GP;
	ok &= try_rdmsr(0xc0010117) == GP && try_rdmsr(0x12345678) == GP && try_wrmsr(0xc0000080, 1u << 12) == GP;
	ok &= !(rdmsr(0xc0000080) & 1u << 12) && try_wrmsr(0x277, 0x0202020202020202ull) == GP;
	check("GUEST-6", ok, "MSRs outside the table are refused, SVM cannot be seen or enabled");
}

static void check_instructions(void)
{
	bool ok = TRY("vmrun", : : "a"(0x200000) : "memory") == UD;

	ok &= TRY("vmload", : : "a"(0x200000) : "memory") == UD;
	ok &= TRY("vmsave", : : "a"(0x200000) : "memory") == UD;
	ok &= TRY("stgi", : : : "memory") == UD;
	ok &= TRY("clgi", : : : "memory") == UD;
	ok &= TRY("invlpga", : : "a"(0), "c"(1) : "memory") == UD;
	ok &= TRY("skinit", : : "a"(0x200000) : "memory") == UD;
	ok &= TRY("monitor", : : "a"(0x200000), "c"(0), "d"(0) : "memory") == UD;
	ok &= TRY("mwait", : : "a"(0), "c"(0) : "memory") == UD;
	ok &= TRY("rdpmc", : : "c"(0) : "eax", "edx", "memory") == GP;
	ok &= TRY("wbinvd", : : : "memory") == NOTHING;
	ok &= TRY("invd", : : : "memory") == NOTHING;
	check("GUEST-7", ok, "SVM, MONITOR and MWAIT raise #UD, RDPMC #GP; INVD and WBINVD do nothing");
}

static uint32_t try_xsetbv(uint32_t index, uint32_t low)
{
	return TRY("xsetbv", : : "c"(index), "a"(low), "d"(0) : "memory");
}

static void check_xsave(void)
{
	uint32_t known = cpuid(0xd, 0).a;
	bool ok;

	asm volatile("movl %%cr4, %%eax; orl %0, %%eax; movl %%eax, %%cr4" : : "i"(CR4_OSFXSR | CR4_OSXSAVE) : "eax", "memory");
	ok = try_xsetbv(0, 0) == GP && try_xsetbv(0, 2) == GP && try_xsetbv(1, 3) == GP;
	ok &= try_xsetbv(0, known | 1u << 30) == GP && try_xsetbv(0, 7 & known) == NOTHING;
	ok &= (cpuid(1, 0).c & 1u << 27) != 0;
	check("GUEST-8", ok, "XSETBV takes what CPUID offers and nothing else");
}

/* The LVT timer is not set up yet when this begins, and halt_for() needs it. */
static void check_kept(void)
{
	static const uint32_t pattern[4] __attribute__((aligned(16))) = { 0x11111111, 0x22222222, 0x33333333, 0x44444444 };
	uint32_t out[4] __attribute__((aligned(16))), dr = 0, got;
	bool ok = true, aux = cpuid(0x80000001, 0).d & 1u << 27;

	wrmsr(MSR_X2APIC(0x0f), 0x1ff);
	wrmsr(MSR_X2APIC(0x32), 2u << 17 | TIMER_VECTOR);
	asm volatile("movaps %0, %%xmm5; movl %1, %%dr2" : : "m"(pattern), "r"(0x12345678));
	if (aux)
		wrmsr(0xc0000103, 0x4711);
	wrmsr(0xc0000102, 0x0000123412345678ull);
	for (uint32_t i = 0; i < 10; i++) {
		halt_for(3000000);
		asm volatile("movaps %%xmm5, %0; movl %%dr2, %1" : "=m"(out), "=r"(dr));
		for (uint32_t j = 0; j < 4; j++)
			ok &= out[j] == pattern[j];
		ok &= dr == 0x12345678 && rdmsr(0xc0000102) == 0x0000123412345678ull;
		if (aux) {
			asm volatile("rdtscp" : "=c"(got) : : "eax", "edx");
			ok &= got == 0x4711;
		}
	}
	check("GUEST-9", ok, "vector, debug and MSR state outlives ten visits to the host");
}

void check_cpu(void)
{
	check_cpuid();
	check_msrs();
	check_instructions();
	check_xsave();
	check_kept();
}
