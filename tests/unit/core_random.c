/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c tests/unit/core_steps*.c */
/* libs: -lsodium */
/* A hundred thousand arbitrary calls. [MEM-1] [MEM-3] [TOK-9] [THREAT-6] */
#include <stdlib.h>
#include "core_host.h"
#include "core_steps.h"

static uint8_t next(struct steps *s)
{
	s->x ^= s->x << 13;
	s->x ^= s->x >> 7;
	s->x ^= s->x << 17;
	return (uint8_t)(s->x >> 24);
}

static void a_hundred_thousand_arbitrary_calls_break_nothing(void **state)
{
	static struct steps s;
	const char *seed = getenv("SEED");

	(void)state;
	s = (struct steps){ .next = next, .x = seed ? strtoull(seed, NULL, 0) | 1 : 20260725 };
	steps_start(&s);
	for (unsigned i = 0; i < 100000; i++) {
		step(&s);
		if (i % 64 == 0)
			steps_check();
	}
	for (unsigned i = 0; i < 64; i++)
		if (s.done[i] + s.refused[i])
			print_message("call %u: done %u, refused %u\n", i, s.done[i], s.refused[i]);
	/* Everything that matters has happened, or this proves nothing. */
	assert_true(s.done[TSR_CALL_GUEST_LAUNCH] > 20);
	assert_true(s.done[TSR_CALL_TOKEN_ISSUE] > 50);
	assert_true(s.done[TSR_CALL_TOKEN_MAP] > 20);
	assert_true(s.done[TSR_CALL_TOKEN_REVOKE] > 20);
	assert_true(s.done[TSR_CALL_TOKEN_COPY] > 20 && core_counter(TSR_COUNT_copies_issuer));
	assert_true(s.done[TSR_CALL_GUEST_RECLAIM] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_hundred_thousand_arbitrary_calls_break_nothing, host_setup, host_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
