/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c tests/unit/edges.c */
/* libs: -lsodium */
/* flags: -DTSR_TEST_NO_ACK -DTSR_TEST_NO_PROTECT -DTSR_TEST_BAD_LEAF -DTSR_TEST_MAIL_IN_PLACE */
/* Negative controls: with a protection taken out, the tests of the others see what they must never see. */
#include "core_host.h"
#include "edges.h"

/* [TOK-9] */
static void without_the_acknowledgement_a_cpu_keeps_the_page_after_revoke(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_token t = token_issue(d, 8, 1, TSR_DIR_BOTH);
	uint64_t window = window_add(1);

	(void)state;
	fake_enter(1);
	assert_int_equal(token_map(d, t, window, 1, TSR_DIR_BOTH), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), guest_page(d, 8));
	assert_int_equal(token_revoke(d, t), TSR_OK);
	assert_ptr_equal(fake_host_access(1, window, PERM_W), guest_page(d, 8));
}

/* [MEM-1] */
static void without_the_protection_the_host_reads_guest_and_hypervisor(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	fake_enter(1);
	assert_ptr_equal(fake_host_access(1, guest_ram(d) + 3, PERM_R), guest_page(d, 3));
	assert_ptr_equal(fake_host_access(1, FAKE_HV_FIRST, PERM_R), arch_frame(mfn(FAKE_HV_FIRST)));
}

/* [MEM-4] */
static void a_leaf_corrupted_on_purpose_halts_the_machine(void **state)
{
	(void)state;
	expect_halt(host_call(240, 0, 0, 0));
	assert_string_equal(fake.halt_why, "the nested tables differ from the frame table");
}

static void name_the_hypervisor(void)
{
	((struct tsr_donate *)host_mail())->host_pfn = FAKE_HV_FIRST + 8;
}

/* [HC-9] */
static void without_the_private_copy_a_page_that_was_never_checked_is_overwritten(void **state)
{
	struct tsr_guest_create config;
	struct domain *d;
	uint64_t tables = TSR_GUEST_TABLE_PAGES(16, 1);

	(void)state;
	guest_config(&config, 16);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, host_take(tables), 0, (uint32_t)tables, TSR_DONATE_TABLES), TSR_OK);
	memset(arch_frame(mfn(FAKE_HV_FIRST + 8)), 0x5a, TSR_PAGE_SIZE);
	fake.on_wait = name_the_hypervisor;
	expect_halt((void)donate(d, host_take(1), 0, 1, 0));
	fake.on_wait = NULL;
	assert_int_equal(*(uint8_t *)arch_frame(mfn(FAKE_HV_FIRST + 8)), 0);
}

/* [MEM-1] [MEM-4] */
static void calls_at_the_edges_halt_the_machine_and_concern_a_bystander(void **state)
{
	struct edges e = edges_run(false, 200);

	(void)state;
	assert_true(e.halts > 0 && e.breaches > 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(without_the_acknowledgement_a_cpu_keeps_the_page_after_revoke),
		T(without_the_protection_the_host_reads_guest_and_hypervisor),
		T(a_leaf_corrupted_on_purpose_halts_the_machine),
		T(without_the_private_copy_a_page_that_was_never_checked_is_overwritten),
		cmocka_unit_test(calls_at_the_edges_halt_the_machine_and_concern_a_bystander),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
