/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* A host that follows another: spec/hypercalls.md, ANEW. */
#include "core_host.h"

/* All of a guest's runs, by as many calls as it takes. Returns how many calls. */
static unsigned frames_of(uint32_t guest, struct tsr_frame_run *run, uint32_t *runs)
{
	const struct tsr_guest_frames *list = host_mail();
	unsigned calls = 0;

	*runs = 0;
	last_value = 0;
	do {
		assert_int_equal(host_call(TSR_CALL_GUEST_FRAMES, last_value, guest, 0), TSR_OK);
		memcpy(run + *runs, list->run, list->count * sizeof(*run));
		*runs += list->count;
		calls++;
	} while (last_value);
	return calls;
}

static void reset(void)
{
	last_value = 0;
	do {
		assert_int_equal(host_call(TSR_CALL_HOST_RESET, last_value, 0, 0), TSR_OK);
	} while (last_value);
}

/* [ANEW-1] */
static void a_guests_frames_are_told_to_a_host_that_did_not_donate_them(void **state)
{
	struct domain *other = guest_make(16), *d = guest_make(64);
	uint64_t tables = d->table_pages, ram = 0, spare = 0;
	struct tsr_frame_run run[600];
	uint32_t runs;

	(void)state;
	token_issue(d, 20, 3, TSR_DIR_BOTH);
	assert_int_equal(frames_of(d->id, run, &runs), 1);
	assert_int_equal(runs, 2);
	for (unsigned i = 0; i < runs; i++) {
		if (run[i].flags == TSR_DONATE_TABLES)
			spare += run[i].count;
		else
			ram += run[i].count;
		for (uint32_t k = 0; k < run[i].count; k++)
			assert_int_equal(frame_of(mfn(run[i].pfn + k))->owner, d->id);
	}
	assert_int_equal(ram, 64);
	assert_int_equal(spare, tables);
	assert_int_equal(run[0].pfn + run[0].count, run[1].pfn);
	assert_int_equal(run[1].pfn, guest_ram(d));
	assert_int_equal(host_call(TSR_CALL_GUEST_FRAMES, 0, other->id + 2, 0), -TSR_E_GUEST);
	assert_int_equal(host_call(TSR_CALL_GUEST_FRAMES, frame_nr(), d->id, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_GUEST_FRAMES, UINT64_MAX, d->id, 0), -TSR_E_ARG);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_GUEST_FRAMES, 0, d->id, 0), -TSR_E_CALL);
}

/* [ANEW-1] */
static void more_runs_than_one_list_holds_take_more_calls(void **state)
{
	struct tsr_guest_create config;
	static struct tsr_frame_run run[600];
	uint64_t pfn = host_take(1000);
	struct domain *d;
	uint32_t runs;

	(void)state;
	quick = true;
	guest_config(&config, 400);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, host_take(40), 0, 40, TSR_DONATE_TABLES), TSR_OK);
	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(donate(d, pfn + 2 * i, i, 1, 0), TSR_OK);
	assert_int_equal(frames_of(d->id, run, &runs), 2);
	assert_int_equal(runs, 401);
	for (unsigned i = 0; i < 400; i++)
		assert_true(run[i].pfn == pfn + 2 * i && run[i].count == 1 && !run[i].flags);
}

/* [ANEW-1] [ANEW-2] */
static void more_frames_than_one_call_looks_at_take_more_calls(void **state)
{
	const struct fake_config config = { .frames = TSR_FRAMES_LOOK + 4096 };
	struct tsr_window el = { .pfn = TSR_FRAMES_LOOK - 1, .count = 2 };
	const struct tsr_guest_frames *list;
	struct domain *d;

	(void)state;
	host_start(&config);
	list = host_mail();
	d = guest_make(16);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, &el, 1, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_FRAMES, 0, d->id, 0), TSR_OK);
	assert_int_equal(last_value, TSR_FRAMES_LOOK);
	assert_int_equal(list->count, 2);
	assert_int_equal(host_call(TSR_CALL_GUEST_FRAMES, last_value, d->id, 0), TSR_OK);
	assert_int_equal(last_value, 0);
	assert_int_equal(list->count, 0);

	assert_int_equal(host_call(TSR_CALL_HOST_RESET, 0, 0, 0), TSR_OK);
	assert_int_equal(last_value, TSR_FRAMES_LOOK);
	assert_int_equal(frame_of(mfn(TSR_FRAMES_LOOK - 1))->state, FRAME_OWNED);
	assert_int_equal(frame_of(mfn(TSR_FRAMES_LOOK))->state, FRAME_WINDOW);
	assert_int_equal(host_call(TSR_CALL_HOST_RESET, last_value, 0, 0), TSR_OK);
	assert_int_equal(last_value, 0);
	assert_int_equal(frame_of(mfn(TSR_FRAMES_LOOK))->state, FRAME_OWNED);
}

/* [ANEW-1] */
static void what_is_told_is_enough_to_destroy_guests_of_a_host_before(void **state)
{
	struct tsr_census before, after;
	struct tsr_frame_run run[600];
	struct domain *d, *building;
	struct tsr_guest_create config;
	uint32_t runs;

	(void)state;
	frame_census(&before);
	d = guest_make(64);
	guest_config(&config, 64);
	building = guest_create_with(&config);
	assert_int_equal(donate(building, host_take(40), 0, 40, TSR_DONATE_TABLES), TSR_OK);
	fake_enter(1);
	fake.cpu[1].refuses = true;
	assert_int_equal(donate(building, host_take(8), 0, 8, 0), -TSR_E_AGAIN);
	fake_leave(1);
	for (uint32_t id = DOMAIN_GUEST; id < DOMAIN_NR; id++) {
		if (host_call(TSR_CALL_GUEST_INFO, 0, id, 0))
			continue;
		assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, id, 0), TSR_OK);
		frames_of(id, run, &runs);
		for (unsigned tables = 0; tables < 2; tables++)
			for (unsigned i = 0; i < runs; i++)
				if (!run[i].flags == !tables)
					assert_int_equal(reclaim(domain_by_id(id), run[i].pfn, run[i].count), TSR_OK);
	}
	assert_int_equal(d->state, TSR_GUEST_NONE);
	assert_int_equal(building->state, TSR_GUEST_NONE);
	frame_census(&after);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* [ANEW-2] */
static void a_new_host_has_no_mailboxes_no_windows_and_nothing_mapped(void **state)
{
	struct domain *d = guest_make(64);
	struct tsr_token mapped = token_issue(d, 8, 4, TSR_DIR_BOTH), waits = token_issue(d, 20, 1, TSR_DIR_READ);
	uint64_t window = window_add(16), mailbox = host_cpu(2)->mailbox;
	struct tsr_token_map own = { .window_pfn = window + 8, .pages = 1, .session = 1, .dir = TSR_DIR_READ };
	uint8_t *page = arch_frame(mfn(window));
	struct tsr_census census;

	(void)state;
	assert_int_equal(token_map(d, mapped, window, 4, TSR_DIR_BOTH), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, TSR_OWN_STATS, 0, 0), TSR_OK);
	own.token = ((struct tsr_token_issue *)host_mail())->token;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &own, 1, 0), TSR_OK);
	fake_enter(1);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), guest_page(d, 8));

	fake.cpu[1].refuses = true;
	assert_int_equal(host_call(TSR_CALL_HOST_RESET, 0, 0, 0), -TSR_E_AGAIN);
	assert_int_equal(frame_of(mfn(window))->state, FRAME_WINDOW);
	fake.cpu[1].refuses = false;
	reset();
	assert_ptr_equal(fake_host_access(1, window, PERM_W), page);
	frame_census(&census);
	assert_int_equal(census.windows + census.displaced, 0);
	assert_int_equal(host_call(TSR_CALL_INFO, 0, 0, 0), -TSR_E_MAILBOX);
	host_mailboxes();
	/* All are ordinary pages: they can be given away. */
	assert_int_equal(frame_of(mfn(window))->state, FRAME_OWNED);
	assert_int_equal(frame_of(mfn(mailbox))->owner, DOMAIN_HOST);
	/* The guest's tokens are its own affair: one is spent, one as it was. */
	assert_int_equal(token_unmap(waits), -TSR_E_TOKEN);
	assert_int_equal(token_revoke(d, mapped), TSR_OK);
	assert_int_equal(token_map(d, waits, window_add(1), 1, TSR_DIR_READ), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_HOST_RESET, frame_nr(), 0, 0), -TSR_E_ARG);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_HOST_RESET, 0, 0, 0), -TSR_E_CALL);
}

/* [ANEW-2] */
static void a_token_unmapped_by_a_reset_is_revoked_only_when_every_cpu_has_let_go(void **state)
{
	struct domain *d = guest_make(64);
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);
	uint64_t window = window_add(1);

	(void)state;
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_OK);
	fake_enter(1);
	assert_non_null(fake_host_access(1, window, PERM_W));
	fake.cpu[1].refuses = true;
	assert_int_equal(host_call(TSR_CALL_HOST_RESET, 0, 0, 0), -TSR_E_AGAIN);
	assert_int_equal(token_revoke(d, t), -TSR_E_AGAIN);
	fake.cpu[1].refuses = false;
	assert_int_equal(token_revoke(d, t), TSR_OK);
}

/* [ANEW-2] The issuer copied to the one and from the other: what is there now is the next host's. */
static void a_new_host_has_nothing_placed_and_nothing_is_copied_back(void **state)
{
	struct domain *d = guest_make(64);
	struct tsr_token_issue el[2] = {
		{ .gfn = 8, .pages = 1, .dir = TSR_DIR_BOTH, .how = TSR_HOW_COPY, .session = SESSION },
		{ .gfn = 9, .pages = 1, .dir = TSR_DIR_BOTH, .how = TSR_HOW_EITHER, .session = SESSION },
	};
	struct tsr_token_map map[2];
	uint64_t window = window_add(2);

	(void)state;
	fake.no_iommu = true;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 2), TSR_OK);
	for (unsigned i = 0; i < 2; i++)
		map[i] = (struct tsr_token_map){ .token = el[i].token, .window_pfn = window + i, .pages = 1, .issuer = d->id, .session = SESSION,
						 .dir = TSR_DIR_BOTH, .how = el[i].how };
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, map, 2, 0), TSR_OK);
	memset(arch_frame(mfn(window)), 0xee, 2 * TSR_PAGE_SIZE);
	reset();
	host_mailboxes();
	assert_int_equal(core_counter(TSR_COUNT_tokens_unmapped), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(grant_find(&el[i].token)->state, TSR_TOKEN_SPENT);
		assert_int_equal(token_unmap(el[i].token), -TSR_E_TOKEN);
		assert_int_equal(token_revoke(d, el[i].token), TSR_OK);
		assert_int_equal(guest_page(d, 8 + i)[0], 0);
	}
}

/* [ANEW-2] Or each repetition would wait for more than the one before, and never be done. */
static void a_reset_that_unmaps_nothing_makes_no_shoot_down(void **state)
{
	struct domain *d = guest_make(64);
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);
	uint64_t window = window_add(1);
	unsigned before;

	(void)state;
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_OK);
	fake_enter(1);
	assert_non_null(fake_host_access(1, window, PERM_W));
	fake.cpu[1].refuses = true;
	before = fake.flushes;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(host_call(TSR_CALL_HOST_RESET, 0, 0, 0), -TSR_E_AGAIN);
		assert_int_equal(fake.flushes, before + 1);
	}
	fake.cpu[1].refuses = false;
	reset();
	assert_int_equal(fake.flushes, before + 1);
}

static uint64_t lost;
static struct domain *taker;

static void reset_within(struct vcpu *v, struct tsr_run_exit *exit)
{
	(void)v;
	assert_int_equal(call_by(host_cpu(1), TSR_CALL_HOST_RESET, 0, 0, 0), TSR_OK);
	assert_int_equal(call_by(host_cpu(1), TSR_CALL_MAILBOX, host_take(1), 0, 0), TSR_OK);
	((struct tsr_donate *)mail_of(host_cpu(1)))[0] = (struct tsr_donate){ .host_pfn = lost, .gfn = 0, .count = 1 };
	assert_int_equal(call_by(host_cpu(1), TSR_CALL_GUEST_DONATE, 1, taker->id, 0), TSR_OK);
	exit->reason = TSR_RUN_CONSOLE;
	exit->deadline = 77;
}

/* [ANEW-3] */
static void a_run_whose_mailbox_has_become_a_guests_page_writes_nothing_there(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_guest_create config;
	uint8_t *page;

	(void)state;
	guest_config(&config, 8);
	taker = guest_create_with(&config);
	assert_int_equal(donate(taker, host_take(40), 0, 40, TSR_DONATE_TABLES), TSR_OK);
	lost = host_cpu(0)->mailbox;
	page = arch_frame(mfn(lost));
	fake.run = reset_within;
	assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0), TSR_OK);
	assert_ptr_equal(guest_page(taker, 0), page);
	for (unsigned i = 0; i < TSR_PAGE_SIZE; i++)
		assert_int_equal(page[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_guests_frames_are_told_to_a_host_that_did_not_donate_them, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(more_runs_than_one_list_holds_take_more_calls, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(more_frames_than_one_call_looks_at_take_more_calls, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(what_is_told_is_enough_to_destroy_guests_of_a_host_before, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_new_host_has_no_mailboxes_no_windows_and_nothing_mapped, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_token_unmapped_by_a_reset_is_revoked_only_when_every_cpu_has_let_go, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_new_host_has_nothing_placed_and_nothing_is_copied_back, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_reset_that_unmaps_nothing_makes_no_shoot_down, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(a_run_whose_mailbox_has_become_a_guests_page_writes_nothing_there, host_setup, host_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
