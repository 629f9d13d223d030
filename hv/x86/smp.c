/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Starting the other CPUs, once, by ourselves, and parking them until the host
 * asks for them: where INIT cannot be held, a CPU that the host started by itself
 * would come up outside the container.
 */
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define TRAMPOLINE	0x8000ul	/* below 1 MiB, RAM on every PC; given back to the host scrubbed */

extern char ap_trampoline[], ap_trampoline_end[], boot_stack[], park_halt[], park_awake[];
extern uint64_t ap_stack;

struct cpu *cpus[MAX_CPUS];
uint32_t cpu_count;

/*
 * Memory types as the firmware gave them to the boot CPU, on every CPU; some firmware leaves that to the operating
 * system, which here may not write them.
 */
#define MTRR_FIXED	11u
#define MTRR_VARIABLE	16u
#define MSR_MTRR_CAP	0xfeu
#define MSR_MTRR_DEF	0x2ffu
static const uint32_t mtrr_fixed[MTRR_FIXED] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d,
						 0x26e, 0x26f };
static uint64_t mtrr[MTRR_FIXED + 2 * MTRR_VARIABLE + 1];

static void sync_mtrr(bool boot)
{
	uint32_t vcnt, n = 0;

	if (!(cpuid(1, 0).d & (1u << 12)))
		return;
	vcnt = rdmsr(MSR_MTRR_CAP) & 0xff;
	for (uint32_t i = 0; i < MTRR_FIXED + 2 * (vcnt < MTRR_VARIABLE ? vcnt : MTRR_VARIABLE) + 1; i++, n++) {
		uint32_t msr = i == 0 ? MSR_MTRR_DEF : i <= MTRR_FIXED ? mtrr_fixed[i - 1] : 0x200 + i - 1 - MTRR_FIXED;

		if (boot)
			mtrr[n] = rdmsr(msr);
		else if (rdmsr(msr) != mtrr[n])
			wrmsr(msr, mtrr[n]);
	}
	asm volatile("wbinvd" : : : "memory");
}

void cpu_init_self(struct cpu *c, uint32_t index)
{
	c->self = c;
	c->index = index;
	c->inside = INSIDE_NONE;
	c->dfr_flat = true;
	desc_init();
	sync_mtrr(index == 0);
	asm volatile("movq %0, %%cr3" : : "r"(hv_cr3) : "memory");
	apic_init_cpu();
	svm_cpu_init(c);
}

static struct cpu *cpu_new(void)
{
	return (struct cpu *)((char *)boot_alloc_stack() + STACK_SIZE - CPU_RESERVE);
}

static void delay_us(uint64_t us)
{
	uint64_t end = rdtsc() + us * tsc_khz() / 1000;

	while (rdtsc() < end)
		cpu_relax();
}

/* Boot CPU only. A CPU that does not answer stops the boot: it could wake later, outside. */
void smp_start(void)
{
	struct cpu *boot = this_cpu();
	size_t size = (size_t)(ap_trampoline_end - ap_trampoline);

	if (!mem_is_ram(TRAMPOLINE, PAGE))
		panic("page %lx is not RAM: no place for the start code of the other CPUs", TRAMPOLINE);
	if (acpi.cpus_ignored)
		panic("%u CPUs, and this release handles %u", acpi.cpus + acpi.cpus_ignored, MAX_CPUS);
	cpus[0] = boot;
	boot->online = true;
	cpu_count = 1;
	memcpy(phys(TRAMPOLINE), ap_trampoline, size);
	for (uint32_t i = 0; i < acpi.cpus; i++) {
		struct cpu *c;

		if (acpi.apic_id[i] == boot->apic_id)
			continue;
		c = cpu_new();
		c->apic_id = acpi.apic_id[i];
		c->index = cpu_count;
		cpus[cpu_count++] = c;
		ap_stack = virt_to_phys(c);
		apic_ipi(c->apic_id, ICR_INIT | ICR_ASSERT);
		delay_us(10000);
		for (uint32_t tries = 0; tries < 2 && !c->online; tries++) {
			apic_ipi(c->apic_id, ICR_SIPI | ICR_ASSERT | (uint32_t)(TRAMPOLINE >> 12));
			for (uint32_t t = 0; t < 10000 && !c->online; t++)
				delay_us(100);
		}
		if (!c->online)
			panic("CPU with APIC id %u does not start", c->apic_id);
	}
	memset(phys(TRAMPOLINE), 0, size);
}

void ap_main(void)
{
	struct cpu *c = this_cpu();

	cpu_init_self(c, c->index);
	cpu_park();
}

/*
 * Wait in hlt for the host's SIPI. GIF is 1 and interrupts are off here, so only
 * an NMI wakes; one that comes between the look and the hlt is sent past the hlt.
 */
static _Noreturn __attribute__((used)) void park_loop(void)
{
	struct cpu *c = this_cpu();

	asm volatile("clgi");
	c->sipi = 0;
	c->parked = true;
	c->init = false;
	c->online = true;
	while (!c->sipi) {
		asm volatile("stgi\n\t"
			     "cmpl $0, %0\n\t"
			     "jne park_awake\n"
			     ".globl park_halt\npark_halt:\n\t"
			     "hlt\n"
			     ".globl park_awake\npark_awake:\n\t"
			     "clgi" : : "m"(c->sipi) : "memory", "cc");
	}
	c->parked = false;
	apic_reset(c);
	c->nmi_host = false;
	c->tlb_host = 0;
	svm_host_start_ap(c, (uint32_t)__atomic_exchange_n(&c->sipi, 0, __ATOMIC_SEQ_CST) - 1);
}

/* From wherever the CPU was, on an empty stack. */
_Noreturn void cpu_park(void)
{
	asm volatile("movq %0, %%rsp; xorl %%ebp, %%ebp; call park_loop" : : "r"(this_cpu()) : "memory");
	__builtin_unreachable();
}

/* NMI handler: never go to sleep on the NMI that was the wake-up. */
void cpu_park_wake(struct isr_frame *f)
{
	if (f->rip <= virt_to_phys(park_halt) && f->rip >= virt_to_phys(park_halt) - 16)
		f->rip = virt_to_phys(park_awake);
}
