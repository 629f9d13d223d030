// SPDX-License-Identifier: BSD-2-Clause-Patent
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host-backend/cli/config.h"

__attribute__((format(printf, 2, 3))) static int fail(struct config_error *error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, args);
	va_end(args);
	return -1;
}

static int add_word(struct config_line *line, const char *prefix, const char *text, struct config_error *error)
{
	char *word;

	if (line->argc + 1 >= (int)CONFIG_MAX_WORDS)
		return fail(error, "it has too many members: at most %u make a command line", CONFIG_MAX_WORDS - 1);
	if (asprintf(&word, "%s%s", prefix, text) < 0)
		return fail(error, "there is no memory for it");
	line->argv[line->argc++] = word;
	return 0;
}

/* "name": value as --name=value; true alone as --name, false as nothing. */
static int add_option(struct config_line *line, const char *name, const json_t *value, struct config_error *error)
{
	char number[24], *option;
	const char *text = json_string_value(value);
	int result;

	if (json_is_false(value))
		return 0;
	if (json_is_true(value))
		return add_word(line, "--", name, error);
	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		text = number;
	}
	if (!text)
		return fail(error, "\"%s\" has to be a string, a number, true or false", name);
	if (asprintf(&option, "%s=%s", name, text) < 0)
		return fail(error, "there is no memory for it");
	result = add_word(line, "--", option, error);
	free(option);
	return result;
}

static const char *string_member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* The disk's part of the guest, and the command line that attaches it. */
static int add_disk(struct config *config, const char *guest, json_t *disk, struct config_error *error)
{
	struct config_line *line = &config->disk[config->disks];
	const char *label = string_member(disk, "label"), *image = string_member(disk, "image"), *name;
	json_t *value, *suite = json_object_get(disk, "suite");

	if (!label)
		return fail(error, "each of \"disks\" has to be an object with a \"label\"");
	if (add_option(&config->guest, "disk", json_object_get(disk, "label"), error) ||
	    (suite && add_option(&config->guest, "suite", suite, error)))
		return -1;
	if (!image)
		return json_object_size(disk) > 1u + !!suite ? fail(error, "disk %s has no \"image\": its other members belong to one", label) : 0;
	config->disks++;
	if (add_word(line, "", "attach", error))
		return -1;
	json_object_foreach(disk, name, value)
		if (strcmp(name, "label") && strcmp(name, "image") && strcmp(name, "suite") && add_option(line, name, value, error))
			return -1;
	if (add_word(line, "", "--", error) || add_word(line, "", guest, error) || add_word(line, "", label, error))
		return -1;
	return add_word(line, "", image, error);
}

static int add_disks(struct config *config, const char *guest, const json_t *disks, struct config_error *error)
{
	size_t index;
	json_t *disk;

	if (!json_is_array(disks))
		return fail(error, "\"disks\" has to be a list: [ { \"label\": ..., \"image\": ... } ]");
	if (json_array_size(disks) > TSR_MAX_DEVICES)
		return fail(error, "a guest has at most %u disks", TSR_MAX_DEVICES);
	json_array_foreach(disks, index, disk)
		if (add_disk(config, guest, disk, error))
			return -1;
	return 0;
}

static int translate(struct config *config, json_t *root, struct config_error *error)
{
	const char *guest = string_member(root, "name"), *name;
	json_t *value;

	if (!guest)
		return fail(error, "it has to be an object with the guest's \"name\": { \"name\": \"demo\", ... }");
	snprintf(config->name, sizeof(config->name), "%s", guest);
	if (add_word(&config->guest, "", "start", error))
		return -1;
	json_object_foreach(root, name, value) {
		int result = strcmp(name, "disks") ? add_option(&config->guest, name, value, error) : add_disks(config, guest, value, error);

		if (result)
			return result;
	}
	return 0;
}

static int take(struct config *config, json_t *root, const json_error_t *why, const char *name, struct config_error *error)
{
	struct config_error inner;
	int result;

	*config = (struct config){};
	if (!root && why->line > 0)
		return fail(error, "%s, line %d, column %d: %s", name, why->line, why->column, why->text);
	if (!root)
		return fail(error, "%s: %s", name, why->text);
	result = translate(config, root, &inner);
	json_decref(root);
	if (!result)
		return 0;
	config_free(config);
	return fail(error, "%s: %s", name, inner.text);
}

int config_read(struct config *config, const char *path, struct config_error *error)
{
	json_error_t why;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

	return take(config, root, &why, path, error);
}

int config_parse(struct config *config, const char *text, const char *name, struct config_error *error)
{
	json_error_t why;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	return take(config, root, &why, name, error);
}

static void free_line(struct config_line *line)
{
	while (line->argc)
		free(line->argv[--line->argc]);
}

void config_free(struct config *config)
{
	free_line(&config->guest);
	for (unsigned i = 0; i < TSR_MAX_DEVICES; i++)
		free_line(&config->disk[i]);
}
