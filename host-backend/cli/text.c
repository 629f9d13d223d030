// SPDX-License-Identifier: BSD-2-Clause-Patent
/* Reading arguments, and showing things. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host-backend/cli/cli.h"

bool text_number(const char *text, uint64_t max, uint64_t *number)
{
	unsigned long long value;
	bool hex = !strncmp(text, "0x", 2);
	char *end;

	if (!isxdigit((unsigned char)text[hex ? 2 : 0]))
		return false;
	errno = 0;
	value = strtoull(text, &end, hex ? 16 : 10);
	if (errno || *end || value > max)
		return false;
	*number = value;
	return true;
}

bool text_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	size_t len = strlen(text);
	const char *suffix;
	unsigned shift = 0;
	char digits[24];

	if (!len || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len + 1);
	suffix = strchr(suffixes, toupper((unsigned char)digits[len - 1]));
	if (suffix) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		digits[len - 1] = '\0';
	}
	if (!text_number(digits, UINT64_MAX >> shift, bytes))
		return false;
	*bytes <<= shift;
	return true;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_hex(const char *text, uint8_t *bytes, size_t size)
{
	size_t len = strlen(text);

	if (!len || len % 2 || len / 2 > size)
		return false;
	memset(bytes, 0, size);
	for (size_t i = 0; i < len / 2; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool text_name(const char *text)
{
	size_t len = strlen(text);

	if (!len || len >= TSR_NAME_SIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	return true;
}

bool text_label(const char *text, uint8_t label[TSR_LABEL_SIZE])
{
	size_t len = strlen(text);

	if (!len || len > TSR_LABEL_SIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]))
			return false;
	memset(label, 0, TSR_LABEL_SIZE);
	memcpy(label, text, len);
	return true;
}

void print_hex(FILE *out, const uint8_t *bytes, size_t size)
{
	while (size--)
		fprintf(out, "%02x", *bytes++);
}

void print_label(FILE *out, const uint8_t label[TSR_LABEL_SIZE])
{
	for (size_t i = 0; i < TSR_LABEL_SIZE && label[i]; i++)
		fputc(isgraph(label[i]) ? label[i] : '?', out);
}

const char *guest_state_text(const struct tsr_ioc_guest *guest)
{
	const struct tsr_guest_info *info = &guest->info;
	static const char *const ends[] = {
		[TSR_END_NONE] = "stopped",
		[TSR_END_HOST] = "stopped: by the host",
		[TSR_END_POWEROFF] = "stopped: power-off",
		[TSR_END_RESET] = "stopped: reset",
		[TSR_END_PANIC] = "stopped: panic",
		[TSR_END_TRIPLE] = "stopped: triple fault",
		[TSR_END_INVALID] = "stopped: invalid CPU state",
	};

	switch (info->state) {
	case TSR_GUEST_BUILDING:
		return "building";
	case TSR_GUEST_RUNNING:
		return guest->flags & TSR_IOC_GUEST_PAUSED ? "paused" : guest->flags & TSR_IOC_GUEST_STALLED ? "stalled" : "running";
	case TSR_GUEST_STOPPED:
		return info->end < sizeof(ends) / sizeof(ends[0]) ? ends[info->end] : "stopped: unknown reason";
	case TSR_GUEST_DYING:
		return "dying";
	}
	return "unknown";
}
