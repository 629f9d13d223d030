// SPDX-License-Identifier: BSD-2-Clause-Patent
/* Talking to the host module. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host-backend/cli/cli.h"

int host_open(void)
{
	int fd = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		cli_fail("there is no %s: load the host module with `modprobe tessera_host`; that needs this machine to run under the "
			 "Tessera hypervisor", TSR_HOST_DEVICE);
	else if (errno == EACCES || errno == EPERM)
		cli_fail("%s is for root only: run this as root", TSR_HOST_DEVICE);
	else
		cli_fail("%s cannot be opened: %s", TSR_HOST_DEVICE, strerror(errno));
	return -1;
}

int host_call(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret;
}

const char *host_error(int err)
{
	switch (err) {
	case EEXIST:
		return "a guest of this name lives already: choose another name, or destroy that one";
	case ENOMEM:
		return "there is not enough free memory: give the guest less, or free some";
	case ESRCH:
		return "no such guest: see `tessera guest list`";
	case EPERM:
		return "the hypervisor forbids it: the guest's measured policy does not allow it, or this machine may run no guests "
		       "(without an IOMMU the hypervisor needs iommu=off on its command line)";
	case EBADFD:
		return "the guest's state does not allow this: see `tessera guest show`";
	case ESHUTDOWN:
		return "this host is going down";
	case EDQUOT:
		return "a limit is reached: see `tessera info`";
	case EBUSY:
		return "it is in use: wait for its holder to let go, or end that";
	case EINVAL:
		return "the host module or the hypervisor refuses an argument";
	}
	return strerror(err);
}

bool host_next(int fd, uint32_t *id, struct tsr_ioc_guest *guest)
{
	memset(guest, 0, sizeof(*guest));
	guest->guest = *id;
	if (host_call(fd, TSR_IOC_LIST, guest) < 0) {
		if (errno == ENOENT)
			errno = 0;
		return false;
	}
	*id = guest->guest + 1;
	return true;
}

bool host_guest_info(int fd, uint32_t id, struct tsr_ioc_guest *guest)
{
	uint32_t next = id;

	return host_next(fd, &next, guest) && guest->guest == id;
}

bool host_has(int fd, const char *name_or_id, struct tsr_ioc_config *config)
{
	struct tsr_ioc_guest guest;
	uint32_t next = 0;
	uint64_t number;
	bool is_number = text_number(name_or_id, UINT32_MAX, &number);
	bool found = false;

	/* A name may look like a number: names go first. */
	while (!found && host_next(fd, &next, &guest))
		found = !strncmp(guest.name, name_or_id, sizeof(guest.name));
	if (!found && is_number)
		found = host_guest_info(fd, (uint32_t)number, &guest);
	memset(config, 0, sizeof(*config));
	config->guest = guest.guest;
	return found && !host_call(fd, TSR_IOC_CONFIG, config);
}

bool host_find(int fd, const char *name_or_id, struct tsr_ioc_config *config)
{
	if (host_has(fd, name_or_id, config))
		return true;
	cli_fail("there is no guest %s: see `tessera guest list`", name_or_id);
	return false;
}

void host_backend(int fd, uint32_t guest, uint32_t device, struct tsr_ioc_backend *report)
{
	*report = (struct tsr_ioc_backend){ .guest = guest, .device = device };
	if (host_call(fd, TSR_IOC_BACKEND, report) < 0)
		*report = (struct tsr_ioc_backend){ .guest = guest, .device = device };
}

static const struct {
	const char *mode, *text;
} modes[] = {
	[TSR_BACKEND_COPY] = { "copy", "all data is copied by CPU" },
	[TSR_BACKEND_BOUNCE] = { "bounce", "reads by DMA into the guest's pages, writes from a copy" },
	[TSR_BACKEND_DIRECT] = { "direct", "zero copy: DMA between the disk and the guest's pages" },
};

static bool says_mode(const struct tsr_ioc_backend *report)
{
	return report->mode && report->mode < sizeof(modes) / sizeof(modes[0]);
}

const char *backend_mode(const struct tsr_ioc_backend *report)
{
	return says_mode(report) ? modes[report->mode].mode : NULL;
}

const char *backend_text(const struct tsr_ioc_backend *report)
{
	return says_mode(report) ? modes[report->mode].text : NULL;
}

const char *backend_reason(const struct tsr_ioc_backend *report)
{
	static const char *const reasons[] = {
#define TEXT(name, text) text,
		TSR_BACKEND_REASONS(TEXT)
#undef TEXT
	};

	return report->reason < TSR_BACKEND_REASON_NR ? reasons[report->reason] : "";
}

int host_device(const struct tsr_ioc_config *config, const char *text)
{
	uint8_t label[TSR_LABEL_SIZE];
	uint64_t number;

	for (int i = 0; text_label(text, label) && i < (int)TSR_MAX_DEVICES; i++)
		if (config->config.device[i].type && !memcmp(config->config.device[i].label, label, sizeof(label)))
			return i;
	if (text_number(text, TSR_MAX_DEVICES - 1, &number) && config->config.device[number].type)
		return (int)number;
	cli_fail("guest %.*s has no device %s: its devices were fixed with --disk when it was created (see `tessera guest show %.*s`)",
		 (int)TSR_NAME_SIZE, config->name, text, (int)TSR_NAME_SIZE, config->name);
	return -1;
}
