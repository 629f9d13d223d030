/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c tests/unit/edges.c */
/* libs: -lsodium */
/* Hypercalls at the edges: edges.h. That the same calls halt the machine and reach the bystander where protections are left out is in core_controls.c. */
#include "core_host.h"
#include "edges.h"

/* [THREAT-6] [MEM-1] [HC-4] [HC-5] [HC-10] */
static void no_call_of_the_hosts_at_any_edge_halts_the_machine_or_concerns_a_bystander(void **state)
{
	struct edges e = edges_run(false, 1);

	(void)state;
	print_message("host: %u calls, %u done, %u refused\n", e.calls, e.done, e.refused);
	assert_int_equal(e.halts, 0);
	assert_int_equal(e.breaches, 0);
	assert_true(e.calls > 5000 && e.refused > 3000 && e.calls_done >= 16);
}

/* [THREAT-6] [MEM-1] [HC-4] [HC-5] [HC-10] */
static void no_call_of_a_guests_at_any_edge_halts_the_machine_or_concerns_a_bystander(void **state)
{
	struct edges e = edges_run(true, 1);

	(void)state;
	print_message("guest: %u calls, %u done, %u refused\n", e.calls, e.done, e.refused);
	assert_int_equal(e.halts, 0);
	assert_int_equal(e.breaches, 0);
	assert_true(e.calls > 5000 && e.refused > 3000 && e.calls_done >= 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_call_of_the_hosts_at_any_edge_halts_the_machine_or_concerns_a_bystander),
		cmocka_unit_test(no_call_of_a_guests_at_any_edge_halts_the_machine_or_concerns_a_bystander),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
