// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera image create, check, repair, grow. */
#include <getopt.h>
#include <inttypes.h>

#include "host-backend/cli/progress.h"
#include "host-backend/image/file.h"

bool image_size_option(const struct cli_command *self, int argc, char **argv, uint64_t *blocks)
{
	static const struct option options[] = { { "size", required_argument, NULL, 's' }, {} };
	uint64_t size = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 's') {
			cli_usage(self, "an option is not known or its argument is missing");
			return false;
		}
		if (!text_size(optarg, &size) || !size || size % TSR_BLOCK_SIZE || size / TSR_BLOCK_SIZE > IMAGE_MAX_BLOCKS) {
			cli_usage(self, "--size %s: give a multiple of 4K, such as 1G, up to 8T", optarg);
			return false;
		}
	}
	*blocks = size / TSR_BLOCK_SIZE;
	if (!size)
		cli_usage(self, "give --size");
	return size;
}

static int run_create(const struct cli_command *self, int argc, char **argv)
{
	struct image_error error = {};
	uint64_t blocks;
	int ret;

	if (!image_size_option(self, argc, argv, &blocks))
		return CLI_USAGE;
	if (argc - optind != 1)
		return cli_usage(self, "give a path and --size");
	progress_begin("clearing");
	ret = image_file_create(argv[optind], blocks, progress, &error);
	progress_end();
	if (ret)
		return cli_fail("%s", error.text);
	printf("%s: a disk of %" PRIu64 " MiB, empty; a guest formats it before its first use\n", argv[optind], blocks >> 8);
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

#define LOST_SHOWN 20u

static uint64_t lost_blocks, lost_block[LOST_SHOWN];

/* Shown when the bar is gone. */
static void note_lost(uint64_t block)
{
	if (lost_blocks++ < LOST_SHOWN)
		lost_block[lost_blocks - 1] = block;
}

static void show(const char *path, const struct image_report *report)
{
	printf("%s: %" PRIu64 " blocks in %" PRIu64 " slots; %" PRIu64 " blocks have a pair (%" PRIu64 " of them zero), %" PRIu64
	       " slots are free\n", path, report->blocks, report->slots, report->pairs, report->zeros, report->free);
	printf("  records torn or foreign, counted as free: %" PRIu64 "\n  records whose data does not match: %" PRIu64 "\n",
	       report->broken, report->rejected + report->lost);
	for (uint64_t i = 0; i < lost_blocks && i < LOST_SHOWN; i++)
		printf("  block %" PRIu64 " is lost: its data is damaged\n", lost_block[i]);
	if (lost_blocks > LOST_SHOWN)
		printf("  and %" PRIu64 " more\n", lost_blocks - LOST_SHOWN);
	if (report->bad_supers)
		printf("  copies of the superblock that are damaged: %" PRIu32 " of %u\n", report->bad_supers, IMAGE_SUPER_COPIES);
}

typedef int examine_fn(const struct image_io *io, void (*lost)(uint64_t block), struct image_report *report, struct image_error *error);

/* Checks or repairs the one image named, and shows what was found. An exit code. */
static int examine(const struct cli_command *self, int argc, char **argv, const char *doing, examine_fn *fn, struct image_report *report)
{
	struct image_error error = {};
	struct image_file file;
	int ret;

	if (argc != 2 || argv[1][0] == '-')
		return cli_usage(self, "give one path");
	if (image_file_open(&file, argv[1], fn == image_check, NULL, &error))
		return cli_fail("%s: %s", argv[1], error.text);
	file.io.progress = progress;
	progress_begin(doing);
	ret = fn(&file.io, note_lost, report, &error);
	progress_end();
	image_file_close(&file);
	if (ret)
		return cli_fail("%s: %s", argv[1], error.text);
	show(argv[1], report);
	return CLI_OK;
}

static int run_check(const struct cli_command *self, int argc, char **argv)
{
	struct image_report report = {};
	int ret = examine(self, argc, argv, "checking", image_check, &report);

	if (ret)
		return ret;
	printf("This finds what a crash or a medium did. What somebody did on purpose only the guest notices, by the seals.\n");
	if (report.lost || report.bad_supers)
		return cli_fail("%s is damaged: tessera image repair %s", argv[1], argv[1]);
	return CLI_OK;
}

const struct cli_command cli_image_check = {
	.name = "image check",
	.summary = "verify an image's records and data",
	.help = "Usage: tessera image check PATH\n\n"
		"Reads everything and changes nothing. The image must not be served meanwhile. What an interrupted write leaves\n"
		"behind is counted and harmless; the status is 1 if something else is damaged.\n\n"
		"Example:\n  tessera image check /var/lib/tessera/data.img\n",
	.run = run_check,
};

static int run_repair(const struct cli_command *self, int argc, char **argv)
{
	struct image_report report = {};
	int ret = examine(self, argc, argv, "repairing", image_repair, &report);

	if (ret)
		return ret;
	printf("  mended: %" PRIu64 " records, %" PRIu32 " copies of the superblock; lost: %" PRIu64 " blocks\n", report.mended,
	       report.bad_supers, report.lost);
	return CLI_OK;
}

const struct cli_command cli_image_repair = {
	.name = "image repair",
	.summary = "make a damaged image whole, at the cost of damaged blocks",
	.help = "Usage: tessera image repair PATH\n\n"
		"Clears records that are torn or whose data is damaged, and writes both superblocks. A block that is lost is an\n"
		"I/O error to the guest until it writes it again; no older contents take its place. The guest's own headers and\n"
		"file systems are sealed: only the guest can check those. The image must not be served meanwhile; a copy of it\n"
		"taken before does no harm.\n\n"
		"Example:\n  tessera image repair /var/lib/tessera/data.img\n",
	.run = run_repair,
};

static int run_grow(const struct cli_command *self, int argc, char **argv)
{
	struct image_error error = {};
	uint64_t blocks;

	if (!image_size_option(self, argc, argv, &blocks))
		return CLI_USAGE;
	if (argc - optind != 1)
		return cli_usage(self, "give a path and --size");
	if (image_file_grow(argv[optind], blocks, &error))
		return cli_fail("%s: %s", argv[optind], error.text);
	printf("%s: a disk of %" PRIu64 " MiB now; the guest sees it when it is attached\n", argv[optind], blocks >> 8);
	return CLI_OK;
}

const struct cli_command cli_image_grow = {
	.name = "image grow",
	.summary = "make the disk in an image larger",
	.help = "Usage: tessera image grow PATH --size SIZE\n\n"
		"The image must not be served meanwhile (see `tessera disk resize`). A file becomes as large as it needs to be; a\n"
		"block device has to be large enough already. Images do not shrink.\n\n"
		"Example:\n  tessera image grow /var/lib/tessera/data.img --size 2G\n",
	.run = run_grow,
};
