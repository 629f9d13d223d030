/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/backend.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"

static int call(const struct backend *backend, unsigned long request, void *argument)
{
	int result = ioctl(backend->fd, request, argument);

	return result < 0 ? -errno : result;
}

static int device_window(void *context, void *address, size_t size)
{
	struct tsr_ioc_window window = { .addr = (uintptr_t)address, .len = size };

	return call(context, TSR_IOC_WINDOW, &window);
}

static int device_map(void *context, const struct tsr_ioc_map *map)
{
	struct tsr_ioc_map copy = *map;

	return call(context, TSR_IOC_MAP, &copy);
}

static int device_maps(void *context, struct tsr_ioc_map *map, uint32_t count)
{
	struct tsr_ioc_maps maps = { .maps = (uintptr_t)map, .count = count };

	return call(context, TSR_IOC_MAPS, &maps);
}

static int device_copy(void *context, const struct tsr_ioc_copy *copy)
{
	struct tsr_ioc_copy own = *copy;

	return call(context, TSR_IOC_COPY, &own);
}

static int device_unmap(void *context, const struct tsr_token *token)
{
	struct tsr_token copy = *token;

	return call(context, TSR_IOC_UNMAP, &copy);
}

static int device_doorbell(void *context, uint32_t queue, int eventfd)
{
	struct tsr_ioc_doorbell doorbell = { .queue = queue, .eventfd = eventfd };

	return call(context, TSR_IOC_DOORBELL, &doorbell);
}

static int device_raise(void *context, uint32_t event)
{
	return call(context, TSR_IOC_RAISE, &event);
}

static const struct backend_ops device_ops = {
	.window = device_window,
	.map = device_map,
	.maps = device_maps,
	.unmap = device_unmap,
	.copy = device_copy,
	.doorbell = device_doorbell,
	.raise = device_raise,
};

static const char *advice(int error)
{
	switch (error) {
	case EBUSY:
		return "another tesserad serves it: end that one first";
	case ESRCH:
		return "no such guest: see `tessera guest list`";
	case ENODEV:
		return "the guest was created without such a device";
	case EACCES:
	case EPERM:
		return "run it as root";
	}
	return "see the kernel's log";
}

void backend_name(char *text, size_t size, uint32_t guest, uint32_t device)
{
	struct tsr_ioc_config config = { .guest = guest };
	int control = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC);
	char label[TSR_LABEL_SIZE + 1] = "";

	if (control >= 0 && device < TSR_MAX_DEVICES && ioctl(control, TSR_IOC_CONFIG, &config) == 0)
		memcpy(label, config.config.device[device].label, TSR_LABEL_SIZE);
	if (control >= 0)
		close(control);
	for (char *c = label; *c; c++)
		*c = isgraph((unsigned char)*c) ? *c : '?';
	if (label[0])
		snprintf(text, size, "guest %.*s (%u) disk %s (%u)", (int)TSR_NAME_SIZE, config.name, guest, label, device);
	else
		snprintf(text, size, "guest %u disk %u", guest, device);
}

static bool has_iommu(int control)
{
	struct tsr_info info;

	return ioctl(control, TSR_IOC_INFO, &info) == 0 && info.features & TSR_FEATURE_IOMMU;
}

static int attach(struct backend *backend, int control, uint32_t guest, uint32_t device)
{
	struct tsr_ioc_attach attach = { .guest = guest, .device = device };

	*backend = (struct backend){ .ops = &device_ops, .context = backend, .command = -1, .iommu = has_iommu(control) };
	backend->fd = ioctl(control, TSR_IOC_ATTACH, &attach);
	if (backend->fd < 0)
		return -errno;
	backend->command = backend->fd;
	backend->page = mmap(NULL, TSR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, backend->fd, 0);
	if (backend->page != MAP_FAILED)
		return 0;
	close(backend->fd);
	return -errno;
}

int backend_attach(struct backend *backend, uint32_t guest, uint32_t device)
{
	int control = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC);
	int error;

	if (control < 0) {
		error = -errno;
		log_line("opening " TSR_HOST_DEVICE " failed: %s; load the host module with `modprobe tessera_host`, as root",
			 strerror(-error));
		return error;
	}
	error = attach(backend, control, guest, device);
	close(control);
	if (error)
		log_line("attaching to guest %u, device %u failed: %s; %s", guest, device, strerror(-error), advice(-error));
	return error;
}

/* A mapping holds the descriptor as well. */
void backend_detach(struct backend *backend)
{
	munmap(backend->page, TSR_PAGE_SIZE);
	backend->page = NULL;
	close(backend->fd);
	backend->fd = -1;
}
