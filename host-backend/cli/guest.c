// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera guest create, run, start, stop, destroy. Showing guests: show.c. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host-backend/cli/config.h"
#include "host-backend/cli/options.h"
#include "host-backend/cli/progress.h"
#include "host-backend/common/notify.h"

#define LOAD_PIECE (8ull << 20)

static bool load(int fd, uint32_t guest, const struct loader_contents *contents)
{
	uint64_t done = 0, total = 0;

	for (unsigned i = 0; i < contents->segments; i++)
		total += contents->segment[i].size;
	progress_begin("loading");
	for (unsigned i = 0; i < contents->segments; i++) {
		const struct loader_segment *s = &contents->segment[i];

		/* In pieces, for the bar. */
		for (uint64_t at = 0; at < s->size; at += LOAD_PIECE) {
			uint64_t size = s->size - at < LOAD_PIECE ? s->size - at : LOAD_PIECE;
			struct tsr_ioc_load arg = { .guest = guest, .gpa = s->gpa + at, .addr = (uintptr_t)s->data + at, .len = size };

			if (host_call(fd, TSR_IOC_LOAD, &arg) < 0) {
				progress_end();
				cli_fail("the guest's contents cannot be loaded at 0x%" PRIx64 ": %s", arg.gpa, host_error(errno));
				return false;
			}
			done += size;
			progress(done, total);
		}
	}
	progress_end();
	return true;
}

/* Creates and loads; the guest's id or 0. */
static uint32_t create(int fd, const struct guest_options *o)
{
	struct tsr_ioc_create arg = { .config = o->config, .eip = o->contents.eip, .esi = o->contents.esi };

	memcpy(arg.name, o->name, sizeof(arg.name));
	if (host_call(fd, TSR_IOC_CREATE, &arg) < 0) {
		cli_fail("guest %s cannot be created: %s", o->name, host_error(errno));
		return 0;
	}
	if (load(fd, arg.guest, &o->contents))
		return arg.guest;
	host_call(fd, TSR_IOC_DESTROY, &arg.guest);
	return 0;
}

static bool launch(int fd, uint32_t guest, uint32_t eip, uint32_t esi, uint8_t identity[TSR_ID_SIZE])
{
	struct tsr_ioc_launch arg = { .guest = guest, .launch = { .eip = eip, .esi = esi } };

	if (host_call(fd, TSR_IOC_LAUNCH, &arg) < 0) {
		cli_fail("guest %u cannot be started: %s", guest, host_error(errno));
		return false;
	}
	memcpy(identity, arg.launch.identity, TSR_ID_SIZE);
	return true;
}

static void print_started(const char *name, uint32_t guest, const uint8_t identity[TSR_ID_SIZE], bool json)
{
	if (json)
		printf("{\"guest\":%u,\"name\":\"%s\",\"identity\":\"", guest, name);
	else
		printf("guest %s (%u) runs; its identity is ", name, guest);
	print_hex(stdout, identity, TSR_ID_SIZE);
	printf(json ? "\"}\n" : "\n");
}

static int create_or_run(const struct cli_command *self, int argc, char **argv, bool start)
{
	uint8_t identity[TSR_ID_SIZE];
	struct guest_options o;
	uint32_t guest;
	int fd, ret = guest_options_parse(&o, self, argc, argv);

	if (ret)
		return ret;
	if (!o.name[0]) {
		guest_options_free(&o);
		return cli_usage(self, "give the guest a name with --name");
	}
	fd = host_open();
	guest = fd < 0 ? 0 : create(fd, &o);
	ret = guest ? CLI_OK : CLI_FAILED;
	if (guest && start) {
		if (launch(fd, guest, o.contents.eip, o.contents.esi, identity)) {
			print_started(o.name, guest, identity, o.json);
		} else {
			host_call(fd, TSR_IOC_DESTROY, &guest);
			ret = CLI_FAILED;
		}
	} else if (guest && o.json) {
		printf("{\"guest\":%u,\"name\":\"%s\"}\n", guest, o.name);
	} else if (guest) {
		printf("guest %s (%u) is built; start it with: tessera guest start %s\n", o.name, guest, o.name);
	}
	guest_options_free(&o);
	return ret;
}

static int run_create(const struct cli_command *self, int argc, char **argv)
{
	return create_or_run(self, argc, argv, false);
}

static int run_run(const struct cli_command *self, int argc, char **argv)
{
	return create_or_run(self, argc, argv, true);
}

#define SEE_CREATE "The options are those of `tessera guest create`; see its --help.\n\n"

const struct cli_command cli_guest_create = {
	.name = "guest create",
	.summary = "build a guest: give it memory, load its contents",
	.help = "Usage: tessera guest create --name NAME --kernel FILE [OPTIONS] [--json]\n\n"
		GUEST_OPTIONS_HELP "\n"
		"Examples:\n"
		"  tessera guest create --name demo --kernel vmlinuz --initrd initrd.img --memory 512M --disk data\n"
		"  tessera guest create --name tiny --memory 4M --raw hello.bin --load-address 0x100000 --entry 0x100000\n",
	.run = run_create,
};

const struct cli_command cli_guest_run = {
	.name = "guest run",
	.summary = "create a guest and start it",
	.help = "Usage: tessera guest run --name NAME --kernel FILE [OPTIONS] [--json]\n\n" SEE_CREATE
		"Example:\n  tessera guest run --name demo --kernel vmlinuz --initrd initrd.img --disk data\n",
	.run = run_run,
	.options_of = &cli_guest_create,
};

/* One guest named as the only argument; -1 after saying why not. */
static int open_guest(const struct cli_command *self, int argc, char **argv, struct tsr_ioc_config *config, int *exit_code)
{
	int fd;

	*exit_code = CLI_USAGE;
	if (argc != 2 || argv[1][0] == '-') {
		cli_usage(self, "name one guest");
		return -1;
	}
	*exit_code = CLI_FAILED;
	fd = host_open();
	if (fd >= 0 && !host_find(fd, argv[1], config)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* systemd, if it started this, goes on now with what waits for the guest. */
static void say_ready(void)
{
	int fd = notify_open();

	if (fd < 0 ? errno : !notify_send(fd, "READY=1"))
		cli_fail("systemd cannot be told that the guest runs: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Its console comes out here until it ends, or this program is told to; then nothing is left of the guest. */
static int stay_with(const char *name, int stop)
{
	struct tsr_ioc_guest guest = {};
	struct tsr_ioc_config config;
	int ret, fd = host_open();

	if (fd < 0 || !host_find(fd, name, &config))
		return CLI_FAILED;
	fflush(stdout);
	ret = console_follow(fd, config.guest, stop);
	if (!ret && host_guest_info(fd, config.guest, &guest) && guest.info.state == TSR_GUEST_STOPPED) {
		fprintf(stderr, "tessera: guest %s has %s\n", name, guest_state_text(&guest));
		/* As a reset, an end that nobody asked for is a failure: so that whoever started this starts the guest again. */
		ret = guest.info.end == TSR_END_HOST || guest.info.end == TSR_END_POWEROFF ? CLI_OK : CLI_FAILED;
	}
	if (host_call(fd, TSR_IOC_DESTROY, &config.guest) < 0 && errno != ESRCH)
		return cli_fail("guest %s cannot be destroyed: %s", name, host_error(errno));
	return ret;
}

/* Creates and starts a guest as its file describes it, and has its disks served. */
static int start_by_config(const struct cli_command *self, const char *path, bool disks, bool foreground)
{
	struct config_error error;
	struct config config;
	int ret, stop = -1;
	sigset_t signals;

	if (config_read(&config, path, &error))
		return cli_fail("%s", error.text);
	if (foreground) {
		/* From the start: a guest that is half made is to be destroyed, too. */
		sigemptyset(&signals);
		sigaddset(&signals, SIGTERM);
		sigaddset(&signals, SIGINT);
		sigprocmask(SIG_BLOCK, &signals, NULL);
		stop = signalfd(-1, &signals, SFD_CLOEXEC);
	}
	optind = 0;
	ret = create_or_run(self, config.guest.argc, config.guest.argv, true);
	for (unsigned i = 0; i < config.disks && !ret && disks; i++) {
		struct config_line *line = &config.disk[i];

		optind = 0;
		ret = cli_disk_attach.run(&cli_disk_attach, line->argc, line->argv);
		if (ret)
			cli_fail("the guest runs, but waits for its disk %s; attach it, or end the guest with: tessera guest destroy %s",
				 line->argv[line->argc - 2], line->argv[line->argc - 3]);
	}
	if (!ret && foreground) {
		say_ready();
		ret = stay_with(config.name, stop);
	}
	config_free(&config);
	return ret;
}

static int run_start(const struct cli_command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "no-disks", no_argument, NULL, 'n' }, { "foreground", no_argument, NULL, 'f' }, {},
	};
	uint8_t identity[TSR_ID_SIZE];
	struct tsr_ioc_config config;
	const char *path = NULL;
	bool disks = true, foreground = false;
	int c, ret, fd;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			path = optarg;
		else if (c == 'n')
			disks = false;
		else if (c == 'f')
			foreground = true;
		else
			return cli_usage(self, "an option is not known or its argument is missing");
	}
	if (path)
		return optind == argc ? start_by_config(self, path, disks, foreground) : cli_usage(self, "the file names the guest");
	if (foreground)
		return cli_usage(self, "--foreground goes with --config");
	fd = open_guest(self, argc, argv, &config, &ret);
	if (fd < 0)
		return ret;
	if (!launch(fd, config.guest, config.eip, config.esi, identity))
		return CLI_FAILED;
	print_started(config.name, config.guest, identity, false);
	return CLI_OK;
}

static int run_stop(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_ioc_config config;
	int ret, fd = open_guest(self, argc, argv, &config, &ret);

	if (fd < 0)
		return ret;
	if (host_call(fd, TSR_IOC_STOP, &config.guest) < 0)
		return cli_fail("guest %s cannot be stopped: %s", config.name, host_error(errno));
	printf("guest %s (%u) is stopped and will not run again; its memory is kept until: tessera guest destroy %s\n", config.name,
	       config.guest, config.name);
	return CLI_OK;
}

static int run_pause(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_ioc_config config;
	int ret, fd = open_guest(self, argc, argv, &config, &ret);

	if (fd < 0)
		return ret;
	if (host_call(fd, TSR_IOC_PAUSE, &config.guest) < 0)
		return cli_fail("guest %s cannot be paused: %s", config.name, host_error(errno));
	printf("guest %s (%u) is paused; it goes on with: tessera guest resume %s\n", config.name, config.guest, config.name);
	return CLI_OK;
}

static int run_resume(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_ioc_config config;
	int ret, fd = open_guest(self, argc, argv, &config, &ret);

	if (fd < 0)
		return ret;
	if (host_call(fd, TSR_IOC_RESUME, &config.guest) < 0)
		return cli_fail("guest %s cannot be resumed: %s", config.name, host_error(errno));
	printf("guest %s (%u) runs\n", config.name, config.guest);
	return CLI_OK;
}

static int run_destroy(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_ioc_config config;
	int ret, fd = open_guest(self, argc, argv, &config, &ret);

	if (fd < 0)
		return ret;
	if (host_call(fd, TSR_IOC_DESTROY, &config.guest) < 0)
		return cli_fail("guest %s cannot be destroyed: %s", config.name, host_error(errno));
	printf("guest %s (%u) is destroyed; its memory came back scrubbed\n", config.name, config.guest);
	return CLI_OK;
}

const struct cli_command cli_guest_start = {
	.name = "guest start",
	.summary = "let a built guest run, or one that a file describes",
	.help = "Usage: tessera guest start GUEST\n"
		"       tessera guest start --config FILE [--no-disks] [--foreground]\n\n"
		"The first closes the identity of a guest that `tessera guest create` has built, and lets it run.\n\n"
		"  --config FILE  create and start the guest that FILE describes, and attach its disks\n"
		"  --no-disks     attach none: something else does, such as tesserad@GUEST-DISK.service\n"
		"  --foreground   print the guest's console and stay until it ends, which is success if it powered itself off, and a failure\n"
		"                 if not; then, or when told to end, destroy it: for systemd, which is told when the guest runs, and the like\n\n"
		"FILE is JSON. Its members are the options of `tessera guest create` without the dashes; \"disks\" is a list, and\n"
		"the members of a disk are its \"label\", its \"image\", its \"suite\", and the options of `tessera disk attach`:\n\n"
		"  { \"name\": \"demo\", \"kernel\": \"/boot/vmlinuz\", \"initrd\": \"/boot/guest.img\", \"memory\": \"512M\",\n"
		"    \"console-input\": false,\n"
		"    \"disks\": [ { \"label\": \"data\", \"image\": \"/var/lib/tessera/data.img\", \"read-only\": false } ] }\n\n"
		"Examples:\n  tessera guest start demo\n  tessera guest start --config /etc/tessera/demo.json\n",
	.run = run_start,
};

const struct cli_command cli_guest_stop = {
	.name = "guest stop",
	.summary = "stop a guest for good; what it had not written to its disk is lost",
	.help = "Usage: tessera guest stop GUEST\n\n"
		"Like pulling the plug. To end a guest gently, let it power itself off.\n\nExample:\n  tessera guest stop demo\n",
	.run = run_stop,
};

const struct cli_command cli_guest_pause = {
	.name = "guest pause",
	.summary = "let a guest's virtual CPUs rest; its clocks go on",
	.help = "Usage: tessera guest pause GUEST\n\n"
		"While all guests are paused and their disks detached, the module tessera_host can be removed and another version\n"
		"loaded, which takes the guests over. Whoever follows a console holds the module, so `tessera guest start --foreground`\n"
		"does, and with it the unit tessera-guest@: start such guests without --foreground.\n\n"
		"Examples:\n  tessera guest pause demo\n"
		"  tessera disk detach demo data && rmmod tessera_host && modprobe tessera_host && tessera guest resume demo\n",
	.run = run_pause,
};

const struct cli_command cli_guest_resume = {
	.name = "guest resume",
	.summary = "let a paused guest go on",
	.help = "Usage: tessera guest resume GUEST\n\nExample:\n  tessera guest resume demo\n",
	.run = run_resume,
};

const struct cli_command cli_guest_destroy = {
	.name = "guest destroy",
	.summary = "stop a guest if need be and take its memory back, scrubbed",
	.help = "Usage: tessera guest destroy GUEST\n\nExample:\n  tessera guest destroy demo\n",
	.run = run_destroy,
};
