/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Interrupt descriptors and what happens on an exception of the hypervisor's own. */
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

#define EXC_SX	30	/* an INIT that VM_CR.R_INIT turned into an exception */

struct gate {
	uint16_t off0, sel;
	uint8_t ist, attr;
	uint16_t off1;
	uint32_t off2, zero;
};

struct table_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct fixup {
	uint64_t at, go;
};

extern char isr_stubs[], isr_drop[];
extern const struct fixup hv_extable[], hv_extable_end[];
void isr_main(struct isr_frame *f);

static struct gate idt[256] __attribute__((aligned(16)));

void desc_init(void)
{
	struct table_ptr p = { sizeof(idt) - 1, virt_to_phys(idt) };

	for (uint32_t i = 0; i < 256; i++) {
		/* Each stub is aligned to 16 bytes and at most 16 long. */
		uint64_t a = virt_to_phys(i < 32 ? isr_stubs + 16 * i : isr_drop);

		idt[i] = (struct gate){ .off0 = (uint16_t)a, .sel = SEL_CODE, .attr = 0x8e,
					.off1 = (uint16_t)(a >> 16), .off2 = (uint32_t)(a >> 32) };
	}
	asm volatile("lidt %0" : : "m"(p));
}

void isr_main(struct isr_frame *f)
{
	uint64_t cr2;

	if (f->vec == 2) {
		nmi_taken();
		cpu_park_wake(f);
		return;
	}
	if (f->vec == EXC_SX)
		return;
	for (const struct fixup *x = hv_extable; x < hv_extable_end; x++)
		if (x->at == f->rip) {
			f->rip = x->go;
			return;
		}
	asm volatile("movq %%cr2, %0" : "=r"(cr2));
	panic("exception %u error %lx at %lx, cr2 %lx, cpu %u", (uint32_t)f->vec, f->err, f->rip, cr2,
	      this_cpu()->index);
}
