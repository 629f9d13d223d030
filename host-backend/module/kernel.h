/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/* What is called differently in Debian 12's kernel (6.1) and Debian 13's (6.12). */
#ifndef TESSERA_HOST_KERNEL_H
#define TESSERA_HOST_KERNEL_H

#include <linux/eventfd.h>
#include <linux/io_uring.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring/cmd.h>

static inline const void *kernel_uring_payload(const struct io_uring_cmd *cmd)
{
	return io_uring_sqe_cmd(cmd->sqe);
}

static inline void kernel_ring(struct eventfd_ctx *doorbell)
{
	eventfd_signal(doorbell);
}
#else
static inline const void *kernel_uring_payload(const struct io_uring_cmd *cmd)
{
	return cmd->cmd;
}

static inline void kernel_ring(struct eventfd_ctx *doorbell)
{
	eventfd_signal(doorbell, 1);
}
#endif

#endif
