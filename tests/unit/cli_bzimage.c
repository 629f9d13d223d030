// SPDX-License-Identifier: BSD-2-Clause-Patent
/* The bzImage header is a file from anywhere: what it may say, and what it may not. */
/* sources: host-backend/cli/loader_bzimage.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/cli_kernel.h"

static struct test_kernel k;
static struct loader_kernel out;
static struct loader_error error;

static void a_good_header_is_taken(void **state)
{
	(void)state;
	good_kernel(&k);
	assert_true(loader_parse_kernel(&out, kernel_file(&k), &error));
	assert_int_equal(out.offset, KERNEL_OFFSET);
	assert_int_equal(out.size, 10000);
	assert_int_equal(out.load, 0x1000000);
	assert_int_equal(out.init_size, 0x400000);
	assert_int_equal(out.initrd_max, 0x7fffffff);
	assert_int_equal(out.command_max, 2047);
	assert_int_equal(out.header_len, 0x26c - LOADER_SETUP_HEADER);
}

static void no_setup_sectors_means_four(void **state)
{
	(void)state;
	good_kernel(&k);
	k.bytes[0x1f1] = 0;
	assert_true(loader_parse_kernel(&out, kernel_file(&k), &error));
	assert_int_equal(out.offset, 5 * 512);
}

static void a_relocatable_kernel_is_aligned(void **state)
{
	(void)state;
	good_kernel(&k);
	poke(&k, 0x258, 0x1000001, 8);
	assert_true(loader_parse_kernel(&out, kernel_file(&k), &error));
	assert_int_equal(out.load, 0x1200000);
	poke(&k, 0x258, 0, 8); /* prefers low memory: not where our own tables are */
	assert_true(loader_parse_kernel(&out, kernel_file(&k), &error));
	assert_int_equal(out.load, 0x200000);
}

static void a_need_smaller_than_the_kernel_is_raised(void **state)
{
	(void)state;
	good_kernel(&k);
	poke(&k, 0x260, 1, 4);
	assert_true(loader_parse_kernel(&out, kernel_file(&k), &error));
	assert_int_equal(out.init_size, 10000);
}

static void bad_headers_are_refused(void **state)
{
	static const struct {
		uint32_t at;
		uint64_t value;
		unsigned bytes;
	} bad[] = {
		{ 0x1fe, 0x55aa, 2 },         /* boot flag */
		{ 0x202, 0, 4 },              /* magic */
		{ 0x206, 0x0209, 2 },         /* version */
		{ 0x211, 0, 1 },              /* loaded low */
		{ 0x201, 0x00, 1 },           /* header too short */
		{ 0x201, 0x61, 1 },           /* ends one byte before what is read */
		{ 0x201, 0x8f, 1 },           /* one byte longer than boot_params has room for */
		{ 0x201, 0xff, 1 },
		{ 0x230, 0, 4 },              /* alignment */
		{ 0x230, 0x300000, 4 },
		{ 0x258, 0x40000001, 8 },     /* address beyond 1 GiB */
		{ 0x258, UINT64_MAX, 8 },
		{ 0x258, 1ull << 63, 8 },
		{ 0x260, 0x40000001, 4 },     /* needs more than 1 GiB */
		{ 0x1f1, 255, 1 },            /* kernel begins behind the end of the file */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		good_kernel(&k);
		poke(&k, bad[i].at, bad[i].value, bad[i].bytes);
		error.text[0] = '\0';
		assert_false(loader_parse_kernel(&out, kernel_file(&k), &error));
		assert_true(error.text[0]);
	}
}

static void an_alignment_cannot_push_it_out_of_range(void **state)
{
	(void)state;
	good_kernel(&k);
	poke(&k, 0x230, 0x80000000, 4);
	assert_false(loader_parse_kernel(&out, kernel_file(&k), &error));
	poke(&k, 0x230, 1, 4);
	poke(&k, 0x258, 0x1000800, 8);
	assert_false(loader_parse_kernel(&out, kernel_file(&k), &error));
}

static void a_fixed_kernel_stays_where_it_wants(void **state)
{
	(void)state;
	good_kernel(&k);
	k.bytes[0x234] = 0;
	poke(&k, 0x258, 0x1001000, 8);
	assert_true(loader_parse_kernel(&out, kernel_file(&k), &error));
	assert_int_equal(out.load, 0x1001000);
	poke(&k, 0x258, 0x10000, 8);
	assert_false(loader_parse_kernel(&out, kernel_file(&k), &error));
}

/* Under ASan: a read past the end of the shorter file ends the test. */
static void every_truncation_is_survived(void **state)
{
	(void)state;
	good_kernel(&k);
	for (size_t len = 0; len < 0x300; len++) {
		uint8_t *copy = test_malloc(len ? len : 1);

		memcpy(copy, k.bytes, len);
		assert_false(loader_parse_kernel(&out, (struct loader_file){ copy, len }, &error));
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_header_is_taken),
		cmocka_unit_test(no_setup_sectors_means_four),
		cmocka_unit_test(a_relocatable_kernel_is_aligned),
		cmocka_unit_test(a_need_smaller_than_the_kernel_is_raised),
		cmocka_unit_test(bad_headers_are_refused),
		cmocka_unit_test(an_alignment_cannot_push_it_out_of_range),
		cmocka_unit_test(a_fixed_kernel_stays_where_it_wants),
		cmocka_unit_test(every_truncation_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
