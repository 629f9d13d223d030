// SPDX-License-Identifier: BSD-2-Clause-Patent
/* The `tessera` command. */
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "host-backend/cli/cli.h"

static const struct cli_command *const commands[] = {
	&cli_info, &cli_top, &cli_guest_run, &cli_guest_create, &cli_guest_start, &cli_guest_list, &cli_guest_show, &cli_guest_stop,
	&cli_guest_pause, &cli_guest_resume, &cli_guest_destroy, &cli_console, &cli_disk_attach, &cli_disk_detach, &cli_disk_resize,
	&cli_image_create, &cli_image_check,
	&cli_image_grow, &cli_image_repair, &cli_token_list, &cli_counters, &cli_dma_faults, &cli_measure, &cli_complete,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct cli_command *const *cli_commands(size_t *count)
{
	*count = COMMANDS;
	return commands;
}

static void say(const char *fmt, va_list args)
{
	fflush(stdout);
	fputs("tessera: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

int cli_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	return CLI_FAILED;
}

int cli_usage(const struct cli_command *self, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	fprintf(stderr, "Try: tessera %s --help\n", self->name);
	return CLI_USAGE;
}

bool json_option(const struct cli_command *self, int argc, char **argv, bool *json)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, {} };
	int c;

	*json = false;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j') {
			cli_usage(self, "the only option is --json");
			return false;
		}
		*json = true;
	}
	return true;
}

/* Matches the command's words against the arguments; returns how many, or 0. */
static int matches(const struct cli_command *command, int argc, char **argv)
{
	const char *space = strchr(command->name, ' ');
	size_t first = space ? (size_t)(space - command->name) : strlen(command->name);

	if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], command->name, first))
		return 0;
	if (!space)
		return 1;
	return argc > 1 && !strcmp(argv[1], space + 1) ? 2 : 0;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

/* All commands, or those that begin with the given word. */
static void list_commands(FILE *out, const char *group)
{
	size_t len = group ? strlen(group) : 0;

	fputs("Usage: tessera COMMAND ...\n\nThe host's side of the Tessera hypervisor: guests, their consoles and their sealed disks.\n\n",
	      out);
	for (size_t i = 0; i < COMMANDS; i++)
		if (!len || (!strncmp(commands[i]->name, group, len) && commands[i]->name[len] == ' '))
			fprintf(out, "  %-15s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n`tessera COMMAND --help` tells more, with examples.\n", out);
}

static bool is_group(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < COMMANDS; i++)
		if (!strncmp(commands[i]->name, word, len) && commands[i]->name[len] == ' ')
			return true;
	return false;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct cli_command *command = commands[i];
		int words = matches(command, argc - 1, argv + 1);

		if (!words)
			continue;
		if (wants_help(argc - 1 - words, argv + 1 + words)) {
			printf("%s - %s\n\n%s", command->name, command->summary, command->help);
			return CLI_OK;
		}
		return command->run(command, argc - words, argv + words);
	}
	if (argc > 1 && is_group(argv[1])) {
		list_commands(argc > 2 && !wants_help(argc - 2, argv + 2) ? stderr : stdout, argv[1]);
		return argc > 2 && !wants_help(argc - 2, argv + 2) ? CLI_USAGE : CLI_OK;
	}
	if (argc > 1 && (wants_help(argc - 1, argv + 1) || !strcmp(argv[1], "help"))) {
		list_commands(stdout, NULL);
		return CLI_OK;
	}
	if (argc > 1) {
		cli_fail("there is no command %s; see tessera --help", argv[1]);
		return CLI_USAGE;
	}
	list_commands(stderr, NULL);
	return CLI_USAGE;
}
