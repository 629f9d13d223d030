/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/options.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: tesserad --guest ID --device N --image PATH [options]\n"
	"\n"
	"Serves a guest's sealed block device from an image: a file or a block device made by\n"
	"`tessera image create`. It stores what the guest sealed and cannot read it.\n"
	"\n"
	"  --guest ID     the guest's number: see `tessera list`\n"
	"  --device N     the device's index in the guest's configuration, from 0\n"
	"  --image PATH   the image; it is locked while it is served\n"
	"  --read-only    refuse writes\n"
	"  --foreground   stay in the foreground\n"
	"  --log FILE     append messages to FILE instead of writing them to stderr\n"
	"  --bounce WHEN  auto (the default) or always: see below\n"
	"  --help         this text\n"
	"\n"
	"Signals: SIGTERM and SIGINT finish the requests in flight and end it; SIGUSR1 writes its counters\n"
	"to the log. It ends by itself, with status 0, when the guest ends.\n"
	"\n"
	"Where the hypervisor uses an IOMMU, data moves by DMA between the disk and the guest's pages, and\n"
	"this host copies none of it. Disks (or file systems) that checksum what they send would notice a\n"
	"page that the guest changes meanwhile, as broken parity or a broken checksum of more than its own\n"
	"data: for those, data to be written is copied first. They are known by the attribute stable_writes\n"
	"of a disk's queue in sysfs, or of one below it (md, dm), and btrfs by its type. --bounce always\n"
	"copies for any disk. There is no \"never\": a guest could damage what others store there.\n"
	"Without an IOMMU, on loop devices, and on file systems other than ext4 and XFS everything is\n"
	"copied. `tessera guest show` tells which it is, and counts pages.\n";

enum { GUEST = 256, DEVICE, IMAGE, READ_ONLY, FOREGROUND, LOG, BOUNCE, HELP };

static const struct option names[] = {
	{ "guest", required_argument, NULL, GUEST },
	{ "device", required_argument, NULL, DEVICE },
	{ "image", required_argument, NULL, IMAGE },
	{ "read-only", no_argument, NULL, READ_ONLY },
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

int options_parse(struct options *options, int argc, char **argv)
{
	bool have_guest = false, have_device = false;
	int name;

	memset(options, 0, sizeof(*options));
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
		case READ_ONLY:
			options->read_only = true;
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
			fputs(help, stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc)
		return usage("it takes options only");
	if (!have_guest || !have_device || !options->image)
		return usage("--guest, --device and --image are needed");
	return -1;
}
