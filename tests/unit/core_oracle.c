/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* Every kind of damage halts the machine; and what the core answers when a container faults. [MEM-4] [MEM-2] */
#include "core_host.h"

static struct domain *d;
static uint64_t window;
static struct tsr_token t;

static int setup(void **state)
{
	host_setup(state);
	d = guest_make(32);
	window = window_add(4);
	t = token_issue(d, 8, 2, TSR_DIR_BOTH);
	assert_int_equal(token_map(d, t, window, 2, TSR_DIR_BOTH), TSR_OK);
	return 0;
}

static struct leaf leaf_to(uint64_t m, uint8_t perm)
{
	return (struct leaf){ .frame = mfn(m), .perm = perm };
}

static void any_call(void)
{
	host_call(TSR_CALL_VERSION, 0, 0, 0);
}

static void corrupt_leaf_halts(struct domain *of, uint64_t g, struct leaf l)
{
	struct leaf old = of->tables->leaf[g];

	fake_corrupt(of, g, l);
	expect_halt(any_call());
	fake_corrupt(of, g, old);
	any_call();
}

static void every_corrupted_leaf_of_the_host_is_found(void **state)
{
	uint64_t own = host_take(1);

	(void)state;
	corrupt_leaf_halts(core_host(), FAKE_HV_FIRST, leaf_to(FAKE_HV_FIRST, PERM_R));
	corrupt_leaf_halts(core_host(), guest_ram(d), leaf_to(guest_ram(d), PERM_RWX));
	corrupt_leaf_halts(core_host(), own, leaf_to(own + 1, PERM_RWX));
	corrupt_leaf_halts(core_host(), own, leaf_to(own, PERM_R));
	corrupt_leaf_halts(core_host(), own, leaf_to(0, 0));
	corrupt_leaf_halts(core_host(), window, leaf_to(window, PERM_RWX));
	corrupt_leaf_halts(core_host(), window, leaf_to(guest_ram(d) + 8, PERM_RWX));
	corrupt_leaf_halts(core_host(), window, leaf_to(guest_ram(d) + 9, PERM_R | PERM_W));
	corrupt_leaf_halts(core_host(), FAKE_HOLE, leaf_to(FAKE_HV_FIRST, PERM_R));
	/* A device's own address is nobody's RAM. */
	fake_corrupt(core_host(), FAKE_HOLE, leaf_to(FAKE_HOLE, PERM_RWX));
	any_call();
}

static void corrupt_dma_halts(uint64_t g, struct leaf l)
{
	struct leaf *at = &core_host()->tables->dma[g], old = *at;

	*at = l;
	expect_halt(any_call());
	*at = old;
	any_call();
}

static void every_corrupted_leaf_of_devices_is_found(void **state)
{
	uint64_t own = host_take(1);

	(void)state;
	corrupt_dma_halts(FAKE_HV_FIRST, leaf_to(FAKE_HV_FIRST, PERM_R));
	corrupt_dma_halts(guest_ram(d), leaf_to(guest_ram(d), PERM_W));
	corrupt_dma_halts(own, leaf_to(own + 1, PERM_R | PERM_W));
	corrupt_dma_halts(own, leaf_to(0, 0));
	corrupt_dma_halts(window, leaf_to(window, PERM_R | PERM_W));
	corrupt_dma_halts(FAKE_HOLE, leaf_to(FAKE_HOLE, PERM_R | PERM_W));
}

static void every_corrupted_leaf_of_a_guest_is_found(void **state)
{
	struct domain *other = guest_make(16);

	(void)state;
	corrupt_leaf_halts(d, 3, leaf_to(FAKE_HV_FIRST, PERM_RWX));
	corrupt_leaf_halts(d, 3, leaf_to(guest_ram(other), PERM_RWX));
	corrupt_leaf_halts(d, 3, leaf_to(guest_ram(d) + 4, PERM_RWX));
	corrupt_leaf_halts(d, 3, leaf_to(frame_nr(), PERM_RWX));
	corrupt_leaf_halts(d, 3, leaf_to(0, 0));
	corrupt_leaf_halts(d, 3, leaf_to(guest_ram(d) + 3, PERM_R));
}

static void corrupt_frame_halts(uint64_t m, struct frame f)
{
	struct frame old = *frame_of(mfn(m));

	frame_put(mfn(m), f);
	expect_halt(any_call());
	frame_put(mfn(m), old);
	any_call();
}

static void every_contradiction_in_the_frame_table_is_found(void **state)
{
	uint64_t m = guest_ram(d), own = host_take(1);
	struct frame f;

	(void)state;
	f = *frame_of(mfn(m + 8));
	f.partner++;
	corrupt_frame_halts(m + 8, f);
	f.partner = UINT32_MAX;
	corrupt_frame_halts(m + 8, f);
	f = *frame_of(mfn(m + 8));
	f.slot++;
	corrupt_frame_halts(m + 8, f);
	f.slot = UINT16_MAX;
	corrupt_frame_halts(m + 8, f);
	f = *frame_of(mfn(m + 8));
	f.state = FRAME_ISSUED;
	corrupt_frame_halts(m + 8, f);
	f.state = FRAME_OWNED;
	corrupt_frame_halts(m + 8, f);
	f = *frame_of(mfn(m + 8));
	f.gfn = 20;
	corrupt_frame_halts(m + 8, f);
	f = *frame_of(mfn(window));
	f.state = FRAME_WINDOW;
	corrupt_frame_halts(window, f);
	f = *frame_of(mfn(own));
	f.state = FRAME_MAILBOX;
	corrupt_frame_halts(own, f);
	f.state = FRAME_TABLE;
	corrupt_frame_halts(own, f);
	f = *frame_of(mfn(own));
	f.gfn++;
	corrupt_frame_halts(own, f);
	f.owner = DOMAIN_NR - 1;
	corrupt_frame_halts(own, f);
	f = *frame_of(mfn(m));
	f.state = FRAME_DIRTY;
	corrupt_frame_halts(m, f);
}

static void every_wrong_count_is_found(void **state)
{
	(void)state;
	d->tokens++;
	expect_halt(any_call());
	d->tokens--;
	d->ram_pages++;
	expect_halt(any_call());
	d->ram_pages--;
	d->table_pages++;
	expect_halt(any_call());
	d->table_pages--;
	grant_find(&t)->pages++;
	expect_halt(any_call());
	grant_find(&t)->pages--;
	grant_find(&t)->window++;
	expect_halt(any_call());
	grant_find(&t)->window--;
	any_call();
}

static void the_rolling_check_finds_damage_without_a_full_one(void **state)
{
	(void)state;
	quick = true;
	any_call();
	fake_corrupt(core_host(), FAKE_HV_FIRST, leaf_to(FAKE_HV_FIRST, PERM_R));
	fake.expect_halt = true;
	if (!setjmp(fake.halted)) {
		for (uint64_t i = 0; i < frame_nr(); i++)
			any_call();
		fail_msg("did not halt");
	}
	fake_corrupt(core_host(), FAKE_HV_FIRST, leaf_to(0, 0));
}

/* A call that touches more frames than are remembered is followed by a full check. */
static void many_touched_frames_lead_to_a_full_check(void **state)
{
	struct frame f = *frame_of(mfn(window + 3));

	(void)state;
	quick = true;
	any_call();
	fake_corrupt(core_host(), FAKE_HV_FIRST, leaf_to(FAKE_HV_FIRST, PERM_R));
	for (unsigned i = 0; i < 20000; i++)
		frame_put(mfn(window + 3), f);
	expect_halt(any_call());
}

static void a_domain_behind_the_last_is_asked_for_by_nobody(void **state)
{
	(void)state;
	assert_ptr_equal(domain_by_id(DOMAIN_NR - 1), domain_by_id(0) + DOMAIN_NR - 1);
	expect_halt((void)domain_by_id(DOMAIN_NR));
	assert_string_equal(fake.halt_why, "a domain that there is not");
	expect_halt((void)domain_by_id(UINT32_MAX));
}

/* ------------------------------------------------------------------ start, faults, end */

static void start_with(struct ram_range ram, struct ram_range hv, uint64_t frames, const char *why)
{
	static struct frame table[2048]; /* more than the machine is told */
	const struct core_boot boot = {
		.frames = table, .nr_frames = frames, .ram = &ram, .nr_ram = 1, .hv = hv, .nr_cpus = 1
	};

	fake_stop();
	memset(table, 0, sizeof(table));
	fake.nr_frames = frames;
	fake.random = 1;
	expect_halt(core_init(&boot));
	assert_string_equal(fake.halt_why, why);
	fake.nr_frames = 0;
}

static void a_machine_with_contradictory_memory_does_not_start(void **state)
{
	(void)state;
	start_with((struct ram_range){ 0, 1025 }, (struct ram_range){ 10, 10 }, 1024, "RAM beyond the frame table");
	start_with((struct ram_range){ 0, 1000 }, (struct ram_range){ 1020, 10 }, 1024, "hypervisor beyond the frame table");
}

static void ram_may_end_where_the_frame_table_does(void **state)
{
	static struct frame table[1024];
	const struct ram_range ram = { 0, 1024 };
	const struct core_boot boot = {
		.frames = table, .nr_frames = 1024, .ram = &ram, .nr_ram = 1, .hv = { 10, 10 }, .stats = { 12 }, .nr_cpus = 1
	};

	(void)state;
	fake_stop();
	fake.nr_frames = 1024;
	fake.random = 1;
	core_init(&boot);
	assert_true(core_host_frame(mfn(1023)));
	oracle_check_all();
	fake_stop();
}

/* [MEM-2] */
static void a_token_whose_page_is_gone_halts_the_machine(void **state)
{
	struct tsr_token_issue copied = { .gfn = 12, .pages = 1, .dir = TSR_DIR_BOTH, .how = TSR_HOW_COPY, .session = SESSION };
	struct tsr_token mapped = token_issue(d, 14, 1, TSR_DIR_BOTH);
	struct tsr_token_copy el = { .address = host_take(1) * TSR_PAGE_SIZE, .length = 8, .issuer = d->id, .session = SESSION, .dir = TSR_DIR_READ };

	(void)state;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &copied, 1), TSR_OK);
	el.token = copied.token;
	fake_corrupt(d, 12, leaf_to(0, 0));
	expect_halt(host_batch(TSR_CALL_TOKEN_COPY, &el, 1, 0));
	assert_string_equal(fake.halt_why, "a token's page is not its issuer's");
	fake_corrupt(d, 12, leaf_to(guest_ram(d) + 12, PERM_RWX));
	assert_int_equal(host_batch(TSR_CALL_TOKEN_COPY, &el, 1, 0), TSR_OK);

	fake_corrupt(d, 14, leaf_to(0, 0));
	fake.halt_why[0] = 0;
	expect_halt((void)token_map(d, mapped, window + 2, 1, TSR_DIR_BOTH));
	assert_string_equal(fake.halt_why, "a token's page is not its issuer's");
}

/* [MEM-5] */
static void a_forbidden_access_is_counted_and_an_allowed_one_tried_again(void **state)
{
	uint64_t before = core_counter(TSR_COUNT_faults_memory);

	(void)state;
	assert_int_equal(core_nested_fault(host_cpu(2), gfn(FAKE_HV_FIRST), PERM_R), FAULT_FORBIDDEN);
	assert_int_equal(core_nested_fault(host_cpu(2), gfn(guest_ram(d)), PERM_W), FAULT_FORBIDDEN);
	assert_int_equal(core_nested_fault(host_cpu(2), gfn(frame_nr()), PERM_R), FAULT_FORBIDDEN);
	assert_int_equal(core_nested_fault(host_cpu(2), gfn(UINT64_MAX), PERM_R), FAULT_FORBIDDEN);
	assert_int_equal(core_nested_fault(host_cpu(2), gfn(host_take(1)), PERM_X), FAULT_RETRY);
	assert_int_equal(core_nested_fault(host_cpu(2), gfn(host_take(1)), 0), FAULT_FORBIDDEN);
	assert_int_equal(core_counter(TSR_COUNT_faults_memory), before + 5);

	assert_int_equal(core_nested_fault(&d->vcpu[0], gfn(5), PERM_RWX), FAULT_RETRY);
	assert_int_equal(core_nested_fault(&d->vcpu[0], gfn(32), PERM_R), FAULT_FORBIDDEN);
	assert_int_equal(d->faults, 1);
	assert_int_equal(core_counter(TSR_COUNT_faults_guest), 1);
}

/* [THREAT-4] */
static void before_a_reset_all_guests_memory_and_the_root_secret_are_overwritten(void **state)
{
	static const uint8_t zero[TSR_PAGE_SIZE];
	struct tsr_guest_create config;
	uint64_t own = host_take(1);
	struct domain *building;

	(void)state;
	for (uint64_t g = 0; g < 32; g++)
		memset(guest_page(d, g), 0xcc, TSR_PAGE_SIZE);
	memset(arch_frame(mfn(own)), 0xcc, TSR_PAGE_SIZE);
	guest_config(&config, 16);
	building = guest_create_with(&config);
	assert_memory_not_equal(building->measure, zero, sizeof(building->measure));
	core_scrub_all();
	for (uint64_t g = 0; g < 32; g++)
		assert_memory_equal(guest_page(d, g), zero, TSR_PAGE_SIZE);
	assert_memory_equal(core_root_secret(), zero, TSR_KEY_SIZE);
	assert_memory_equal(building->measure, zero, sizeof(building->measure)); /* it keeps what was loaded last */
	assert_int_equal(((uint8_t *)arch_frame(mfn(own)))[0], 0xcc);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(every_corrupted_leaf_of_the_host_is_found),
		T(every_corrupted_leaf_of_devices_is_found),
		T(every_corrupted_leaf_of_a_guest_is_found),
		T(every_contradiction_in_the_frame_table_is_found),
		T(every_wrong_count_is_found),
		T(the_rolling_check_finds_damage_without_a_full_one),
		T(many_touched_frames_lead_to_a_full_check),
		T(a_domain_behind_the_last_is_asked_for_by_nobody),
		T(a_machine_with_contradictory_memory_does_not_start),
		T(ram_may_end_where_the_frame_table_does),
		T(a_token_whose_page_is_gone_halts_the_machine),
		T(a_forbidden_access_is_counted_and_an_allowed_one_tried_again),
		T(before_a_reset_all_guests_memory_and_the_root_secret_are_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
