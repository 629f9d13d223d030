/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/common/notify.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A Unix socket of a path or, with an @ in front, an abstract name. */
int notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = name ? strlen(name) : 0;
	int fd, error;

	errno = length < sizeof(address.sun_path) ? 0 : ENAMETOOLONG;
	if (!length || errno)
		return -1;
	memcpy(address.sun_path, name, length);
	if (*name == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

bool notify_send(int socket, const char *text)
{
	return send(socket, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}
