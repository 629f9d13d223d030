// SPDX-License-Identifier: BSD-2-Clause-Patent
/* What `tessera top` shows of two looks at the machine. */
/* sources: host-backend/cli/top_text.c host-backend/cli/text.c host-backend/cli/json.c */
/* libs: -ljansson */
#include "unit.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host-backend/cli/top.h"

/* device.c's, which talks to the host module. */
const char *backend_mode(const struct tsr_ioc_backend *report)
{
	return report->mode ? "direct" : NULL;
}

int cli_fail(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	return CLI_FAILED;
}

static struct top_sample before, now;
static char text[4096];

static void add_guest(struct top_sample *sample, uint32_t id, const char *name, uint64_t exits, uint64_t reads)
{
	struct top_guest *top = &sample->guest[sample->guests++];

	top->guest.guest = id;
	snprintf(top->guest.name, sizeof(top->guest.name), "%s", name);
	top->guest.info = (struct tsr_guest_info){ .state = TSR_GUEST_RUNNING, .vcpus = 2, .exits = exits, .tokens = 5 };
	top->config.config.device[0].type = TSR_DEVICE_BLOCK;
	memset(top->config.config.device[0].label, 'd', TSR_LABEL_SIZE);
	top->backend[0].mode = TSR_BACKEND_DIRECT;
	top->backend[0].counter[TSR_BACKEND_COUNT_reads] = reads;
	top->backend[0].counter[TSR_BACKEND_COUNT_blocks_read] = reads * 256;
	top->backend[0].requests[0] = reads;
	top->backend[0].requests[3] = 1;
}

static int setup(void **state)
{
	(void)state;
	memset(&before, 0, sizeof(before));
	memset(&now, 0, sizeof(now));
	before.seconds = 10;
	now.seconds = 12;
	return 0;
}

static const char *line_with(const char *word)
{
	static char line[512];
	const char *at, *start;
	FILE *out = fmemopen(text, sizeof(text), "w");

	top_print(out, &before, &now);
	fclose(out);
	at = strstr(text, word);
	if (!at)
		fail_msg("no %s in:\n%s", word, text);
	for (start = at; start > text && start[-1] != '\n'; start--)
		;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(start, "\n"), start);
	return line;
}

static void rates_are_those_of_a_second(void **state)
{
	(void)state;
	add_guest(&before, 7, "demo", 1000, 100);
	add_guest(&now, 7, "demo", 1500, 140);
	now.info.counters[TSR_COUNT_exits_host] = 30;
	assert_string_equal(line_with("demo"), "   7   demo                 running                     2       250         0         0       5");
	/* A label that fills its field has no end of its own. */
	assert_string_equal(line_with("dddd"), "       dddddddddddddddddddddddddddddddd direct       2        20         0        0       0.0      20.0        0");
	assert_non_null(strstr(line_with("a second"), "exits 15 of the host"));
}

static void a_new_guest_has_no_rates_yet(void **state)
{
	(void)state;
	add_guest(&before, 7, "old", 1000, 100);
	add_guest(&before, 8, "same", 1000, 100);
	add_guest(&now, 7, "new", 5000, 900);   /* another guest by this number */
	add_guest(&now, 8, "same", 10, 900);    /* and one even by this name */
	assert_string_equal(line_with("new"), "   7   new                  running                     2         0         0         0       5");
	assert_string_equal(line_with("same"), "   8   same                 running                     2         0         0         0       5");
	before.seconds = now.seconds;
	line_with("same"); /* no division by it */
}

static void json_says_the_same(void **state)
{
	json_t *root, *disk;

	(void)state;
	add_guest(&before, 7, "demo", 1000, 100);
	add_guest(&now, 7, "demo", 1500, 140);
	now.guest[0].backend[0].mode = 0;
	root = top_json(&before, &now);
	assert_non_null(root);
	disk = json_array_get(json_object_get(json_array_get(json_object_get(root, "guests"), 0), "disks"), 0);
	assert_int_equal(json_string_length(json_object_get(disk, "label")), TSR_LABEL_SIZE);
	assert_true(json_is_null(json_object_get(disk, "mode")));
	assert_true(json_real_value(json_object_get(disk, "reads")) == 20.0);
	assert_int_equal(json_array_size(json_object_get(disk, "queues")), 2);
	assert_true(json_real_value(json_object_get(json_array_get(json_object_get(disk, "queues"), 0), "requests")) == 20.0);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rates_are_those_of_a_second, setup),
		cmocka_unit_test_setup(a_new_guest_has_no_rates_yet, setup),
		cmocka_unit_test_setup(json_says_the_same, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
