/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: proto/control.c */
#include "unit.h"
#include <tessera/hypercall.h>
#include "proto/control.h"

static struct tsr_blk_control right(void)
{
	struct tsr_blk_control c = { .magic = TSR_BLK_MAGIC, .version = 1, .session = 5, .queues = 2, .depth = 8, .data_pages = 16, .event = 255 };

	for (int i = 0; i < 2; i++) {
		c.queue[i].ring.generation = c.queue[i].seal.generation = c.queue[i].data.generation = 1;
		c.queue[i].event = i;
	}
	return c;
}

static void a_right_front_end_passes(void **state)
{
	struct tsr_blk_control c = right();

	(void)state;
	assert_int_equal(tsr_control_check_front(&c, 5), TSR_CONTROL_OK);
	c.state = c.error = 77; /* the backend's own part may hold anything */
	assert_int_equal(tsr_control_check_front(&c, 5), TSR_CONTROL_OK);
	assert_int_equal(tsr_control_check_front(&c, 6), TSR_CONTROL_BAD_SESSION);
	c.mode = TSR_BLK_COPIED;
	assert_int_equal(tsr_control_check_front(&c, 5), TSR_CONTROL_OK);
	c.mode = TSR_BLK_STRICT;
	c.queue[0].data = c.queue[1].data = (struct tsr_token){ 0 };
	assert_int_equal(tsr_control_check_front(&c, 5), TSR_CONTROL_OK);
}

#define REFUSED(change, expected)                                             \
	do {                                                                  \
		struct tsr_blk_control c = right();                           \
                                                                              \
		c.change;                                                     \
		assert_int_equal(tsr_control_check_front(&c, 5), (expected)); \
	} while (0)

/* [RING-1] [BLK-5] */
static void a_wrong_front_end_is_refused(void **state)
{
	struct tsr_blk_control zero = right();

	(void)state;
	REFUSED(magic ^= 1, TSR_CONTROL_BAD_MAGIC);
	REFUSED(version = 2, TSR_CONTROL_BAD_VERSION);
	REFUSED(session = 4, TSR_CONTROL_BAD_SESSION);
	REFUSED(queues = 0, TSR_CONTROL_BAD_QUEUES);
	REFUSED(queues = 17, TSR_CONTROL_BAD_QUEUES);
	REFUSED(queues = 0xffffffffu, TSR_CONTROL_BAD_QUEUES);
	REFUSED(queues = 3, TSR_CONTROL_BAD_TOKEN);
	REFUSED(queues = 1, TSR_CONTROL_BAD_RESERVED); /* the second queue is then unused and must be zero */
	REFUSED(depth = 12, TSR_CONTROL_BAD_DEPTH);
	REFUSED(depth = 512, TSR_CONTROL_BAD_DEPTH);
	REFUSED(data_pages = 15, TSR_CONTROL_BAD_DATA_PAGES);
	REFUSED(data_pages = 513, TSR_CONTROL_BAD_DATA_PAGES);
	REFUSED(event = TSR_MAX_EVENTS, TSR_CONTROL_BAD_EVENT);
	REFUSED(features = 0xffffffffu, TSR_CONTROL_OK); /* [BLK-33] those of a later version are ignored */
	REFUSED(reading = 1, TSR_CONTROL_OK);
	REFUSED(reading = 2, TSR_CONTROL_BAD_READ_ONLY);
	REFUSED(mode = 3, TSR_CONTROL_BAD_MODE);
	REFUSED(mode = TSR_BLK_STRICT, TSR_CONTROL_BAD_TOKEN); /* a data run is granted all the same */
	REFUSED(reserved0[5] = 1, TSR_CONTROL_BAD_RESERVED);
	REFUSED(queue[1].ring.generation = 0, TSR_CONTROL_BAD_TOKEN);
	REFUSED(queue[1].seal.generation = 0, TSR_CONTROL_BAD_TOKEN);
	REFUSED(queue[1].data.generation = 0, TSR_CONTROL_BAD_TOKEN);
	REFUSED(queue[1].event = TSR_MAX_EVENTS, TSR_CONTROL_BAD_EVENT);
	REFUSED(queue[1].reserved[2] = 1, TSR_CONTROL_BAD_RESERVED);
	REFUSED(queue[15].event = 1, TSR_CONTROL_BAD_RESERVED);
	zero.session = 0;
	assert_int_equal(tsr_control_check_front(&zero, 0), TSR_CONTROL_BAD_SESSION);
}

static int back(uint32_t s, uint32_t error, uint64_t blocks, uint32_t features, uint32_t read_only, uint8_t reserved)
{
	struct tsr_blk_control c = { .state = s, .error = error, .blocks = blocks, .backend_features = features, .read_only = read_only };

	c.reserved1[sizeof(c.reserved1) - 1] = reserved;
	return tsr_control_check_back(&c, 2);
}

/* [BLK-5] */
static void a_back_ends_answer_is_checked(void **state)
{
	(void)state;
	assert_int_equal(back(TSR_BLK_BACKEND_NONE, 0, 0, 0, 0, 0), TSR_CONTROL_OK);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 1, 0, 1, 0), TSR_CONTROL_OK);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 0xfffffffe, 0, 0, 0), TSR_CONTROL_OK);
	assert_int_equal(back(TSR_BLK_BACKEND_FAILED, TSR_BLK_E_IO, 0, 0, 0, 0), TSR_CONTROL_OK);
	assert_int_equal(back(3, 0, 1, 0, 0, 0), TSR_CONTROL_BAD_STATE);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 1, 1, 0, 0, 0), TSR_CONTROL_BAD_ERROR);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 0, 0, 0, 0), TSR_CONTROL_BAD_BLOCKS);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 0xffffffff, 0, 0, 0), TSR_CONTROL_BAD_BLOCKS);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 1, 2, 0, 0), TSR_CONTROL_OK);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 1, 1, 0, 0), TSR_CONTROL_BAD_FEATURES); /* [BLK-33] */
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 1, 3, 0, 0), TSR_CONTROL_BAD_FEATURES);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 1, 0, 2, 0), TSR_CONTROL_BAD_READ_ONLY);
	assert_int_equal(back(TSR_BLK_BACKEND_READY, 0, 1, 0, 0, 1), TSR_CONTROL_BAD_RESERVED);
	assert_int_equal(back(TSR_BLK_BACKEND_FAILED, 0, 0, 0, 0, 0), TSR_CONTROL_BAD_ERROR);
	assert_int_equal(back(TSR_BLK_BACKEND_FAILED, 7, 0, 0, 0, 0), TSR_CONTROL_BAD_ERROR);
}

static void every_error_has_its_own_text(void **state)
{
	(void)state;
	for (int a = TSR_CONTROL_OK; a <= TSR_CONTROL_BAD_MODE; a++)
		for (int b = TSR_CONTROL_OK; b < a; b++)
			assert_string_not_equal(tsr_control_error_text(a), tsr_control_error_text(b));
	assert_string_equal(tsr_control_error_text(99), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_front_end_passes),
		cmocka_unit_test(a_wrong_front_end_is_refused),
		cmocka_unit_test(a_back_ends_answer_is_checked),
		cmocka_unit_test(every_error_has_its_own_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
