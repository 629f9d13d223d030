// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera disk attach, detach: starting and ending tesserad. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host-backend/cli/config.h"

#define DAEMON "tesserad"

struct attach {
	const char *daemon; /* NULL: beside this program, else in PATH */
	const char *log;
	const char *bounce, *cache, *engine, *create; /* NULL: tesserad's default */
	bool read_only, foreground;
};

static void pass_on(const char **args, unsigned *n, const char *option, const char *value)
{
	if (!value)
		return;
	args[(*n)++] = option;
	args[(*n)++] = value;
}

static _Noreturn void run_daemon(const struct attach *a, uint32_t guest, int device, const char *image)
{
	char id[16], number[16], self[PATH_MAX], *slash;
	const char *args[24] = { DAEMON, "--guest", id, "--device", number, "--image", image };
	unsigned n = 7;
	sigset_t none;
	ssize_t len;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(id, sizeof(id), "%u", guest);
	snprintf(number, sizeof(number), "%d", device);
	if (a->read_only)
		args[n++] = "--read-only";
	if (a->foreground)
		args[n++] = "--foreground";
	pass_on(args, &n, "--log", a->log);
	pass_on(args, &n, "--bounce", a->bounce);
	pass_on(args, &n, "--cache", a->cache);
	pass_on(args, &n, "--engine", a->engine);
	pass_on(args, &n, "--create", a->create);
	if (a->daemon) {
		execv(a->daemon, (char **)args);
		cli_fail("%s cannot be started: %s", a->daemon, strerror(errno));
		_exit(127);
	}
	len = readlink("/proc/self/exe", self, sizeof(self) - sizeof(DAEMON) - 1);
	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		memcpy(slash + 1, DAEMON, sizeof(DAEMON));
		execv(self, (char **)args);
	}
	execvp(DAEMON, (char **)args);
	cli_fail(DAEMON " is neither beside this program nor in PATH: name it with --daemon");
	_exit(127);
}

/* tesserad goes to the background by itself once it serves the disk; until then it says here what is wrong. */
static bool wait_for_daemon(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static int attach_disk(const struct attach *a, const char *guest, const char *disk, const char *image)
{
	struct tsr_ioc_backend report;
	struct tsr_ioc_config config;
	int device, fd = host_open();
	pid_t child;

	if (fd < 0 || !host_find(fd, guest, &config))
		return CLI_FAILED;
	device = host_device(&config, disk);
	if (device < 0)
		return CLI_FAILED;
	if (config.backend[device] < 0)
		return cli_fail("a process that has ended served this disk, and something it started still holds it");
	if (config.backend[device])
		return cli_fail("process %d serves this disk already: tessera disk detach %s %s", config.backend[device], guest, disk);
	child = a->foreground ? 0 : fork();
	if (!child)
		run_daemon(a, config.guest, device, image);
	if (child < 0 || !wait_for_daemon(child))
		return cli_fail("the disk is not attached: " DAEMON " did not start%s%s", a->log ? "; see " : "", a->log ? a->log : "");
	if (host_call(fd, TSR_IOC_CONFIG, &config) < 0 || !config.backend[device])
		return cli_fail("the disk is not attached: " DAEMON " has ended%s%s", a->log ? "; see " : "", a->log ? a->log : "");
	printf("disk ");
	print_label(stdout, config.config.device[device].label);
	printf(" of guest %s is served from %s by process %d\n", config.name, image, config.backend[device]);
	host_backend(fd, config.guest, device, &report);
	if (backend_text(&report))
		printf("%s%s%s\n", backend_text(&report), *backend_reason(&report) ? ": " : "", backend_reason(&report));
	return CLI_OK;
}

/* A unit may start before its guest, and stays when it ends: it waits instead of failing over and over. */
static void wait_for_guest(const char *name)
{
	struct tsr_ioc_config config;
	int fd = host_open();
	bool said = false;

	while (fd >= 0 && !host_has(fd, name, &config)) {
		if (!said)
			fprintf(stderr, "tessera: waiting for guest %s\n", name);
		said = true;
		sleep(1);
	}
	if (fd >= 0)
		close(fd);
}

static int run_attach(const struct cli_command *self, int argc, char **argv);

/*
 * The disk as a guest's file describes it, which path is, or in the directory path under the guest's name; with the options given here before
 * those of the file. "GUEST/DISK" in one word is what a systemd unit's instance unescapes to.
 */
static int attach_by_config(const struct cli_command *self, const char *path, bool foreground, int argc, char **argv)
{
	char file[PATH_MAX], *slash = argc == 1 ? strchr(argv[0], '/') : NULL, *words[CONFIG_MAX_WORDS + 1] = { "attach" };
	const char *guest = argv[0], *disk = argc == 2 ? argv[1] : NULL;
	struct config_error error;
	struct config config;
	struct stat status;
	int ret;

	if (slash) {
		*slash = '\0';
		disk = slash + 1;
	}
	if (!disk)
		return cli_usage(self, "with --config give a guest and a disk");
	snprintf(file, sizeof(file), stat(path, &status) == 0 && S_ISDIR(status.st_mode) ? "%s/%s.json" : "%s", path, guest);
	if (config_read(&config, file, &error))
		return cli_fail("%s", error.text);
	for (unsigned i = 0; i < config.disks; i++) {
		struct config_line *line = &config.disk[i];

		if (strcmp(line->argv[line->argc - 2], disk) || strcmp(line->argv[line->argc - 3], guest))
			continue;
		if (foreground)
			wait_for_guest(guest);
		words[1] = foreground ? "--foreground" : "--";
		memcpy(words + 1 + foreground, line->argv + 1, line->argc * sizeof(line->argv[0]));
		optind = 0;
		ret = run_attach(self, line->argc + foreground, words);
		config_free(&config);
		return ret;
	}
	config_free(&config);
	return cli_fail("%s describes no disk %s of a guest %s with an \"image\"", file, disk, guest);
}

static int run_attach(const struct cli_command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "read-only", no_argument, NULL, 'r' },
		{ "log", required_argument, NULL, 'l' },
		{ "daemon", required_argument, NULL, 'd' },
		{ "bounce", required_argument, NULL, 'b' },
		{ "cache", required_argument, NULL, 'h' },
		{ "engine", required_argument, NULL, 'e' },
		{ "create", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "config", required_argument, NULL, 'C' },
		{},
	};
	const char *config = NULL;
	struct attach a = {};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			a.read_only = true;
		else if (c == 'l')
			a.log = optarg;
		else if (c == 'd')
			a.daemon = optarg;
		else if (c == 'b')
			a.bounce = optarg;
		else if (c == 'h')
			a.cache = optarg;
		else if (c == 'e')
			a.engine = optarg;
		else if (c == 'c')
			a.create = optarg;
		else if (c == 'f')
			a.foreground = true;
		else if (c == 'C')
			config = optarg;
		else
			return cli_usage(self, "an option is not known or its argument is missing");
	}
	if (config)
		return attach_by_config(self, config, a.foreground, argc - optind, argv + optind);
	if (argc - optind != 3)
		return cli_usage(self, "give a guest, a disk and an image");
	return attach_disk(&a, argv[optind], argv[optind + 1], argv[optind + 2]);
}

const struct cli_command cli_disk_attach = {
	.name = "disk attach",
	.summary = "serve a guest's disk from an image, in the background",
	.help = "Usage: tessera disk attach GUEST DISK IMAGE [OPTIONS]\n"
		"       tessera disk attach --config FILE [--foreground] GUEST DISK\n\n"
		"DISK is the label given with --disk when the guest was created, or the disk's number. IMAGE is a file or\n"
		"block device made by `tessera image create`. Starts tesserad and returns when it serves the disk; it ends\n"
		"with the guest or with `tessera disk detach`.\n\n"
		"  --read-only    refuse the guest's writes\n"
		"  --cache HOW    writeback or writethrough: when a write is durable (see tesserad --help)\n"
		"  --bounce WHEN  auto or always: copy what is to be written first (see tesserad --help)\n"
		"  --engine NAME  what keeps the image, if not a file or block device (see tesserad --help)\n"
		"  --create SIZE  make an empty disk if the place named IMAGE is blank\n"
		"  --foreground   become tesserad instead of starting it, with --config once the guest is there: for systemd and the like\n"
		"  --config FILE  IMAGE and the other options as the guest's file says (see `tessera guest start --help`);\n"
		"                 a directory stands for GUEST.json in it\n"
		"  --log FILE     where tesserad writes its messages (default: here)\n"
		"  --daemon PATH  the tesserad to use (default: the one beside this program, else from PATH)\n\n"
		"Example:\n  tessera disk attach demo data /var/lib/tessera/data.img --log /var/log/tesserad.log\n",
	.run = run_attach,
};

/* Until the daemon has ended; false after the time is over. */
static bool wait_for_end(pid_t pid, int fd, uint32_t guest, int device, int seconds)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct tsr_ioc_config config = { .guest = guest };
	struct pollfd wait = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0)
		poll(&wait, 1, seconds * 1000);
	if (pidfd >= 0)
		close(pidfd);
	return host_call(fd, TSR_IOC_CONFIG, &config) < 0 || config.backend[device] != pid;
}

int disk_end(int fd, struct tsr_ioc_config *config, int device)
{
	if (config->backend[device] <= 0)
		return cli_fail(config->backend[device] ?
				"the process that served this disk has ended, and something it started still holds it" :
				"nobody serves this disk");
	if (kill(config->backend[device], SIGTERM) && errno != ESRCH)
		return cli_fail("process %d cannot be told to end: %s", config->backend[device], strerror(errno));
	if (!wait_for_end(config->backend[device], fd, config->guest, device, 30))
		return cli_fail("process %d still serves the disk after 30 seconds: it may wait for its storage", config->backend[device]);
	return CLI_OK;
}

static int run_detach(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_ioc_config config;
	int device, fd;

	if (argc != 3 || argv[1][0] == '-')
		return cli_usage(self, "give a guest and a disk");
	fd = host_open();
	if (fd < 0 || !host_find(fd, argv[1], &config))
		return CLI_FAILED;
	device = host_device(&config, argv[2]);
	if (device < 0)
		return CLI_FAILED;
	if (disk_end(fd, &config, device))
		return CLI_FAILED;
	printf("disk %s of guest %s is detached; the guest waits for it to come back\n", argv[2], config.name);
	return CLI_OK;
}

const struct cli_command cli_disk_detach = {
	.name = "disk detach",
	.summary = "end the process that serves a guest's disk",
	.help = "Usage: tessera disk detach GUEST DISK\n\n"
		"Requests in flight are finished first. The guest sees a disk that is away and waits; attach it again and it\n"
		"goes on.\n\nExample:\n  tessera disk detach demo data\n",
	.run = run_detach,
};
