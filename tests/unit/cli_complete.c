// SPDX-License-Identifier: BSD-2-Clause-Patent
/* What shells are told may come next. */
/* sources: host-backend/cli/complete_text.c */
#include "unit.h"
#include <stdio.h>
#include <string.h>

#include "host-backend/cli/complete.h"

static const struct cli_command make = {
	.name = "guest make",
	.help = "Usage: x guest make --name NAME [--size SIZE] [--json]\n\n  --name-it\n  --name NAME   once more --name\n",
};
static const struct cli_command run = { .name = "guest run", .help = "Usage: x guest run --fast\n", .options_of = &make };
static const struct cli_command show = { .name = "guest show", .help = "Usage: x guest show GUEST [--json]\n" };
static const struct cli_command plug = { .name = "disk plug", .help = "Usage: x disk plug GUEST DISK IMAGE [--log FILE]\n" };
static const struct cli_command info = { .name = "info", .help = "Usage: x info\n" };
static const struct cli_command *const commands[] = { &info, &make, &run, &show, &plug };

static void guests(FILE *out, const char *start)
{
	fprintf(out, "guests from \"%s\"\n", start);
}

static void disks(FILE *out, const char *guest, const char *start)
{
	fprintf(out, "disks of %s from \"%s\"\n", guest, start);
}

static void becomes(const char *line, const char *expected)
{
	const struct complete_names names = { guests, disks };
	char copy[128], text[256] = "", *word[16];
	FILE *out = fmemopen(text, sizeof(text), "w");
	int words = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *at = copy; at; words++)
		word[words] = strsep(&at, " ");
	complete_line(out, commands, sizeof(commands) / sizeof(commands[0]), words, word, &names);
	fclose(out);
	assert_string_equal(text, expected);
}

static void names_of_commands(void **state)
{
	(void)state;
	becomes("", "info\nguest\ndisk\n");
	becomes("g", "guest\n");
	becomes("guest ", "make\nrun\nshow\n");
	becomes("guest s", "show\n");
	becomes("nothing ", "");
	becomes("guest nothing ", "");
}

static void options(void **state)
{
	(void)state;
	becomes("guest make -", "--name\n--size\n--json\n--name-it\n");
	becomes("guest make --s", "--size\n");
	becomes("guest run --", "--fast\n--name\n--size\n--json\n--name-it\n");
	becomes("info --", "");
}

static void guests_and_disks(void **state)
{
	(void)state;
	becomes("guest show d", "guests from \"d\"\n");
	becomes("guest show --json ", "guests from \"\"\n");
	becomes("guest show demo ", "");
	becomes("disk plug demo da", "disks of demo from \"da\"\n");
	becomes("disk plug --log /file demo ", "disks of demo from \"\"\n");
	becomes("disk plug --log /fi", ""); /* the shell knows files */
	becomes("disk plug demo data ", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(names_of_commands), cmocka_unit_test(options), cmocka_unit_test(guests_and_disks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
