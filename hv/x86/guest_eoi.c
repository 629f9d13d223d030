/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * KVM's paravirtual end of interrupt (Linux, Documentation/virt/kvm/x86/msr.rst): while one interrupt is in service and none waits behind it, bit 0
 * of a word in the guest's memory says that clearing it will do, instead of a write to the EOI register, which is an exit. It is offered
 * at the entry and taken back at the exit, so outside a run the APIC's registers alone tell.
 */
#include "hv/x86/guest_vcpu.h"
#include "hv/x86/x86.h"

#define EOI_ENABLE 1ull

/* With the lock. The word, if it lies in a page that the frame table says is the guest's. */
static uint32_t *word_of(const struct vcpu *v)
{
	uint64_t gpa = v->arch->eoi_msr & ~EOI_ENABLE;
	struct leaf l = core_leaf_expected(v->dom, gfn(gpa / PAGE));

	return l.perm & PERM_W ? (uint32_t *)((char *)arch_frame(l.frame) + (gpa & (PAGE - 1))) : NULL;
}

/* What the word held. A page that is no longer there is the guest's own affair: as if the bit were still set. */
static uint32_t exchange(const struct vcpu *v, uint32_t val)
{
	uint32_t *word, old = EOI_ENABLE;

	arch_lock();
	word = word_of(v);
	if (word)
		old = __atomic_exchange_n(word, val, __ATOMIC_SEQ_CST);
	arch_unlock();
	return old;
}

enum guest_verdict guest_eoi_set(struct vcpu *v, uint64_t val)
{
	uint64_t before = v->arch->eoi_msr;
	bool ok;

	if (val & 2 || (!(val & EOI_ENABLE) && val))
		return G_GP;
	v->arch->eoi_msr = val;
	if (!val)
		return G_DONE;
	arch_lock();
	ok = word_of(v);
	arch_unlock();
	if (ok)
		return G_DONE;
	v->arch->eoi_msr = before;
	return G_GP;
}

void guest_eoi_offer(struct vcpu *v)
{
	struct arch_vcpu *a = v->arch;

	if (!(a->eoi_msr & EOI_ENABLE) || !guest_apic_single(&a->apic))
		return;
	(void)exchange(v, 1);
	a->eoi_offered = true;
}

void guest_eoi_take(struct vcpu *v)
{
	struct arch_vcpu *a = v->arch;

	if (!a->eoi_offered)
		return;
	a->eoi_offered = false;
	if (!(exchange(v, 0) & 1))
		guest_apic_eoi(&a->apic);
}
