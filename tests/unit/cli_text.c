// SPDX-License-Identifier: BSD-2-Clause-Patent
/* Reading the command line's arguments. */
/* sources: host-backend/cli/text.c host-backend/cli/json.c */
/* libs: -ljansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>
#include "host-backend/cli/cli.h"

int cli_fail(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	return CLI_FAILED;
}

static void numbers(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(text_number("0", 10, &n) && n == 0);
	assert_true(text_number("10", 10, &n) && n == 10);
	assert_true(text_number("0x100000", UINT32_MAX, &n) && n == 0x100000);
	assert_true(text_number("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
	assert_false(text_number("11", 10, &n));
	assert_false(text_number("", 10, &n));
	assert_false(text_number("0x", 10, &n));
	assert_false(text_number("-1", UINT64_MAX, &n));
	assert_false(text_number("+1", UINT64_MAX, &n));
	assert_false(text_number(" 1", UINT64_MAX, &n));
	assert_false(text_number("1 ", UINT64_MAX, &n));
	assert_false(text_number("1a", UINT64_MAX, &n));
	assert_false(text_number("0x0x1", UINT64_MAX, &n));
	assert_false(text_number("18446744073709551616", UINT64_MAX, &n));
}

static void sizes(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(text_size("4096", &n) && n == 4096);
	assert_true(text_size("512M", &n) && n == 512ull << 20);
	assert_true(text_size("2g", &n) && n == 2ull << 30);
	assert_true(text_size("4K", &n) && n == 4096);
	assert_true(text_size("16777215T", &n) && n == 16777215ull << 40);
	assert_false(text_size("16777216T", &n));
	assert_false(text_size("", &n));
	assert_false(text_size("M", &n));
	assert_false(text_size("1MM", &n));
	assert_false(text_size("-1M", &n));
	assert_false(text_size("1.5G", &n));
	assert_false(text_size("000000000000000000000000000001M", &n));
}

static void hexadecimal(void **state)
{
	uint8_t bytes[4];

	(void)state;
	assert_true(text_hex("00ffA5", bytes, 4));
	assert_memory_equal(bytes, "\x00\xff\xa5\x00", 4);
	assert_true(text_hex("01020304", bytes, 4));
	assert_false(text_hex("0102030405", bytes, 4));
	assert_false(text_hex("", bytes, 4));
	assert_false(text_hex("0", bytes, 4));
	assert_false(text_hex("0g", bytes, 4));
}

static void names(void **state)
{
	(void)state;
	assert_true(text_name("demo-1_a.b"));
	assert_true(text_name("1234567890123456789012345678901"));
	assert_false(text_name("12345678901234567890123456789012"));
	assert_false(text_name(""));
	assert_false(text_name("a b"));
	assert_false(text_name("a/b"));
	assert_false(text_name("\xc3\xa4"));
}

static void labels(void **state)
{
	uint8_t label[TSR_LABEL_SIZE];

	(void)state;
	assert_true(text_label("data", label));
	assert_memory_equal(label, "data\0\0\0\0", 8);
	assert_true(text_label("12345678901234567890123456789012", label));
	assert_false(text_label("123456789012345678901234567890123", label));
	assert_false(text_label("", label));
	assert_false(text_label("a b", label));
	assert_false(text_label("a\n", label));
}

static void json_strings_are_escaped(void **state)
{
	/* They need neither be terminated nor be UTF-8. */
	json_t *list = json_pack("[o, o, o]", json_bytes("a\"\\\n\xff", 32), json_bytes("abcdef", 3), json_hex((const uint8_t *)"\x01\xfe", 2));
	char *text = json_dumps(list, JSON_COMPACT | JSON_ENSURE_ASCII);

	(void)state;
	assert_string_equal(text, "[\"a\\\"\\\\\\n\\u00FF\",\"abc\",\"01fe\"]");
	free(text);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(sizes),
		cmocka_unit_test(hexadecimal),
		cmocka_unit_test(names),
		cmocka_unit_test(labels),
		cmocka_unit_test(json_strings_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
