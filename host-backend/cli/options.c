// SPDX-License-Identifier: BSD-2-Clause-Patent
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <tessera/seal.h>
#include "host-backend/cli/options.h"
#include "proto/seal.h"

#define DEFAULT_MEMORY       (512ull << 20)
#define DEFAULT_RAW_ADDRESS  0x100000u

/* As given, before files are opened. */
struct raw_options {
	const char *kernel, *initrd, *command_line, *raw;
	uint64_t memory, address, entry, vcpus;
	bool has_entry;
	unsigned disks;
};

enum { O_NAME = 1, O_MEMORY, O_VCPUS, O_KERNEL, O_INITRD, O_CMDLINE, O_DISK, O_SUITE, O_INSTANCE, O_INPUT, O_RAW, O_ADDRESS, O_ENTRY, O_JSON };

static const struct option long_options[] = {
	{ "name", required_argument, NULL, O_NAME },
	{ "memory", required_argument, NULL, O_MEMORY },
	{ "vcpus", required_argument, NULL, O_VCPUS },
	{ "kernel", required_argument, NULL, O_KERNEL },
	{ "initrd", required_argument, NULL, O_INITRD },
	{ "cmdline", required_argument, NULL, O_CMDLINE },
	{ "disk", required_argument, NULL, O_DISK },
	{ "suite", required_argument, NULL, O_SUITE },
	{ "instance", required_argument, NULL, O_INSTANCE },
	{ "console-input", no_argument, NULL, O_INPUT },
	{ "raw", required_argument, NULL, O_RAW },
	{ "load-address", required_argument, NULL, O_ADDRESS },
	{ "entry", required_argument, NULL, O_ENTRY },
	{ "json", no_argument, NULL, O_JSON },
	{},
};

static int add_disk(struct guest_options *o, struct raw_options *raw, const struct cli_command *self, const char *text)
{
	struct tsr_device_desc *desc;

	if (raw->disks == TSR_MAX_DEVICES)
		return cli_usage(self, "a guest has at most %u disks", TSR_MAX_DEVICES);
	desc = &o->config.device[raw->disks++];
	desc->type = TSR_DEVICE_BLOCK;
	desc->suite = TSR_SUITE_AEGIS_128L;
	if (!text_label(text, desc->label))
		return cli_usage(self, "a disk's label is 1 to %u printable characters without spaces, not \"%s\"", TSR_LABEL_SIZE,
				 text);
	for (struct tsr_device_desc *other = o->config.device; other < desc; other++)
		if (!memcmp(other->label, desc->label, sizeof(desc->label)))
			return cli_usage(self, "two disks have the label %s: they would be one disk twice", text);
	return CLI_OK;
}

/* Of the disk that was named last. */
static int set_suite(struct guest_options *o, const struct raw_options *raw, const struct cli_command *self, const char *text)
{
	char known[128] = "";
	size_t len = 0;

	if (!raw->disks)
		return cli_usage(self, "--suite comes after the --disk that it is for");
	for (uint32_t suite = TSR_SUITE_NONE + 1; suite < TSR_SUITE_NR; suite++) {
		if (!strcmp(text, tsr_suite_text(suite))) {
			o->config.device[raw->disks - 1].suite = (uint8_t)suite;
			return CLI_OK;
		}
		len += (size_t)snprintf(known + len, sizeof(known) - len, " %s", tsr_suite_text(suite));
	}
	return cli_usage(self, "--suite %s: give one of%s", text, known);
}

static int take_option(struct guest_options *o, struct raw_options *raw, const struct cli_command *self, int c, const char *text)
{
	switch (c) {
	case O_NAME:
		if (!text_name(text))
			return cli_usage(self, "a name is 1 to %u letters, digits, '-', '_' or '.', not \"%s\"", TSR_NAME_SIZE - 1,
					 text);
		snprintf(o->name, sizeof(o->name), "%s", text);
		return CLI_OK;
	case O_MEMORY:
		if (!text_size(text, &raw->memory) || !raw->memory || raw->memory % TSR_PAGE_SIZE ||
		    raw->memory > LOADER_MAX_MEMORY)
			return cli_usage(self, "--memory %s: give a multiple of 4K, such as 512M or 2G", text);
		return CLI_OK;
	case O_VCPUS:
		if (!text_number(text, TSR_MAX_VCPUS, &raw->vcpus) || !raw->vcpus)
			return cli_usage(self, "--vcpus %s: give 1 to %u", text, TSR_MAX_VCPUS);
		return CLI_OK;
	case O_KERNEL:
		raw->kernel = text;
		return CLI_OK;
	case O_INITRD:
		raw->initrd = text;
		return CLI_OK;
	case O_CMDLINE:
		raw->command_line = text;
		return CLI_OK;
	case O_DISK:
		return add_disk(o, raw, self, text);
	case O_SUITE:
		return set_suite(o, raw, self, text);
	case O_INSTANCE:
		if (!text_hex(text, o->config.instance, sizeof(o->config.instance)))
			return cli_usage(self, "--instance %s: give 1 to 64 bytes as pairs of hexadecimal digits", text);
		return CLI_OK;
	case O_INPUT:
		o->config.flags |= TSR_GUEST_CONSOLE_INPUT;
		return CLI_OK;
	case O_RAW:
		raw->raw = text;
		return CLI_OK;
	case O_ADDRESS:
		if (!text_number(text, UINT32_MAX, &raw->address))
			return cli_usage(self, "--load-address %s: give an address below 4 GiB, such as 0x100000", text);
		return CLI_OK;
	case O_ENTRY:
		raw->has_entry = text_number(text, UINT32_MAX, &raw->entry);
		if (!raw->has_entry)
			return cli_usage(self, "--entry %s: give an address below 4 GiB, such as 0x100000", text);
		return CLI_OK;
	case O_JSON:
		o->json = true;
		return CLI_OK;
	}
	return cli_usage(self, "an option is not known or its argument is missing");
}

static bool build(struct guest_options *o, const struct raw_options *raw)
{
	struct loader_error error;
	struct loader_file file;
	bool ok;

	if (!file_map(&o->kernel, raw->raw ? raw->raw : raw->kernel) || (raw->initrd && !file_map(&o->initrd, raw->initrd)))
		return false;
	file = (struct loader_file){ o->kernel.data, o->kernel.size };
	if (raw->raw) {
		ok = loader_build_raw(&o->contents, file, raw->address,
				      (uint32_t)(raw->has_entry ? raw->entry : raw->address), o->config.mem_pages, &error);
	} else {
		struct loader_linux in = {
			.kernel = file,
			.initrd = { o->initrd.data, o->initrd.size },
			.command_line = raw->command_line ? raw->command_line : DEFAULT_COMMAND_LINE,
			.mem_pages = o->config.mem_pages,
			.vcpus = o->config.vcpus,
		};

		ok = loader_build_linux(&o->contents, &in, &error);
	}
	if (!ok)
		cli_fail("%s", error.text);
	return ok;
}

int guest_options_parse(struct guest_options *o, const struct cli_command *self, int argc, char **argv)
{
	struct raw_options raw = { .memory = DEFAULT_MEMORY, .vcpus = 1, .address = DEFAULT_RAW_ADDRESS };
	int c, ret;

	memset(o, 0, sizeof(*o));
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		ret = take_option(o, &raw, self, c, optarg);
		if (ret)
			return ret;
	}
	if (optind != argc)
		return cli_usage(self, "\"%s\" is not an option", argv[optind]);
	if (!raw.kernel == !raw.raw)
		return cli_usage(self, "give either --kernel or --raw");
	if (raw.raw && (raw.initrd || raw.command_line))
		return cli_usage(self, "--initrd and --cmdline belong to --kernel, not to --raw");
	o->config.mem_pages = raw.memory / TSR_PAGE_SIZE;
	o->config.vcpus = (uint32_t)raw.vcpus;
	if (build(o, &raw))
		return CLI_OK;
	guest_options_free(o);
	return CLI_FAILED;
}

void guest_options_free(struct guest_options *o)
{
	loader_free(&o->contents);
	file_unmap(&o->kernel);
	file_unmap(&o->initrd);
}
