/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_steps*.c */
/* libs: -lsodium */
/* flags: -fno-sanitize-coverage=trace-cmp */
/* One input is a sequence of hypercalls by host and guests, CPUs that do or do not answer among them, each judged by the oracle: core_steps.c.
 * Numbers that matter are drawn there, not guessed: so comparisons need not be watched. */
#include <stddef.h>
#include "core_steps.h"
#include "fake_arch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t next(struct steps *s)
{
	struct input *in = s->ctx;

	if (!in->left) {
		s->end = true;
		return 0;
	}
	in->left--;
	return *in->data++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct steps s = { .next = next, .ctx = &in };

	steps_start(&s);
	while (!s.end)
		step(&s);
	steps_check();
	fake_stop();
	return 0;
}
