/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The engine for files and block devices, on the queues' own io_uring. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include "host-backend/daemon/engine.h"

static int file_open(struct image_io *io, const struct engine_where *where, struct image_error *error)
{
	struct image_file *file = calloc(1, sizeof(*file));
	int result;

	if (!file) {
		snprintf(error->text, sizeof(error->text), "%s: there is no memory to open it", where->name);
		return -ENOMEM;
	}
	result = image_file_open(file, where->name, where->read_only, where->waiting, error);
	if (result)
		free(file);
	else
		*io = file->io;
	return result;
}

static void file_close(void *context)
{
	image_file_close(context);
	free(context);
}

static void file_medium(void *context, struct medium *medium, bool read_only, uint64_t slots, bool iommu, bool always)
{
	medium_choose(medium, context, read_only, slots, iommu, always);
}

enum { FILE_CACHED, FILE_DIRECT };

static uint32_t file_files(void *context, int *fds)
{
	const struct image_file *file = context;

	fds[FILE_CACHED] = file->fd;
	fds[FILE_DIRECT] = file->direct;
	return file->direct < 0 ? 1 : 2;
}

static void file_submit(struct engine_io *io)
{
	const struct image_file *file = io->context;
	struct io_uring_sqe *sqe = engine_sqe(io);
	int fd = io->meta || file->direct < 0 ? FILE_CACHED : FILE_DIRECT;

	if (io->op == ENGINE_SYNC)
		io_uring_prep_fsync(sqe, FILE_CACHED, IORING_FSYNC_DATASYNC);
	else if (io->op == ENGINE_DISCARD)
		io_uring_prep_fallocate(sqe, FILE_CACHED, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io->offset, io->size);
	else if (io->fixed && io->op == ENGINE_WRITE)
		io_uring_prep_write_fixed(sqe, fd, io->data, io->size, io->offset, 0);
	else if (io->fixed)
		io_uring_prep_read_fixed(sqe, fd, io->data, io->size, io->offset, 0);
	else if (io->op == ENGINE_WRITE)
		io_uring_prep_write(sqe, fd, io->data, io->size, io->offset);
	else
		io_uring_prep_read(sqe, fd, io->data, io->size, io->offset);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
}

static const struct engine engine_file = {
	.name = "file",
	.help = "a file or a block device",
	.open = file_open,
	.close = file_close,
	.submit = file_submit,
	.files = file_files,
	.discards = true,
	.late_reads = true, /* records go to the page cache, page by page under its lock */
	.medium = file_medium,
};
ENGINE(file);
