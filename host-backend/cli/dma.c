// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera dma-faults. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "host-backend/cli/cli.h"

/* The name of the driver that this host has given a device to, or NULL. Requester ids tell no PCI segment: the hypervisor serves the first. */
static const char *driver_of(uint16_t device, char target[PATH_MAX])
{
	char path[64], *name;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/0000:%02x:%02x.%x/driver", device >> 8, device >> 3 & 31u, device & 7u);
	len = readlink(path, target, PATH_MAX - 1);
	if (len <= 0)
		return NULL;
	target[len] = '\0';
	name = strrchr(target, '/');
	return name ? name + 1 : target;
}

static int show_json(const struct tsr_dma_faults *faults, uint32_t count)
{
	json_t *list = json_array();
	char buffer[PATH_MAX];

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, dma_fault_json(&faults->fault[i], driver_of(faults->fault[i].device, buffer)));
	return print_json(json_pack("{s:I, s:o}", "total", (json_int_t)faults->total, "faults", list));
}

static int show(const struct tsr_dma_faults *faults, uint32_t count)
{
	char buffer[PATH_MAX];

	printf("%" PRIu64 " accesses by devices were refused and recorded since the hypervisor's start", faults->total);
	printf(count ? "; the latest, oldest first:\nDEVICE   ACCESS ADDRESS             REASON  DRIVER\n" : "\n");
	for (uint32_t i = 0; i < count; i++) {
		print_dma_fault(stdout, &faults->fault[i], driver_of(faults->fault[i].device, buffer));
		printf("\n");
	}
	return CLI_OK;
}

static int run_dma_faults(const struct cli_command *self, int argc, char **argv)
{
	struct tsr_dma_faults faults = {};
	uint32_t count;
	bool json;
	int fd;

	if (!json_option(self, argc, argv, &json))
		return CLI_USAGE;
	if (optind != argc)
		return cli_usage(self, "too many arguments");
	fd = host_open();
	if (fd < 0)
		return CLI_FAILED;
	if (host_call(fd, TSR_IOC_DMA_FAULTS, &faults) < 0)
		return cli_fail("the refused accesses cannot be listed: %s", host_error(errno));
	count = faults.count < TSR_DMA_FAULTS_MAX ? faults.count : TSR_DMA_FAULTS_MAX;
	return json ? show_json(&faults, count) : show(&faults, count);
}

const struct cli_command cli_dma_faults = {
	.name = "dma-faults",
	.summary = "which device tried which address and was refused",
	.help = "Usage: tessera dma-faults [--json]\n\n"
		"The latest accesses to memory by devices that the IOMMU refused and recorded: the device (bus:device.function),\n"
		"the address as the device gave it, the unit's own number for the reason, and the driver that has the device.\n"
		"A device that shows up here is broken, is driven wrongly, or was told to attack. QEMU's AMD unit records none.\n\n"
		"Examples:\n  tessera dma-faults\n  tessera dma-faults --json\n",
	.run = run_dma_faults,
};
