// SPDX-License-Identifier: BSD-2-Clause-Patent
/* The host's part of guest_tokens.ko: tokens GUEST-ID maps what the guest hands over, so many in a call as it says, until the guest ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <tessera/host.h>
#include "tokens.h"

#define WINDOW (2u << 20)

static int fail(const char *what)
{
	printf("bench: error: tokens: %s: %s\n", what, strerror(errno));
	return 1;
}

static struct tsr_ioc_map map_of(const struct tsr_token *token, unsigned int page, uint32_t window)
{
	return (struct tsr_ioc_map){ .token = *token, .offset = (uint64_t)page * TSR_PAGE_SIZE, .window = window, .pages = 1, .session = 1,
				     .dir = TSR_DIR_BOTH };
}

static int map_round(int fd, uint32_t window, const struct tokens_page *shared)
{
	uint32_t batch = shared->batch;
	struct tsr_ioc_map map[TOKENS];

	for (unsigned int i = 0; i < TOKENS; i++)
		map[i] = map_of(&shared->token[i], i + 1, window);
	TOKENS_MARK(1, 2, batch);
	for (unsigned int i = 0; i < TOKENS; i += batch) {
		struct tsr_ioc_maps maps = { .maps = (uintptr_t)(map + i), .count = batch };

		if (ioctl(fd, TSR_IOC_MAPS, &maps) != (int)batch)
			return fail("mapping");
	}
	TOKENS_MARK(2, 2, batch);
	return 0;
}

int main(int argc, char **argv)
{
	struct tsr_ioc_attach attach = { .guest = argc > 1 ? strtoul(argv[1], NULL, 10) : 0 };
	int memory = memfd_create("tokens", MFD_HUGETLB), dev = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC), fd, nr;
	struct tsr_ioc_window window = { .len = WINDOW };
	struct tsr_backend_event event;
	struct tokens_page *shared;

	if (memory < 0 || ftruncate(memory, WINDOW))
		return fail("a huge page");
	shared = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
	fd = dev < 0 ? -1 : ioctl(dev, TSR_IOC_ATTACH, &attach);
	if (shared == MAP_FAILED || fd < 0)
		return fail("attaching to the guest");
	window.addr = (uintptr_t)shared;
	nr = ioctl(fd, TSR_IOC_WINDOW, &window);
	if (nr < 0)
		return fail("registering the window");
	if (read(fd, &event, sizeof(event)) != sizeof(event) || event.type != TSR_BACKEND_CONNECT)
		return fail("the guest's connection");
	struct tsr_ioc_map map = map_of(&event.token, 0, nr);

	if (ioctl(fd, TSR_IOC_MAP, &map))
		return fail("mapping the first page");
	for (uint32_t done = 0;;) {
		uint32_t round = __atomic_load_n(&shared->round, __ATOMIC_ACQUIRE);

		if (round == done || !round) {
			/* A guest that has ended has taken its page back, and this reads the host's own. */
			if (done && !round)
				return 0;
			usleep(1000);
			continue;
		}
		if (map_round(fd, nr, shared))
			return 1;
		done = round;
		__atomic_store_n(&shared->done, done, __ATOMIC_RELEASE);
	}
}
