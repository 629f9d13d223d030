// SPDX-License-Identifier: BSD-2-Clause-Patent
/* A guest's file becomes command lines, or is refused with the place and the reason. */
/* sources: host-backend/cli/config.c */
/* libs: -ljansson */
#include "unit.h"
#include <stdio.h>
#include <string.h>

#include "host-backend/cli/config.h"

static void says(const struct config_line *line, const char *expected)
{
	char text[512] = "";

	for (int i = 0; i < line->argc; i++) {
		strcat(text, i ? " " : "");
		strcat(text, line->argv[i]);
	}
	assert_string_equal(text, expected);
	assert_null(line->argv[line->argc]);
}

static void a_file_says_what_a_command_line_would(void **state)
{
	struct config_error error;
	struct config config;

	(void)state;
	assert_int_equal(config_parse(&config, "{ \"name\": \"demo\", \"memory\": \"512M\", \"vcpus\": 1, \"console-input\": true, \"json\": false,"
				      " \"kernel\": \"/boot/vmlinuz\", \"disks\": ["
				      " { \"label\": \"data\", \"image\": \"/a b.img\", \"suite\": \"aes-256-gcm\", \"read-only\": true, \"bounce\": \"always\" },"
				      " { \"label\": \"later\" } ] }", "it", &error), 0);
	says(&config.guest, "start --name=demo --memory=512M --vcpus=1 --console-input --kernel=/boot/vmlinuz --disk=data --suite=aes-256-gcm --disk=later");
	assert_int_equal(config.disks, 1);
	says(&config.disk[0], "attach --read-only --bounce=always -- demo data /a b.img");
	config_free(&config);
}

static void refused(const char *text, const char *why)
{
	struct config_error error;
	struct config config;

	assert_int_equal(config_parse(&config, text, "it", &error), -1);
	if (!strstr(error.text, why))
		fail_msg("\"%s\" does not say \"%s\"", error.text, why);
}

static void what_is_wrong_is_said(void **state)
{
	char many[2048] = "{\"name\":\"a\",\"disks\":[";

	(void)state;
	refused("{ \"name\": \"demo\",\n \"memory\": }", "it, line 2, column");
	refused("", "it, line");
	refused("[]", "\"name\"");
	refused("{\"memory\":\"1G\"}", "\"name\"");
	refused("{\"name\":\"a\",\"name\":\"b\"}", "duplicate");
	refused("{\"name\":\"a\",\"memory\":1.5}", "\"memory\" has to be");
	refused("{\"name\":\"a\",\"memory\":null}", "\"memory\" has to be");
	refused("{\"name\":\"a\",\"disks\":{}}", "has to be a list");
	refused("{\"name\":\"a\",\"disks\":[\"data\"]}", "\"label\"");
	refused("{\"name\":\"a\",\"disks\":[{\"image\":\"x\"}]}", "\"label\"");
	refused("{\"name\":\"a\",\"disks\":[{\"label\":\"x\",\"log\":\"y\"}]}", "no \"image\"");
	for (int i = 0; i < 9; i++)
		sprintf(many + strlen(many), "%s{\"label\":\"%d\"}", i ? "," : "", i);
	strcat(many, "]}");
	refused(many, "at most 8");
	strcpy(many, "{\"name\":\"a\"");
	for (int i = 0; i < 70; i++)
		sprintf(many + strlen(many), ",\"x%d\":true", i);
	strcat(many, "}");
	refused(many, "too many");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_file_says_what_a_command_line_would), cmocka_unit_test(what_is_wrong_is_said) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
