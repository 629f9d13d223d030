/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* The frame table, asked directly: what the core's callers promise not to ask is answered, too. */
#include "core_host.h"

#define STATS (FAKE_HV_FIRST + 3) /* the page that the hypervisor issues */

static struct tsr_token own_token(void)
{
	assert_int_equal(host_call(TSR_CALL_TOKEN_OWN, TSR_OWN_STATS, 0, 0), TSR_OK);
	return ((struct tsr_token_issue *)host_mail())->token;
}

/* [MEM-1] */
static void the_host_reaches_its_own_frames_and_none_beyond_the_table(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	assert_true(core_host_frame(mfn(0)));
	assert_true(core_host_frame(mfn(host_cpu(0)->mailbox)));
	assert_true(core_host_frame(mfn(window_add(1))));
	assert_true(core_host_frame(mfn(frame_nr() - 33)));
	assert_false(core_host_frame(mfn(frame_nr() - 32))); /* not RAM */
	assert_false(core_host_frame(mfn(frame_nr())));
	assert_false(core_host_frame(mfn(UINT64_MAX)));
	assert_false(core_host_frame(mfn(guest_ram(d))));
	assert_false(core_host_frame(mfn(FAKE_HV_FIRST)));
}

/* [ANEW-1] [ANEW-2] */
static void a_look_at_frames_ends_after_so_many_or_where_memory_ends(void **state)
{
	const struct fake_config config = { .frames = TSR_FRAMES_LOOK + 4096 };

	(void)state;
	host_start(&config);
	assert_int_equal(frame_look_end(0), TSR_FRAMES_LOOK);
	assert_int_equal(frame_look_end(4095), TSR_FRAMES_LOOK + 4095);
	assert_int_equal(frame_look_end(4096), frame_nr());
	assert_int_equal(frame_look_end(4097), frame_nr());
	assert_int_equal(frame_look_end(frame_nr() - 1), frame_nr());
	assert_int_equal(frame_look_end(frame_nr()), frame_nr());
	assert_int_equal(frame_look_end(frame_nr() + 1), frame_nr());
	assert_int_equal(frame_look_end(UINT64_MAX), frame_nr());
}

static void frames_filled_as_one_are_counted_each_as_what_it_was(void **state)
{
	struct domain *d = guest_make(16);
	uint64_t first = guest_ram(d) - 2, end = guest_ram(d) + 16 + 8;
	struct tsr_census before, after;

	(void)state;
	/* Two states of one owner, then two owners of one state. */
	assert_int_equal(frame_of(mfn(first + 1))->state, FRAME_TABLE);
	assert_int_equal(frame_of(mfn(end - 8))->owner, DOMAIN_HOST);
	frame_census(&before);
	frame_fill(first, end, (struct frame){ .state = FRAME_OWNED, .owner = DOMAIN_HOST });
	frame_census(&after);
	assert_int_equal(after.tables, before.tables - 2);
	assert_int_equal(after.guests, before.guests - 16);
	assert_int_equal(after.host, before.host + 18);
	for (uint64_t m = first; m < end; m++)
		assert_true(frame_host_own(mfn(m)) && frame_of(mfn(m))->gfn == m);
}

/* [MEM-1] */
static void only_a_guests_frames_are_visible_to_a_guest(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	own_token();
	token_issue(d, 8, 1, TSR_DIR_BOTH);
	assert_true(frame_guest_visible(frame_of(mfn(guest_ram(d)))));
	assert_true(frame_guest_visible(frame_of(mfn(guest_ram(d) + 1)))); /* its mailbox */
	assert_true(frame_guest_visible(frame_of(mfn(guest_ram(d) + 8))));
	assert_false(frame_guest_visible(frame_of(mfn(d->table_free))));
	assert_false(frame_guest_visible(frame_of(mfn(host_take(1)))));
	assert_false(frame_guest_visible(frame_of(mfn(host_cpu(0)->mailbox))));
	assert_int_equal(frame_of(mfn(STATS))->state, FRAME_ISSUED);
	assert_false(frame_guest_visible(frame_of(mfn(STATS))));
}

/* [MEM-1] */
static void each_domain_has_the_pages_that_are_its_own_and_no_others(void **state)
{
	struct domain *d = guest_make(16), *hv = domain_by_id(DOMAIN_HV), *host = core_host();
	const uint64_t nobodys[] = { FAKE_HOLE, frame_nr() - 1, frame_nr(), GFN_NONE, UINT64_MAX };
	mfn_t m;

	(void)state;
	for (unsigned i = 0; i < sizeof(nobodys) / sizeof(nobodys[0]); i++) {
		assert_false(leaf_lookup(hv, nobodys[i], &m));
		assert_false(leaf_lookup(host, nobodys[i], &m));
		assert_false(leaf_lookup(d, nobodys[i], &m));
	}
	assert_true(leaf_lookup(hv, FAKE_HV_FIRST, &m) && m.n == FAKE_HV_FIRST);
	assert_false(leaf_lookup(host, FAKE_HV_FIRST, &m));
	assert_true(leaf_lookup(host, 7, &m) && m.n == 7);
	assert_false(leaf_lookup(hv, 7, &m));
	assert_true(leaf_lookup(d, 7, &m) && m.n == guest_ram(d) + 7);
	assert_false(leaf_lookup(d, 16, &m));
	assert_false(leaf_lookup(hv, guest_ram(d), &m));
	assert_false(leaf_lookup(host, guest_ram(d), &m));
}

/* [MEM-1] A guest's table is only an index: what it says counts if the frame table agrees. */
static void a_leaf_that_the_frame_table_does_not_know_shows_nothing(void **state)
{
	struct domain *d = guest_make(16), *other = guest_make(16);
	const uint64_t wrong[] = { guest_ram(d) + 4, guest_ram(other) + 3, FAKE_HV_FIRST, host_take(1), frame_nr() - 1, frame_nr(), UINT64_MAX };
	mfn_t m;

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		fake_corrupt(d, 3, (struct leaf){ .frame = mfn(wrong[i]), .perm = PERM_RWX });
		assert_false(leaf_lookup(d, 3, &m));
	}
	fake_corrupt(d, 3, (struct leaf){ .frame = mfn(guest_ram(d) + 3), .perm = PERM_RWX });
	assert_true(leaf_lookup(d, 3, &m));
}

static uint8_t guest_perm_after_sync(struct domain *d, uint64_t m, uint64_t g)
{
	arch_lock();
	leaf_sync_guest(d, mfn(m), gfn(g));
	arch_unlock();
	return arch_leaf_get(d, gfn(g)).perm;
}

/* [MEM-1] */
static void a_guest_is_shown_only_its_own_frames_and_each_only_in_its_place(void **state)
{
	struct domain *d = guest_make(16), *other = guest_make(16);

	(void)state;
	assert_int_equal(guest_perm_after_sync(d, guest_ram(other) + 3, 3), 0);
	assert_int_equal(guest_perm_after_sync(d, guest_ram(d) + 4, 3), 0);
	assert_int_equal(guest_perm_after_sync(d, FAKE_HV_FIRST, 3), 0);
	assert_int_equal(guest_perm_after_sync(d, host_take(1), 3), 0);
	assert_int_equal(guest_perm_after_sync(d, guest_ram(d) + 3, 3), PERM_RWX);
	assert_int_equal(arch_leaf_get(d, gfn(3)).frame.n, guest_ram(d) + 3);
}

/* [DMA-2] */
static void devices_may_do_just_what_a_tokens_direction_says(void **state)
{
	const uint8_t allowed[] = { 0, PERM_R, PERM_W, PERM_R | PERM_W };
	struct tsr_token t = own_token();

	(void)state;
	_Static_assert(TSR_DIR_READ == 1 && TSR_DIR_WRITE == 2, "indices of allowed");
	for (uint8_t dir = 0; dir <= TSR_DIR_BOTH; dir++) {
		grant_slot(t.slot)->dir = dir;
		assert_int_equal(grant_device_perm(t.slot), allowed[dir]);
	}
}

/* [TOK-17] */
static void a_page_that_the_hypervisor_has_issued_is_its_own_again_when_the_token_is_gone(void **state)
{
	struct tsr_token own = own_token();
	struct tsr_census before, after;

	(void)state;
	frame_census(&before);
	assert_int_equal(frame_of(mfn(STATS))->state, FRAME_ISSUED);
	grant_release(grant_find(&own));
	assert_int_equal(frame_of(mfn(STATS))->state, FRAME_HV);
	assert_int_equal(frame_of(mfn(STATS))->owner, DOMAIN_HV);
	assert_int_equal(grant_live(), 0);
	frame_census(&after);
	assert_memory_equal(&before, &after, sizeof(before));
	oracle_check_all();
	own_token();
	assert_int_equal(grant_live(), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(the_host_reaches_its_own_frames_and_none_beyond_the_table),
		T(a_look_at_frames_ends_after_so_many_or_where_memory_ends),
		T(frames_filled_as_one_are_counted_each_as_what_it_was),
		T(only_a_guests_frames_are_visible_to_a_guest),
		T(each_domain_has_the_pages_that_are_its_own_and_no_others),
		T(a_leaf_that_the_frame_table_does_not_know_shows_nothing),
		T(a_guest_is_shown_only_its_own_frames_and_each_only_in_its_place),
		T(devices_may_do_just_what_a_tokens_direction_says),
		T(a_page_that_the_hypervisor_has_issued_is_its_own_again_when_the_token_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
