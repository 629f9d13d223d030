/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* Windows, map and unmap: spec/tokens.md. */
#include "core_host.h"

static struct domain *d;
static uint64_t window;
static struct tsr_token t; /* pages 8..11, both directions */

static int setup(void **state)
{
	host_setup(state);
	d = guest_make(64);
	window = window_add(16);
	t = token_issue(d, 8, 4, TSR_DIR_BOTH);
	return 0;
}

static int window_call(unsigned nr, uint64_t pfn, uint32_t count)
{
	struct tsr_window el = { .pfn = pfn, .count = count };

	return host_batch(nr, &el, 1, 0);
}

static uint64_t windows(void)
{
	struct tsr_census census;

	frame_census(&census);
	return census.windows;
}

/* [WIN-1] */
static void only_plain_pages_of_the_host_become_window_pages(void **state)
{
	uint64_t pfn = host_take(8);
	struct tsr_window twice[2] = { { .pfn = pfn, .count = 4 }, { .pfn = pfn + 3, .count = 1 } };
	struct tsr_window reserved = { .pfn = pfn, .count = 1, .reserved = 1 };

	(void)state;
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, window, 1), -TSR_E_FRAME);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, host_cpu(0)->mailbox, 1), -TSR_E_FRAME);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, guest_ram(d), 1), -TSR_E_FRAME);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, FAKE_HV_FIRST, 1), -TSR_E_FRAME);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, FAKE_HOLE, 1), -TSR_E_FRAME);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, UINT64_MAX, 1), -TSR_E_FRAME);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, pfn, 0), -TSR_E_ARG);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, pfn, 513), -TSR_E_ARG);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, &reserved, 1, 0), -TSR_E_ARG);
	assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, twice, 2, 0), -TSR_E_ARG);
	assert_int_equal(last_value, 1);
	assert_int_equal(windows(), 16);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, pfn, 8), TSR_OK);
	assert_int_equal(windows(), 24);
	assert_int_equal(frame_of(mfn(pfn + 7))->state, FRAME_WINDOW);
	assert_int_equal(frame_of(mfn(pfn + 8))->state, FRAME_OWNED);
	assert_int_equal(window_call(TSR_CALL_WINDOW_REMOVE, pfn, 8), TSR_OK);
	assert_int_equal(windows(), 16);
	assert_int_equal(window_call(TSR_CALL_WINDOW_REMOVE, pfn, 8), -TSR_E_FRAME);
}

static bool meet(const struct tsr_window *a, const struct tsr_window *b)
{
	return a->pfn < b->pfn + b->count && b->pfn < a->pfn + a->count;
}

/* [WIN-1] Whichever way the runs of a batch lie, and whatever the calls before have left behind. */
static void runs_of_one_batch_are_refused_where_they_meet_and_only_there(void **state)
{
	uint64_t pfn = host_take(8);
	unsigned refused = 0, taken = 0;

	(void)state;
	for (unsigned i = 0; i < 8 * 8 * 8 * 8; i++) {
		struct tsr_window el[3] = {
			{ .pfn = pfn + i % 8, .count = i / 8 % 8 + 1 },
			{ .pfn = pfn + i / 64 % 8, .count = i / 512 % 8 + 1 },
			{ .pfn = pfn + i % 7, .count = 1 },
		};
		bool second = meet(&el[0], &el[1]), third = meet(&el[0], &el[2]) || meet(&el[1], &el[2]);

		if (el[0].pfn + el[0].count > pfn + 8 || el[1].pfn + el[1].count > pfn + 8)
			continue;
		assert_int_equal(host_batch(TSR_CALL_WINDOW_ADD, el, 3, 0), second || third ? -TSR_E_ARG : TSR_OK);
		refused += second || third;
		if (second || third) {
			assert_int_equal(last_value, second ? 1 : 2);
			continue;
		}
		taken++;
		assert_int_equal(host_batch(TSR_CALL_WINDOW_REMOVE, el, 3, 0), TSR_OK);
	}
	assert_true(refused > 100 && taken > 20);
	assert_int_equal(windows(), 16);
}

/* [WIN-2] [MEM-2] */
static void a_displaced_page_can_be_nothing_else(void **state)
{
	uint64_t w = window + 5;

	(void)state;
	assert_int_equal(token_map(d, t, w, 4, TSR_DIR_BOTH), TSR_OK);
	assert_int_equal(window_call(TSR_CALL_WINDOW_REMOVE, window, 16), -TSR_E_BUSY);
	assert_int_equal(window_call(TSR_CALL_WINDOW_ADD, w, 1), -TSR_E_BUSY);
	assert_int_equal(call_by(host_cpu(1), TSR_CALL_MAILBOX, w, 0, 0), -TSR_E_FRAME);
	assert_false(core_host_frame(mfn(w)));
	assert_int_equal(token_map(d, token_issue(d, 20, 1, 3), w, 1, TSR_DIR_BOTH), -TSR_E_BUSY);
	assert_int_equal(token_unmap(t), TSR_OK);
	assert_int_equal(window_call(TSR_CALL_WINDOW_REMOVE, window, 16), TSR_OK);
}

/* [WIN-3] */
static void a_window_page_is_given_up_only_when_every_cpu_has_let_go_of_what_was_there(void **state)
{
	(void)state;
	fake_enter(1);
	assert_int_equal(token_map(d, t, window, 4, TSR_DIR_BOTH), TSR_OK);
	assert_non_null(fake_host_access(1, window, PERM_W));
	fake.cpu[1].refuses = true;
	assert_int_equal(token_unmap(t), -TSR_E_AGAIN);
	assert_int_equal(window_call(TSR_CALL_WINDOW_REMOVE, window, 16), -TSR_E_AGAIN);
	assert_int_equal(last_value, 0); /* nothing is done: it is repeated from the first element on */
	assert_int_equal(frame_of(mfn(window))->state, FRAME_WINDOW);
	fake.cpu[1].refuses = false;
	assert_int_equal(window_call(TSR_CALL_WINDOW_REMOVE, window, 16), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), arch_frame(mfn(window)));
}

/* [TOK-5] */
static void a_token_maps_only_as_it_is_bound(void **state)
{
	const struct tsr_token_map good = {
		.token = t, .window_pfn = window, .pages = 4, .issuer = d->id, .session = SESSION, .dir = TSR_DIR_BOTH
	};
	struct tsr_token_map el = good;

	(void)state;
	el.pages = 3;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_BIND);
	el = good;
	el.issuer++;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_BIND);
	el = good;
	el.session++;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_BIND);
	el = good;
	el.device = 1;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_BIND);
	el = good;
	el.dir = TSR_DIR_READ;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_BIND);
	el = good;
	el.how = TSR_HOW_COPY;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_BIND);
	el = good;
	el.reserved[1] = 1;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_ARG);
	el = good;
	el.window_pfn = window + 13;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_FRAME);
	el.window_pfn = UINT64_MAX - 1;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_FRAME);
	el.window_pfn = guest_ram(d);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_FRAME);
	el.window_pfn = host_take(4);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0), -TSR_E_FRAME);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &good, 1, 0), TSR_OK);
}

/* [TOK-5] */
static void a_token_maps_once_in_its_life(void **state)
{
	(void)state;
	assert_int_equal(token_map(d, t, window, 4, 3), TSR_OK);
	assert_int_equal(token_map(d, t, window, 4, 3), -TSR_E_TOKEN);
	assert_int_equal(token_map(d, t, window + 8, 4, 3), -TSR_E_TOKEN);
	assert_int_equal(token_unmap(t), TSR_OK);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_SPENT);
	assert_int_equal(token_map(d, t, window, 4, 3), -TSR_E_TOKEN);
	assert_int_equal(token_unmap(t), -TSR_E_TOKEN);
	assert_int_equal(token_revoke(d, t), TSR_OK);
}

/* [TOK-5] [MEM-5] */
static void the_host_sees_the_guests_page_with_the_tokens_direction_and_never_executes_it(void **state)
{
	struct tsr_token r = token_issue(d, 20, 1, TSR_DIR_READ), w = token_issue(d, 21, 1, TSR_DIR_WRITE);

	(void)state;
	fake_enter(1);
	assert_int_equal(token_map(d, r, window, 1, TSR_DIR_READ), TSR_OK);
	assert_int_equal(token_map(d, w, window + 1, 1, TSR_DIR_WRITE), TSR_OK);
	/* [DMA-2] Devices get just the direction. */
	assert_int_equal(arch_dma_get(gfn(window)).perm, PERM_R);
	assert_int_equal(arch_dma_get(gfn(window)).frame.n, guest_ram(d) + 20);
	assert_int_equal(arch_dma_get(gfn(window + 1)).perm, PERM_W);
	assert_int_equal(arch_dma_get(gfn(window + 1)).frame.n, guest_ram(d) + 21);
	assert_ptr_equal(fake_host_access(1, window, PERM_R), guest_page(d, 20));
	assert_null(fake_host_access(1, window, PERM_W));
	assert_null(fake_host_access(1, window, PERM_X));
	assert_ptr_equal(fake_host_access(1, window + 1, PERM_R | PERM_W), guest_page(d, 21));
	assert_null(fake_host_access(1, window + 1, PERM_X));
	assert_int_equal(core_nested_fault(host_cpu(1), gfn(window), PERM_W), FAULT_FORBIDDEN);
	assert_int_equal(core_nested_fault(host_cpu(1), gfn(window), PERM_R), FAULT_RETRY);
}

/* [HC-13] [HC-12] */
static void two_elements_of_one_batch_cannot_share_a_token_or_a_window_page(void **state)
{
	struct tsr_token u = token_issue(d, 20, 2, TSR_DIR_BOTH);
	struct tsr_token_map el[2] = {
		{ .token = t, .window_pfn = window, .pages = 4, .issuer = d->id, .session = SESSION, .dir = 3 },
		{ .token = u, .window_pfn = window + 3, .pages = 2, .issuer = d->id, .session = SESSION, .dir = 3 },
	};
	struct tsr_token_ref twice[2] = { { t }, { t } };

	(void)state;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, el, 2, 0), -TSR_E_ARG);
	assert_int_equal(last_value, 1);
	el[1] = el[0];
	el[1].window_pfn += 8;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, el, 2, 0), -TSR_E_ARG);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_ISSUED);
	assert_int_equal(token_map(d, t, window, 4, 3), TSR_OK);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_UNMAP, twice, 2, 0), -TSR_E_ARG);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_MAPPED);
}

/* [TOK-12] [DMA-3] */
static void a_batch_of_any_length_is_one_shoot_down(void **state)
{
	struct tsr_token_map el[8];
	struct tsr_token_ref ref[8];
	unsigned before;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		ref[i].token = token_issue(d, 20 + i, 1, TSR_DIR_BOTH);
		el[i] = (struct tsr_token_map){ .token = ref[i].token, .window_pfn = window + i, .pages = 1,
						.issuer = d->id, .session = SESSION, .dir = TSR_DIR_BOTH };
	}
	before = fake.flushes;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, el, 8, 0), TSR_OK);
	assert_int_equal(fake.flushes, before + 1);
	assert_int_equal(host_batch(TSR_CALL_TOKEN_UNMAP, ref, 8, 0), TSR_OK);
	assert_int_equal(fake.flushes, before + 2);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_REVOKE, ref, 8), TSR_OK);
	assert_int_equal(fake.flushes, before + 2);
}

/* [TOK-12] [HC-14] */
static void map_goes_on_when_repeated_and_only_as_it_was_begun(void **state)
{
	(void)state;
	fake_enter(1);
	assert_non_null(fake_host_access(1, window, PERM_R));
	fake.cpu[1].refuses = true;
	assert_int_equal(token_map(d, t, window, 4, 3), -TSR_E_AGAIN);
	assert_int_equal(last_value, 0);
	assert_int_equal(token_map(d, t, window + 4, 4, 3), -TSR_E_TOKEN);
	assert_int_equal(token_map(d, t, window, 3, 3), -TSR_E_BIND);
	assert_int_equal(token_map(d, t, window, 4, 3), -TSR_E_AGAIN);
	fake.cpu[1].refuses = false;
	assert_int_equal(token_map(d, t, window, 4, 3), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_R), guest_page(d, 8));
	assert_int_equal(token_map(d, t, window, 4, 3), -TSR_E_TOKEN);
}

/* [TOK-12] [TOK-9] [HC-14] */
static void unmap_goes_on_when_repeated_and_revoke_waits_for_it(void **state)
{
	unsigned before;

	(void)state;
	fake_enter(1);
	assert_int_equal(token_map(d, t, window, 4, 3), TSR_OK);
	assert_non_null(fake_host_access(1, window, PERM_W));
	fake.cpu[1].refuses = true;
	before = fake.flushes;
	assert_int_equal(token_unmap(t), -TSR_E_AGAIN);
	assert_int_equal(token_unmap(t), -TSR_E_AGAIN);
	/* Begun anew it would never be done. */
	assert_int_equal(fake.flushes, before + 1);
	/* The host's unmap is not finished: the guest's revoke must not be either. */
	assert_int_equal(token_revoke(d, t), -TSR_E_AGAIN);
	assert_int_equal(token_unmap(t), -TSR_E_TOKEN);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), -TSR_E_AGAIN);
	fake.cpu[1].refuses = false;
	guest_unmake(d);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), arch_frame(mfn(window)));
}

/* [TOK-12] */
static void an_unfinished_unmap_is_finished_by_repeating_it(void **state)
{
	(void)state;
	fake_enter(1);
	assert_int_equal(token_map(d, t, window, 4, 3), TSR_OK);
	assert_non_null(fake_host_access(1, window, PERM_W));
	fake.cpu[1].refuses = true;
	assert_int_equal(token_unmap(t), -TSR_E_AGAIN);
	fake.cpu[1].refuses = false;
	assert_int_equal(token_unmap(t), TSR_OK);
	assert_int_equal(token_unmap(t), -TSR_E_TOKEN);
	/* It was one unmap. */
	assert_int_equal(core_counter(TSR_COUNT_tokens_unmapped), 1);
	assert_int_equal(token_map(d, token_issue(d, 30, 1, 3), window, 1, 3), TSR_OK);
}

/* [TOK-9] */
static void a_late_access_lands_in_the_hosts_own_frame(void **state)
{
	(void)state;
	fake_enter(1);
	memset(arch_frame(mfn(window)), 0x11, 16);
	assert_int_equal(token_map(d, t, window, 4, 3), TSR_OK);
	memset(fake_host_access(1, window, PERM_W), 0x22, 16);
	assert_int_equal(guest_page(d, 8)[3], 0x22);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_int_equal(fake_host_access(1, window, PERM_R)[3], 0x11);
	memset(fake_host_access(1, window, PERM_W), 0x33, 16);
	assert_int_equal(guest_page(d, 8)[3], 0x22);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(only_plain_pages_of_the_host_become_window_pages),
		T(runs_of_one_batch_are_refused_where_they_meet_and_only_there),
		T(a_displaced_page_can_be_nothing_else),
		T(a_window_page_is_given_up_only_when_every_cpu_has_let_go_of_what_was_there),
		T(a_token_maps_only_as_it_is_bound),
		T(a_token_maps_once_in_its_life),
		T(the_host_sees_the_guests_page_with_the_tokens_direction_and_never_executes_it),
		T(two_elements_of_one_batch_cannot_share_a_token_or_a_window_page),
		T(a_batch_of_any_length_is_one_shoot_down),
		T(map_goes_on_when_repeated_and_only_as_it_was_begun),
		T(unmap_goes_on_when_repeated_and_revoke_waits_for_it),
		T(an_unfinished_unmap_is_finished_by_repeating_it),
		T(a_late_access_lands_in_the_hosts_own_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
