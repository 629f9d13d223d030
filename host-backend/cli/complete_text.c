// SPDX-License-Identifier: BSD-2-Clause-Patent
#include <ctype.h>
#include <string.h>

#include "host-backend/cli/complete.h"

#define NAME_SIZE 64

static bool begins(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* Word n of a command's name, or NULL. */
static const char *name_word(const struct cli_command *command, int n, char buffer[NAME_SIZE])
{
	const char *at = command->name;

	for (; n && at; n--) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (at)
		snprintf(buffer, NAME_SIZE, "%.*s", (int)strcspn(at, " "), at);
	return at ? buffer : NULL;
}

/* How many of the words are the command's name, which has to be there as a whole; 0: not this command. */
static int named(const struct cli_command *command, int words, char **word)
{
	char buffer[NAME_SIZE];
	const char *part;
	int n = 0;

	while ((part = name_word(command, n, buffer))) {
		if (n >= words || strcmp(part, word[n]))
			return 0;
		n++;
	}
	return n;
}

/* Next words of commands whose first ones are there; each once, since those of a group stand together. */
static void print_commands(FILE *out, const struct cli_command *const *commands, size_t count, int words, char **word)
{
	char last[NAME_SIZE] = "", buffer[NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		const char *part;
		int n = 0;

		while (n < words - 1 && (part = name_word(commands[i], n, buffer)) && !strcmp(part, word[n]))
			n++;
		part = n == words - 1 ? name_word(commands[i], n, buffer) : NULL;
		if (!part || !begins(part, word[n]) || !strcmp(part, last))
			continue;
		fprintf(out, "%s\n", part);
		snprintf(last, sizeof(last), "%s", part);
	}
}

/* Options that the help names, each once. */
static void print_options(FILE *out, const char *help, const char *start)
{
	for (const char *at = help; (at = strstr(at, "--")); ) {
		size_t len = 2 + strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");
		const char *first = help;
		char option[NAME_SIZE];

		snprintf(option, sizeof(option), "%.*s", (int)len, at);
		while ((first = strstr(first, option)) < at && (islower((unsigned char)first[len]) || first[len] == '-'))
			first++;
		if (first == at && len > 2 && begins(option, start))
			fprintf(out, "%s\n", option);
		at += len;
	}
}

/* Word n of a usage line that is in capitals, and not the argument of an option or in brackets: what the n-th argument is. */
static void usage_word(const char *help, int n, char name[NAME_SIZE])
{
	const char *at = help, *end = strchrnul(help, '\n');
	bool argument = false;

	for (name[0] = '\0'; at < end; at += strspn(at, " ")) {
		size_t len = strcspn(at, " \n");
		bool capitals = len && strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;

		if (capitals && !argument && n-- == 0) {
			snprintf(name, NAME_SIZE, "%.*s", (int)len, at);
			return;
		}
		argument = begins(at, "--") || *at == '[';
		at += len;
	}
}

/* An option that is followed by its argument, as the help shows it. */
static bool takes_argument(const char *help, const char *option)
{
	size_t len = strlen(option);

	for (const char *at = help; (at = strstr(at, option)); at += len)
		if (at[len] == ' ' && isupper((unsigned char)at[len + 1]))
			return true;
	return false;
}

static void print_arguments(FILE *out, const struct cli_command *command, int words, char **word, const struct complete_names *names)
{
	const char *guest = "";
	char what[NAME_SIZE];
	int n = 0;

	for (int i = 0; i < words - 1; i++) {
		if (begins(word[i], "--")) {
			i += takes_argument(command->help, word[i]);
			if (i == words - 1)
				return; /* the argument of an option: a file, mostly */
			continue;
		}
		guest = n++ == 0 ? word[i] : guest;
	}
	usage_word(command->help, n, what);
	if (!strcmp(what, "GUEST"))
		names->guests(out, word[words - 1]);
	else if (!strcmp(what, "DISK"))
		names->disks(out, guest, word[words - 1]);
}

void complete_line(FILE *out, const struct cli_command *const *commands, size_t count, int words, char **word, const struct complete_names *names)
{
	const char *typed = words ? word[words - 1] : "";

	for (size_t i = 0; i < count && words; i++) {
		int n = named(commands[i], words - 1, word);

		if (!n)
			continue;
		if (*typed == '-')
			print_options(out, commands[i]->help, typed);
		if (*typed == '-' && commands[i]->options_of)
			print_options(out, commands[i]->options_of->help, typed);
		if (*typed != '-')
			print_arguments(out, commands[i], words - n, word + n, names);
		return;
	}
	if (words)
		print_commands(out, commands, count, words, word);
}
