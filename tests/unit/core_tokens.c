/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* Issue, revoke, query and list: spec/tokens.md. Windows, map and unmap: core_windows.c. */
#include "core_host.h"

static struct domain *d;
static uint64_t window;

static int setup(void **state)
{
	host_setup(state);
	d = guest_make(64);
	window = window_add(8);
	return 0;
}

static int issue_el(struct tsr_token_issue el)
{
	return guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1);
}

/* [TOK-1] [TOK-2] */
static void a_token_names_a_run_and_two_tokens_never_share_a_page(void **state)
{
	struct tsr_token_issue el[3] = {
		{ .gfn = 8, .pages = 4, .dir = TSR_DIR_BOTH, .session = 1 },
		{ .gfn = 12, .pages = 1, .dir = TSR_DIR_READ, .session = 1 },
		{ .gfn = 11, .pages = 2, .dir = TSR_DIR_BOTH, .session = 1 },
	};

	(void)state;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 3), -TSR_E_ARG);
	assert_int_equal(last_value, 2);
	assert_int_equal(d->tokens, 0);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 2), TSR_OK);
	assert_true(el[0].token.generation && el[1].token.generation);
	assert_true(el[0].token.slot != el[1].token.slot && el[0].token.random != el[1].token.random);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el + 2, 1), -TSR_E_FRAME);
	assert_int_equal(d->tokens, 2);
}

/* [TOK-2] Also one that begins in another element's pages. */
static void a_run_beyond_the_guests_memory_is_refused_as_such(void **state)
{
	struct tsr_token_issue el[2] = {
		{ .gfn = 62, .pages = 2, .dir = TSR_DIR_BOTH, .session = 1 },
		{ .gfn = 63, .pages = 2, .dir = TSR_DIR_BOTH, .session = 1 },
	};

	(void)state;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 2), -TSR_E_FRAME);
	assert_int_equal(last_value, 1);
	el[1].pages = 1;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 2), -TSR_E_ARG);
	assert_int_equal(last_value, 1);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, el, 1), TSR_OK);
}

/* [TOK-2] [TOK-3] [HC-10] */
static void what_is_issued_is_checked(void **state)
{
	const struct tsr_token_issue good = { .gfn = 8, .pages = 1, .dir = TSR_DIR_BOTH, .session = 1 };
	struct tsr_token_issue el = good;

	(void)state;
	el.pages = 0;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el.pages = TSR_TOKEN_MAX_PAGES + 1;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el = good;
	el.dir = 0;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el.dir = 4;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el = good;
	el.how = 3;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el = good;
	el.reserved0 = 1;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el = good;
	el.reserved1[1] = 1;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el = good;
	el.session = 0;
	assert_int_equal(issue_el(el), -TSR_E_ARG);
	el = good;
	el.device = 2;
	assert_int_equal(issue_el(el), -TSR_E_NODEV);
	el.device = TSR_MAX_DEVICES;
	assert_int_equal(issue_el(el), -TSR_E_NODEV);
	el = good;
	el.gfn = 64;
	assert_int_equal(issue_el(el), -TSR_E_FRAME);
	el.gfn = 63;
	el.pages = 2;
	assert_int_equal(issue_el(el), -TSR_E_FRAME);
	el.gfn = UINT64_MAX;
	assert_int_equal(issue_el(el), -TSR_E_FRAME);
	el = good;
	el.gfn = 1; /* its mailbox */
	assert_int_equal(issue_el(el), -TSR_E_FRAME);
	assert_int_equal(issue_el(good), TSR_OK);
}

/* [TOK-4] */
static void a_guest_cannot_use_up_the_slots_of_the_others(void **state)
{
	struct domain *big = guest_make(GRANT_PER_GUEST + 65);
	struct tsr_token_issue el[64];
	unsigned n = 0;

	(void)state;
	quick = true;
	for (unsigned i = 0; i <= GRANT_PER_GUEST / 64; i++) {
		int ret;

		memset(el, 0, sizeof(el));
		for (unsigned k = 0; k < 64; k++)
			el[k] = (struct tsr_token_issue){ .gfn = 2 + n + k, .pages = 1, .dir = 3, .session = 1 };
		ret = guest_batch(big, TSR_CALL_TOKEN_ISSUE, el, i == 3 ? 63u : 64u);
		if (ret) {
			assert_int_equal(ret, -TSR_E_LIMIT);
			assert_int_equal(n + last_value, GRANT_PER_GUEST);
			break;
		}
		n += i == 3 ? 63 : 64;
	}
	assert_int_equal(n, GRANT_PER_GUEST - 1);
	token_issue(d, 8, 1, TSR_DIR_BOTH);
	quick = false;
	guest_unmake(big);
	assert_int_equal(grant_live(), 1);
}

/* [TOK-7] */
static void a_token_with_a_wrong_part_is_no_token(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH), wrong;

	(void)state;
	wrong = t;
	wrong.random ^= 1;
	assert_int_equal(token_map(d, wrong, window, 1, 3), -TSR_E_TOKEN);
	assert_int_equal(token_revoke(d, wrong), -TSR_E_TOKEN);
	wrong = t;
	wrong.generation++;
	assert_int_equal(token_revoke(d, wrong), -TSR_E_TOKEN);
	wrong = t;
	wrong.slot++;
	assert_int_equal(token_revoke(d, wrong), -TSR_E_TOKEN);
	wrong.slot = TSR_MAX_TOKENS;
	assert_int_equal(token_revoke(d, wrong), -TSR_E_TOKEN);
	wrong.slot = UINT32_MAX;
	assert_int_equal(token_revoke(d, wrong), -TSR_E_TOKEN);
	assert_int_equal(token_revoke(d, (struct tsr_token){ 0 }), -TSR_E_TOKEN);
	assert_int_equal(token_revoke(d, t), TSR_OK);
}

static int query(struct tsr_token of)
{
	struct tsr_token_query el = { .token = of };

	memcpy(host_mail(), &el, sizeof(el));
	return host_call(TSR_CALL_TOKEN_QUERY, 0, 0, 0);
}

/* [TOK-7] What a free slot holds is known: its next generation, and nothing drawn yet. */
static void a_free_slot_has_no_token_that_can_be_guessed(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH), never = { .slot = TSR_MAX_TOKENS - 1, .generation = 1 };

	(void)state;
	assert_int_equal(query(t), TSR_OK);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	t.generation++;
	t.random = 0;
	assert_int_equal(query(t), -TSR_E_TOKEN);
	assert_int_equal(query(never), -TSR_E_TOKEN);
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), -TSR_E_TOKEN);
	assert_int_equal(token_unmap(t), -TSR_E_TOKEN);
	assert_int_equal(token_revoke(d, t), -TSR_E_TOKEN);
}

/* [TOK-7] [TOK-8] */
static void a_revoked_token_is_stale_for_ever_and_its_slot_gets_another_generation(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH), next;

	(void)state;
	assert_int_equal(token_revoke(d, t), TSR_OK);
	next = token_issue(d, 8, 1, TSR_DIR_BOTH);
	assert_int_equal(next.slot, t.slot);
	assert_int_equal(next.generation, t.generation + 1);
	assert_int_equal(token_revoke(d, t), -TSR_E_TOKEN);
	assert_int_equal(token_map(d, t, window, 1, 3), -TSR_E_TOKEN);
	/* Generation 0 is never valid: it is left out when the number goes round. */
	grant_slot(next.slot)->generation = UINT32_MAX;
	next.generation = UINT32_MAX;
	assert_int_equal(token_revoke(d, next), TSR_OK);
	assert_int_equal(token_issue(d, 8, 1, TSR_DIR_BOTH).generation, 1);
}

/* [TOK-6] */
static void only_the_issuer_revokes(void **state)
{
	struct domain *other = guest_make(16);
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);

	(void)state;
	assert_int_equal(token_revoke(other, t), -TSR_E_TOKEN);
	assert_int_equal(host_call(TSR_CALL_TOKEN_REVOKE, 1, 0, 0), -TSR_E_CALL);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_TOKEN_MAP, 1, 0, 0), -TSR_E_CALL);
	assert_int_equal(token_revoke(d, t), TSR_OK);
}

/* [HC-13] [HC-12] */
static void a_token_revoked_twice_in_one_batch_is_refused_and_lives_on(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH), u = token_issue(d, 9, 1, TSR_DIR_BOTH);
	struct tsr_token_ref el[3] = { { t }, { u }, { t } };

	(void)state;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_REVOKE, el, 3), -TSR_E_ARG);
	assert_int_equal(last_value, 2);
	assert_int_equal(grant_find(&t)->state, TSR_TOKEN_ISSUED);
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_REVOKE, el, 2), TSR_OK);
	assert_int_equal(d->tokens, 0);
	assert_int_equal(core_counter(TSR_COUNT_tokens_revoked), 2);
}

/* [TOK-9] */
static void revoke_returns_only_after_every_cpu_has_let_go(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);
	uint8_t *page = guest_page(d, 8);

	(void)state;
	fake_enter(1);
	fake_enter(2);
	assert_int_equal(token_map(d, t, window, 1, 3), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), page);
	assert_ptr_equal(fake_host_access(2, window, PERM_W), page);
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), arch_frame(mfn(window)));
	assert_ptr_equal(fake_host_access(2, window, PERM_W), arch_frame(mfn(window)));
	assert_int_equal(frame_of(mfn(guest_ram(d) + 8))->state, FRAME_OWNED);
}

/* [TOK-9] [HC-14] [SHOOT-2] */
static void a_cpu_that_does_not_answer_keeps_the_revoke_in_progress(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH), u = token_issue(d, 9, 1, TSR_DIR_BOTH);
	struct tsr_token_ref el[2] = { { t }, { u } };

	(void)state;
	fake_enter(1);
	assert_int_equal(token_map(d, t, window, 1, 3), TSR_OK);
	assert_non_null(fake_host_access(1, window, PERM_W));
	fake.cpu[1].refuses = true;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_REVOKE, el, 2), -TSR_E_AGAIN);
		assert_int_equal(last_value, 0);
		assert_int_equal(grant_find(&t)->state, TSR_TOKEN_REVOKING);
		/* Its page is neither free for another token nor for a mailbox; the token is of no use to the host. */
		assert_int_equal(issue_el((struct tsr_token_issue){ .gfn = 8, .pages = 1, .dir = 3, .session = 1 }),
				 -TSR_E_FRAME);
		assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_MAILBOX, 8, 0, 0), -TSR_E_FRAME);
		assert_int_equal(token_map(d, u, window, 1, 3), -TSR_E_TOKEN);
		assert_int_equal(token_unmap(t), -TSR_E_TOKEN);
	}
	fake.cpu[1].refuses = false;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_REVOKE, el, 2), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), arch_frame(mfn(window)));
	assert_null(grant_find(&t));
	assert_int_equal(d->tokens, 0);
}

static unsigned waited;

static void count_wait(void)
{
	waited++;
}

/* [TOK-9] Nor are the IOMMU's units asked: a token that is copied costs neither. */
static void revoking_what_was_never_mapped_waits_for_nobody(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH), mapped = token_issue(d, 9, 1, TSR_DIR_BOTH);

	(void)state;
	assert_int_equal(token_map(d, mapped, window, 1, TSR_DIR_BOTH), TSR_OK);
	waited = 0;
	fake.on_wait = count_wait;
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_int_equal(waited, 0);
	assert_int_equal(token_revoke(d, mapped), TSR_OK);
	assert_int_equal(waited, 1);
}

/* [TOK-10] */
static void destroying_a_guest_revokes_its_tokens_and_waits_for_every_cpu(void **state)
{
	struct tsr_token t = token_issue(d, 8, 2, TSR_DIR_BOTH);

	(void)state;
	token_issue(d, 12, 1, TSR_DIR_READ);
	fake_enter(3);
	assert_int_equal(token_map(d, t, window + 2, 2, 3), TSR_OK);
	assert_non_null(fake_host_access(3, window + 3, PERM_W));
	fake.cpu[3].refuses = true;
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), -TSR_E_AGAIN);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), -TSR_E_AGAIN);
	assert_int_equal(reclaim(d, guest_ram(d), 1), -TSR_E_STATE);
	fake.cpu[3].refuses = false;
	guest_unmake(d);
	assert_ptr_equal(fake_host_access(3, window + 3, PERM_W), arch_frame(mfn(window + 3)));
	assert_int_equal(grant_live(), 0);
}

/* [TOK-10] */
static void destroying_a_guest_of_which_nothing_is_mapped_waits_for_nobody(void **state)
{
	unsigned before = fake.flushes;

	(void)state;
	waited = 0;
	fake.on_wait = count_wait;
	token_issue(d, 8, 2, TSR_DIR_BOTH);
	fake_enter(1);
	fake.cpu[1].refuses = true;
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(fake.flushes, before);
	assert_int_equal(waited, 0);
	assert_int_equal(grant_live(), 0);
}

/* [TOK-10] */
static void destroying_a_guest_leaves_the_tokens_of_others_as_they_are(void **state)
{
	struct domain *other = guest_make(16);
	struct tsr_token mapped = token_issue(other, 4, 2, TSR_DIR_BOTH), waits = token_issue(other, 8, 1, TSR_DIR_READ);
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH), after = token_issue(other, 10, 1, TSR_DIR_BOTH);

	(void)state;
	fake_enter(1);
	assert_int_equal(token_map(other, mapped, window, 2, 3), TSR_OK);
	assert_int_equal(token_map(d, t, window + 2, 1, 3), TSR_OK);
	guest_unmake(d);
	assert_int_equal(grant_live(), 3);
	assert_int_equal(other->tokens, 3);
	assert_int_equal(grant_find(&mapped)->state, TSR_TOKEN_MAPPED);
	assert_int_equal(grant_find(&waits)->state, TSR_TOKEN_ISSUED);
	assert_int_equal(grant_find(&after)->state, TSR_TOKEN_ISSUED);
	assert_ptr_equal(fake_host_access(1, window + 1, PERM_W), guest_page(other, 5));
	assert_int_equal(token_revoke(other, mapped), TSR_OK);
	guest_unmake(other);
	assert_int_equal(grant_live(), 0);
}

/* [TOK-11] */
static void each_side_is_told_its_own_half_of_a_token(void **state)
{
	struct tsr_token t = token_issue(d, 8, 2, TSR_DIR_READ);
	struct domain *other = guest_make(16);
	struct tsr_token_query query;

	(void)state;
	assert_int_equal(token_map(d, t, window, 2, TSR_DIR_READ), TSR_OK);
	query = (struct tsr_token_query){ .token = t };
	memcpy(host_mail(), &query, sizeof(query));
	assert_int_equal(host_call(TSR_CALL_TOKEN_QUERY, 0, 0, 0), TSR_OK);
	memcpy(&query, host_mail(), sizeof(query));
	assert_int_equal(query.info.window_pfn, window);
	assert_int_equal(query.info.gfn, 0);
	assert_int_equal(query.info.issuer, d->id);
	assert_int_equal(query.info.pages, 2);
	assert_int_equal(query.info.dir, TSR_DIR_READ);
	assert_int_equal(query.info.session, SESSION);
	assert_int_equal(query.info.state, TSR_TOKEN_MAPPED);

	query = (struct tsr_token_query){ .token = t };
	memcpy(mail_of(&d->vcpu[0]), &query, sizeof(query));
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_TOKEN_QUERY, 0, 0, 0), TSR_OK);
	memcpy(&query, mail_of(&d->vcpu[0]), sizeof(query));
	assert_int_equal(query.info.window_pfn, 0);
	assert_int_equal(query.info.gfn, 8);

	memcpy(mail_of(&other->vcpu[0]), &query, sizeof(query));
	assert_int_equal(call_by(&other->vcpu[0], TSR_CALL_TOKEN_QUERY, 0, 0, 0), -TSR_E_TOKEN);
	query.token.random++;
	memcpy(host_mail(), &query, sizeof(query));
	assert_int_equal(host_call(TSR_CALL_TOKEN_QUERY, 0, 0, 0), -TSR_E_TOKEN);
}

/* [TOK-11] */
static void the_list_shows_all_live_tokens_without_their_random_half(void **state)
{
	const struct tsr_token_list *list = host_mail();
	unsigned found = 0;
	uint64_t from = 0;

	(void)state;
	quick = true;
	for (unsigned i = 0; i < 62; i++)
		token_issue(d, 2 + i, 1, TSR_DIR_BOTH);
	quick = false;
	assert_int_equal(host_call(TSR_CALL_TOKEN_LIST, 0, 0, 0), TSR_OK);
	assert_int_equal(list->count, 62);
	assert_int_equal(last_value, 0);
	d = guest_make(16);
	for (unsigned i = 0; i < 4; i++)
		token_issue(d, 2 + i, 1, TSR_DIR_BOTH);
	do {
		assert_int_equal(host_call(TSR_CALL_TOKEN_LIST, from, 0, 0), TSR_OK);
		from = last_value;
		for (uint32_t i = 0; i < list->count; i++)
			assert_int_equal(list->token[i].gfn, 0);
		found += list->count;
	} while (from);
	assert_int_equal(found, 66);
	assert_int_equal(host_call(TSR_CALL_TOKEN_LIST, TSR_MAX_TOKENS - 1, 0, 0), TSR_OK);
	assert_int_equal(list->count, 0);
	assert_int_equal(host_call(TSR_CALL_TOKEN_LIST, TSR_MAX_TOKENS, 0, 0), -TSR_E_ARG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(a_token_names_a_run_and_two_tokens_never_share_a_page),
		T(a_run_beyond_the_guests_memory_is_refused_as_such),
		T(what_is_issued_is_checked),
		T(a_guest_cannot_use_up_the_slots_of_the_others),
		T(a_token_with_a_wrong_part_is_no_token),
		T(a_free_slot_has_no_token_that_can_be_guessed),
		T(a_revoked_token_is_stale_for_ever_and_its_slot_gets_another_generation),
		T(only_the_issuer_revokes),
		T(a_token_revoked_twice_in_one_batch_is_refused_and_lives_on),
		T(revoke_returns_only_after_every_cpu_has_let_go),
		T(a_cpu_that_does_not_answer_keeps_the_revoke_in_progress),
		T(revoking_what_was_never_mapped_waits_for_nobody),
		T(destroying_a_guest_revokes_its_tokens_and_waits_for_every_cpu),
		T(destroying_a_guest_of_which_nothing_is_mapped_waits_for_nobody),
		T(destroying_a_guest_leaves_the_tokens_of_others_as_they_are),
		T(each_side_is_told_its_own_half_of_a_token),
		T(the_list_shows_all_live_tokens_without_their_random_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
