/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The host's RDMSR and WRMSR by the table in msr_table.h. EFER and TSC live with the container (svm_host.c). */
#include "hv/x86/host.h"
#include "hv/x86/msr_table.h"
#include "hv/x86/x86.h"

#define VM_CR_SHOWN	0x18ull	/* SVMDIS, LOCK */

static const struct {
	uint32_t first, last;
	uint8_t read, write;
} table[] = {
#define X(first, last, read, write, text) { first, last, MSR_##read, MSR_##write },
	HOST_MSRS(X)
#undef X
};

struct msr_rules guard_msr_rules(uint32_t msr)
{
	struct msr_rules found = { MSR_PASS, MSR_REFUSE, UINT32_MAX };

	for (uint32_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (msr >= table[i].first && msr <= table[i].last) {
			found.read = table[i].read;
			found.write = table[i].write;
			found.last = table[i].last < found.last ? table[i].last : found.last;
			break;
		}
		if (table[i].first > msr && table[i].first - 1 < found.last)
			found.last = table[i].first - 1;
	}
	return found;
}

enum verdict guard_rdmsr(struct cpu *c, uint32_t msr, uint64_t *v)
{
	(void)c;
	if (msr == MSR_VM_CR) {
		*v = VM_CR_SHOWN;
		return V_DONE;
	}
	if (guard_msr_rules(msr).read != MSR_PASS)
		return V_GP;
	return rdmsr_safe(msr, v) ? V_DONE : V_GP;
}

enum verdict guard_wrmsr(struct cpu *c, uint32_t msr, uint64_t v)
{
	uint64_t now;

	(void)c;
	switch (guard_msr_rules(msr).write) {
	case MSR_PASS:
		return wrmsr_safe(msr, v) ? V_DONE : V_GP;
	case MSR_IGNORE:
		return V_DONE;
	case MSR_SAME:
		if (msr == MSR_VM_CR)
			return v == VM_CR_SHOWN ? V_DONE : V_GP;
		return rdmsr_safe(msr, &now) && now == v ? V_DONE : V_GP;
	case MSR_CHECK:
		return apic_host_msr_write(msr, v) ? V_DONE : V_GP;
	default:
		return V_GP;
	}
}
