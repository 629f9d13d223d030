/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* flags: -DTSR_TEST_CONTROLS -UTSR_ORACLE */
/*
 * Negative controls: each attack here is made twice, with its check, which refuses it, and without, where it succeeds and does the damage. Without the
 * oracle, which would stop the machine at most of them.
 */
#include "core_host.h"
#include <core/check.h>

enum check left_out;

static struct domain *d;
static uint64_t window;

static int setup(void **state)
{
	host_setup(state);
	left_out = CHECK_NONE;
	d = guest_make(16);
	window = window_add(8);
	return 0;
}

/* The attack, with the check and without: what it came to. */
#define BOTH(check, attack, refused)                        \
	do {                                                \
		assert_int_equal(attack, -(int)(refused)); \
		left_out = CHECK_##check;                   \
		assert_int_equal(attack, TSR_OK);           \
	} while (0)

static struct tsr_token issue_copy(uint64_t g, uint8_t dir, uint32_t bytes)
{
	struct tsr_token_issue el = { .gfn = g, .pages = 1, .dir = dir, .how = TSR_HOW_COPY, .session = SESSION, .bytes = bytes };

	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), TSR_OK);
	return el.token;
}

static int copy(struct tsr_token t, uint64_t pfn, uint32_t offset, uint8_t dir, uint32_t session)
{
	struct tsr_token_copy el = { .token = t, .address = pfn * TSR_PAGE_SIZE, .offset = offset, .length = 16, .issuer = d->id,
				     .session = session, .dir = dir };

	return host_batch(TSR_CALL_TOKEN_COPY, &el, 1, 0);
}

/* [TOK-13] */
static void a_token_to_read_is_written_through(void **state)
{
	struct tsr_token t = issue_copy(8, TSR_DIR_READ, 0);
	uint64_t pfn = host_take(1);

	(void)state;
	memset(arch_frame(mfn(pfn)), 0x66, 16);
	BOTH(BOUND, copy(t, pfn, 0, TSR_DIR_WRITE, SESSION), TSR_E_BIND);
	assert_int_equal(guest_page(d, 8)[0], 0x66);
}

/* [TOK-13] */
static void what_lies_behind_the_tokens_range_is_read(void **state)
{
	struct tsr_token t = issue_copy(8, TSR_DIR_READ, 64);
	uint64_t pfn = host_take(1);

	(void)state;
	memset(guest_page(d, 9), 0x99, 16);
	BOTH(RANGE, copy(t, pfn, TSR_PAGE_SIZE, TSR_DIR_READ, SESSION), TSR_E_ARG);
	assert_int_equal(((uint8_t *)arch_frame(mfn(pfn)))[0], 0x99);
}

static int map_bound(struct tsr_token t, uint32_t issuer, uint32_t session, uint32_t pages, uint8_t dir)
{
	struct tsr_token_map el = { .token = t, .window_pfn = window, .pages = pages, .issuer = issuer, .session = session, .dir = dir };

	return host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0);
}

/* [TOK-5] */
static void a_token_of_another_session_guest_or_length_is_mapped(void **state)
{
	struct domain *other = guest_make(16);

	(void)state;
	for (unsigned what = 0; what < 4; what++) {
		struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_READ);

		left_out = CHECK_NONE;
		BOTH(BOUND, map_bound(t, what == 0 ? other->id : d->id, what == 1 ? SESSION + 1 : SESSION, what == 2 ? 2 : 1,
				      what == 3 ? TSR_DIR_BOTH : TSR_DIR_READ), TSR_E_BIND);
		fake_enter(1);
		assert_ptr_equal(fake_host_access(1, window, PERM_R), guest_page(d, 8));
		/* What the token itself allows does not grow by what was said. */
		assert_null(fake_host_access(1, window, PERM_W));
		fake_leave(1);
		assert_int_equal(token_revoke(d, t), TSR_OK);
	}
}

/* [TOK-5] */
static void a_spent_token_is_mapped_again_and_shows_what_the_guest_has_written_since(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);

	(void)state;
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_OK);
	assert_int_equal(token_unmap(t), TSR_OK);
	memset(guest_page(d, 8), 0x77, 16);
	fake_enter(1);
	BOTH(ONCE, token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_E_TOKEN);
	assert_int_equal(fake_host_access(1, window, PERM_R)[0], 0x77);
}

/* [TOK-6] */
static void a_guest_revokes_anothers_token_under_its_io(void **state)
{
	struct domain *other = guest_make(16);
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);

	(void)state;
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_OK);
	BOTH(ISSUER, token_revoke(other, t), TSR_E_TOKEN);
	assert_int_equal(frame_of(mfn(window))->state, FRAME_WINDOW);
}

static struct domain *half_built(void)
{
	struct tsr_guest_create config;
	struct domain *new;

	guest_config(&config, 16);
	new = guest_create_with(&config);
	assert_int_equal(donate(new, host_take(20), 0, 20, TSR_DONATE_TABLES), TSR_OK);
	return new;
}

/* [DON-1] [MEM-2] */
static void a_page_donated_twice_has_two_guests(void **state)
{
	struct domain *thief = half_built();
	uint64_t pfn = guest_ram(d) + 3;

	(void)state;
	BOTH(DONATED, donate(thief, pfn, 0, 1, 0), TSR_E_FRAME);
	assert_int_equal(arch_leaf_get(d, gfn(3)).frame.n, pfn);
	assert_int_equal(arch_leaf_get(thief, gfn(0)).frame.n, pfn);
	assert_true(arch_leaf_get(d, gfn(3)).perm && arch_leaf_get(thief, gfn(0)).perm);
}

/* [MEM-3] [GST-5] */
static void a_guest_is_changed_after_it_was_measured_by_a_cpu_that_has_not_let_go(void **state)
{
	struct domain *victim = half_built();
	uint64_t ram = host_take(16);
	uint8_t *late;

	(void)state;
	fake_enter(1);
	late = fake_host_access(1, ram + 5, PERM_W);
	fake.cpu[1].refuses = true;
	BOTH(LET_GO, donate(victim, ram, 0, 16, 0), TSR_E_AGAIN);
	assert_int_equal(launch(victim), TSR_OK);
	/* Measured as the other one of the same contents, and not what it was measured to be. */
	assert_memory_equal(victim->identity, d->identity, TSR_ID_SIZE);
	assert_ptr_equal(fake_host_access(1, ram + 5, PERM_W), late);
	memset(late, 0xbd, 16);
	assert_int_equal(guest_page(victim, 5)[0], 0xbd);
}

/* [ANEW-2] */
static void a_new_host_gets_a_page_at_which_a_cpu_still_reaches_a_guests(void **state)
{
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);

	(void)state;
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_OK);
	fake_enter(1);
	assert_non_null(fake_host_access(1, window, PERM_W));
	fake.cpu[1].refuses = true;
	BOTH(RESET, host_call(TSR_CALL_HOST_RESET, 0, 0, 0), TSR_E_AGAIN);
	assert_int_equal(frame_of(mfn(window))->state, FRAME_OWNED);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), guest_page(d, 8));
}

static unsigned inside, most_inside;
static int within;

static void runs_itself(struct vcpu *v, struct tsr_run_exit *exit)
{
	(void)v;
	if (++inside > most_inside)
		most_inside = inside;
	if (inside == 1)
		within = call_by(host_cpu(1), TSR_CALL_VCPU_RUN, d->id, 0, 0);
	inside--;
	exit->reason = TSR_RUN_INTR;
}

/* [RUN-1] */
static void one_virtual_cpu_runs_on_two_cpus(void **state)
{
	(void)state;
	fake.run = runs_itself;
	for (unsigned without = 0; without < 2; without++) {
		most_inside = 0;
		left_out = without ? CHECK_RUNNER : CHECK_NONE;
		assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0), TSR_OK);
		assert_int_equal(within, without ? TSR_OK : -TSR_E_BUSY);
		assert_int_equal(most_inside, 1 + without);
	}
}

static void destroyed(struct vcpu *v, struct tsr_run_exit *exit)
{
	within = call_by(host_cpu(1), TSR_CALL_GUEST_DESTROY, 0, d->id, 0);
	if (within == TSR_OK)
		assert_int_equal(reclaim(d, guest_ram(d), 1), TSR_OK);
	assert_true(v->running_on >= 0);
	exit->reason = TSR_RUN_INTR;
}

/* [RUN-4] */
static void a_guest_goes_under_the_feet_of_the_cpu_that_runs_it(void **state)
{
	(void)state;
	fake.run = destroyed;
	for (unsigned without = 0; without < 2; without++) {
		if (without)
			d = guest_make(16);
		left_out = without ? CHECK_IDLE : CHECK_NONE;
		assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0), TSR_OK);
		assert_int_equal(within, without ? TSR_OK : -TSR_E_AGAIN);
		/* The host has a page of it back while it ran. */
		assert_int_equal(frame_of(mfn(guest_ram(d)))->owner, without ? DOMAIN_HOST : d->id);
	}
}

/* [EVT-3] */
static void the_host_raises_a_page_fault_in_a_guest(void **state)
{
	(void)state;
	BOTH(VECTOR, call_by(&d->vcpu[0], TSR_CALL_EVENT_BIND, 5, 0, 14), TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_EVENT_RAISE, 0, d->id, 5), TSR_OK);
	assert_int_equal(core_take_event(&d->vcpu[0]), 14);
}

static int derive(struct domain *by, uint8_t key[TSR_KEY_SIZE])
{
	struct tsr_key_derive *req = mail_of(&by->vcpu[0]);
	int ret;

	*req = (struct tsr_key_derive){ .label = "disk0", .purpose = TSR_KEY_DISK_ATTACH };
	ret = call_by(&by->vcpu[0], TSR_CALL_KEY_DERIVE, 0, 0, 0);
	memcpy(key, req->key, TSR_KEY_SIZE);
	return ret;
}

/* [KEY-3] */
static void two_live_guests_write_one_disk_under_one_key(void **state)
{
	struct domain *twin = guest_make(16);
	uint8_t mine[TSR_KEY_SIZE], theirs[TSR_KEY_SIZE];

	(void)state;
	assert_int_equal(derive(d, mine), TSR_OK);
	BOTH(LEASE, derive(twin, theirs), TSR_E_BUSY);
	assert_memory_equal(mine, theirs, TSR_KEY_SIZE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(a_token_to_read_is_written_through),
		T(what_lies_behind_the_tokens_range_is_read),
		T(a_token_of_another_session_guest_or_length_is_mapped),
		T(a_spent_token_is_mapped_again_and_shows_what_the_guest_has_written_since),
		T(a_guest_revokes_anothers_token_under_its_io),
		T(a_page_donated_twice_has_two_guests),
		T(a_guest_is_changed_after_it_was_measured_by_a_cpu_that_has_not_let_go),
		T(a_new_host_gets_a_page_at_which_a_cpu_still_reaches_a_guests),
		T(one_virtual_cpu_runs_on_two_cpus),
		T(a_guest_goes_under_the_feet_of_the_cpu_that_runs_it),
		T(the_host_raises_a_page_fault_in_a_guest),
		T(two_live_guests_write_one_disk_under_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
