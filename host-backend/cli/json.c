// SPDX-License-Identifier: BSD-2-Clause-Patent
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host-backend/cli/cli.h"

int print_json(struct json_t *value)
{
	int failed = !value || json_dumpf(value, stdout, JSON_COMPACT) || putchar('\n') == EOF;

	json_decref(value);
	return failed ? cli_fail("the answer cannot be written: no memory, or standard output takes no more") : CLI_OK;
}

/* Bytes above 0x7f as the characters of these numbers, so that any bytes are a text. */
struct json_t *json_bytes(const void *bytes, size_t max)
{
	const unsigned char *from = bytes;
	size_t len = strnlen(bytes, max), n = 0;
	char *text = malloc(2 * len + 1);
	json_t *value = NULL;

	for (size_t i = 0; text && i < len; i++) {
		if (from[i] >= 0x80)
			text[n++] = (char)(0xc0 | from[i] >> 6);
		text[n++] = (char)(from[i] >= 0x80 ? 0x80 | (from[i] & 0x3f) : from[i]);
	}
	if (text)
		value = json_stringn(text, n);
	free(text);
	return value;
}

struct json_t *json_hex(const uint8_t *bytes, size_t size)
{
	char text[2 * TSR_ID_SIZE + 1] = "";

	for (size_t i = 0; i < size && i < TSR_ID_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}
