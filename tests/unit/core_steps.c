/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core_steps.h"
#include "fake_arch.h"
#include <tessera/seal.h>

#define MACHINE_FRAMES 1024u
#define REMEMBERED     32u
#define ANY_GUEST_CALL 1000u

static struct tsr_token tokens[REMEMBERED];
static struct tsr_token_issue issued[REMEMBERED];
static uint32_t issuers[REMEMBERED];
static unsigned nr_issued;

static uint8_t byte(struct steps *s)
{
	return s->end ? 0 : s->next(s);
}

static uint64_t below(struct steps *s, uint64_t n)
{
	return ((uint64_t)byte(s) | (uint64_t)byte(s) << 8) % n;
}

static bool one_in(struct steps *s, unsigned n)
{
	return byte(s) % n == 0;
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

/* Mostly frames in the middle, where a few dozen are fought over. */
static uint64_t any_pfn(struct steps *s)
{
	uint8_t what = byte(s) % 16;

	if (what < 2)
		return what ? below(s, MACHINE_FRAMES + 2) : UINT64_MAX - below(s, 4);
	return FAKE_HV_FIRST + FAKE_HV_PAGES + below(s, 320);
}

static uint64_t any_gfn(struct steps *s)
{
	return one_in(s, 32) ? UINT64_MAX : below(s, 40);
}

static uint32_t any_count(struct steps *s)
{
	return one_in(s, 32) ? (uint32_t)below(s, 65536) * 65537u : 1 + (uint32_t)below(s, 16);
}

/* Mostly one that is alive; the place where it is remembered. */
static unsigned any_issued(struct steps *s)
{
	unsigned start = (unsigned)below(s, REMEMBERED);

	for (unsigned i = 0; i < REMEMBERED && !one_in(s, 16); i++)
		if (grant_find(&tokens[(start + i) % REMEMBERED]))
			return (start + i) % REMEMBERED;
	return start;
}

static struct tsr_token any_token(struct steps *s)
{
	struct tsr_token t = tokens[any_issued(s)];

	t.random ^= one_in(s, 32) ? 1ull << below(s, 64) : 0;
	return t;
}

static void fill_create(struct steps *s, struct tsr_guest_create *c)
{
	c->mem_pages = 4 + below(s, 24);
	c->vcpus = 1 + one_in(s, 32);
	c->flags = byte(s) % 2;
	c->device[0].type = TSR_DEVICE_BLOCK;
	c->device[0].suite = TSR_SUITE_AES_256_GCM;
	c->device[0].label[0] = 'a';
}

static bool belongs(uint64_t m, uint32_t owner)
{
	const struct frame *f = frame_of(mfn(m));

	/* Table pages come last. */
	if (owner != DOMAIN_HOST && domain_by_id(owner)->ram_pages && f->state == FRAME_TABLE)
		return false;
	return f->owner == owner && (owner != DOMAIN_HOST || f->state == FRAME_OWNED);
}

/* Mostly a run that belongs to whom the call takes it from, or few guests would ever be whole, and fewer would go. */
static void some_run(struct steps *s, struct tsr_donate *el, uint32_t owner)
{
	uint64_t m = any_pfn(s);

	el->host_pfn = m;
	el->count = any_count(s);
	if (one_in(s, 8) || m >= MACHINE_FRAMES)
		return;
	while (m < MACHINE_FRAMES && !belongs(m, owner))
		m++;
	el->host_pfn = m;
	for (uint32_t n = 0; n < el->count && n < 32; n++)
		if (m + n >= MACHINE_FRAMES || !belongs(m + n, owner))
			el->count = n;
}

static void fill_donate(struct steps *s, struct tsr_donate *el, const struct domain *d, bool take)
{
	some_run(s, el, take ? d->id : DOMAIN_HOST);
	if (take)
		return;
	el->flags = one_in(s, 3) ? TSR_DONATE_TABLES : 0;
	el->gfn = el->flags ? 0 : one_in(s, 8) ? any_gfn(s) : d->donated_next;
	if (!el->flags && el->gfn < d->mem_pages && el->count > d->mem_pages - el->gfn && !one_in(s, 8))
		el->count = (uint32_t)(d->mem_pages - el->gfn);
}

static void fill_issue(struct steps *s, struct tsr_token_issue *el)
{
	*el = (struct tsr_token_issue){ .gfn = any_gfn(s), .pages = 1 + byte(s) % 3, .dir = 1 + byte(s) % 3,
					.session = 1 + byte(s) % 2, .device = one_in(s, 16), .how = byte(s) % 4 % 3 };
	if (el->how == TSR_HOW_COPY && one_in(s, 2) && (el->offset = (uint32_t)below(s, TSR_PAGE_SIZE)) % 2)
		el->bytes = el->pages * TSR_PAGE_SIZE - el->offset - (uint32_t)below(s, TSR_PAGE_SIZE);
}

static void fill_copy(struct steps *s, struct tsr_token_copy *el, bool host)
{
	unsigned i = any_issued(s);

	for (unsigned k = 0; k < 8 && issued[i].how != TSR_HOW_COPY; k++)
		i = any_issued(s);
	*el = (struct tsr_token_copy){
		.token = tokens[i], .offset = (uint32_t)below(s, TSR_PAGE_SIZE), .length = 1 + (uint32_t)below(s, one_in(s, 2) ? 64 : TSR_PAGE_SIZE),
		.issuer = issuers[i], .session = issued[i].session, .dir = issued[i].dir == TSR_DIR_BOTH ? 1 + byte(s) % 2 : issued[i].dir,
	};
	if (host)
		el->address = any_pfn(s) * TSR_PAGE_SIZE + (one_in(s, 2) ? 0 : below(s, TSR_PAGE_SIZE));
	if (one_in(s, 16))
		((uint8_t *)el)[below(s, sizeof(*el))] ^= byte(s);
}

static void fill_map(struct steps *s, struct tsr_token_map *el)
{
	unsigned i = any_issued(s);

	*el = (struct tsr_token_map){
		.token = tokens[i], .window_pfn = any_pfn(s), .pages = issued[i].pages, .issuer = issuers[i],
		.session = issued[i].session, .device = issued[i].device, .dir = issued[i].dir,
		.how = issued[i].how,
	};
	for (unsigned k = 0; k < 64 && el->window_pfn < MACHINE_FRAMES - 1 && !one_in(s, 16); k++)
		if (frame_of(mfn(el->window_pfn))->state != FRAME_WINDOW)
			el->window_pfn++;
	if (one_in(s, 16))
		((uint8_t *)el)[below(s, sizeof(*el))] ^= byte(s);
}

/* Puts n elements for call nr into the mailbox. */
static void fill(struct steps *s, uint64_t nr, uint8_t *mail, unsigned n, const struct domain *about, bool host)
{
	struct tsr_donate run;

	memset(mail, 0, TSR_PAGE_SIZE);
	for (unsigned i = 0; i < n; i++) {
		switch (nr) {
		case TSR_CALL_GUEST_CREATE:
			fill_create(s, (struct tsr_guest_create *)mail);
			break;
		case TSR_CALL_GUEST_DONATE:
		case TSR_CALL_GUEST_RECLAIM:
			fill_donate(s, (struct tsr_donate *)mail + i, about, nr == TSR_CALL_GUEST_RECLAIM);
			break;
		case TSR_CALL_GUEST_LOAD:
			((struct tsr_load *)mail)[i] = (struct tsr_load){ about->loaded_next + byte(s) % 2, any_pfn(s) };
			break;
		case TSR_CALL_WINDOW_ADD:
		case TSR_CALL_WINDOW_REMOVE:
			run = (struct tsr_donate){ .host_pfn = any_pfn(s), .count = 1 };
			if (nr == TSR_CALL_WINDOW_ADD)
				some_run(s, &run, DOMAIN_HOST);
			((struct tsr_window *)mail)[i] = (struct tsr_window){ .pfn = run.host_pfn, .count = run.count };
			break;
		case TSR_CALL_TOKEN_MAP:
			fill_map(s, (struct tsr_token_map *)mail + i);
			break;
		case TSR_CALL_TOKEN_UNMAP:
		case TSR_CALL_TOKEN_REVOKE:
			((struct tsr_token_ref *)mail)[i].token = any_token(s);
			break;
		case TSR_CALL_TOKEN_ISSUE:
			fill_issue(s, (struct tsr_token_issue *)mail + i);
			break;
		case TSR_CALL_TOKEN_COPY:
			fill_copy(s, (struct tsr_token_copy *)mail + i, host);
			break;
		case TSR_CALL_TOKEN_QUERY:
			((struct tsr_token_query *)mail)->token = any_token(s);
			break;
		case TSR_CALL_CONNECT:
			*(struct tsr_connect *)mail = (struct tsr_connect){ .session = 1, .token = any_token(s) };
			break;
		case TSR_CALL_KEY_DERIVE:
			*(struct tsr_key_derive *)mail = (struct tsr_key_derive){ .label = "a", .purpose = 1 + byte(s) % 3 };
			break;
		case TSR_CALL_CONSOLE_INPUT:
		case TSR_CALL_RANDOM:
			*(uint32_t *)(void *)mail = 1 + byte(s) % 70;
			break;
		default:
			break;
		}
	}
}

static void remember(const uint8_t *mail, unsigned n, uint32_t issuer)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = nr_issued++ % REMEMBERED;

		issued[k] = ((const struct tsr_token_issue *)mail)[i];
		tokens[k] = issued[k].token;
		issuers[k] = issuer;
	}
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

/* One call of the host's with this element, on CPU 0. */
static bool host_does(struct steps *s, uint64_t nr, uint64_t a0, uint64_t a1, const void *el, size_t size)
{
	struct vcpu *v = &core_host()->vcpu[0];
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

void step(struct steps *s)
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
		make_call(s, &core_host()->vcpu[0], host_calls[byte(s) % sizeof(host_calls)]);
	} else if (what < 252) {
		d = guest_for(s, ANY_GUEST_CALL);
		if (d && d->state != TSR_GUEST_NONE)
			make_call(s, &d->vcpu[0], guest_calls[byte(s) % sizeof(guest_calls)]);
	} else {
		make_call(s, &core_host()->vcpu[0], byte(s));
	}
}

void steps_start(void)
{
	static const struct fake_config config = { .frames = MACHINE_FRAMES };
	struct hypercall call = { .nr = TSR_CALL_MAILBOX, .a0 = FAKE_HV_FIRST + FAKE_HV_PAGES };

	fake_start(&config);
	memset(tokens, 0, sizeof(tokens));
	nr_issued = 0;
	core_hypercall(&core_host()->vcpu[0], &call);
}

void steps_check(void)
{
	for (unsigned i = 0; i < FAKE_CPUS; i++) {
		const struct fake_cpu *c = &fake.cpu[i];

		for (uint64_t g = 0; c->inside && g < MACHINE_FRAMES; g++) {
			mfn_t m = c->buffer[g].frame;
			const struct frame *f = frame_of(m);

			if (!c->buffered[g] || (f->owner == DOMAIN_HOST && m.n == g))
				continue;
			if ((f->owner >= DOMAIN_GUEST || f->owner == DOMAIN_HV) &&
			    (f->state == FRAME_ISSUED || f->state == FRAME_MAPPED || f->state == FRAME_DIRTY))
				continue;
			fprintf(stderr, "CPU %u still reaches frame %llu, owner %u state %u, at %llu\n", i,
				(unsigned long long)m.n, f->owner, f->state, (unsigned long long)g);
			abort();
		}
	}
	oracle_check_all();
}
