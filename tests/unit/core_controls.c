/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* flags: -DTSR_TEST_NO_ACK -DTSR_TEST_NO_PROTECT -DTSR_TEST_BAD_LEAF */
/* Negative controls: with a protection taken out, the tests of the others see what they must never see. */
#include "core_host.h"

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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(without_the_acknowledgement_a_cpu_keeps_the_page_after_revoke),
		T(without_the_protection_the_host_reads_guest_and_hypervisor),
		T(a_leaf_corrupted_on_purpose_halts_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
