/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* What all hypercalls have in common: spec/hypercalls.md, HC. */
#include "core_host.h"
#include <tessera/block.h>

struct call_row {
	const char *name;
	uint64_t nr;
	unsigned callers, batch;
	bool mail;
};
#define ROW(number, name, callers, batch, type, text) \
	{ #name, number, callers, batch, !__builtin_types_compatible_p(type, void) },
static const struct call_row rows[] = { TSR_CALLS(ROW) };
#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static bool known(uint64_t nr)
{
	for (unsigned i = 0; i < NR_ROWS; i++)
		if (rows[i].nr == nr)
			return true;
	return false;
}

/* [HC-4] */
static void numbers_that_are_no_call_are_refused(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	for (uint64_t nr = 0; nr < 300; nr++) {
		if (known(nr))
			continue;
		assert_int_equal(host_call(nr, 0, 0, 0), -TSR_E_CALL);
		assert_int_equal(call_by(&d->vcpu[0], nr, 0, 0, 0), -TSR_E_CALL);
	}
	assert_int_equal(host_call(UINT64_MAX, 0, 0, 0), -TSR_E_CALL);
	assert_int_equal(host_call(1ull << 32, 0, 0, 0), -TSR_E_CALL);
	assert_int_equal(host_call(TSR_CALL_VERSION, 0, 0, 0), TSR_OK);
	assert_int_equal(last_value, TSR_ABI_VERSION);
}

/* [HC-4] */
static void each_kind_of_domain_has_its_own_calls(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	for (unsigned i = 0; i < NR_ROWS; i++) {
		if (!(rows[i].callers & TSR_BY_HOST))
			assert_int_equal(host_call(rows[i].nr, 1, 1, 1), -TSR_E_CALL);
		if (!(rows[i].callers & TSR_BY_GUEST))
			assert_int_equal(call_by(&d->vcpu[0], rows[i].nr, 1, 1, 1), -TSR_E_CALL);
	}
}

/* [HC-5] */
static void arguments_that_a_call_does_not_use_must_be_zero(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	assert_int_equal(host_call(TSR_CALL_VERSION, 1, 0, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_INFO, 0, 0, 1), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, UINT64_MAX, 1, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 1, d->id, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_TOKEN_MAP, 1, 1, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_GUEST_DONATE, 1, d->id, 1), -TSR_E_ARG);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_NOTIFY, 0, 0, 9), -TSR_E_ARG);
	assert_int_equal(d->state, TSR_GUEST_RUNNING);
}

/* [HC-11] */
static void a_batch_has_at_least_one_element_and_at_most_its_limit(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	for (unsigned i = 0; i < NR_ROWS; i++) {
		struct vcpu *v = rows[i].callers & TSR_BY_HOST ? host_cpu(0) : &d->vcpu[0];

		if (!rows[i].batch)
			continue;
		assert_int_equal(call_by(v, rows[i].nr, 0, 0, 0), -TSR_E_ARG);
		assert_int_equal(call_by(v, rows[i].nr, rows[i].batch + 1, 0, 0), -TSR_E_ARG);
		assert_int_equal(call_by(v, rows[i].nr, UINT64_MAX, 0, 0), -TSR_E_ARG);
		assert_int_equal(call_by(v, rows[i].nr, (1ull << 32) + 1, 0, 0), -TSR_E_ARG);
	}
}

/* [HC-7] */
static void a_call_with_a_structure_needs_a_mailbox(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	assert_int_equal(host_call(TSR_CALL_MAILBOX, UINT64_MAX, 0, 0), TSR_OK);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_MAILBOX, UINT64_MAX, 0, 0), TSR_OK);
	for (unsigned i = 0; i < NR_ROWS; i++) {
		struct vcpu *v = rows[i].callers & TSR_BY_HOST ? host_cpu(0) : &d->vcpu[0];

		if (rows[i].mail)
			assert_int_equal(call_by(v, rows[i].nr, rows[i].batch ? 1 : 0, 0, 0), -TSR_E_MAILBOX);
	}
	/* Each CPU has its own. */
	assert_int_equal(call_by(host_cpu(1), TSR_CALL_INFO, 0, 0, 0), TSR_OK);
}

/* [HC-8] */
static void a_mailbox_is_one_plain_page_of_the_caller(void **state)
{
	struct domain *d = guest_make(16);
	struct vcpu *v = &d->vcpu[0];
	uint64_t page = host_take(1), old = host_cpu(0)->mailbox, window = window_add(1);

	(void)state;
	assert_int_equal(host_call(TSR_CALL_MAILBOX, FAKE_HV_FIRST, 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, FAKE_HOLE, 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, guest_ram(d), 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, window, 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, host_cpu(1)->mailbox, 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, frame_nr(), 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, UINT32_MAX, 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, UINT64_MAX - 1, 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_cpu(0)->mailbox, old);
	/* What stands for "none" inside is no page either, also where there is none. */
	assert_int_equal(call_by(host_cpu(2), TSR_CALL_MAILBOX, UINT64_MAX, 0, 0), TSR_OK);
	assert_int_equal(call_by(host_cpu(2), TSR_CALL_MAILBOX, UINT32_MAX, 0, 0), -TSR_E_FRAME);
	assert_int_equal(call_by(v, TSR_CALL_MAILBOX, UINT32_MAX, 0, 0), -TSR_E_FRAME);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, old, 0, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_MAILBOX, page, 0, 0), TSR_OK);
	assert_int_equal(frame_of(mfn(old))->state, FRAME_OWNED);
	assert_int_equal(frame_of(mfn(page))->state, FRAME_MAILBOX);

	assert_int_equal(call_by(v, TSR_CALL_MAILBOX, 16, 0, 0), -TSR_E_FRAME);
	token_issue(d, 4, 1, TSR_DIR_BOTH);
	assert_int_equal(call_by(v, TSR_CALL_MAILBOX, 4, 0, 0), -TSR_E_FRAME);
	assert_int_equal(call_by(v, TSR_CALL_MAILBOX, 5, 0, 0), TSR_OK);
	token_issue(d, 1, 1, TSR_DIR_BOTH);
}

static void rewrite(void)
{
	memset(host_mail(), 0xff, TSR_PAGE_SIZE);
}

/* [HC-9] */
static void the_mailbox_is_read_once(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_token t = token_issue(d, 4, 1, TSR_DIR_BOTH);
	uint64_t window = window_add(1);

	(void)state;
	/* Another CPU of the host scribbles over the mailbox in the middle of the call. */
	fake.on_wait = rewrite;
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_OK);
	assert_int_equal(*(uint8_t *)host_mail(), 0xff); /* nor is it written where there is no result */
	assert_int_equal(token_unmap((struct tsr_token){ 0 }), -TSR_E_TOKEN);
	memcpy(host_mail(), &t, sizeof(t));
	assert_int_equal(host_call(TSR_CALL_TOKEN_UNMAP, 1, 0, 0), TSR_OK);
	fake.on_wait = NULL;
}

/* In the middle of the call, other elements than those that were checked. */
static void name_the_hypervisor(void)
{
	struct tsr_donate *el = host_mail();

	for (unsigned i = 0; i < 2; i++)
		el[i].host_pfn = FAKE_HV_FIRST + 8 + i;
}

/* [HC-9] [DON-1]: without the private copy the hypervisor's own pages go to the guest, core_controls.c */
static void elements_changed_between_check_and_use_are_not_looked_at(void **state)
{
	struct tsr_guest_create config;
	struct domain *d;
	uint64_t tables = TSR_GUEST_TABLE_PAGES(16, 1), pfn;

	(void)state;
	guest_config(&config, 16);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, host_take(tables), 0, (uint32_t)tables, TSR_DONATE_TABLES), TSR_OK);
	pfn = host_take(2);
	memset(arch_frame(mfn(FAKE_HV_FIRST + 8)), 0x5a, TSR_PAGE_SIZE);
	fake.on_wait = name_the_hypervisor;
	assert_int_equal(donate(d, pfn, 0, 2, 0), TSR_OK);
	fake.on_wait = NULL;
	assert_int_equal(*(uint8_t *)arch_frame(mfn(FAKE_HV_FIRST + 8)), 0x5a);
	assert_int_equal(frame_of(mfn(pfn + 1))->owner, d->id);
	assert_int_equal(frame_of(mfn(FAKE_HV_FIRST + 8))->state, FRAME_HV);
}

static uint64_t named;

static void names_one_page(struct vcpu *v, struct tsr_run_exit *exit)
{
	struct tsr_window *el = mail_of(host_cpu(1));

	(void)v;
	el[0] = (struct tsr_window){ .pfn = named, .count = 1 };
	assert_int_equal(call_by(host_cpu(1), TSR_CALL_WINDOW_ADD, 1, 0, 0), TSR_OK);
	exit->reason = TSR_RUN_INTR;
}

/* [HC-11] The private copy still holds what the run read of its mailbox, behind the elements of a call that is made meanwhile. */
static void elements_beyond_those_that_were_named_are_not_looked_at(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_window *el = host_mail();

	(void)state;
	named = host_take(2);
	el[1] = (struct tsr_window){ .pfn = named + 1, .count = 1 };
	fake.run = names_one_page;
	assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0), TSR_OK);
	assert_int_equal(frame_of(mfn(named))->state, FRAME_WINDOW);
	assert_int_equal(frame_of(mfn(named + 1))->state, FRAME_OWNED);
}

/* [HC-15] */
static void calls_are_counted_by_who_makes_them(void **state)
{
	struct domain *d = guest_make(16);
	uint64_t host = core_counter(TSR_COUNT_hypercalls_host), guests = core_counter(TSR_COUNT_hypercalls_guest);

	(void)state;
	assert_int_equal(guests, 1); /* its mailbox */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(call_by(host_cpu(i), TSR_CALL_VERSION, 0, 0, 0), TSR_OK);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_VERSION, 0, 0, 0), TSR_OK);
	assert_int_equal(call_by(&d->vcpu[0], 299, 0, 0, 0), -TSR_E_CALL); /* what is no call is one, too */
	assert_int_equal(core_counter(TSR_COUNT_hypercalls_host), host + 3);
	assert_int_equal(core_counter(TSR_COUNT_hypercalls_guest), guests + 2);
	assert_int_equal(d->hypercalls, guests + 2);
}

/* [DMA-5] */
static void the_host_is_told_what_devices_were_refused(void **state)
{
	const struct tsr_dma_faults *list = host_mail();
	const struct tsr_info *info = host_mail();
	static const struct tsr_dma_fault none;

	(void)state;
	memset(host_mail(), 0xee, TSR_PAGE_SIZE);
	fake.recorded = 5;
	assert_int_equal(host_call(TSR_CALL_DMA_FAULTS, 1, 0, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_DMA_FAULTS, 0, 0, 0), TSR_OK);
	assert_int_equal(list->total, 5);
	assert_int_equal(list->count, 1);
	assert_int_equal(list->fault[0].device, 0x18);
	assert_int_equal(list->fault[0].address, 0x1234000);
	assert_int_equal(list->reserved, 0);
	for (unsigned i = 1; i < TSR_DMA_FAULTS_MAX; i++)
		assert_memory_equal(&list->fault[i], &none, sizeof(none));
	/* What the units have recorded since then is counted, too. */
	fake.recorded = 2;
	assert_int_equal(host_call(TSR_CALL_INFO, 0, 0, 0), TSR_OK);
	assert_int_equal(info->counters[TSR_COUNT_dma_faults], 7);
}

static void limits_told(const struct tsr_info *info)
{
	assert_int_equal(info->max_guests, TSR_MAX_GUESTS);
	assert_int_equal(info->max_vcpus, TSR_MAX_VCPUS);
	assert_int_equal(info->max_devices, TSR_MAX_DEVICES);
	assert_int_equal(info->max_events, TSR_MAX_EVENTS);
	assert_int_equal(info->max_batch, TSR_MAX_BATCH);
	assert_int_equal(info->guest_tokens, GRANT_PER_GUEST);
	assert_int_equal(info->max_granted, GRANT_PAGES_PER_GUEST);
	assert_int_equal(info->max_queues, TSR_BLK_MAX_QUEUES);
	assert_int_equal(info->max_window_run, TSR_TOKEN_MAX_PAGES);
}

/* [HC-15] */
static void info_tells_the_host_everything_and_a_guest_its_limits(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_info host, guest;
	uint64_t window = window_add(4);
	struct tsr_token t = token_issue(d, 4, 2, TSR_DIR_BOTH);

	(void)state;
	assert_int_equal(token_map(d, t, window, 2, TSR_DIR_BOTH), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_INFO, 0, 0, 0), TSR_OK);
	memcpy(&host, host_mail(), sizeof(host));
	assert_int_equal(host.abi_version, TSR_ABI_VERSION);
	assert_int_equal(host.features, core_features());
	assert_true(host.features & TSR_FEATURE_ORACLE && host.features & TSR_FEATURE_IOMMU);
	assert_int_equal(host.cpus, FAKE_CPUS);
	assert_int_equal(host.guests, 1);
	assert_int_equal(host.tokens, 1);
	assert_int_equal(host.max_tokens, TSR_MAX_TOKENS);
	assert_int_equal(host.tsc_khz, FAKE_TSC_KHZ);
	limits_told(&host);
	assert_int_equal(host.hv_base_pfn, FAKE_HV_FIRST);
	assert_int_equal(host.hv_pages, FAKE_HV_PAGES);
	/* [HC-16] */
	assert_int_equal(host.census.hypervisor, FAKE_HV_PAGES);
	assert_int_equal(host.census.guests, 16);
	assert_int_equal(host.census.tables, TSR_GUEST_TABLE_PAGES(16, 1));
	assert_int_equal(host.census.windows, 4);
	assert_int_equal(host.census.displaced, 2);
	assert_int_equal(host.census.hypervisor + host.census.host + host.census.guests + host.census.tables,
			 frame_nr() - 32 - (256 - FAKE_HOLE));
	assert_int_equal(host.counters[TSR_COUNT_tokens_mapped], 1);
	assert_int_equal(host.counters[TSR_COUNT_tokens_issued], 1);

	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_INFO, 0, 0, 0), TSR_OK);
	memcpy(&guest, mail_of(&d->vcpu[0]), sizeof(guest));
	assert_int_equal(guest.abi_version, TSR_ABI_VERSION);
	limits_told(&guest);
	assert_int_equal(guest.max_tokens, GRANT_PER_GUEST);
	assert_int_equal(guest.cpus + guest.guests + guest.tokens + guest.hv_pages + guest.census.host, 0);
	assert_int_equal(guest.counters[TSR_COUNT_hypercalls_host], 0);
}

static void info_tells_the_counters_that_there_are_and_nothing_behind_them(void **state)
{
	struct tsr_stats *stats = arch_frame(core_boot_info()->stats);
	const struct tsr_info *info = host_mail();

	(void)state;
	for (unsigned i = 0; i < sizeof(stats->counters) / sizeof(stats->counters[0]); i++)
		stats->counters[i] = 1000 + i;
	assert_int_equal(host_call(TSR_CALL_INFO, 0, 0, 0), TSR_OK);
	assert_int_equal(info->counters[TSR_COUNTER_NR - 1], 1000 + TSR_COUNTER_NR - 1);
	for (unsigned i = TSR_COUNTER_NR; i < sizeof(info->counters) / sizeof(info->counters[0]); i++)
		assert_int_equal(info->counters[i], 0);
}

/* [HC-15] */
static void a_development_platform_says_why(void **state)
{
	const struct fake_config config = { .development = TSR_DEVELOPMENT_NO_IOMMU | TSR_DEVELOPMENT_INIT };
	struct tsr_info *info;

	(void)state;
	fake_start(&config);
	host_mailboxes();
	assert_int_equal(host_call(TSR_CALL_INFO, 0, 0, 0), TSR_OK);
	info = host_mail();
	assert_int_equal(info->development, config.development);
	assert_false(info->features & TSR_FEATURE_IOMMU);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(numbers_that_are_no_call_are_refused),
		T(each_kind_of_domain_has_its_own_calls),
		T(arguments_that_a_call_does_not_use_must_be_zero),
		T(a_batch_has_at_least_one_element_and_at_most_its_limit),
		T(a_call_with_a_structure_needs_a_mailbox),
		T(a_mailbox_is_one_plain_page_of_the_caller),
		T(the_mailbox_is_read_once),
		T(elements_changed_between_check_and_use_are_not_looked_at),
		T(elements_beyond_those_that_were_named_are_not_looked_at),
		T(calls_are_counted_by_who_makes_them),
		T(the_host_is_told_what_devices_were_refused),
		T(info_tells_the_host_everything_and_a_guest_its_limits),
		T(info_tells_the_counters_that_there_are_and_nothing_behind_them),
		T(a_development_platform_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
