/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* How a block's data moves between the image's medium and the guest's pages: chosen once, when the daemon starts. */
#ifndef DAEMON_MEDIUM_H
#define DAEMON_MEDIUM_H

#include <stdbool.h>
#include <sys/types.h>
#include <tessera/host.h>
#include "host-backend/image/file.h"

struct medium {
	enum tsr_backend_mode mode;
	enum tsr_backend_reason reason; /* why not direct */
};

/* What is known of the storage under an image. */
enum medium_kind {
	MEDIUM_PLAIN,   /* takes pages by DMA, whatever they hold while they are taken */
	MEDIUM_STABLE,  /* a page must not change while it is written: checksums, parity, mirrors of it would be wrong, and not only its own */
	MEDIUM_UNKNOWN, /* its kernel part may copy, or do more with the pages than is known here */
};

/* Of a block device: its queue and those below it (partitions, md, dm), from sysfs, which is mounted at the path given. */
enum medium_kind medium_of_device(const char *sysfs, dev_t device);

/* Of an open file or block device; type: what fstatfs calls its file system. */
enum medium_kind medium_of_file(const char *sysfs, int fd, unsigned long type);

/* All data is copied, for this reason. */
void medium_copy(struct medium *medium, enum tsr_backend_reason reason);

/* iommu: DMA reaches the guest's pages. always: writes bounce, whatever the medium is. Opens file's descriptor for direct I/O. */
void medium_choose(struct medium *medium, struct image_file *file, bool read_only, uint64_t slots, bool iommu, bool always);

/* One line for people. */
void medium_say(const struct medium *medium);

#endif
