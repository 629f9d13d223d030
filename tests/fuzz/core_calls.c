/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_steps.c */
/* libs: -lsodium */
/* One input is a sequence of hypercalls by host and guests, CPUs that do or do not answer among them: core_steps.c. */
#include <stddef.h>
#include "core_steps.h"

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

	steps_start();
	while (!s.end)
		step(&s);
	steps_check();
	return 0;
}
