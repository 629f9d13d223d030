// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera info, counters, token list. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host-backend/cli/cli.h"

static const char *const counter_names[] = {
#define NAME(name, text) #name,
	TSR_COUNTERS(NAME)
#undef NAME
};
static const char *const counter_texts[] = {
#define TEXT(name, text) text,
	TSR_COUNTERS(TEXT)
#undef TEXT
};

static const struct {
	uint32_t bit;
	const char *text;
} reasons[] = {
	{ TSR_DEVELOPMENT_NO_IOMMU, "no IOMMU is in use: a device the host drives can reach all memory (iommu=off was given)" },
	{ TSR_DEVELOPMENT_ROOT_SECRET, "the root secret came from the command line: who can read that can open every disk" },
	{ TSR_DEVELOPMENT_SMRAM, "the firmware's SMRAM could not be locked: code there can reach all memory" },
	{ TSR_DEVELOPMENT_INTERRUPTS, "devices can send INIT, NMI and SMI as messages: one can reset a CPU out of its container" },
	{ TSR_DEVELOPMENT_INIT, "INIT cannot be held by this CPU: a device can reset a CPU out of its container" },
};

static bool get_info(int fd, struct tsr_info *info)
{
	if (!host_call(fd, TSR_IOC_INFO, info))
		return true;
	cli_fail("the hypervisor does not answer: %s", host_error(errno));
	return false;
}

static json_t *counters_json(const struct tsr_info *info)
{
	json_t *counters = json_object();

	for (size_t i = 0; i < TSR_COUNTER_NR; i++)
		json_object_set_new(counters, counter_names[i], json_integer((json_int_t)info->counters[i]));
	return counters;
}

static json_t *info_json(const struct tsr_info *info)
{
	const struct tsr_census *c = &info->census;
	char abi[24];
	json_t *census = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "hypervisor", (json_int_t)c->hypervisor, "host", (json_int_t)c->host,
				   "guests", (json_int_t)c->guests, "tables", (json_int_t)c->tables, "displaced", (json_int_t)c->displaced,
				   "windows", (json_int_t)c->windows);

	snprintf(abi, sizeof(abi), "%u.%u", info->abi_version >> 16, info->abi_version & 0xffff);
	return json_pack("{s:s, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "abi", abi, "features",
			 (json_int_t)info->features, "development", (json_int_t)info->development, "cpus", info->cpus, "guests", info->guests,
			 "tokens", info->tokens, "max_guests", info->max_guests, "max_tokens", info->max_tokens, "guest_tokens",
			 (json_int_t)info->guest_tokens, "max_granted", (json_int_t)info->max_granted, "max_windows",
			 (json_int_t)info->max_windows, "max_queues", (json_int_t)info->max_queues, "tsc_khz",
			 (json_int_t)info->tsc_khz, "hv_base_pfn", (json_int_t)info->hv_base_pfn, "hv_pages", (json_int_t)info->hv_pages,
			 "census", census, "counters", counters_json(info));
}

static void print_counters(const struct tsr_info *info)
{
	for (size_t i = 0; i < TSR_COUNTER_NR; i++)
		printf("  %-18s %12" PRIu64 "  %s\n", counter_names[i], info->counters[i], counter_texts[i]);
}

static void print_census_line(const char *what, uint64_t frames)
{
	printf("  %-12s %10" PRIu64 " frames %8" PRIu64 " MiB\n", what, frames, frames >> 8);
}

static void print_info(const struct tsr_info *info)
{
	printf("Tessera hypervisor, ABI %u.%u, TSC %" PRIu64 " kHz\n", info->abi_version >> 16, info->abi_version & 0xffff,
	       info->tsc_khz);
	if (info->development) {
		printf("\n*** DEVELOPMENT PLATFORM: guests on this machine are NOT protected as they should be:\n");
		for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
			if (info->development & reasons[i].bit)
				printf("***   - %s\n", reasons[i].text);
	}
	printf("\nfeatures\n");
#define FEATURE(bit, name, text)                 \
	if (info->features & (1u << (bit)))      \
		printf("  %-14s %s\n", #name, text);
	TSR_FEATURES(FEATURE)
#undef FEATURE
	printf("\nin use\n  CPUs %u, guests %u of %u, tokens %u of %u\n", info->cpus, info->guests, info->max_guests, info->tokens,
	       info->max_tokens);
	printf("  window pages %" PRIu64 " of %u\n", info->census.windows, info->max_windows);
	printf("  at most, each guest: %u tokens on %u pages, %u devices, %u queues of a disk\n", info->guest_tokens, info->max_granted,
	       info->max_devices, info->max_queues);
	printf("\nmemory by owner\n");
	print_census_line("hypervisor", info->census.hypervisor);
	print_census_line("host", info->census.host);
	print_census_line("  displaced", info->census.displaced);
	print_census_line("  windows", info->census.windows);
	print_census_line("guests", info->census.guests);
	print_census_line("tables", info->census.tables);
	printf("\ncounters\n");
	print_counters(info);
}

static int run_info(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_info info;
	bool json;
	int fd;

	if (!json_option(self, argc, argv, &json))
		return CLI_USAGE;
	if (optind != argc)
		return cli_usage(self, "too many arguments");
	fd = host_open();
	if (fd < 0 || !get_info(fd, &info))
		return CLI_FAILED;
	if (json)
		return print_json(info_json(&info));
	print_info(&info);
	return CLI_OK;
}

const struct cli_command cli_info = {
	.name = "info",
	.summary = "the hypervisor: version, features, protection, memory, counters",
	.help = "Usage: tessera info [--json]\n\n"
		"Says loudly when this is a development platform, and why.\n\n"
		"Examples:\n  tessera info\n  tessera info --json\n",
	.run = run_info,
};

static int watch(int fd, struct tsr_info *info)
{
	struct tsr_info before = *info;

	for (;;) {
		printf("\n");
		for (size_t i = 0; i < TSR_COUNTER_NR; i++)
			printf("  %-18s %12" PRIu64 "  +%" PRIu64 "\n", counter_names[i], info->counters[i],
			       info->counters[i] - before.counters[i]);
		fflush(stdout);
		before = *info;
		sleep(1);
		if (!get_info(fd, info))
			return CLI_FAILED;
	}
}

static int run_counters(const struct cli_command *self, int argc, char **argv)
{
	static const struct option options[] = { { "watch", no_argument, NULL, 'w' }, { "json", no_argument, NULL, 'j' }, {} };
	bool json = false, watching = false;
	struct tsr_info info;
	int fd, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'w')
			watching = true;
		else if (c == 'j')
			json = true;
		else
			return cli_usage(self, "an option is not known");
	}
	if (optind != argc || (json && watching))
		return cli_usage(self, json ? "--json and --watch exclude each other" : "too many arguments");
	fd = host_open();
	if (fd < 0 || !get_info(fd, &info))
		return CLI_FAILED;
	if (watching)
		return watch(fd, &info);
	if (json)
		return print_json(json_pack("{s:o}", "counters", counters_json(&info)));
	print_counters(&info);
	return CLI_OK;
}

const struct cli_command cli_counters = {
	.name = "counters",
	.summary = "the hypervisor's counters",
	.help = "Usage: tessera counters [--watch | --json]\n\n"
		"  --watch   print them each second with what was added, until interrupted\n\n"
		"Examples:\n  tessera counters\n  tessera counters --watch\n",
	.run = run_counters,
};

/* list: where to add it; NULL: print it. */
static void show_token(const struct tsr_token_info *t, json_t *list)
{
	static const char *const states[] = { "free", "issued", "mapped", "spent", "revoking", "placed" };
	static const char *const ways[] = { "map", "copy", "either", "?" };
	static const char *const dirs[] = { "?", "read", "write", "both" };
	const char *state = t->state < 6 ? states[t->state] : "?", *dir = dirs[t->dir & 3];

	if (list)
		json_array_append_new(list, json_pack("{s:I, s:I, s:i, s:i, s:I, s:i, s:s, s:s, s:s, s:I}", "slot", (json_int_t)t->slot, "generation",
						      (json_int_t)t->generation, "guest", t->issuer, "device", t->device, "session",
						      (json_int_t)t->session, "pages", t->pages, "dir", dir, "how", ways[t->how & 3], "state", state, "window_pfn",
						      (json_int_t)t->window_pfn));
	else
		printf("%5u %10u %5u %6u %7u %5u %-5s %-6s %-8s 0x%" PRIx64 "\n", t->slot, t->generation, t->issuer, t->device,
		       t->session, t->pages, dir, ways[t->how & 3], state, t->window_pfn);
}

static int list_tokens(int fd, json_t *list)
{
	struct tsr_ioc_tokens tokens = {};

	do {
		if (host_call(fd, TSR_IOC_TOKENS, &tokens) < 0)
			return cli_fail("the tokens cannot be listed: %s", host_error(errno));
		for (uint32_t i = 0; i < tokens.list.count && i < 63; i++)
			show_token(&tokens.list.token[i], list);
	} while (tokens.start);
	return CLI_OK;
}

static int run_tokens(const struct cli_command *self, int argc, char **argv)
{
	bool json;
	json_t *list;
	int fd, ret;

	if (!json_option(self, argc, argv, &json))
		return CLI_USAGE;
	if (optind != argc)
		return cli_usage(self, "too many arguments");
	fd = host_open();
	if (fd < 0)
		return CLI_FAILED;
	list = json ? json_array() : NULL;
	if (!json)
		printf(" SLOT GENERATION GUEST DEVICE SESSION PAGES DIR   HOW    STATE    WINDOW PFN\n");
	ret = list_tokens(fd, list);
	if (json && !ret)
		return print_json(list);
	json_decref(list);
	return ret;
}

const struct cli_command cli_token_list = {
	.name = "token list",
	.summary = "live tokens: what guests let this host use",
	.help = "Usage: tessera token list [--json]\n\n"
		"A token's secret half is never shown.\n\n"
		"Example:\n  tessera token list\n",
	.run = run_tokens,
};
