/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "core_host.h"
#include "edges.h"

#define PAGES 16u
#define PLAIN 8u

/* Guests by id: 2 makes the guest's calls, 3 is named by most of the host's, 4 stands by and is in no list here, 5 is being built. */
static struct domain *caller, *target, *bystander, *building;
static uint64_t plain, window; /* runs of the host's */
static struct tsr_token token[3]; /* of caller: issued, to copy from; of target: issued */
static struct tsr_census whole;
static struct edges out;
static unsigned enough;
static bool seen_done[300];

static uint64_t edge[40];
static unsigned nr_edges;

static void list_edges(void)
{
	const uint64_t list[] = {
		0, 1, 2, 3, 5, 15, 16, 63, 64, 65, 255, 256, 511, 512, 513, 1023, 4095, 4096, 4097, 0xffff, 0x7fffffff, 0x80000000, UINT32_MAX,
		1ull << 32, (1ull << 32) + 1, 1ull << 52, INT64_MAX, 1ull << 63, UINT64_MAX - 1, UINT64_MAX,
		FAKE_HV_FIRST, FAKE_HV_FIRST + FAKE_HV_PAGES - 1, FAKE_HOLE, frame_nr() - 1, frame_nr(), plain, window, guest_ram(target),
		guest_ram(bystander), guest_ram(bystander) + 8,
	};

	_Static_assert(sizeof(list) == sizeof(edge), "an edge is left out");
	memcpy(edge, list, sizeof(list));
	nr_edges = sizeof(list) / sizeof(list[0]);
}

static struct tsr_token issue_copyable(struct domain *d, uint64_t g)
{
	struct tsr_token_issue el = { .gfn = g, .pages = 1, .dir = TSR_DIR_BOTH, .how = TSR_HOW_COPY, .session = SESSION };

	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), TSR_OK);
	return el.token;
}

static void mark(uint8_t *page, uint64_t g)
{
	memset(page, 0xb5, TSR_PAGE_SIZE);
	memcpy(page, &g, sizeof(g));
}

static void start(void)
{
	struct tsr_guest_create config;
	uint64_t tables = TSR_GUEST_TABLE_PAGES(PAGES, 1);

	/* A small one: it is started thousands of times. */
	host_start(&(const struct fake_config){ .frames = 1024 });
	quick = true;
	caller = guest_make(PAGES);
	target = guest_make(PAGES);
	bystander = guest_make(PAGES);
	guest_config(&config, PAGES);
	building = guest_create_with(&config);
	assert_int_equal(donate(building, host_take(tables), 0, (uint32_t)tables, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(building, host_take(PAGES / 2), 0, PAGES / 2, 0), TSR_OK);
	window = window_add(PLAIN);
	plain = host_take(PLAIN);
	token[0] = token_issue(caller, 4, 1, TSR_DIR_BOTH);
	token[1] = issue_copyable(caller, 5);
	token[2] = token_issue(target, 6, 1, TSR_DIR_BOTH);
	token_issue(bystander, 6, 2, TSR_DIR_BOTH);
	for (uint64_t g = 2; g < PAGES; g++)
		mark(guest_page(bystander, g), g);
	fake_enter(1);
	frame_census(&whole);
	list_edges();
}

/* ------------------------------------------------------------------ what must hold */

static bool bystander_is_well(void)
{
	uint8_t want[TSR_PAGE_SIZE];

	if (bystander->id != DOMAIN_GUEST + 2 || bystander->state != TSR_GUEST_RUNNING || bystander->ram_pages != PAGES ||
	    bystander->tokens != 1 || bystander->granted != 2)
		return false;
	for (uint64_t g = 0; g < PAGES; g++) {
		mfn_t m;

		if (!leaf_lookup(bystander, g, &m) || m.n != guest_ram(bystander) + g || fake_host_access(1, m.n, PERM_R))
			return false;
		mark(want, g);
		if (g >= 2 && memcmp(arch_frame(m), want, sizeof(want)) != 0)
			return false;
	}
	return true;
}

static bool all_is_well(void)
{
	struct tsr_census now;

	frame_census(&now);
	if (now.hypervisor != whole.hypervisor || now.hypervisor + now.host + now.guests + now.tables !=
	    whole.hypervisor + whole.host + whole.guests + whole.tables)
		return false;
	for (uint64_t m = FAKE_HV_FIRST; m < FAKE_HV_FIRST + FAKE_HV_PAGES; m++)
		if (fake_host_access(1, m, PERM_R))
			return false;
	return bystander_is_well();
}

/* ------------------------------------------------------------------ calls */

struct args {
	uint64_t nr, a0, a1, a2;
};

/* A call that would succeed, or nearly. Returns the bytes of its structure. */
static size_t sensible(bool guest, struct args *a, uint8_t *mail)
{
	memset(mail, 0, TSR_PAGE_SIZE);
	a->a0 = a->a1 = a->a2 = 0;
#define PUT(...) (memcpy(mail, &(__VA_ARGS__), sizeof(__VA_ARGS__)), sizeof(__VA_ARGS__))
	switch (a->nr) {
	case TSR_CALL_MAILBOX:
		a->a0 = guest ? 8 : plain;
		return 0;
	case TSR_CALL_GUEST_CREATE:
		guest_config((struct tsr_guest_create *)mail, PAGES);
		return 16; /* what follows is the instance, which may be anything, and devices: core_guests.c */
	case TSR_CALL_GUEST_DONATE:
		a->a0 = 1, a->a1 = building->id;
		return PUT((struct tsr_donate){ .host_pfn = plain, .gfn = PAGES / 2, .count = 2 });
	case TSR_CALL_GUEST_LOAD:
		a->a0 = 1, a->a1 = building->id;
		return PUT((struct tsr_load){ .gfn = 3, .host_pfn = plain });
	case TSR_CALL_GUEST_LAUNCH:
		a->a1 = building->id;
		return PUT((struct tsr_guest_launch){ .eip = 1 });
	case TSR_CALL_GUEST_RECLAIM:
		a->a0 = 1, a->a1 = target->id;
		return PUT((struct tsr_donate){ .host_pfn = guest_ram(target), .count = 1 });
	case TSR_CALL_VCPU_RUN:
		a->a0 = target->id;
		return 0;
	case TSR_CALL_GUEST_STOP:
	case TSR_CALL_GUEST_DESTROY:
	case TSR_CALL_GUEST_INFO:
	case TSR_CALL_EVENT_RAISE:
		a->a1 = target->id;
		return 0;
	case TSR_CALL_BACKEND_STATE:
		a->a1 = target->id, a->a2 = 1;
		return 0;
	case TSR_CALL_CONSOLE_INPUT:
		a->a1 = target->id;
		return PUT((struct tsr_console_input){ .len = 1 });
	case TSR_CALL_WINDOW_ADD:
		a->a0 = 1;
		return PUT((struct tsr_window){ .pfn = plain, .count = 2 });
	case TSR_CALL_WINDOW_REMOVE:
		a->a0 = 1;
		return PUT((struct tsr_window){ .pfn = window, .count = 2 });
	case TSR_CALL_TOKEN_MAP:
		a->a0 = 1;
		return PUT((struct tsr_token_map){ .token = token[2], .window_pfn = window, .pages = 1, .issuer = target->id,
						   .session = SESSION, .dir = TSR_DIR_BOTH });
	case TSR_CALL_TOKEN_COPY:
		a->a0 = 1;
		return PUT((struct tsr_token_copy){ .token = token[1], .address = guest ? 0 : plain * TSR_PAGE_SIZE, .length = 64,
						    .issuer = caller->id, .session = SESSION, .dir = TSR_DIR_READ });
	case TSR_CALL_TOKEN_UNMAP:
	case TSR_CALL_TOKEN_REVOKE:
	case TSR_CALL_TOKEN_QUERY:
		a->a0 = a->nr != TSR_CALL_TOKEN_QUERY;
		return PUT(token[0]);
	case TSR_CALL_TOKEN_ISSUE:
		a->a0 = 1;
		return PUT((struct tsr_token_issue){ .gfn = 8, .pages = 2, .dir = TSR_DIR_BOTH, .session = SESSION });
	case TSR_CALL_CONNECT:
		return PUT((struct tsr_connect){ .session = SESSION, .token = token[0] });
	case TSR_CALL_EVENT_BIND:
		a->a2 = 32;
		return 0;
	case TSR_CALL_KEY_DERIVE:
		return PUT((struct tsr_key_derive){ .label = "disk0", .purpose = TSR_KEY_DISK_ATTACH });
	case TSR_CALL_RANDOM:
		return PUT((struct tsr_random){ .len = 1 });
	case TSR_CALL_REPORT:
		a->a0 = 1;
		return 0;
	}
	return 0;
}

/* Such a call can be done again and again on one machine. */
static bool leaves_nothing(uint64_t nr)
{
	static const uint8_t calls[] = {
		TSR_CALL_VERSION, TSR_CALL_INFO, TSR_CALL_VCPU_RUN, TSR_CALL_GUEST_INFO, TSR_CALL_EVENT_RAISE, TSR_CALL_CONSOLE_INPUT, TSR_CALL_BACKEND_STATE,
		TSR_CALL_TOKEN_LIST, TSR_CALL_DMA_FAULTS, TSR_CALL_TOKEN_OWN, TSR_CALL_TOKEN_COPY, TSR_CALL_TOKEN_QUERY, TSR_CALL_NOTIFY,
		TSR_CALL_EVENT_BIND, TSR_CALL_DEVICE_INFO, TSR_CALL_KEY_DERIVE, TSR_CALL_RANDOM,
	};

	return nr < 256 && memchr(calls, (int)nr, sizeof(calls));
}

/* Makes the call; what it changes is gone afterwards. */
static void call(bool guest, struct args a, const uint8_t *mail)
{
	struct vcpu *v = guest ? &caller->vcpu[0] : host_cpu(0);
	static int status; /* longjmp leaves it alone */

	if (out.halts + out.breaches >= enough)
		return;
	memcpy(mail_of(v), mail, TSR_PAGE_SIZE);
	out.calls++;
	fake.expect_halt = true;
	if (setjmp(fake.halted)) {
		out.halts++;
		start();
		return;
	}
	status = call_by(v, a.nr, a.a0, a.a1, a.a2);
	fake.expect_halt = false;
	assert_true(status <= 0 && status >= -TSR_E_UNSAFE);
	if (status)
		out.refused++;
	else
		out.done++;
	if (status && status != -TSR_E_AGAIN && out.calls % 64)
		return; /* nothing was done: HC-12; seen to from time to time */
	if (!all_is_well()) {
		out.breaches++;
	} else if (!status && a.nr < 300) {
		out.calls_done += !seen_done[a.nr];
		seen_done[a.nr] = true;
	}
	if (!leaves_nothing(a.nr) || out.breaches)
		start();
}

static void each_argument(bool guest, uint64_t nr)
{
	uint8_t mail[TSR_PAGE_SIZE];
	struct args a = { .nr = nr };

	sensible(guest, &a, mail);
	call(guest, a, mail);
	for (unsigned which = 0; which < 3; which++)
		for (unsigned i = 0; i < nr_edges; i++) {
			a.nr = nr;
			sensible(guest, &a, mail);
			*(which == 0 ? &a.a0 : which == 1 ? &a.a1 : &a.a2) = edge[i];
			call(guest, a, mail);
		}
	a.nr = nr;
	sensible(guest, &a, mail);
	memset(mail, 0xff, sizeof(mail));
	call(guest, a, mail);
	memset(mail, 0, sizeof(mail));
	call(guest, a, mail);
}

static void each_field(bool guest, uint64_t nr)
{
	uint8_t mail[TSR_PAGE_SIZE];
	struct args a = { .nr = nr };
	size_t size = sensible(guest, &a, mail);

	for (size_t at = 0; at < size; at++)
		for (size_t width = 1; width <= 8; width *= 2)
			for (unsigned i = 0; i < nr_edges && at % width == 0 && at + width <= size; i++) {
				if (width < 8 && edge[i] >> (8 * width) && edge[i] != UINT64_MAX)
					continue;
				if (width == 1 && i % 8)
					continue;
				sensible(guest, &a, mail);
				memcpy(mail + at, &edge[i], width);
				call(guest, a, mail);
			}
}

struct edges edges_run(bool guest, unsigned most_bad)
{
	static const uint64_t beyond[] = { 240, 255, 256, 1ull << 32, UINT64_MAX };

	memset(&out, 0, sizeof(out));
	memset(seen_done, 0, sizeof(seen_done));
	enough = most_bad;
	start();
	for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
		each_argument(guest, beyond[i]);
	for (uint64_t nr = 0; nr < 64; nr++) {
		each_argument(guest, nr);
		each_field(guest, nr);
	}
	fake_stop();
	return out;
}
