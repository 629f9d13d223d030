/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* An image of BLOCKS blocks, which the test defines, and the daemon on it: the fixture of tests of the daemon's whole path. */
#ifndef DAEMON_IMAGE_H
#define DAEMON_IMAGE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "daemon_requests.h"
#include "host-backend/image/file.h"

static char path[256];
static bool have_uring;
static struct image_error why;

static inline int group_setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/%s.%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", program_invocation_short_name, getpid());
	have_uring = fake_init();
	return 0;
}

static inline int setup(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(image_file_create(path, BLOCKS, NULL, &why), 0);
	if (have_uring)
		fake_start(path, false);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

#define NEEDS_URING()        \
	do {                 \
		(void)state; \
		if (!have_uring) \
			skip(); \
	} while (0)

/* One request, alone: its status. */
static inline int run(uint32_t queue, const struct tsr_blk_request *r)
{
	struct tsr_blk_completion completion;

	fake_push(queue, r);
	fake_notify(queue, guest.queue[queue].sq_tail - 1);
	completion = fake_pop(queue);
	assert_int_equal(completion.id, r->id);
	assert_int_equal(completion.reserved0 | completion.reserved1 | completion.reserved2, 0);
	return completion.status;
}

/* The tests in each way of moving pages that this machine has: how many failed. */
static inline int run_moving(const struct CMUnitTest *tests, size_t count)
{
	int failed = _cmocka_run_group_tests("copying", tests, count, group_setup, NULL);

	if (!have_uring || !fake_direct_works(path))
		return failed;
	fake_mode = TSR_BACKEND_BOUNCE;
	failed += _cmocka_run_group_tests("bouncing", tests, count, NULL, NULL);
	fake_mode = TSR_BACKEND_DIRECT;
	return failed + _cmocka_run_group_tests("direct", tests, count, NULL, NULL);
}

#endif
