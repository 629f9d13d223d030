/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core_steps_fill.h"

#define ANY_GUEST_CALL 1000u

static struct steps *now; /* whose calls these are: for what happens within a run */

/* The host's CPU that makes the calls: another one while this one runs a guest. */
static struct vcpu *host_cpu_of(const struct steps *s)
{
	return &core_host()->vcpu[s->depth];
}

/* Mostly one in the state that the call wants; often NULL if there is none. */
static struct domain *guest_for(struct steps *s, uint64_t nr)
{
	uint32_t start = (uint32_t)below(s, 5), wanted;

	switch (nr) {
	case TSR_CALL_GUEST_DONATE:
	case TSR_CALL_GUEST_LOAD:
	case TSR_CALL_GUEST_LAUNCH:
		wanted = TSR_GUEST_BUILDING;
		break;
	case TSR_CALL_GUEST_RECLAIM:
		wanted = TSR_GUEST_DYING;
		break;
	case TSR_CALL_GUEST_DESTROY:
		wanted = one_in(s, 2) ? TSR_GUEST_STOPPED : TSR_GUEST_BUILDING;
		break;
	case TSR_CALL_GUEST_STOP:
	case TSR_CALL_VCPU_RUN:
	case TSR_CALL_EVENT_RAISE:
	case TSR_CALL_CONSOLE_INPUT:
	case ANY_GUEST_CALL:
		wanted = TSR_GUEST_RUNNING;
		break;
	default:
		return domain_by_id(DOMAIN_GUEST + start);
	}
	for (uint32_t i = 0; i < 5; i++) {
		struct domain *d = domain_by_id(DOMAIN_GUEST + (start + i) % 5);

		if (d->state == wanted && !one_in(s, 8))
			return d;
	}
	return one_in(s, 8) ? domain_by_id(DOMAIN_GUEST + start) : NULL;
}

static const uint8_t host_calls[] = {
	TSR_CALL_VERSION, TSR_CALL_INFO, TSR_CALL_GUEST_CREATE, TSR_CALL_GUEST_DONATE, TSR_CALL_GUEST_DONATE, TSR_CALL_GUEST_DONATE,
	TSR_CALL_GUEST_DONATE, TSR_CALL_GUEST_LOAD, TSR_CALL_GUEST_LAUNCH, TSR_CALL_GUEST_LAUNCH, TSR_CALL_VCPU_RUN,
	TSR_CALL_GUEST_STOP, TSR_CALL_GUEST_DESTROY, TSR_CALL_GUEST_RECLAIM, TSR_CALL_GUEST_RECLAIM, TSR_CALL_GUEST_RECLAIM,
	TSR_CALL_GUEST_RECLAIM, TSR_CALL_GUEST_RECLAIM, TSR_CALL_GUEST_INFO, TSR_CALL_GUEST_FRAMES, TSR_CALL_EVENT_RAISE, TSR_CALL_CONSOLE_INPUT,
	TSR_CALL_BACKEND_STATE, TSR_CALL_WINDOW_ADD, TSR_CALL_WINDOW_ADD, TSR_CALL_WINDOW_REMOVE, TSR_CALL_TOKEN_MAP,
	TSR_CALL_TOKEN_MAP, TSR_CALL_TOKEN_MAP, TSR_CALL_TOKEN_MAP, TSR_CALL_TOKEN_UNMAP, TSR_CALL_TOKEN_LIST,
	TSR_CALL_TOKEN_QUERY, TSR_CALL_MAILBOX, TSR_CALL_TOKEN_REVOKE, TSR_CALL_TOKEN_COPY, TSR_CALL_TOKEN_COPY, TSR_CALL_TOKEN_OWN, TSR_CALL_HOST_RESET,
};
static const uint8_t guest_calls[] = {
	TSR_CALL_MAILBOX, TSR_CALL_MAILBOX, TSR_CALL_INFO, TSR_CALL_TOKEN_ISSUE, TSR_CALL_TOKEN_ISSUE, TSR_CALL_TOKEN_ISSUE,
	TSR_CALL_TOKEN_REVOKE, TSR_CALL_TOKEN_REVOKE, TSR_CALL_TOKEN_QUERY, TSR_CALL_CONNECT, TSR_CALL_NOTIFY,
	TSR_CALL_EVENT_BIND, TSR_CALL_DEVICE_INFO, TSR_CALL_KEY_DERIVE, TSR_CALL_RANDOM, TSR_CALL_REPORT, TSR_CALL_TOKEN_MAP,
	TSR_CALL_TOKEN_COPY, TSR_CALL_TOKEN_COPY,
};

/* Arguments that mostly make sense for the call. */
static void arguments(struct steps *s, struct hypercall *call, const struct domain *about, unsigned *n)
{
	*n = 1;
	switch (call->nr) {
	case TSR_CALL_GUEST_DONATE:
	case TSR_CALL_GUEST_LOAD:
	case TSR_CALL_GUEST_RECLAIM:
		call->a1 = about->id;
		__attribute__((fallthrough));
	case TSR_CALL_WINDOW_ADD:
	case TSR_CALL_WINDOW_REMOVE:
	case TSR_CALL_TOKEN_MAP:
	case TSR_CALL_TOKEN_UNMAP:
	case TSR_CALL_TOKEN_ISSUE:
	case TSR_CALL_TOKEN_REVOKE:
	case TSR_CALL_TOKEN_COPY:
		*n = one_in(s, 4) ? 1 + byte(s) % 4 : 1;
		call->a0 = *n;
		break;
	case TSR_CALL_TOKEN_OWN:
		call->a1 = byte(s) % 4;
		break;
	case TSR_CALL_VCPU_RUN:
		call->a0 = about->id;
		break;
	case TSR_CALL_EVENT_RAISE:
	case TSR_CALL_BACKEND_STATE:
		call->a2 = byte(s) % (call->nr == TSR_CALL_BACKEND_STATE ? 2 : 256);
		__attribute__((fallthrough));
	case TSR_CALL_GUEST_LAUNCH:
	case TSR_CALL_GUEST_STOP:
	case TSR_CALL_GUEST_DESTROY:
	case TSR_CALL_GUEST_INFO: case TSR_CALL_GUEST_FRAMES: case TSR_CALL_CONSOLE_INPUT:
		call->a1 = about->id;
		break;
	case TSR_CALL_MAILBOX:
		call->a0 = one_in(s, 16) ? UINT64_MAX : any_gfn(s);
		break;
	case TSR_CALL_EVENT_BIND:
		call->a0 = byte(s);
		call->a2 = byte(s);
		break;
	case TSR_CALL_REPORT:
		call->a0 = one_in(s, 64);
		break;
	default:
		break;
	}
	if (one_in(s, 64)) {
		call->a0 = below(s, 65536);
		*n = 0;
	}
}

static void make_call(struct steps *s, struct vcpu *v, uint64_t nr)
{
	static uint8_t page[TSR_PAGE_SIZE];
	const struct domain *about = guest_for(s, nr);
	struct hypercall call = { .nr = nr };
	uint8_t *mail = page;
	unsigned n;
	mfn_t m;

	if (v->dom->id == DOMAIN_HOST && v->mailbox == GFN_NONE && !one_in(s, 4))
		call.nr = nr = TSR_CALL_MAILBOX;
	/* Rarely what ends a guest or all windows, or begins one that nobody goes on with. */
	if (!about || ((nr == TSR_CALL_GUEST_STOP || nr == TSR_CALL_HOST_RESET || nr == TSR_CALL_GUEST_CREATE) && !one_in(s, 8)))
		return;
	arguments(s, &call, about, &n);
	/* The host's registered page must stay so: it is not what is tried here. */
	if (v->dom->id == DOMAIN_HOST && nr == TSR_CALL_MAILBOX)
		call.a0 = any_pfn(s);
	if (v->mailbox != GFN_NONE && leaf_lookup(v->dom, v->mailbox, &m))
		mail = arch_frame(m);
	fill(s, nr, mail, n, about, v->dom->id == DOMAIN_HOST);
	core_hypercall(v, &call);
	if (nr == TSR_CALL_TOKEN_ISSUE && !call.status)
		remember(mail, n, v->dom->id);
	if (nr == TSR_CALL_TOKEN_OWN && !call.status)
		remember(mail, 1, DOMAIN_HV);
	if (nr < 64)
		(call.status ? s->refused : s->done)[nr]++;
}

static void a_cpu_does_something(struct steps *s)
{
	unsigned i = 1 + byte(s) % (FAKE_CPUS - 1);
	struct fake_cpu *c = &fake.cpu[i];

	switch (byte(s) % 4) {
	case 0:
		(c->inside ? fake_leave : fake_enter)(i);
		break;
	case 1:
		c->refuses = one_in(s, 8);
		break;
	default:
		for (unsigned k = 0; c->inside && k < 16; k++)
			fake_host_access(i, FAKE_HV_FIRST + FAKE_HV_PAGES + below(s, 320), PERM_R);
	}
}

/* One call of the host's with this element. */
static bool host_does(struct steps *s, uint64_t nr, uint64_t a0, uint64_t a1, const void *el, size_t size)
{
	struct vcpu *v = host_cpu_of(s);
	struct hypercall call = { .nr = nr, .a0 = a0, .a1 = a1 };
	mfn_t m;

	if (v->mailbox == GFN_NONE || !leaf_lookup(v->dom, v->mailbox, &m))
		return false;
	memcpy(arch_frame(m), el, size);
	core_hypercall(v, &call);
	(call.status ? s->refused : s->done)[nr]++;
	return !call.status;
}

/* Builds a guest to its first run as a good host would: by chance alone few would get so far. */
static void build(struct steps *s)
{
	struct tsr_guest_create config = { 0 };
	struct tsr_guest_launch entry = { 0 };
	struct tsr_donate el = { .count = 1 };
	uint64_t pages;
	uint32_t id;

	fill_create(s, &config);
	for (id = DOMAIN_GUEST; domain_by_id(id)->state != TSR_GUEST_NONE; id++)
		if (id == DOMAIN_GUEST + 4)
			return;
	if (!host_does(s, TSR_CALL_GUEST_CREATE, 0, 0, &config, sizeof(config)))
		return;
	pages = config.mem_pages + 4;
	for (uint64_t m = any_pfn(s); m < MACHINE_FRAMES && pages; m++) {
		if (!belongs(m, DOMAIN_HOST))
			continue;
		el.host_pfn = m;
		el.flags = pages > config.mem_pages ? TSR_DONATE_TABLES : 0;
		el.gfn = el.flags ? 0 : config.mem_pages - pages;
		while (!host_does(s, TSR_CALL_GUEST_DONATE, 1, id, &el, sizeof(el)))
			if (one_in(s, 8) || s->end)
				return;
		pages--;
	}
	if (host_does(s, TSR_CALL_GUEST_LAUNCH, 0, id, &entry, sizeof(entry)))
		core_hypercall(&domain_by_id(id)->vcpu[0], &(struct hypercall){ .nr = TSR_CALL_MAILBOX });
}

/* Takes back what a dying guest has, in the right order, until a call is refused. */
static void bury(struct steps *s)
{
	struct domain *d = guest_for(s, TSR_CALL_GUEST_RECLAIM);
	struct tsr_donate el = { .count = 1 };

	for (unsigned tables = 0; d && tables < 2; tables++)
		for (uint64_t m = 0; m < MACHINE_FRAMES; m++) {
			if (d->state != TSR_GUEST_DYING || frame_of(mfn(m))->owner != d->id ||
			    (frame_of(mfn(m))->gfn == GFN_NONE) != tables)
				continue;
			el.host_pfn = m;
			if (!host_does(s, TSR_CALL_GUEST_RECLAIM, 1, d->id, &el, sizeof(el)))
				return;
		}
}

static void do_step(struct steps *s)
{
	uint8_t what = byte(s);
	struct domain *d;

	if (what < 3) {
		build(s);
	} else if (what < 6) {
		bury(s);
	} else if (what < 40) {
		a_cpu_does_something(s);
	} else if (what < 160) {
		make_call(s, host_cpu_of(s), host_calls[byte(s) % sizeof(host_calls)]);
	} else if (what < 252) {
		d = guest_for(s, ANY_GUEST_CALL);
		if (d && d->state != TSR_GUEST_NONE)
			make_call(s, &d->vcpu[0], guest_calls[byte(s) % sizeof(guest_calls)]);
	} else {
		make_call(s, host_cpu_of(s), byte(s));
	}
}

/* No CPU in the host's container may remember a way to a frame that is somebody else's by now. */
static void check_remembered(void)
{
	for (unsigned i = 0; i < FAKE_CPUS; i++) {
		const struct fake_cpu *c = &fake.cpu[i];

		for (unsigned k = 0; c->inside && k < c->remembered; k++) {
			uint64_t g = c->order[k];
			mfn_t m = c->buffer[g].frame;
			const struct frame *f = frame_of(m);

			if (f->owner == DOMAIN_HOST && m.n == g)
				continue;
			if ((f->owner >= DOMAIN_GUEST || f->owner == DOMAIN_HV) &&
			    (f->state == FRAME_ISSUED || f->state == FRAME_MAPPED || f->state == FRAME_DIRTY))
				continue;
			fprintf(stderr, "CPU %u still reaches frame %llu, owner %u state %u, at %llu\n", i,
				(unsigned long long)m.n, f->owner, f->state, (unsigned long long)g);
			abort();
		}
	}
}

void step(struct steps *s)
{
	do_step(s);
	check_remembered();
}

/* While a virtual CPU runs it makes calls of its own, and so do other guests and the host's other CPUs, which may want the very same one. */
static void within_run(struct vcpu *v, struct tsr_run_exit *exit)
{
	uint8_t vector = core_take_event(v);

	exit->reason = TSR_RUN_INTR;
	if (vector && (vector < 32 || vector == 0x80))
		abort();
	if (now->depth + 1 == FAKE_CPUS)
		return;
	now->depth++;
	for (unsigned n = byte(now) % 8; n && !now->end; n--)
		step(now);
	now->depth--;
}

void steps_start(struct steps *s)
{
	static const struct fake_config config = { .frames = MACHINE_FRAMES };
	struct hypercall call = { .nr = TSR_CALL_MAILBOX, .a0 = FAKE_HV_FIRST + FAKE_HV_PAGES };

	fake_start(&config);
	fake.run = within_run;
	now = s;
	fill_start();
	core_hypercall(&core_host()->vcpu[0], &call);
}

void steps_check(void)
{
	check_remembered();
	oracle_check_all();
}
