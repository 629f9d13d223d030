/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The host's side of the revoke race (TOK-REVOKE): maps every token that a guest's guest_revoke.ko hands over, while a thread
 * reads and writes the window without pause, on a CPU of its own.
 *
 *	host_racer GUEST-ID [CPU]
 *
 * That thread is plain user code in one loop: no system call, no fault, nothing that leaves the host's container but what the
 * hypervisor itself causes. So its CPU keeps whatever translation it has until a shoot-down takes it away.
 * Ends when the guest does, and prints "rounds=.. accesses=.. own=.. sighted=..": accesses that met the guest's page while granted,
 * accesses that met the host's own page, and words seen that the guest wrote after its revoke.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <tessera/host.h>
#include "tests/system/modules/revoke.h"

static uint64_t accesses, own, sighted;
static _Atomic int stop;

static int bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

struct hammer {
	volatile uint64_t *w;
	int cpu;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	volatile uint64_t *w = h->w;
	uint64_t round = 0, n = 0, turn = 0;

	if (bind_to(h->cpu))
		return "cannot bind the thread to its CPU";
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint64_t mark = w[RACE_MARK], seen;
		unsigned int i = RACE_FIRST + turn++ % (RACE_WORDS - RACE_FIRST);

		seen = w[i];
		w[i] = RACE_WORD(RACE_HOST, turn & 0xffffff);
		if (RACE_KIND(mark) == RACE_GUEST) {
			if (mark != round) {
				round = mark;
				n = 0;
			}
			w[RACE_COUNT] = RACE_COUNT_WORD(round & 0xffff, ++n);
			accesses += 2;
		} else {
			own++;
		}
		if (RACE_KIND(mark) == RACE_SECRET || RACE_KIND(seen) == RACE_SECRET)
			sighted++;
	}
	return NULL;
}

static pthread_t thread;

/* Maps tokens as they come, until the guest ends; the thread starts with the first. Returns how many, or -1. */
static long serve(int fd, uint32_t window, struct hammer *h)
{
	struct tsr_backend_event event;
	long rounds = 0;

	for (;;) {
		ssize_t got = read(fd, &event, sizeof(event));

		if (got != sizeof(event)) {
			fprintf(stderr, "host_racer: reading the next event: %s\n", got < 0 ? strerror(errno) : "short");
			return -1;
		}
		if (event.type == TSR_BACKEND_ENDED)
			return rounds;
		struct tsr_ioc_map map = { .token = event.token, .window = window, .pages = 1, .session = event.session,
					   .dir = TSR_DIR_BOTH };

		/* A map that waits for the other CPU may be overtaken: by the time it can go on, the token is revoked. */
		if (ioctl(fd, TSR_IOC_MAP, &map) < 0 && errno != ESTALE) {
			fprintf(stderr, "host_racer: mapping the token of session %u: %s\n", event.session, strerror(errno));
			return -1;
		}
		if (!rounds++ && pthread_create(&thread, NULL, hammer, h)) {
			perror("host_racer: starting the thread");
			return -1;
		}
	}
}

int main(int argc, char **argv)
{
	struct tsr_ioc_attach attach = { .guest = argc > 1 ? (uint32_t)atoi(argv[1]) : 0 };
	struct tsr_ioc_window window = { .len = TSR_PAGE_SIZE };
	struct hammer h = { .cpu = argc > 2 ? atoi(argv[2]) : 1 };
	void *page = mmap(NULL, TSR_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int dev = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC), fd, nr;
	void *problem = NULL;
	long rounds;

	if (page == MAP_FAILED || dev < 0) {
		perror("host_racer: opening " TSR_HOST_DEVICE);
		return 1;
	}
	fd = ioctl(dev, TSR_IOC_ATTACH, &attach);
	if (fd < 0) {
		perror("host_racer: attaching to the guest");
		return 1;
	}
	window.addr = (uintptr_t)page;
	nr = ioctl(fd, TSR_IOC_WINDOW, &window);
	if (nr < 0) {
		perror("host_racer: registering the window");
		return 1;
	}
	h.w = page;
	rounds = bind_to(0) ? -1 : serve(fd, (uint32_t)nr, &h);
	atomic_store(&stop, 1);
	if (thread)
		pthread_join(thread, &problem);
	if (problem) {
		fprintf(stderr, "host_racer: %s\n", (char *)problem);
		return 1;
	}
	printf("rounds=%ld accesses=%llu own=%llu sighted=%llu\n", rounds, (unsigned long long)accesses,
	       (unsigned long long)own, (unsigned long long)sighted);
	return rounds < 0;
}
