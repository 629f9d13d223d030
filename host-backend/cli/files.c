// SPDX-License-Identifier: BSD-2-Clause-Patent
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host-backend/cli/cli.h"

bool file_map(struct cli_file *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	*file = (struct cli_file){};
	if (fd < 0 || fstat(fd, &st)) {
		cli_fail("%s cannot be opened: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	file->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (file->size)
		file->data = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file->size && file->data != MAP_FAILED)
		return true;
	cli_fail("%s cannot be read: %s", path, file->size ? strerror(errno) : "it is empty or not a regular file");
	*file = (struct cli_file){};
	return false;
}

void file_unmap(struct cli_file *file)
{
	if (file->data)
		munmap(file->data, file->size);
	*file = (struct cli_file){};
}
