// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera image create, check. */
#include <getopt.h>
#include <inttypes.h>

#include "host-backend/cli/progress.h"
#include "host-backend/image/file.h"

static int run_create(const struct cli_command *self, int argc, char **argv)
{
	static const struct option options[] = { { "size", required_argument, NULL, 's' }, {} };
	struct image_error error = {};
	uint64_t size = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 's')
			return cli_usage(self, "an option is not known or its argument is missing");
		if (!text_size(optarg, &size) || !size || size % TSR_BLOCK_SIZE || size / TSR_BLOCK_SIZE > IMAGE_MAX_BLOCKS)
			return cli_usage(self, "--size %s: give a multiple of 4K, such as 1G, up to 8T", optarg);
	}
	if (argc - optind != 1 || !size)
		return cli_usage(self, "give a path and --size");
	progress_begin("clearing");
	c = image_file_create(argv[optind], size / TSR_BLOCK_SIZE, progress, &error);
	progress_end();
	if (c)
		return cli_fail("%s", error.text);
	printf("%s: a disk of %" PRIu64 " MiB, empty; a guest formats it before its first use\n", argv[optind], size >> 20);
	return CLI_OK;
}

const struct cli_command cli_image_create = {
	.name = "image create",
	.summary = "make an empty image for a sealed disk",
	.help = "Usage: tessera image create PATH --size SIZE\n\n"
		"PATH is a new file, which is made sparse, or a block device, which is overwritten. SIZE is the disk's size\n"
		"as the guest sees it; an image is a few percent larger, for seals and for pairs being replaced.\n\n"
		"Example:\n  tessera image create /var/lib/tessera/data.img --size 1G\n",
	.run = run_create,
};

static int run_check(const struct cli_command *self, int argc, char **argv)
{
	struct image_report report;
	struct image_error error = {};
	struct image_file file;
	int ret;

	if (argc != 2 || argv[1][0] == '-')
		return cli_usage(self, "give one path");
	if (image_file_open(&file, argv[1], true, NULL, &error))
		return cli_fail("%s: %s", argv[1], error.text);
	file.io.progress = progress;
	progress_begin("checking");
	ret = image_check(&file.io, &report, &error);
	progress_end();
	image_file_close(&file);
	if (ret)
		return cli_fail("%s: %s", argv[1], error.text);
	printf("%s: %" PRIu64 " blocks in %" PRIu64 " slots; %" PRIu64 " blocks have a pair (%" PRIu64 " of them zero), %" PRIu64
	       " slots are free\n", argv[1], report.blocks, report.slots, report.pairs, report.zeros, report.free);
	printf("  records torn or foreign, counted as free: %" PRIu64 "\n  records whose data does not match: %" PRIu64 "\n",
	       report.broken, report.rejected);
	printf("This finds what a crash or a medium did. What somebody did on purpose only the guest notices, by the seals.\n");
	return CLI_OK;
}

const struct cli_command cli_image_check = {
	.name = "image check",
	.summary = "verify an image's records and data",
	.help = "Usage: tessera image check PATH\n\n"
		"Reads everything and changes nothing. The image must not be served meanwhile.\n\n"
		"Example:\n  tessera image check /var/lib/tessera/data.img\n",
	.run = run_check,
};
