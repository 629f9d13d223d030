/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* An image's medium on Linux: a file or a block device, with a lock that outlives a killed process's requests. */
#ifndef IMAGE_FILE_H
#define IMAGE_FILE_H

#include "host-backend/image/image.h"

struct image_file {
	int fd;    /* carries the lock; requests in flight hold it, even when their process was killed */
	int guard; /* block devices: keeps mounts away; else -1 */
	int direct; /* O_DIRECT, for slots' data only; or -1 */
	bool device;
	struct image_io io;
};

/*
 * Opens and locks path: exclusively, or shared if read_only. waiting, if not NULL, is called once before it waits for another holder;
 * if NULL it does not wait. 0 or a negative errno with error filled.
 */
int image_file_open(struct image_file *file, const char *path, bool read_only, void (*waiting)(const char *path),
		    struct image_error *error);

/*
 * Makes path, of the size that blocks need, sparse, and an empty image in it. An existing file is refused; a block device is used. progress: as
 * in struct image_io, or NULL.
 */
int image_file_create(const char *path, uint64_t blocks, void (*progress)(uint64_t done, uint64_t total), struct image_error *error);

/* Grows the image in path to blocks; a file is made as large as that needs, a block device has to be. 0 or a negative errno. */
int image_file_grow(const char *path, uint64_t blocks, struct image_error *error);

/*
 * Opens the medium once more, with O_DIRECT, for the slots' data; everything else stays with fd and the page cache, and the two share no
 * page. A sync of fd makes both durable. The lock is shared out between both descriptors. After image_load. 0 or a negative errno:
 * then the medium does no direct I/O and file is as it was.
 */
int image_file_direct(struct image_file *file, bool read_only, uint64_t slots);

void image_file_close(struct image_file *file);

#endif
