// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera guest list, show. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "host-backend/cli/cli.h"

static const char *const counter_names[] = {
#define NAME(name, text) #name,
	TSR_BACKEND_COUNTERS(NAME)
#undef NAME
};

/* The way of moving pages that the guest has asked for. */
static const char *asked(const struct tsr_ioc_backend *report)
{
	static const char *const modes[] = { "", "pooled", "strict", "copy" };

	return report->asked < sizeof(modes) / sizeof(modes[0]) ? modes[report->asked] : "?";
}

/* What a device's backend says; NULL if nobody serves it. */
static json_t *backend_json(int fd, uint32_t guest, uint32_t device)
{
	struct tsr_ioc_backend report;
	json_t *io;

	host_backend(fd, guest, device, &report);
	if (!backend_mode(&report))
		return NULL;
	io = json_pack("{s:s, s:s, s:s, s:I}", "mode", backend_mode(&report), "reason", backend_reason(&report), "asked", asked(&report), "sessions",
		       (json_int_t)report.sessions);
	for (size_t i = 0; i < TSR_BACKEND_COUNTER_NR; i++)
		json_object_set_new(io, counter_names[i], json_integer((json_int_t)report.counter[i]));
	return io;
}

static void print_backend(int fd, uint32_t guest, uint32_t device)
{
	struct tsr_ioc_backend report;
	const char *why;

	host_backend(fd, guest, device, &report);
	if (!backend_text(&report))
		return;
	why = backend_reason(&report);
	printf("              %s%s%s\n", backend_text(&report), *why ? ": " : "", why);
	if (report.asked)
		printf("              the guest has its pages move: %s\n", asked(&report));
	if (report.counter[TSR_BACKEND_COUNT_hv_in] || report.counter[TSR_BACKEND_COUNT_hv_out])
		printf("              copied by the hypervisor: %" PRIu64 " pages to the disk, %" PRIu64 " to the guest\n",
		       report.counter[TSR_BACKEND_COUNT_hv_in], report.counter[TSR_BACKEND_COUNT_hv_out]);
	printf("              4 KiB pages to the disk: %" PRIu64 " directly, %" PRIu64 " copied; to the guest: %" PRIu64
	       " directly, %" PRIu64 " copied\n",
	       report.counter[TSR_BACKEND_COUNT_direct_in], report.counter[TSR_BACKEND_COUNT_copied_in],
	       report.counter[TSR_BACKEND_COUNT_direct_out], report.counter[TSR_BACKEND_COUNT_copied_out]);
	printf("              requests: %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " flushes, %" PRIu64 " failed\n",
	       report.counter[TSR_BACKEND_COUNT_reads], report.counter[TSR_BACKEND_COUNT_writes],
	       report.counter[TSR_BACKEND_COUNT_flushes], report.counter[TSR_BACKEND_COUNT_failed]);
}

static json_t *guest_json(int fd, const struct tsr_ioc_guest *g, const struct tsr_ioc_config *config)
{
	const struct tsr_guest_info *i = &g->info;
	json_t *devices = json_array();
	char code[2][2 + 16 + 1];

	for (int n = 0; n < 2; n++)
		snprintf(code[n], sizeof(code[n]), "0x%" PRIx64, i->end_code[n]);
	for (uint32_t d = 0; d < TSR_MAX_DEVICES; d++)
		if (config->config.device[d].type)
			json_array_append_new(devices, json_pack("{s:i, s:o, s:i, s:o*}", "device", d, "label",
								 json_bytes(config->config.device[d].label, TSR_LABEL_SIZE), "backend",
								 config->backend[d], "io", backend_json(fd, g->guest, d)));
	return json_pack("{s:i, s:o, s:s, s:i, s:[s, s], s:o, s:I, s:I, s:I, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "guest", g->guest,
			 "name", json_bytes(g->name, sizeof(g->name)), "state", guest_state_text(g), "end", i->end, "end_code",
			 code[0], code[1], "identity", json_hex(i->identity, sizeof(i->identity)),
			 "mem_pages", (json_int_t)i->mem_pages, "ram_pages", (json_int_t)i->ram_pages, "table_pages",
			 (json_int_t)i->table_pages, "vcpus", i->vcpus, "flags", i->flags, "tokens", i->tokens, "granted", i->granted, "exits",
			 (json_int_t)i->exits, "hypercalls", (json_int_t)i->hypercalls, "faults", (json_int_t)i->faults, "doorbells",
			 (json_int_t)i->doorbells, "events", (json_int_t)i->events, "devices", devices);
}

static void print_guest_line(const struct tsr_ioc_guest *g, const struct tsr_ioc_config *config)
{
	const char *comma = "";

	printf("%4u %-20.*s %-24s %6" PRIu64 " MiB  ", g->guest, (int)TSR_NAME_SIZE, g->name, guest_state_text(g),
	       g->info.mem_pages >> 8);
	for (uint32_t d = 0; d < TSR_MAX_DEVICES; d++) {
		if (!config->config.device[d].type)
			continue;
		fputs(comma, stdout);
		print_label(stdout, config->config.device[d].label);
		if (!config->backend[d])
			fputs(" (away)", stdout);
		comma = ", ";
	}
	fputc('\n', stdout);
}

static int run_list(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_ioc_guest g;
	json_t *list;
	uint32_t next = 0;
	bool json;
	int fd;

	if (!json_option(self, argc, argv, &json))
		return CLI_USAGE;
	if (optind != argc)
		return cli_usage(self, "too many arguments");
	fd = host_open();
	if (fd < 0)
		return CLI_FAILED;
	list = json ? json_array() : NULL;
	if (!json)
		printf("  ID NAME                 STATE                    MEMORY      DISKS\n");
	while (host_next(fd, &next, &g)) {
		struct tsr_ioc_config config = { .guest = g.guest };

		if (host_call(fd, TSR_IOC_CONFIG, &config) < 0)
			continue; /* destroyed meanwhile */
		if (json)
			json_array_append_new(list, guest_json(fd, &g, &config));
		else
			print_guest_line(&g, &config);
	}
	if (errno)
		return cli_fail("the guests cannot be listed: %s", host_error(errno));
	return json ? print_json(list) : CLI_OK;
}

const struct cli_command cli_guest_list = {
	.name = "guest list",
	.summary = "all guests and their states",
	.help = "Usage: tessera guest list [--json]\n\nExample:\n  tessera guest list\n",
	.run = run_list,
};

static void print_guest(int fd, const struct tsr_ioc_guest *g, const struct tsr_ioc_config *config)
{
	const struct tsr_guest_info *i = &g->info;

	printf("guest %s (%u)\n  state       %s", config->name, g->guest, guest_state_text(g));
	if (i->end == TSR_END_PANIC || i->end == TSR_END_INVALID)
		printf(" (0x%" PRIx64 ", 0x%" PRIx64 ")", i->end_code[0], i->end_code[1]);
	printf("\n  identity    ");
	if (i->state == TSR_GUEST_BUILDING)
		printf("none before its start");
	else
		print_hex(stdout, i->identity, sizeof(i->identity));
	printf("\n  memory      %" PRIu64 " MiB, %u virtual CPU%s; donated now: %" PRIu64 " pages and %" PRIu64 " for tables\n",
	       i->mem_pages >> 8, i->vcpus, i->vcpus == 1 ? "" : "s", i->ram_pages, i->table_pages);
	printf("  console     %s\n", i->flags & TSR_GUEST_CONSOLE_INPUT ? "this host may type into it" : "output only");
	printf("  exits       %" PRIu64 ", hypercalls %" PRIu64 ", forbidden accesses %" PRIu64 "\n", i->exits, i->hypercalls, i->faults);
	printf("  tokens      %u alive on %u pages, doorbells %" PRIu64 ", events %" PRIu64 "\n", i->tokens, i->granted, i->doorbells, i->events);
	for (uint32_t d = 0; d < TSR_MAX_DEVICES; d++) {
		if (!config->config.device[d].type)
			continue;
		printf("  disk %u      ", d);
		print_label(stdout, config->config.device[d].label);
		if (config->backend[d] < 0)
			printf(", held by something that a process left behind\n");
		else if (config->backend[d])
			printf(", served by process %d\n", config->backend[d]);
		else
			printf(", nobody serves it: tessera disk attach\n");
		print_backend(fd, g->guest, d);
	}
}

static int run_show(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_ioc_config config;
	struct tsr_ioc_guest g;
	bool json;
	int fd;

	if (!json_option(self, argc, argv, &json))
		return CLI_USAGE;
	if (optind + 1 != argc)
		return cli_usage(self, "name one guest");
	fd = host_open();
	if (fd < 0 || !host_find(fd, argv[optind], &config))
		return CLI_FAILED;
	if (!host_guest_info(fd, config.guest, &g))
		return cli_fail("guest %s cannot be shown: %s", config.name, host_error(errno ? errno : ESRCH));
	if (json)
		return print_json(guest_json(fd, &g, &config));
	print_guest(fd, &g, &config);
	return CLI_OK;
}

const struct cli_command cli_guest_show = {
	.name = "guest show",
	.summary = "one guest: state, identity, memory, disks, counters",
	.help = "Usage: tessera guest show GUEST [--json]\n\n"
		"Examples:\n  tessera guest show demo\n  tessera guest show 2 --json\n",
	.run = run_show,
};
