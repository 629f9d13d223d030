// SPDX-License-Identifier: BSD-2-Clause-Patent
/* Any text as a guest's file, and as a number, a size, a name: it is refused with a reason, or gives words that a command line could have. */
/* sources: host-backend/cli/config.c host-backend/cli/text.c */
/* libs: -ljansson */
#include <stdlib.h>
#include <string.h>
#include "host-backend/cli/config.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first word is the command's, each other one an option, but for the arguments of `disk attach` at the end. */
static void check(const struct config_line *line, const char *command, int arguments)
{
	int ends = line->argc - arguments;

	require(line->argc < (int)CONFIG_MAX_WORDS && !line->argv[line->argc] && ends >= 1 && !strcmp(line->argv[0], command));
	for (int i = 1; i < ends; i++)
		require(!strncmp(line->argv[i], "--", 2));
	if (arguments)
		require(!strcmp(line->argv[ends], "--"));
}

static void config(const char *text)
{
	struct config_error error = { "" };
	struct config config;

	if (config_parse(&config, text, "it", &error)) {
		require(!strncmp(error.text, "it", 2) && memchr(error.text, 0, sizeof(error.text)));
		return;
	}
	require(config.disks <= TSR_MAX_DEVICES && memchr(config.name, 0, sizeof(config.name)));
	check(&config.guest, "start", 0);
	for (unsigned i = 0; i < config.disks; i++)
		check(&config.disk[i], "attach", 4);
	config_free(&config);
}

static void words(const char *text)
{
	uint8_t label[TSR_LABEL_SIZE], bytes[64];
	uint64_t number;

	if (text_number(text, 1000, &number))
		require(number <= 1000);
	if (text_size(text, &number))
		require(strlen(text) < 24);
	if (text_hex(text, bytes, sizeof(bytes)))
		require(strlen(text) % 2 == 0 && strlen(text) <= 2 * sizeof(bytes));
	if (text_name(text))
		require(strlen(text) < TSR_NAME_SIZE && !strpbrk(text, " /%\n\"\\"));
	if (text_label(text, label))
		require(strlen(text) <= TSR_LABEL_SIZE && !memcmp(label, text, strlen(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = 0;
	config(text);
	words(text);
	free(text);
	return 0;
}
