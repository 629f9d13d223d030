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
	"  --direct       refused in this release: see below\n"
	"  --help         this text\n"
	"\n"
	"Signals: SIGTERM and SIGINT finish the requests in flight and end it; SIGUSR1 writes its counters\n"
	"to the log. It ends by itself, with status 0, when the guest ends.\n"
	"\n"
	"Data moves between the guest's pages and private buffers by CPU, and I/O is buffered. --direct\n"
	"would let the disk's DMA reach the guest's pages, which is only right with an IOMMU that the\n"
	"hypervisor owns: without one, DMA goes to the pages underneath the guest's.\n";

static const char no_direct[] =
	"tesserad: --direct needs an IOMMU that the hypervisor owns, and this release has none: the disk's DMA would miss\n"
	"the guest's pages and store something else. Leave it out; data is then copied by CPU.\n";

enum { GUEST = 256, DEVICE, IMAGE, READ_ONLY, FOREGROUND, LOG, DIRECT, HELP };

static const struct option names[] = {
	{ "guest", required_argument, NULL, GUEST },
	{ "device", required_argument, NULL, DEVICE },
	{ "image", required_argument, NULL, IMAGE },
	{ "read-only", no_argument, NULL, READ_ONLY },
	{ "foreground", no_argument, NULL, FOREGROUND },
	{ "log", required_argument, NULL, LOG },
	{ "direct", no_argument, NULL, DIRECT },
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
		case DIRECT:
			fputs(no_direct, stderr);
			return 2;
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
