/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A backend descriptor of /dev/tessera, or a test's stand-in for it. All calls return 0 or more, or a negative errno. */
#ifndef DAEMON_BACKEND_H
#define DAEMON_BACKEND_H

#include <stdbool.h>
#include <tessera/host.h>

struct backend_ops {
	void *(*memory)(void *context, size_t size); /* of a window, or MAP_FAILED; NULL: take huge pages */
	int (*window)(void *context, void *address, size_t size); /* window number */
	int (*map)(void *context, const struct tsr_ioc_map *map);
	int (*maps)(void *context, struct tsr_ioc_map *map, uint32_t count); /* each has its own result */
	int (*unmap)(void *context, const struct tsr_token *token);
	int (*copy)(void *context, const struct tsr_ioc_copy *copy);
	int (*doorbell)(void *context, uint32_t queue, int eventfd);
	int (*raise)(void *context, uint32_t event);
};

struct backend {
	const struct backend_ops *ops;
	void *context;
	int fd;      /* poll and read: struct tsr_backend_event; owned */
	int command; /* descriptor for io_uring commands, or -1: use ops->raise; not owned */
	bool iommu;  /* devices follow the swap of windows: DMA may go to the guest's pages */
	struct tsr_backend_page *page; /* counters that `tessera guest show` shows; mapped */
};

/* How messages call a guest's device: "guest demo (3) disk data (0)", or by numbers only if the host module does not know it. */
void backend_name(char *text, size_t size, uint32_t guest, uint32_t device);

/* Attaches to a guest's device: 0, or a negative errno after saying on the log what to do. */
int backend_attach(struct backend *backend, uint32_t guest, uint32_t device);

/* The module unmaps what is mapped and lets go of the windows. page is gone. */
void backend_detach(struct backend *backend);

#endif
