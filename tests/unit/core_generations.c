/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* flags: -DTSR_GENERATIONS=7 */
/* Tokens on slots whose generation has gone round, which takes 2^32 revokes elsewhere and 7 here. */
#include "core_host.h"

#define OLD 40u /* several times round */

static struct domain *d;
static uint64_t window;

static int setup(void **state)
{
	host_setup(state);
	quick = true;
	d = guest_make(16);
	window = window_add(4);
	return 0;
}

/* How many of the revoked tokens some call takes for the live one. */
static unsigned accepted(const struct tsr_token *old, unsigned n)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++) {
		struct tsr_token_query query = { .token = old[i] };

		memcpy(host_mail(), &query, sizeof(query));
		taken += host_call(TSR_CALL_TOKEN_QUERY, 0, 0, 0) == TSR_OK;
		taken += token_map(d, old[i], window, 1, TSR_DIR_BOTH) == TSR_OK;
		taken += token_unmap(old[i]) == TSR_OK;
		taken += token_revoke(d, old[i]) == TSR_OK;
	}
	return taken;
}

static unsigned same_generation(const struct tsr_token *old, unsigned n, struct tsr_token now)
{
	unsigned same = 0;

	for (unsigned i = 0; i < n; i++)
		same += old[i].slot == now.slot && old[i].generation == now.generation;
	return same;
}

/* [TOK-7] [TOK-8] */
static void a_stale_token_of_the_same_slot_and_generation_is_still_no_token(void **state)
{
	struct tsr_token old[OLD];

	(void)state;
	for (unsigned i = 0; i < OLD; i++) {
		old[i] = token_issue(d, 8, 1, TSR_DIR_BOTH);
		assert_true(old[i].generation >= 1 && old[i].generation <= 7);
		assert_int_equal(token_revoke(d, old[i]), TSR_OK);
	}
	for (unsigned i = 0; i < 10; i++) {
		struct tsr_token now = token_issue(d, 8, 1, TSR_DIR_BOTH);

		assert_true(same_generation(old, OLD, now) >= 5);
		assert_int_equal(accepted(old, OLD), 0);
		assert_int_equal(token_revoke(d, now), TSR_OK);
	}
}

/* [TOK-7] The control: when the random half is always the same, they are taken for live. */
static void without_the_random_half_stale_tokens_are_accepted(void **state)
{
	struct tsr_token old[OLD];

	(void)state;
	fake.random = 0; /* stays so */
	for (unsigned i = 0; i < OLD; i++) {
		old[i] = token_issue(d, 8, 1, TSR_DIR_BOTH);
		assert_int_equal(token_revoke(d, old[i]), TSR_OK);
	}
	token_issue(d, 8, 1, TSR_DIR_BOTH);
	assert_true(accepted(old, OLD) > 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(a_stale_token_of_the_same_slot_and_generation_is_still_no_token),
		T(without_the_random_half_stale_tokens_are_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
