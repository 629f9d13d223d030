// SPDX-License-Identifier: BSD-2-Clause-Patent
/*
 * A back-end that unmaps what another one has mapped: [HOST-14].
 *
 *	host_foreign PID GUEST DEVICE
 *
 * Looks up the token of a ring in the memory of PID, a tesserad with a session. Attaches to another guest's device and unmaps the token through that; prints
 * what came of it. Then, the control, does the same through the descriptor of PID's own, where it succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tessera/block.h>
#include <tessera/host.h>

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "host_foreign: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool control_page(int memory, uint64_t at, struct tsr_token *token)
{
	static struct tsr_blk_control control;

	if (pread(memory, &control, sizeof(control), (off_t)at) != sizeof(control))
		return false;
	if (control.magic != TSR_BLK_MAGIC || control.version != TSR_BLK_VERSION || control.state != TSR_BLK_BACKEND_READY)
		return false;
	*token = control.queue[0].ring;
	return true;
}

static struct tsr_token find_token(const char *pid)
{
	char path[64], line[512];
	uint64_t from, to;
	struct tsr_token token;
	FILE *maps;
	int memory;

	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	memory = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "r");
	if (memory < 0 || !maps)
		die(path);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &from, &to) != 2 || !strstr(line, "rw-s"))
			continue;
		for (; from < to; from += TSR_PAGE_SIZE)
			if (control_page(memory, from, &token))
				return token;
	}
	errno = ENOENT;
	die("no control page");
}

/* The descriptor by which PID is a back-end. */
static int its_descriptor(const char *pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	char path[64], what[64];

	for (int fd = 0; fd < 64; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/fd/%d", pid, fd);
		n = readlink(path, what, sizeof(what) - 1);
		if (n > 0 && (what[n] = 0, strstr(what, "tessera-backend")))
			return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	}
	errno = ENOENT;
	die("no descriptor");
}

static void unmap(const char *who, int fd, const struct tsr_token *token)
{
	printf("%s: %s\n", who, ioctl(fd, TSR_IOC_UNMAP, token) ? strerror(errno) : "unmapped");
}

int main(int argc, char **argv)
{
	struct tsr_ioc_attach attach;
	struct tsr_token token;
	int dev, other, own;

	if (argc != 4)
		return 2;
	dev = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC);
	attach = (struct tsr_ioc_attach){ .guest = (uint32_t)atoi(argv[2]), .device = (uint32_t)atoi(argv[3]) };
	other = ioctl(dev, TSR_IOC_ATTACH, &attach);
	if (dev < 0 || other < 0)
		die("attaching");
	token = find_token(argv[1]);
	own = its_descriptor(argv[1]);
	if (own < 0)
		die("taking its descriptor");
	unmap("another's", other, &token);
	unmap("its own", own, &token);
	unmap("its own again", own, &token);
	return 0;
}
