/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Events: numbered bits that the host (or the hypervisor) raises in a guest and that become the vector the guest bound them to.
 * A bit waits at the virtual CPU of its binding, so that taking one needs no lock; binding moves it along.
 */
#include <core/arch.h>
#include <core/call.h>
#include <core/guest.h>

#define WORD(event) ((event) / 64)
#define BIT(event)  (1ull << ((event) % 64))

static uint8_t bound_vector(const struct vcpu *v, uint32_t event)
{
	const struct event_binding *b = &v->dom->event[event];
	uint8_t vector = __atomic_load_n(&b->vector, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&b->vcpu, __ATOMIC_RELAXED) == v->index ? vector : 0;
}

/* Finds a pending bound event: its number, or TSR_MAX_EVENTS. */
static uint32_t find(const struct vcpu *v)
{
	for (uint32_t w = 0; w < TSR_MAX_EVENTS / 64; w++) {
		uint64_t bits = __atomic_load_n(&v->pending[w], __ATOMIC_ACQUIRE);

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

uint8_t core_take_event(struct vcpu *v)
{
	uint32_t event = find(v);

	if (event == TSR_MAX_EVENTS)
		return 0;
	__atomic_fetch_and(&v->pending[WORD(event)], ~BIT(event), __ATOMIC_ACQ_REL);
	/* Unbound since: only by another virtual CPU of the same guest, which then loses its own event. */
	return bound_vector(v, event);
}

bool event_raise(struct domain *d, uint32_t event)
{
	struct vcpu *v = &d->vcpu[d->event[event].vcpu];
	bool idle = false;

	__atomic_fetch_or(&v->pending[WORD(event)], BIT(event), __ATOMIC_ACQ_REL);
	__atomic_fetch_add(&d->events, 1, __ATOMIC_RELAXED);
	core_count(TSR_COUNT_events_raised);
	if (d->event[event].vector && v->arch) {
		idle = arch_vcpu_idle(v);
		arch_vcpu_kick(v);
	}
	return idle;
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
	return !vector || (vector >= 32 && vector <= 255 && vector != 0x80);
}

int call_EVENT_BIND(struct call *c)
{
	struct event_binding *b;
	struct vcpu *from, *to;
	uint32_t event = (uint32_t)c->a0;

	if (c->a0 >= TSR_MAX_EVENTS || c->a1 >= c->d->nr_vcpus || !vector_ok(c->a2))
		return -TSR_E_ARG;
	b = &c->d->event[event];
	from = &c->d->vcpu[b->vcpu];
	to = &c->d->vcpu[c->a1];
	__atomic_store_n(&b->vector, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&b->vcpu, (uint8_t)c->a1, __ATOMIC_RELEASE);
	__atomic_store_n(&b->vector, (uint8_t)c->a2, __ATOMIC_RELEASE);
	if (from != to && __atomic_fetch_and(&from->pending[WORD(event)], ~BIT(event), __ATOMIC_ACQ_REL) & BIT(event))
		__atomic_fetch_or(&to->pending[WORD(event)], BIT(event), __ATOMIC_ACQ_REL);
	if (b->vector && to->pending[WORD(event)] & BIT(event))
		arch_vcpu_kick(to);
	return TSR_OK;
}
