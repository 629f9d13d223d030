// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera guest create, run, start, stop, destroy. Showing guests: show.c. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "host-backend/cli/options.h"

static bool load(int fd, uint32_t guest, const struct loader_contents *contents)
{
	for (unsigned i = 0; i < contents->segments; i++) {
		const struct loader_segment *s = &contents->segment[i];
		struct tsr_ioc_load arg = { .guest = guest, .gpa = s->gpa, .addr = (uintptr_t)s->data, .len = s->size };

		if (host_call(fd, TSR_IOC_LOAD, &arg) < 0) {
			cli_fail("the guest's contents cannot be loaded at 0x%" PRIx64 ": %s", s->gpa, host_error(errno));
			return false;
		}
	}
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
		"  --name NAME        to call it by; for people only\n"
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

static int run_start(const struct cli_command *self, int argc, char **argv)
{
	uint8_t identity[TSR_ID_SIZE];
	struct tsr_ioc_config config;
	int ret, fd = open_guest(self, argc, argv, &config, &ret);

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
	.summary = "close a built guest's identity and let it run",
	.help = "Usage: tessera guest start GUEST\n\nExample:\n  tessera guest start demo\n",
	.run = run_start,
};

const struct cli_command cli_guest_stop = {
	.name = "guest stop",
	.summary = "stop a guest for good; what it had not written to its disk is lost",
	.help = "Usage: tessera guest stop GUEST\n\n"
		"Like pulling the plug. To end a guest gently, let it power itself off.\n\nExample:\n  tessera guest stop demo\n",
	.run = run_stop,
};

const struct cli_command cli_guest_destroy = {
	.name = "guest destroy",
	.summary = "stop a guest if need be and take its memory back, scrubbed",
	.help = "Usage: tessera guest destroy GUEST\n\nExample:\n  tessera guest destroy demo\n",
	.run = run_destroy,
};
