/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/options.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host-backend/daemon/engine.h"

static const char help[] =
	"Usage: tesserad --guest ID --device N --image PATH [options]\n"
	"\n"
	"Serves a guest's sealed block device from an image: a file or a block device made by\n"
	"`tessera image create`, or what another storage engine keeps. It stores what the guest sealed\n"
	"and cannot read it.\n"
	"\n"
	"  --guest ID     the guest's number: see `tessera guest list`\n"
	"  --device N     the device's index in the guest's configuration, from 0\n"
	"  --image PATH   the image; it is locked while it is served\n"
	"  --engine NAME  what keeps the image (default: file); the list below tells what PATH is then\n"
	"  --create SIZE  make an empty disk of SIZE (such as 1G) if the engine's place for it is blank\n"
	"  --read-only    refuse writes\n"
	"  --cache HOW    writeback (the default): what the guest has not flushed may be lost by a crash of this\n"
	"                 host; writethrough: each write is durable when it is answered, which is slower\n"
	"  --foreground   stay in the foreground\n"
	"  --log FILE     append messages to FILE instead of writing them to stderr\n"
	"  --bounce WHEN  auto (the default) or always: see below\n"
	"  --help         this text\n"
	"\n"
	"Signals: SIGTERM and SIGINT finish the requests in flight and end it; SIGUSR1 writes its counters\n"
	"to the log. It ends by itself, with status 0, when the guest ends.\n"
	"A medium that answers no request for 30 seconds is told on the log, and so is a thread of its own that\n"
	"hangs; then it also tells systemd's watchdog nothing more, which has it replaced.\n"
	"\n"
	"Where the hypervisor uses an IOMMU, data moves by DMA between the disk and the guest's pages, and\n"
	"this host copies none of it. Disks (or file systems) that checksum what they send would notice a\n"
	"page that the guest changes meanwhile, as broken parity or a broken checksum of more than its own\n"
	"data: for those, data to be written is copied first. They are known by the attribute stable_writes\n"
	"of a disk's queue in sysfs, or of one below it (md, dm), NBD, iSCSI and NVMe over TCP as such, and\n"
	"btrfs by its type. --bounce always copies for any disk. There is no \"never\": a guest could\n"
	"damage what others store there.\n"
	"Without an IOMMU, on loop devices, and on file systems other than ext4 and XFS everything is\n"
	"copied. `tessera guest show` tells which it is, and counts pages.\n";

enum { GUEST = 256, DEVICE, IMAGE, ENGINE_NAME, CREATE, READ_ONLY, CACHE, FOREGROUND, LOG, BOUNCE, HELP };

static const struct option names[] = {
	{ "guest", required_argument, NULL, GUEST },
	{ "device", required_argument, NULL, DEVICE },
	{ "image", required_argument, NULL, IMAGE },
	{ "engine", required_argument, NULL, ENGINE_NAME },
	{ "create", required_argument, NULL, CREATE },
	{ "read-only", no_argument, NULL, READ_ONLY },
	{ "cache", required_argument, NULL, CACHE },
	{ "foreground", no_argument, NULL, FOREGROUND },
	{ "log", required_argument, NULL, LOG },
	{ "bounce", required_argument, NULL, BOUNCE },
	{ "help", no_argument, NULL, HELP },
	{ 0 },
};

static bool number(const char *text, uint32_t *value)
{
	char *end;
	unsigned long result;

	errno = 0;
	result = strtoul(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || result > UINT32_MAX) {
		fprintf(stderr, "tesserad: \"%s\" is not a number from 0 to 4294967295\n", text);
		return false;
	}
	*value = result;
	return true;
}

/* In blocks. */
static bool size(const char *text, uint64_t *blocks)
{
	static const char suffixes[] = "KMGT";
	unsigned long long bytes;
	const char *suffix;
	char *end;

	errno = 0;
	bytes = strtoull(text, &end, 10);
	suffix = *end && !end[1] ? strchr(suffixes, *end) : NULL;
	*blocks = bytes / TSR_BLOCK_SIZE;
	if (suffix)
		*blocks = bytes << 10 * (suffix - suffixes + 1) >> 12;
	if (!errno && end != text && (suffix || (!*end && bytes % TSR_BLOCK_SIZE == 0)) && *text != '-' && bytes < 1u << 20 && *blocks &&
	    *blocks <= IMAGE_MAX_BLOCKS)
		return true;
	fprintf(stderr, "tesserad: --create %s: give a multiple of 4K, such as 512M or 1G, up to 8T\n", text);
	return false;
}

static void print_help(void)
{
	const struct engine *engine;

	fputs(help, stdout);
	puts("\nStorage engines:");
	for (uint32_t i = 0; (engine = engine_number(i)); i++)
		printf("  %-13s  %s\n", engine->name, engine->help);
}

static int usage(const char *what)
{
	fprintf(stderr, "tesserad: %s; see tesserad --help\n", what);
	return 2;
}

static bool bounce(struct options *options, const char *when)
{
	options->bounce_always = !strcmp(when, "always");
	if (options->bounce_always || !strcmp(when, "auto"))
		return true;
	fprintf(stderr, "tesserad: --bounce %s: give auto or always; \"never\" is not offered, since a guest could then damage what others "
			"store on a disk that checksums\n", when);
	return false;
}

static bool cache(struct options *options, const char *how)
{
	options->write_through = !strcmp(how, "writethrough");
	if (options->write_through || !strcmp(how, "writeback"))
		return true;
	fprintf(stderr, "tesserad: --cache %s: give writeback or writethrough\n", how);
	return false;
}

int options_parse(struct options *options, int argc, char **argv)
{
	bool have_guest = false, have_device = false;
	int name;

	*options = (struct options){ .engine = "file" };
	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (name) {
		case GUEST:
			have_guest = number(optarg, &options->guest);
			if (!have_guest)
				return 2;
			break;
		case DEVICE:
			have_device = number(optarg, &options->device);
			if (!have_device)
				return 2;
			break;
		case IMAGE:
			options->image = optarg;
			break;
		case ENGINE_NAME:
			options->engine = optarg;
			break;
		case CREATE:
			if (!size(optarg, &options->create))
				return 2;
			break;
		case READ_ONLY:
			options->read_only = true;
			break;
		case CACHE:
			if (!cache(options, optarg))
				return 2;
			break;
		case FOREGROUND:
			options->foreground = true;
			break;
		case LOG:
			options->log = optarg;
			break;
		case BOUNCE:
			if (!bounce(options, optarg))
				return 2;
			break;
		case HELP:
			print_help();
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc)
		return usage("it takes options only");
	if (!have_guest || !have_device || !options->image)
		return usage("--guest, --device and --image are needed");
	if (!engine_find(options->engine))
		return usage("there is no such storage engine in this program");
	return -1;
}
