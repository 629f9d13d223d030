/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/image/file.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int file_read(void *context, void *data, size_t size, uint64_t offset)
{
	const struct image_file *file = context;

	while (size) {
		ssize_t got = pread(file->fd, data, size, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO; /* end of file inside an image: it was cut */
		data = (uint8_t *)data + got;
		size -= got;
		offset += got;
	}
	return 0;
}

static int file_write(void *context, const void *data, size_t size, uint64_t offset)
{
	const struct image_file *file = context;

	while (size) {
		ssize_t put = pwrite(file->fd, data, size, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		data = (const uint8_t *)data + put;
		size -= put;
		offset += put;
	}
	return 0;
}

static int file_sync(void *context)
{
	const struct image_file *file = context;

	return fdatasync(file->fd) ? -errno : 0;
}

static int refuse(struct image_error *error, int code, const char *path, const char *what, const char *advice)
{
	snprintf(error->text, sizeof(error->text), "%s: %s: %s%s%s", path, what, strerror(code), advice ? "; " : "", advice ? advice : "");
	return -code;
}

/*
 * An OFD lock belongs to the open file description. A killed process's io_uring requests keep that alive until the last of them has
 * ended, so whoever gets the lock next cannot be overtaken by an old write.
 */
static int lock(struct image_file *file, const char *path, bool read_only, void (*waiting)(const char *path), struct image_error *error)
{
	struct flock how = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(file->fd, F_OFD_SETLK, &how) == 0)
		return 0;
	if ((errno != EAGAIN && errno != EACCES) || !waiting)
		return refuse(error, errno, path, "locking it failed", "another tesserad or `tessera image` may be using it: end that first");
	waiting(path);
	while (fcntl(file->fd, F_OFD_SETLKW, &how))
		if (errno != EINTR)
			return refuse(error, errno, path, "locking it failed", NULL);
	return 0;
}

static int look(struct image_file *file, const char *path, struct image_error *error)
{
	struct stat status;

	if (fstat(file->fd, &status))
		return refuse(error, errno, path, "looking at it failed", NULL);
	file->io.size = status.st_size;
	file->device = S_ISBLK(status.st_mode);
	if (!file->device)
		return S_ISREG(status.st_mode) ? 0 : refuse(error, EINVAL, path, "neither a file nor a block device", NULL);
	if (ioctl(file->fd, BLKGETSIZE64, &file->io.size))
		return refuse(error, errno, path, "asking for its size failed", NULL);
	file->guard = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (file->guard < 0)
		return refuse(error, errno, path, "it is in use by the kernel", "unmount it, or name another device");
	return 0;
}

/* Clean pages of the cache may be older than what a direct writer left, if somebody (udev, say) read the disk meanwhile. */
static void forget_cached(const struct image_file *file)
{
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int open_with(struct image_file *file, const char *path, int flags, void (*waiting)(const char *path), struct image_error *error)
{
	int result;

	*file = (struct image_file){
		.fd = open(path, flags | O_CLOEXEC, 0600),
		.guard = -1,
		.direct = -1,
		.io = { .read = file_read, .write = file_write, .sync = file_sync, .context = file },
	};
	if (file->fd < 0)
		return refuse(error, errno, path, "opening it failed", errno == ENOENT ? "make it with `tessera image create`" : NULL);
	result = lock(file, path, (flags & O_ACCMODE) == O_RDONLY, waiting, error);
	if (!result)
		result = look(file, path, error);
	if (!result)
		forget_cached(file);
	if (result)
		image_file_close(file);
	return result;
}

int image_file_open(struct image_file *file, const char *path, bool read_only, void (*waiting)(const char *path),
		    struct image_error *error)
{
	return open_with(file, path, read_only ? O_RDONLY : O_RDWR, waiting, error);
}

static int lock_range(int fd, short type, off_t start, off_t length)
{
	struct flock how = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

	return fcntl(fd, F_OFD_SETLK, &how) ? -errno : 0;
}

/* What the medium says itself, where the kernel (6.1) tells, and one read to see. */
static int try_direct(int fd, uint64_t slots)
{
	struct statx status;
	void *page = aligned_alloc(TSR_BLOCK_SIZE, TSR_BLOCK_SIZE);
	int result = -ENOMEM;

	if (page)
		result = pread(fd, page, TSR_BLOCK_SIZE, image_data_at(slots, 0)) == TSR_BLOCK_SIZE ? 0 : -EOPNOTSUPP;
	free(page);
	if (!result && statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 && status.stx_mask & STATX_DIOALIGN &&
	    (!status.stx_dio_offset_align || status.stx_dio_offset_align > TSR_BLOCK_SIZE))
		result = -EOPNOTSUPP;
	return result;
}

int image_file_direct(struct image_file *file, bool read_only, uint64_t slots)
{
	short type = read_only ? F_RDLCK : F_WRLCK;
	int flags = (read_only ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC;
	char path[32];
	int fd, result;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd); /* whatever has the name by now */
	/* Times of access are work for each read. Who does not own the file has to have them. */
	fd = open(path, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = open(path, flags);
	if (fd < 0)
		return -errno;
	result = try_direct(fd, slots);
	/*
	 * Data writes of a killed process are in flight on this descriptor, and must keep the next one out as well. Each who comes takes the whole
	 * range first, which both parts keep from him; so nobody gets between these two calls.
	 */
	if (!result)
		result = lock_range(file->fd, F_UNLCK, 1, 0);
	if (!result)
		result = lock_range(fd, type, 1, 0);
	if (result) {
		lock_range(file->fd, type, 0, 0);
		close(fd);
		return result;
	}
	file->direct = fd;
	/* No page of the cache that reaches over to data, and none that is read ahead there. */
	forget_cached(file);
	posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM);
	return 0;
}

static int create_in(struct image_file *file, const char *path, uint64_t blocks, struct image_error *error)
{
	uint8_t id[16];

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return refuse(error, errno, path, "drawing random bytes failed", NULL);
	if (!file->device && blocks && blocks <= IMAGE_MAX_BLOCKS) {
		if (ftruncate(file->fd, image_bytes(blocks)))
			return refuse(error, errno, path, "making it so large failed", NULL);
		file->io.size = image_bytes(blocks);
	}
	return image_create(&file->io, blocks, id, file->device, error);
}

int image_file_create(const char *path, uint64_t blocks, void (*progress)(uint64_t done, uint64_t total), struct image_error *error)
{
	struct image_file file;
	struct stat status;
	bool device = stat(path, &status) == 0 && S_ISBLK(status.st_mode);
	int result = open_with(&file, path, device ? O_RDWR : O_RDWR | O_CREAT | O_EXCL, NULL, error);

	if (result == -EEXIST)
		return refuse(error, EEXIST, path, "it will not be overwritten", "remove it first if it is not needed");
	if (result)
		return result;
	file.io.progress = progress;
	result = create_in(&file, path, blocks, error);
	if (result && !device)
		unlink(path);
	image_file_close(&file);
	return result;
}

int image_file_grow(const char *path, uint64_t blocks, struct image_error *error)
{
	struct image_file file;
	uint64_t bytes, before;
	int result = image_file_open(&file, path, false, NULL, error);

	if (result)
		return result;
	before = file.io.size;
	result = image_grown_bytes(&file.io, blocks, &bytes, error);
	if (!result && !file.device && before < bytes) {
		if (ftruncate(file.fd, bytes))
			result = refuse(error, errno, path, "making it so large failed", NULL);
		file.io.size = bytes;
	}
	/* A file's new part is zeros, unless it was there before. */
	if (!result)
		result = image_grow(&file.io, blocks, before == file.io.size, error);
	image_file_close(&file);
	return result;
}

void image_file_close(struct image_file *file)
{
	if (file->direct >= 0)
		close(file->direct);
	if (file->guard >= 0)
		close(file->guard);
	if (file->fd >= 0)
		close(file->fd);
	file->fd = file->guard = file->direct = -1;
}
