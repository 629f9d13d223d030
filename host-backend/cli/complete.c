// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera complete: what shells ask. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host-backend/cli/complete.h"

/* Without a word if there is no hypervisor: somebody is typing. */
static int open_silently(void)
{
	return open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC);
}

static void print_guests(FILE *out, const char *start)
{
	struct tsr_ioc_guest guest;
	int fd = open_silently();
	uint32_t next = 0;

	while (fd >= 0 && host_next(fd, &next, &guest))
		if (!strncmp(guest.name, start, strlen(start)))
			fprintf(out, "%.*s\n", (int)sizeof(guest.name), guest.name);
	if (fd >= 0)
		close(fd);
}

static void print_disks(FILE *out, const char *guest, const char *start)
{
	struct tsr_ioc_guest found;
	struct tsr_ioc_config config;
	int fd = open_silently();
	uint32_t next = 0;

	while (fd >= 0 && host_next(fd, &next, &found)) {
		config = (struct tsr_ioc_config){ .guest = found.guest };
		if (strncmp(found.name, guest, sizeof(found.name)) || host_call(fd, TSR_IOC_CONFIG, &config) < 0)
			continue;
		for (uint32_t d = 0; d < TSR_MAX_DEVICES; d++) {
			const struct tsr_device_desc *device = &config.config.device[d];

			if (!device->type || strncmp((const char *)device->label, start, strlen(start)))
				continue;
			print_label(out, device->label);
			fputc('\n', out);
		}
	}
	if (fd >= 0)
		close(fd);
}

static int run_complete(const struct cli_command *self, int argc, char **argv)
{
	const struct complete_names names = { print_guests, print_disks };
	size_t count;
	const struct cli_command *const *commands = cli_commands(&count);

	(void)self;
	complete_line(stdout, commands, count, argc - 1, argv + 1, &names);
	return CLI_OK;
}

const struct cli_command cli_complete = {
	.name = "complete",
	.summary = "for shells: what may come next on a command line",
	.help = "Usage: tessera complete WORD...\n\n"
		"The WORDs are those after `tessera`; the last one is being typed and may be empty. Prints what it may become,\n"
		"one a line. host-backend/shell/tessera.bash has bash ask this.\n\n"
		"Example:\n  tessera complete guest st\n",
	.run = run_complete,
};
