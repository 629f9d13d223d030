/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "core_host.h"
#include <tessera/seal.h>

uint64_t last_value;
bool quick;
static uint64_t cursor;
static uint64_t ram_of[DOMAIN_NR], tables_of[DOMAIN_NR];

int call_by(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct hypercall call = { .nr = nr, .a0 = a0, .a1 = a1, .a2 = a2 };

	if (!quick)
		oracle_want_full();
	core_hypercall(v, &call);
	last_value = call.value;
	return (int)call.status;
}

struct vcpu *host_cpu(unsigned cpu)
{
	return &core_host()->vcpu[cpu];
}

int host_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return call_by(host_cpu(0), nr, a0, a1, a2);
}

void *mail_of(struct vcpu *v)
{
	mfn_t m;

	assert_true(leaf_lookup(v->dom, v->mailbox, &m));
	return arch_frame(m);
}

void *host_mail(void)
{
	return mail_of(host_cpu(0));
}

uint64_t host_take(uint64_t n)
{
	uint64_t run = 0;

	for (; cursor < frame_nr(); cursor++) {
		const struct frame *f = frame_of(mfn(cursor));

		run = f->owner == DOMAIN_HOST && f->state == FRAME_OWNED ? run + 1 : 0;
		if (run == n) {
			cursor++;
			return cursor - n;
		}
	}
	fail_msg("the host has no %llu free frames", (unsigned long long)n);
	return 0;
}

void host_mailboxes(void)
{
	cursor = FAKE_HV_FIRST + FAKE_HV_PAGES;
	for (unsigned i = 0; i < FAKE_CPUS; i++)
		assert_int_equal(call_by(host_cpu(i), TSR_CALL_MAILBOX, host_take(1), 0, 0), TSR_OK);
}

void host_start(const struct fake_config *config)
{
	fake_start(config);
	quick = false;
	host_mailboxes();
}

int host_setup(void **state)
{
	(void)state;
	host_start(NULL);
	return 0;
}

int host_teardown(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

/* ------------------------------------------------------------------ guests */

void guest_config(struct tsr_guest_create *config, uint64_t mem_pages)
{
	memset(config, 0, sizeof(*config));
	config->mem_pages = mem_pages;
	config->vcpus = 1;
	for (unsigned i = 0; i < 2; i++) {
		config->device[i].type = TSR_DEVICE_BLOCK;
		config->device[i].suite = TSR_SUITE_AES_256_GCM;
		memcpy(config->device[i].label, i ? "disk1" : "disk0", 5);
	}
}

struct domain *guest_create_with(const struct tsr_guest_create *config)
{
	memcpy(host_mail(), config, sizeof(*config));
	if (host_call(TSR_CALL_GUEST_CREATE, 0, 0, 0))
		return NULL;
	return guest_find(last_value);
}

int donate(struct domain *d, uint64_t pfn, uint64_t g, uint32_t count, uint32_t flags)
{
	struct tsr_donate el = { .host_pfn = pfn, .gfn = g, .count = count, .flags = flags };

	return host_batch(TSR_CALL_GUEST_DONATE, &el, 1, d->id);
}

int reclaim(struct domain *d, uint64_t pfn, uint32_t count)
{
	struct tsr_donate el = { .host_pfn = pfn, .count = count };

	return host_batch(TSR_CALL_GUEST_RECLAIM, &el, 1, d->id);
}

int launch(struct domain *d)
{
	struct tsr_guest_launch l = { .eip = 0x100000, .esi = 0x1000 };

	memcpy(host_mail(), &l, sizeof(l));
	return host_call(TSR_CALL_GUEST_LAUNCH, 0, d->id, 0);
}

/* The longest run of one element from g on. */
static uint32_t run_at(uint64_t g, uint64_t end)
{
	return end - g < TSR_DONATE_MAX ? (uint32_t)(end - g) : TSR_DONATE_MAX;
}

struct domain *guest_make(uint64_t mem_pages)
{
	return guest_make_smp(mem_pages, 1);
}

struct domain *guest_make_smp(uint64_t mem_pages, uint32_t vcpus)
{
	struct tsr_guest_create config;
	uint64_t tables = TSR_GUEST_TABLE_PAGES(mem_pages, vcpus);
	struct domain *d;

	guest_config(&config, mem_pages);
	config.vcpus = vcpus;
	d = guest_create_with(&config);
	assert_non_null(d);
	tables_of[d->id] = host_take(tables);
	assert_int_equal(donate(d, tables_of[d->id], 0, (uint32_t)tables, TSR_DONATE_TABLES), TSR_OK);
	ram_of[d->id] = host_take(mem_pages);
	for (uint64_t g = 0; g < mem_pages; g += TSR_DONATE_MAX)
		assert_int_equal(donate(d, ram_of[d->id] + g, g, run_at(g, mem_pages), 0), TSR_OK);
	assert_int_equal(launch(d), TSR_OK);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_MAILBOX, 1, 0, 0), TSR_OK);
	return d;
}

uint64_t guest_ram(const struct domain *d)
{
	return ram_of[d->id];
}

void guest_unmake(struct domain *d)
{
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	guest_bury(d);
}

void guest_bury(struct domain *d)
{
	uint64_t tables = d->table_pages, ram = d->ram_pages;

	for (uint64_t g = 0; g < ram; g += TSR_DONATE_MAX)
		assert_int_equal(reclaim(d, ram_of[d->id] + g, run_at(g, ram)), TSR_OK);
	assert_int_equal(reclaim(d, tables_of[d->id], (uint32_t)tables), TSR_OK);
	assert_int_equal(d->state, TSR_GUEST_NONE);
	cursor = FAKE_HV_FIRST + FAKE_HV_PAGES;
}

uint8_t *guest_page(const struct domain *d, uint64_t g)
{
	mfn_t m;

	assert_true(leaf_lookup(d, g, &m));
	return arch_frame(m);
}

/* ------------------------------------------------------------------ tokens */

struct tsr_token token_issue(struct domain *d, uint64_t g, uint32_t pages, uint8_t dir)
{
	struct tsr_token_issue el = { .gfn = g, .pages = pages, .dir = dir, .device = 0, .session = SESSION };

	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), TSR_OK);
	return el.token;
}

int token_map(struct domain *d, struct tsr_token t, uint64_t window, uint32_t pages, uint8_t dir)
{
	struct tsr_token_map el = {
		.token = t, .window_pfn = window, .pages = pages, .issuer = d->id, .session = SESSION, .dir = dir
	};

	return host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0);
}

int token_unmap(struct tsr_token t)
{
	struct tsr_token_ref el = { .token = t };

	return host_batch(TSR_CALL_TOKEN_UNMAP, &el, 1, 0);
}

int token_revoke(struct domain *d, struct tsr_token t)
{
	struct tsr_token_ref el = { .token = t };

	return guest_batch(d, TSR_CALL_TOKEN_REVOKE, &el, 1);
}

uint64_t window_add(uint32_t pages)
{
	struct tsr_window el = { .pfn = host_take(pages), .count = pages };

	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, &el, 1, 0), TSR_OK);
	return el.pfn;
}
