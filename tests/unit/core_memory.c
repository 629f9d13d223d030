/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* Donation, loading and reclaiming: spec/hypercalls.md, DON. */
#include "core_host.h"
#include "proto/port.h"

/* A guest that is being built, with all the table pages it needs. */
static struct domain *building(uint64_t mem_pages)
{
	struct tsr_guest_create config;
	struct domain *d;

	guest_config(&config, mem_pages);
	d = guest_create_with(&config);
	assert_non_null(d);
	assert_int_equal(donate(d, host_take(40), 0, 40, TSR_DONATE_TABLES), TSR_OK);
	return d;
}

/* [DON-1] */
static void a_run_of_frames_ends_where_memory_ends(void **state)
{
	uint64_t end = frame_nr();

	(void)state;
	assert_true(frame_run_ok(0, end) && frame_run_ok(end - 1, 1));
	assert_false(frame_run_ok(0, end + 1));
	assert_false(frame_run_ok(end - 1, 2));
	assert_false(frame_run_ok(end, 1));
	assert_false(frame_run_ok(1, UINT64_MAX));
	assert_false(frame_run_ok(UINT64_MAX, 2));
}

/* [MEM-3] */
static void a_donated_page_is_scrubbed_and_out_of_the_hosts_reach(void **state)
{
	struct domain *d = building(8);
	uint64_t pfn = host_take(8);
	uint8_t *page = arch_frame(mfn(pfn + 3));

	(void)state;
	fake_enter(1);
	assert_non_null(fake_host_access(1, pfn + 3, PERM_RWX));
	memset(page, 0x5a, TSR_PAGE_SIZE);
	assert_int_equal(donate(d, pfn, 0, 8, 0), TSR_OK);
	assert_true(tsr_is_zero(page, TSR_PAGE_SIZE));
	assert_null(fake_host_access(1, pfn + 3, PERM_R));
	assert_ptr_equal(guest_page(d, 3), page);
	assert_false(core_host_frame(mfn(pfn + 3)));
	assert_int_equal(core_nested_fault(host_cpu(0), gfn(pfn), PERM_R), FAULT_FORBIDDEN);
}

/* [MEM-3] [HC-14] */
static void a_donation_waits_for_a_cpu_that_keeps_a_translation_and_goes_on_when_repeated(void **state)
{
	struct domain *d = building(4);
	uint64_t pfn = host_take(4);
	uint8_t *page = arch_frame(mfn(pfn));
	unsigned flushes;
	struct tsr_donate twice[2] = {
		{ .host_pfn = pfn, .gfn = 0, .count = 2 },
		{ .host_pfn = pfn + 2, .gfn = 2, .count = 2 },
	};

	(void)state;
	fake_enter(1);
	fake.cpu[1].refuses = true;
	assert_ptr_equal(fake_host_access(1, pfn, PERM_W), page);
	assert_int_equal(donate(d, pfn, 0, 2, 0), -TSR_E_AGAIN);
	assert_int_equal(last_value, 0);
	assert_int_equal(frame_of(mfn(pfn))->state, FRAME_DIRTY);
	assert_int_equal(d->ram_pages, 0);
	/* The late writer still can, so nobody may have the page yet; a new place for it is not taken either. */
	memset(fake_host_access(1, pfn, PERM_W), 0x77, TSR_PAGE_SIZE);
	assert_int_equal(donate(d, pfn, 2, 2, 0), -TSR_E_FRAME);
	assert_int_equal(donate(d, host_take(1), 1, 1, 0), -TSR_E_ARG);
	/* Nor does the repetition begin anew: it would never be done. */
	flushes = fake.flushes;
	assert_int_equal(donate(d, pfn, 0, 2, 0), -TSR_E_AGAIN);
	assert_int_equal(fake.flushes, flushes);
	assert_int_equal(launch(d), -TSR_E_STATE);

	fake.cpu[1].refuses = false;
	assert_int_equal(host_batch(TSR_CALL_GUEST_DONATE, twice, 2, d->id), TSR_OK);
	assert_true(tsr_is_zero(page, TSR_PAGE_SIZE));
	assert_null(fake_host_access(1, pfn, PERM_W));
	assert_int_equal(d->ram_pages, 4);
	assert_int_equal(launch(d), TSR_OK);
}

/* [DON-5] */
static void pages_of_an_unfinished_donation_can_be_reclaimed(void **state)
{
	struct tsr_guest_create config;
	uint64_t pfn = host_take(4), table = host_take(1);
	struct domain *d;

	(void)state;
	guest_config(&config, 8);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, table, 0, 1, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(d, pfn + 3, 0, 1, TSR_DONATE_TABLES), TSR_OK);
	fake_enter(2);
	fake.cpu[2].refuses = true;
	assert_int_equal(donate(d, pfn, 0, 2, 0), -TSR_E_AGAIN);
	assert_int_equal(donate(d, pfn + 2, 0, 1, TSR_DONATE_TABLES), -TSR_E_AGAIN);
	assert_int_equal(host_call(TSR_CALL_GUEST_INFO, 0, d->id, 0), TSR_OK);
	assert_int_equal(((struct tsr_guest_info *)host_mail())->ram_pages, 2);
	assert_int_equal(((struct tsr_guest_info *)host_mail())->table_pages, 3);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(reclaim(d, pfn, 2), -TSR_E_AGAIN);
	fake.cpu[2].refuses = false;
	assert_int_equal(reclaim(d, pfn + 2, 1), -TSR_E_BUSY);
	assert_int_equal(reclaim(d, pfn, 2), TSR_OK);
	assert_int_equal(reclaim(d, pfn + 2, 2), TSR_OK);
	assert_int_equal(reclaim(d, table, 1), TSR_OK);
	assert_int_equal(d->state, TSR_GUEST_NONE);
}

/* [DON-1] */
static void only_plain_pages_of_the_host_can_be_donated(void **state)
{
	struct domain *d = building(600), *other = guest_make(16);
	uint64_t window = window_add(4), mailbox = host_cpu(0)->mailbox;
	struct tsr_token t = token_issue(other, 4, 1, TSR_DIR_BOTH);
	uint64_t bad[] = {
		window,                /* a window page */
		window + 1,            /* a displaced one */
		mailbox,
		FAKE_HV_FIRST,         /* the hypervisor's */
		FAKE_HOLE,             /* firmware's */
		guest_ram(other),      /* a guest's */
		guest_ram(other) + 4,  /* and one it has issued */
		frame_nr() - 1,        /* not RAM */
		frame_nr(), UINT64_MAX, UINT64_MAX - 1, 1ull << 52,
	};

	(void)state;
	assert_int_equal(token_map(other, t, window + 1, 1, TSR_DIR_BOTH), TSR_OK);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(donate(d, bad[i], 0, 1, 0), -TSR_E_FRAME);
		assert_int_equal(donate(d, bad[i], 0, 2, TSR_DONATE_TABLES), -TSR_E_FRAME);
	}
	/* One bad page in the middle of a run: none of the run is taken. */
	assert_int_equal(donate(d, window - 2, 0, 4, 0), -TSR_E_FRAME);
	assert_int_equal(d->ram_pages + d->moving_ram, 0);
}

/* [HC-13] [HC-12] */
static void a_page_donated_twice_in_one_batch_is_refused_and_nothing_is_taken(void **state)
{
	struct domain *d = building(16);
	uint64_t pfn = host_take(8);
	struct tsr_donate el[3] = {
		{ .host_pfn = pfn, .gfn = 0, .count = 4 },
		{ .host_pfn = pfn + 4, .gfn = 4, .count = 1 },
		{ .host_pfn = pfn + 3, .gfn = 5, .count = 2 },
	};

	(void)state;
	assert_int_equal(host_batch(TSR_CALL_GUEST_DONATE, el, 3, d->id), -TSR_E_ARG);
	assert_int_equal(last_value, 2);
	el[2] = (struct tsr_donate){ .host_pfn = pfn + 1, .count = 1, .flags = TSR_DONATE_TABLES };
	assert_int_equal(host_batch(TSR_CALL_GUEST_DONATE, el, 3, d->id), -TSR_E_ARG);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(frame_of(mfn(pfn + i))->state, FRAME_OWNED);
}

/* [DON-2] */
static void guest_pages_are_donated_in_ascending_order_inside_its_memory(void **state)
{
	struct domain *d = building(16);
	uint64_t pfn = host_take(16);
	struct tsr_donate el[2] = {
		{ .host_pfn = pfn, .gfn = 4, .count = 4 },
		{ .host_pfn = pfn + 4, .gfn = 7, .count = 1 },
	};

	(void)state;
	assert_int_equal(host_batch(TSR_CALL_GUEST_DONATE, el, 2, d->id), -TSR_E_ARG);
	assert_int_equal(last_value, 1);
	assert_int_equal(donate(d, pfn, 15, 2, 0), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn, 16, 1, 0), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn, UINT64_MAX, 2, 0), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn, 4, 4, 0), TSR_OK);
	assert_int_equal(donate(d, pfn + 4, 4, 1, 0), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn + 4, 0, 1, 0), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn + 4, 8, 8, 0), TSR_OK);
	/* Pages 0..3 can never come now, so this guest never runs. [GST-4] */
	assert_int_equal(launch(d), -TSR_E_STATE);
}

/* [HC-10] */
static void donation_elements_are_checked(void **state)
{
	struct domain *d = building(16);
	uint64_t pfn = host_take(4);

	(void)state;
	assert_int_equal(donate(d, pfn, 0, 0, 0), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn, 0, TSR_DONATE_MAX + 1, 0), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn, 0, 1, 2), -TSR_E_ARG);
	assert_int_equal(donate(d, pfn, 1, 1, TSR_DONATE_TABLES), -TSR_E_ARG);
	assert_int_equal(donate(d, host_take(TSR_DONATE_MAX + 1), 0, TSR_DONATE_MAX + 1, TSR_DONATE_TABLES), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_GUEST_DONATE, 1, 1, 0), -TSR_E_GUEST);
	assert_int_equal(host_call(TSR_CALL_GUEST_DONATE, 1, DOMAIN_NR - 1, 0), -TSR_E_GUEST);
	assert_int_equal(host_call(TSR_CALL_GUEST_DONATE, 1, UINT64_MAX, 0), -TSR_E_GUEST);
	d = guest_make(16);
	assert_int_equal(donate(d, pfn, 0, 1, 0), -TSR_E_STATE);
}

/* [DON-3] */
static void ram_without_table_pages_is_refused_and_nothing_is_taken(void **state)
{
	struct tsr_guest_create config;
	uint64_t pfn = host_take(8), tables = host_take(4);
	struct domain *d;

	(void)state;
	guest_config(&config, 1024);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, pfn, 0, 8, 0), -TSR_E_NOMEM);
	assert_int_equal(donate(d, tables, 0, 1, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(d, pfn, 0, 8, 0), -TSR_E_NOMEM);
	assert_int_equal(frame_of(mfn(pfn))->state, FRAME_OWNED);
	assert_int_equal(donate(d, tables + 1, 0, 1, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(d, pfn, 0, 8, 0), TSR_OK);
}

/* [DON-3] */
static void a_launch_without_table_pages_can_be_repeated_after_more_were_given(void **state)
{
	struct tsr_guest_create config;
	uint64_t pfn = host_take(8), tables = host_take(4);
	struct domain *d;

	(void)state;
	guest_config(&config, 8);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, tables, 0, 2, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(d, pfn, 0, 8, 0), TSR_OK);
	assert_int_equal(launch(d), -TSR_E_NOMEM);
	assert_int_equal(donate(d, tables + 2, 0, 1, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(launch(d), TSR_OK);
}

/* [DON-3] What the first virtual CPU was given goes back, zeroed for whom it is given to next; nobody remembers it. */
static void a_launch_that_fails_half_way_leaves_nothing(void **state)
{
	struct tsr_guest_create config;
	uint64_t pfn = host_take(8), tables = host_take(5);
	struct domain *d;

	(void)state;
	guest_config(&config, 8);
	config.vcpus = 3;
	for (unsigned destroyed = 0; destroyed < 2; destroyed++) {
		d = guest_create_with(&config);
		assert_int_equal(donate(d, tables, 0, 4, TSR_DONATE_TABLES), TSR_OK);
		assert_int_equal(donate(d, pfn, 0, 8, 0), TSR_OK);
		assert_int_equal(launch(d), -TSR_E_NOMEM);
		for (unsigned i = 0; i < 3; i++)
			assert_null(d->vcpu[i].arch);
		assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0), -TSR_E_STATE);
		if (!destroyed) {
			assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
			assert_int_equal(reclaim(d, pfn, 8), TSR_OK);
			assert_int_equal(reclaim(d, tables, 4), TSR_OK);
			continue;
		}
		memset(arch_frame(mfn(d->table_free)), 0x5a, TSR_PAGE_SIZE);
		assert_int_equal(donate(d, tables + 4, 0, 1, TSR_DONATE_TABLES), TSR_OK);
		assert_int_equal(launch(d), TSR_OK);
		for (unsigned i = 0; i < 3; i++)
			assert_true(tsr_is_zero(arch_frame(d->vcpu[i].arch->page), TSR_PAGE_SIZE));
	}
}

/* [HC-14] [MEM-3] */
static void a_large_batch_is_done_in_parts_so_that_other_cpus_need_not_wait_long(void **state)
{
	struct domain *d = building(2048);
	uint64_t pfn = host_take(2048);
	struct tsr_donate el[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		el[i] = (struct tsr_donate){ .host_pfn = pfn + i * 512, .gfn = i * 512, .count = 512 };
	assert_int_equal(host_batch(TSR_CALL_GUEST_DONATE, el, 4, d->id), -TSR_E_AGAIN);
	assert_int_equal(last_value, 2);
	assert_int_equal(d->ram_pages, 1024);
	assert_int_equal(host_batch(TSR_CALL_GUEST_DONATE, el + 2, 2, d->id), TSR_OK);
	assert_int_equal(launch(d), TSR_OK);

	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	for (unsigned i = 0; i < 4; i++)
		el[i].gfn = 0;
	assert_int_equal(host_batch(TSR_CALL_GUEST_RECLAIM, el, 4, d->id), -TSR_E_AGAIN);
	assert_int_equal(last_value, 2);
	assert_int_equal(host_batch(TSR_CALL_GUEST_RECLAIM, el + 2, 2, d->id), TSR_OK);
}

/* ------------------------------------------------------------------ load */

static int load(struct domain *d, uint64_t g, uint64_t pfn)
{
	struct tsr_load el = { .gfn = g, .host_pfn = pfn };

	return host_batch(TSR_CALL_GUEST_LOAD, &el, 1, d->id);
}

/* [DON-4] */
static void loading_copies_and_the_copy_is_what_is_measured(void **state)
{
	struct tsr_guest_create config;
	uint8_t identity[3][TSR_ID_SIZE];
	uint64_t page = host_take(1);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct domain *d;

		guest_config(&config, 4);
		d = guest_create_with(&config);
		assert_int_equal(donate(d, host_take(20), 0, 20, TSR_DONATE_TABLES), TSR_OK);
		assert_int_equal(donate(d, host_take(4), 0, 4, 0), TSR_OK);
		memset(arch_frame(mfn(page)), i == 2 ? 2 : 1, TSR_PAGE_SIZE);
		assert_int_equal(load(d, 2, page), TSR_OK);
		memset(arch_frame(mfn(page)), 9, TSR_PAGE_SIZE);
		assert_int_equal(guest_page(d, 2)[7], i == 2 ? 2 : 1);
		assert_int_equal(launch(d), TSR_OK);
		memcpy(identity[i], d->identity, TSR_ID_SIZE);
		assert_memory_equal(((struct tsr_guest_launch *)host_mail())->identity, d->identity, TSR_ID_SIZE);
	}
	assert_memory_equal(identity[0], identity[1], TSR_ID_SIZE);
	assert_memory_not_equal(identity[0], identity[2], TSR_ID_SIZE);
}

/* [DON-4] */
static void pages_are_loaded_in_ascending_order_while_building_only(void **state)
{
	struct domain *d = building(8), *other = guest_make(16);
	uint64_t page = host_take(1), window = window_add(1);
	struct tsr_load el[2] = { { .gfn = 3, .host_pfn = page }, { .gfn = 3, .host_pfn = page } };

	(void)state;
	assert_int_equal(load(d, 0, page), -TSR_E_FRAME);
	assert_int_equal(donate(d, host_take(8), 0, 8, 0), TSR_OK);
	assert_int_equal(host_batch(TSR_CALL_GUEST_LOAD, el, 2, d->id), -TSR_E_ARG);
	assert_int_equal(last_value, 1);
	assert_int_equal(load(d, 3, page), TSR_OK);
	assert_int_equal(load(d, 3, page), -TSR_E_ARG);
	assert_int_equal(load(d, 2, page), -TSR_E_ARG);
	assert_int_equal(load(d, 8, page), -TSR_E_ARG);
	assert_int_equal(load(d, UINT64_MAX, page), -TSR_E_ARG);
	assert_int_equal(load(d, 4, frame_nr()), -TSR_E_FRAME);
	assert_int_equal(load(d, 4, FAKE_HV_FIRST), -TSR_E_FRAME);
	assert_int_equal(load(d, 4, guest_ram(other)), -TSR_E_FRAME);
	assert_int_equal(load(d, 4, host_cpu(1)->mailbox), -TSR_E_FRAME);
	assert_int_equal(load(d, 4, window), TSR_OK);
	assert_int_equal(load(other, 4, page), -TSR_E_STATE);
	assert_int_equal(host_call(TSR_CALL_GUEST_LOAD, 1, 0, 0), -TSR_E_GUEST);
}

/* ------------------------------------------------------------------ reclaim */

/* [DON-5] */
static void a_reclaimed_page_is_scrubbed_before_the_host_sees_it(void **state)
{
	struct domain *d = guest_make(16);
	uint64_t ram = guest_ram(d), generation = core_host()->generation;

	(void)state;
	memset(guest_page(d, 5), 0xa5, TSR_PAGE_SIZE);
	assert_int_equal(reclaim(d, ram, 16), -TSR_E_STATE);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(core_host()->generation, generation);
	assert_int_equal(reclaim(d, ram, 16), TSR_OK);
	/* [DMA-3] Nothing was taken from the host, but a unit may remember that a device could not reach it. */
	assert_int_equal(core_host()->generation, generation + 1);
	assert_true(tsr_is_zero(arch_frame(mfn(ram + 5)), TSR_PAGE_SIZE));
	fake_enter(1);
	assert_non_null(fake_host_access(1, ram + 5, PERM_RWX));
}

/* [DON-5] */
static void table_pages_come_back_after_all_ram_and_the_last_page_frees_the_id(void **state)
{
	struct tsr_guest_create config;
	uint64_t tables = host_take(20), ram = host_take(8);
	struct domain *d;
	struct tsr_donate el[2] = { { .host_pfn = tables, .count = 20 }, { .host_pfn = ram, .count = 8 } };
	struct tsr_donate turned[2] = { el[1], el[0] };

	(void)state;
	guest_config(&config, 8);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, tables, 0, 20, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(d, ram, 0, 8, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(reclaim(d, tables, 20), -TSR_E_BUSY);
	assert_int_equal(host_batch(TSR_CALL_GUEST_RECLAIM, el, 2, d->id), -TSR_E_BUSY);
	assert_int_equal(last_value, 0);
	assert_int_equal(host_batch(TSR_CALL_GUEST_RECLAIM, turned, 2, d->id), TSR_OK);
	assert_int_equal(d->state, TSR_GUEST_NONE);
	assert_int_equal(reclaim(d, ram, 1), -TSR_E_GUEST);
}

/* [DON-5] [HC-13] */
static void reclaim_refuses_pages_that_are_not_that_guests(void **state)
{
	struct domain *d = guest_make(16), *other = guest_make(16);
	uint64_t ram = guest_ram(d);
	struct tsr_donate el[2] = { { .host_pfn = ram, .count = 4 }, { .host_pfn = ram + 3, .count = 1 } };

	(void)state;
	assert_int_equal(host_call(TSR_CALL_GUEST_RECLAIM, 1, 0, 0), -TSR_E_GUEST);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(reclaim(d, guest_ram(other), 1), -TSR_E_FRAME);
	assert_int_equal(reclaim(d, FAKE_HV_FIRST, 1), -TSR_E_FRAME);
	assert_int_equal(reclaim(d, host_take(1), 1), -TSR_E_FRAME);
	assert_int_equal(reclaim(d, UINT64_MAX, 2), -TSR_E_FRAME);
	assert_int_equal(reclaim(d, ram, 0), -TSR_E_ARG);
	assert_int_equal(reclaim(d, ram, TSR_DONATE_MAX + 1), -TSR_E_ARG);
	assert_int_equal(host_batch(TSR_CALL_GUEST_RECLAIM, el, 2, d->id), -TSR_E_ARG);
	assert_int_equal(last_value, 1);
	el[0].gfn = 1;
	assert_int_equal(host_batch(TSR_CALL_GUEST_RECLAIM, el, 1, d->id), -TSR_E_ARG);
	el[0].gfn = 0;
	el[0].flags = 1;
	assert_int_equal(host_batch(TSR_CALL_GUEST_RECLAIM, el, 1, d->id), -TSR_E_ARG);
	assert_int_equal(d->ram_pages, 16);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(a_run_of_frames_ends_where_memory_ends),
		T(a_donated_page_is_scrubbed_and_out_of_the_hosts_reach),
		T(a_donation_waits_for_a_cpu_that_keeps_a_translation_and_goes_on_when_repeated),
		T(pages_of_an_unfinished_donation_can_be_reclaimed),
		T(only_plain_pages_of_the_host_can_be_donated),
		T(a_page_donated_twice_in_one_batch_is_refused_and_nothing_is_taken),
		T(guest_pages_are_donated_in_ascending_order_inside_its_memory),
		T(donation_elements_are_checked),
		T(ram_without_table_pages_is_refused_and_nothing_is_taken),
		T(a_launch_without_table_pages_can_be_repeated_after_more_were_given),
		T(a_launch_that_fails_half_way_leaves_nothing),
		T(a_large_batch_is_done_in_parts_so_that_other_cpus_need_not_wait_long),
		T(loading_copies_and_the_copy_is_what_is_measured),
		T(pages_are_loaded_in_ascending_order_while_building_only),
		T(a_reclaimed_page_is_scrubbed_before_the_host_sees_it),
		T(table_pages_come_back_after_all_ram_and_the_last_page_frees_the_id),
		T(reclaim_refuses_pages_that_are_not_that_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
