/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A guest can change its pages while they are being written: the pages are its own. Where something between here and the medium computes
 * over a page that DMA takes later (parity, checksums), a guest could make these wrong at will, for data that shares them with it as well. So
 * such media get a private copy, and there is no way to be told otherwise.
 */
#include "host-backend/daemon/medium.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"

#define MAX_LAYERS 8

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

static const char *const reasons[] = {
#define TEXT(name, text) text,
	TSR_BACKEND_REASONS(TEXT)
#undef TEXT
};

/* The first character of a file, or 0. */
static char first_of(const char *directory, const char *name)
{
	char path[PATH_MAX], byte = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, &byte, 1) != 1)
		byte = 0;
	close(fd);
	return byte;
}

static enum medium_kind worse(enum medium_kind a, enum medium_kind b)
{
	return a > b ? a : b;
}

/* NVMe over anything but PCI Express; device is a disk of one controller, or of several by way of their subsystem. */
static bool fabrics(const char *device)
{
	char path[PATH_MAX], transport = first_of(device, "device/transport");
	struct dirent *entry;
	DIR *controllers;

	if (snprintf(path, sizeof(path), "%s/device", device) >= (int)sizeof(path))
		return true;
	controllers = transport ? NULL : opendir(path);
	while (controllers && (entry = readdir(controllers))) {
		char name[sizeof("/transport") + NAME_MAX];

		snprintf(name, sizeof(name), "%s/transport", entry->d_name);
		if (strncmp(name, "nvme", 4) == 0 && (!transport || transport == 'p'))
			transport = first_of(path, name);
	}
	if (controllers)
		closedir(controllers);
	return transport && transport != 'p';
}

/* A SCSI disk below an iSCSI session. */
static bool iscsi(const char *device)
{
	char path[PATH_MAX];

	return realpath(device, path) && strstr(path, "/session");
}

/* TCP's checksum may be computed before a page leaves; if that no longer fits it, the connection stalls, and all disks behind it. */
static bool over_network(const char *device)
{
	char disk[PATH_MAX];

	if (snprintf(disk, sizeof(disk), "%s%s", device, first_of(device, "partition") ? "/.." : "") >= (int)sizeof(disk))
		return true;
	return first_of(disk, "pid") /* nbd */ || iscsi(disk) || fabrics(disk);
}

static enum medium_kind of_queue(const char *device)
{
	char stable = first_of(device, "queue/stable_writes");

	if (!stable)
		stable = first_of(device, "../queue/stable_writes"); /* a partition's is its disk's */
	if (first_of(device, "loop/backing_file") || first_of(device, "../loop/backing_file"))
		return MEDIUM_UNKNOWN;
	if (over_network(device))
		return MEDIUM_STABLE;
	/* A kernel that does not tell is taken for one that would say yes. */
	return stable == '0' ? MEDIUM_PLAIN : MEDIUM_STABLE;
}

static enum medium_kind of_layers(const char *device, int depth)
{
	enum medium_kind kind = of_queue(device);
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *slaves;

	snprintf(path, sizeof(path), "%s/slaves", device);
	slaves = opendir(path);
	if (!slaves) {
		snprintf(path, sizeof(path), "%s/../slaves", device);
		slaves = opendir(path);
	}
	while (slaves && (entry = readdir(slaves))) {
		char below[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		if (depth == MAX_LAYERS || snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= (int)sizeof(below))
			kind = MEDIUM_UNKNOWN;
		else
			kind = worse(kind, of_layers(below, depth + 1));
	}
	if (slaves)
		closedir(slaves);
	return kind;
}

enum medium_kind medium_of_device(const char *sysfs, dev_t device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sysfs, major(device), minor(device));
	return access(path, F_OK) ? MEDIUM_UNKNOWN : of_layers(path, 0);
}

/* Files of the older formats that ext4 also serves fall back to the page cache, silently, where they have holes. */
static bool in_extents(int fd)
{
	int flags;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_EXTENT_FL;
}

enum medium_kind medium_of_file(const char *sysfs, int fd, unsigned long type)
{
	struct stat status;

	if (fstat(fd, &status))
		return MEDIUM_UNKNOWN;
	if (S_ISBLK(status.st_mode))
		return medium_of_device(sysfs, status.st_rdev);
	if (type == BTRFS_SUPER_MAGIC)
		return MEDIUM_STABLE;
	if (type == XFS_SUPER_MAGIC || (type == EXT4_SUPER_MAGIC && in_extents(fd)))
		return medium_of_device(sysfs, status.st_dev);
	return MEDIUM_UNKNOWN;
}

void medium_copy(struct medium *medium, enum tsr_backend_reason reason)
{
	*medium = (struct medium){ .mode = TSR_BACKEND_COPY, .reason = reason };
}

void medium_choose(struct medium *medium, struct image_file *file, bool read_only, uint64_t slots, bool iommu, bool always)
{
	struct statfs system = { 0 };
	enum medium_kind kind;

	if (!iommu) {
		medium_copy(medium, TSR_BACKEND_WHY_NO_IOMMU);
		return;
	}
	kind = fstatfs(file->fd, &system) ? MEDIUM_UNKNOWN : medium_of_file("/sys", file->fd, system.f_type);
	if (kind == MEDIUM_UNKNOWN) {
		medium_copy(medium, TSR_BACKEND_WHY_MEDIUM);
		return;
	}
	if (image_file_direct(file, read_only, slots)) {
		medium_copy(medium, TSR_BACKEND_WHY_REFUSED);
		return;
	}
	*medium = (struct medium){ .mode = TSR_BACKEND_DIRECT };
	if (kind == MEDIUM_STABLE || always) {
		medium->mode = TSR_BACKEND_BOUNCE;
		medium->reason = kind == MEDIUM_STABLE ? TSR_BACKEND_WHY_STABLE : TSR_BACKEND_WHY_FORCED;
	}
}

void medium_say(const struct medium *medium)
{
	switch (medium->mode) {
	case TSR_BACKEND_DIRECT:
		log_line("zero copy: data moves by DMA between the disk and the guest's pages");
		return;
	case TSR_BACKEND_BOUNCE:
		log_line("data to be written is copied once: %s; reads go to the guest's pages by DMA", reasons[medium->reason]);
		return;
	case TSR_BACKEND_COPY:
		log_line("WARNING: all data is copied by CPU: %s", reasons[medium->reason]);
	}
}
