/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Events: numbered bits that the host (or the hypervisor) raises in a guest and that become the vector the guest bound them to.
 * Raising writes the bit, then reads the binding; binding writes the binding, then reads the bit; whoever comes second kicks. Taking
 * one needs no lock.
 */
#include <core/arch.h>
#include <core/call.h>
#include <core/check.h>
#include <core/guest.h>

#define WORD(event) ((event) / 64)
#define BIT(event)  (1ull << ((event) % 64))

static struct event_binding binding(const struct domain *d, uint32_t event)
{
	struct event_binding b;

	__atomic_load(&d->event[event], &b, __ATOMIC_SEQ_CST);
	return b;
}

static uint8_t bound_vector(const struct vcpu *v, uint32_t event)
{
	struct event_binding b = binding(v->dom, event);

	return b.vcpu == v->index ? b.vector : 0;
}

/* Finds a pending event bound to v: its number, or TSR_MAX_EVENTS. */
static uint32_t find(const struct vcpu *v)
{
	for (uint32_t w = 0; w < TSR_MAX_EVENTS / 64; w++) {
		uint64_t bits = __atomic_load_n(&v->dom->pending[w], __ATOMIC_SEQ_CST);

		for (; bits; bits &= bits - 1) {
			uint32_t event = w * 64 + (uint32_t)__builtin_ctzll(bits);

			if (bound_vector(v, event))
				return event;
		}
	}
	return TSR_MAX_EVENTS;
}

bool core_event_pending(const struct vcpu *v)
{
	return find(v) < TSR_MAX_EVENTS;
}

/* Marks it for whoever it is bound to now. */
static uint32_t mark(struct domain *d, uint32_t event)
{
	struct event_binding b;

	__atomic_fetch_or(&d->pending[WORD(event)], BIT(event), __ATOMIC_SEQ_CST);
	b = binding(d, event);
	return b.vector && d->vcpu[b.vcpu].arch ? arch_vcpu_kick(&d->vcpu[b.vcpu]) : 0;
}

uint8_t core_take_event(struct vcpu *v)
{
	/* Bounded: each further round needs a binding that changed just now. */
	for (uint32_t tries = 0; tries < TSR_MAX_EVENTS; tries++) {
		uint32_t event = find(v);
		uint8_t vector;

		if (event == TSR_MAX_EVENTS)
			return 0;
		if (!(__atomic_fetch_and(&v->dom->pending[WORD(event)], ~BIT(event), __ATOMIC_SEQ_CST) & BIT(event)))
			continue;
		vector = bound_vector(v, event);
		if (vector)
			return vector;
		/* Bound to another meanwhile: given on. */
		arch_vcpu_wake(v, mark(v->dom, event));
	}
	return 0;
}

uint32_t event_raise(struct domain *d, uint32_t event)
{
	__atomic_fetch_add(&d->events, 1, __ATOMIC_RELAXED);
	core_count(TSR_COUNT_events_raised);
	return mark(d, event);
}

int call_EVENT_RAISE(struct call *c)
{
	struct domain *d = guest_find(c->a1);

	if (!d)
		return -TSR_E_GUEST;
	if (c->a2 >= TSR_MAX_EVENTS)
		return -TSR_E_ARG;
	if (d->state != TSR_GUEST_RUNNING)
		return -TSR_E_STATE;
	c->value = event_raise(d, (uint32_t)c->a2);
	return TSR_OK;
}

static bool vector_ok(uint64_t vector)
{
	return !vector || (vector >= 32 && vector <= 255 && vector != 0x80) || !CHECKED(VECTOR);
}

int call_EVENT_BIND(struct call *c)
{
	struct event_binding b = { (uint8_t)c->a1, (uint8_t)c->a2 };
	uint32_t event = (uint32_t)c->a0;

	if (c->a0 >= TSR_MAX_EVENTS || c->a1 >= c->d->nr_vcpus || !vector_ok(c->a2))
		return -TSR_E_ARG;
	__atomic_store(&c->d->event[event], &b, __ATOMIC_SEQ_CST);
	if (b.vector && __atomic_load_n(&c->d->pending[WORD(event)], __ATOMIC_SEQ_CST) & BIT(event))
		arch_vcpu_wake(c->v, arch_vcpu_kick(&c->d->vcpu[b.vcpu]));
	return TSR_OK;
}
