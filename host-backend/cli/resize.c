// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera disk resize: between two runs of tesserad the image grows; the guest's requests wait meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host-backend/cli/cli.h"
#include "host-backend/image/file.h"

#define MAX_ARGS 32

/* How a running tesserad was started, so that the next one is started in the same way. */
struct daemon {
	char program[PATH_MAX], directory[PATH_MAX];
	char line[4 * PATH_MAX];
	char *args[MAX_ARGS + 1];
	const char *image;
};

static bool read_link(pid_t pid, const char *name, char *to)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	length = readlink(path, to, PATH_MAX - 1);
	to[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static bool read_line(pid_t pid, struct daemon *d)
{
	char path[64];
	ssize_t length;
	int fd, n = 0;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, d->line, sizeof(d->line) - 1);
	close(fd);
	for (ssize_t at = 0; at < length && n < MAX_ARGS; at += (ssize_t)strlen(d->line + at) + 1)
		d->args[n++] = d->line + at;
	for (int i = 0; i + 1 < n; i++)
		if (!strcmp(d->args[i], "--image"))
			d->image = d->args[i + 1];
	return d->image;
}

/* Returns when it serves the disk: it goes to the background by itself. */
static int start(const struct daemon *d)
{
	int status;
	pid_t child = fork();

	if (!child) {
		execv(d->program, d->args);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			child = -1;
	return child > 0 && WIFEXITED(status) && !WEXITSTATUS(status) ? CLI_OK : CLI_FAILED;
}

static int resize(const char *guest, const char *disk, uint64_t blocks)
{
	static struct daemon d;
	struct image_error error = {};
	struct tsr_ioc_config config;
	int device, grown, fd = host_open();

	if (fd < 0 || !host_find(fd, guest, &config))
		return CLI_FAILED;
	device = host_device(&config, disk);
	if (device < 0)
		return CLI_FAILED;
	if (config.backend[device] > 0 && (!read_link(config.backend[device], "exe", d.program) ||
					   !read_link(config.backend[device], "cwd", d.directory) || !read_line(config.backend[device], &d)))
		return cli_fail("process %d, which serves the disk, is not a tesserad with an image", config.backend[device]);
	if (disk_end(fd, &config, device) || chdir(d.directory))
		return CLI_FAILED;
	grown = image_file_grow(d.image, blocks, &error);
	if (grown)
		cli_fail("%s: %s", d.image, error.text);
	if (start(&d))
		return cli_fail("the disk is not served any more: tessera disk attach %s %s %s", guest, disk, d.image);
	if (grown)
		return CLI_FAILED;
	printf("disk %s of guest %s has %" PRIu64 " MiB now\n", disk, config.name, blocks >> 8);
	return CLI_OK;
}

static int run_resize(const struct cli_command *self, int argc, char **argv)
{
	uint64_t blocks;

	if (!image_size_option(self, argc, argv, &blocks))
		return CLI_USAGE;
	if (argc - optind != 2)
		return cli_usage(self, "give a guest, a disk and --size");
	return resize(argv[optind], argv[optind + 1], blocks);
}

const struct cli_command cli_disk_resize = {
	.name = "disk resize",
	.summary = "make a disk larger while its guest uses it",
	.help = "Usage: tessera disk resize GUEST DISK --size SIZE\n\n"
		"Ends the tesserad that serves the disk, grows its image, and starts it again as it was. The guest's requests wait\n"
		"meanwhile and none fails; it then seals the new blocks as zeros and sees a larger disk. Disks do not shrink: make a\n"
		"smaller one and copy the files inside the guest.\n\n"
		"Example:\n  tessera disk resize demo data --size 2G\n",
	.run = run_resize,
};
