// SPDX-License-Identifier: BSD-2-Clause-Patent
/* Long work tells how far it is, and the bar shows that. */
/* sources: host-backend/cli/progress.c host-backend/image/[a-z]*.c tests/unit/simdisk.c */
#include "unit.h"
#include <stdio.h>
#include <string.h>

#include "host-backend/cli/progress.h"
#include "simdisk.h"

#define BLOCKS 5000u

static uint64_t told, last, of;

static void tell(uint64_t done, uint64_t total)
{
	assert_true(done <= total && (done > last || total != of || !told));
	told++;
	last = done;
	of = total;
}

static void shows(uint64_t done, uint64_t total, const char *expected)
{
	char line[128] = "";
	FILE *out = fmemopen(line, sizeof(line), "w");

	progress_draw(out, "checking", done, total);
	fclose(out);
	assert_string_equal(line, expected);
}

static void a_bar_fills(void **state)
{
	(void)state;
	shows(0, 100, "\rchecking [                                        ]   0 %");
	shows(50, 100, "\rchecking [####################                    ]  50 %");
	shows(100, 100, "\rchecking [########################################] 100 %");
	shows(9, 3, "\rchecking [########################################] 100 %");
	shows(0, 0, "\rchecking [########################################] 100 %");
}

static void creating_and_checking_tell_how_far_they_are(void **state)
{
	const uint8_t id[16] = { 7 };
	struct image_report report;
	struct image_error error;
	struct simdisk disk;

	(void)state;
	simdisk_init(&disk, image_bytes(BLOCKS), 1);
	disk.io.progress = tell;
	assert_int_equal(image_create(&disk.io, BLOCKS, id, true, &error), 0);
	assert_true(told > 0);
	told = last = 0;
	assert_int_equal(image_check(&disk.io, NULL, &report, &error), 0);
	assert_true(told > 4);
	assert_true(last * 5 > of * 4);
	simdisk_fini(&disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_bar_fills), cmocka_unit_test(creating_and_checking_tell_how_far_they_are) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
