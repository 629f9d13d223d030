// SPDX-License-Identifier: BSD-2-Clause-Patent
/*
 * guest_tlb ROUNDS: on every CPU but the first a thread looks at one page without end, while the first CPU's takes it away
 * (mprotect), gives it back, and puts another in its place (mmap). What a system call has done when it returns every look that begins
 * later must see. Prints one line: "tlb: R rounds, L looks, F faults, S stale".
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define MAX_CPUS 64
#define CLOSED (-1)

/* What is shown: the number of a page, CLOSED, or that it is changing. */
#define CHANGING (-2)
static _Atomic int shown = CHANGING;
static _Atomic unsigned long generation; /* of shown */
static _Atomic bool stop;
static volatile int *page;

static struct reader {
	pthread_t thread;
	int cpu;
	_Atomic unsigned long seen; /* generation */
	unsigned long looks, faults, stale;
} reader[MAX_CPUS];

static __thread sigjmp_buf back;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("guest_tlb: cannot pin a thread");
		exit(1);
	}
}

static void *look(void *arg)
{
	struct reader *r = arg;

	pin(r->cpu);
	while (!stop) {
		unsigned long before = generation;
		int should = shown;
		volatile int got = CLOSED;

		if (!sigsetjmp(back, 1))
			got = *page;
		else
			r->faults++;
		r->looks++;
		if (should == CHANGING || generation != before)
			continue;
		if (got != should)
			r->stale++;
		r->seen = before;
	}
	return NULL;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Says what the system call before has done, and lets every other CPU look at it. */
static void announce(int what, int readers)
{
	unsigned long now;

	shown = what;
	now = ++generation;
	for (int i = 0; i < readers; i++)
		while (reader[i].seen != now)
			sched_yield();
	/* In this order: a look that still finds the old word is over before the next change, or finds another generation. */
	shown = CHANGING;
	++generation;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100, readers = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	struct sigaction action = { .sa_handler = on_fault };
	unsigned long looks = 0, faults = 0, stale = 0;
	int fd = memfd_create("tlb", 0), *both;

	must(readers > 0 && readers < MAX_CPUS, "guest_tlb: needs two CPUs");
	must(fd >= 0 && !ftruncate(fd, 2 * PAGE), "guest_tlb: memory");
	both = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	must(both != MAP_FAILED && page != MAP_FAILED, "guest_tlb: mmap");
	both[PAGE / sizeof(int)] = 1;
	sigaction(SIGSEGV, &action, NULL);
	pin(0);
	for (int i = 0; i < readers; i++) {
		reader[i].cpu = i + 1;
		must(!pthread_create(&reader[i].thread, NULL, look, &reader[i]), "guest_tlb: thread");
	}
	for (int round = 0; round < rounds; round++) {
		announce(round & 1, readers);
		must(!mprotect((void *)page, PAGE, PROT_NONE), "guest_tlb: mprotect");
		announce(CLOSED, readers);
		must(!mprotect((void *)page, PAGE, PROT_READ), "guest_tlb: mprotect");
		announce(round & 1, readers);
		must(mmap((void *)page, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, !(round & 1) * PAGE) == page, "guest_tlb: mmap");
	}
	stop = true;
	for (int i = 0; i < readers; i++) {
		pthread_join(reader[i].thread, NULL);
		looks += reader[i].looks;
		faults += reader[i].faults;
		stale += reader[i].stale;
	}
	printf("tlb: %d rounds, %lu looks, %lu faults, %lu stale\n", rounds, looks, faults, stale);
	return 0;
}
