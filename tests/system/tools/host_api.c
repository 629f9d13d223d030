// SPDX-License-Identifier: BSD-2-Clause-Patent
/*
 * Calls of /dev/tessera that a program gets wrong, races with, or leaves behind: spec/host.md. Names one case; prints "ok" and
 * ends with 0, or says what was not as it must be. Wants no guest to live when it starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tessera/host.h>

#include "check.h"

#define CODE_AT 0x100000u
#define PAGES   1024u

static int dev;

/* The call fails with this errno. */
#define REFUSED(err, call) CHECK((errno = 0, (call) == -1 && errno == (err)))

static struct tsr_info info(void)
{
	struct tsr_info i;

	CHECK(!ioctl(dev, TSR_IOC_INFO, &i));
	return i;
}

static void all_is_back(const struct tsr_info *before)
{
	struct tsr_info now = info();

	CHECK(!memcmp(&now.census, &before->census, sizeof(now.census)));
	CHECK(now.guests == before->guests && now.tokens == before->tokens);
}

static struct tsr_ioc_create config(const char *name)
{
	struct tsr_ioc_create c = { .config = { .mem_pages = PAGES, .vcpus = 1 }, .eip = CODE_AT };

	snprintf(c.name, sizeof(c.name), "%s", name);
	c.config.device[0].type = TSR_DEVICE_BLOCK;
	c.config.device[0].suite = 1;
	c.config.device[0].label[0] = 'd';
	return c;
}

static uint32_t create(const char *name)
{
	struct tsr_ioc_create c = config(name);

	CHECK(!ioctl(dev, TSR_IOC_CREATE, &c));
	return c.guest;
}

static void launch(uint32_t guest, const void *code, size_t len)
{
	struct tsr_ioc_load load = { .guest = guest, .gpa = CODE_AT, .addr = (uintptr_t)code, .len = len };
	struct tsr_ioc_launch l = { .guest = guest, .launch = { .eip = CODE_AT } };

	CHECK(!ioctl(dev, TSR_IOC_LOAD, &load));
	CHECK(!ioctl(dev, TSR_IOC_LAUNCH, &l));
}

static const uint8_t spin[] = { 0xeb, 0xfe };
/* mov dx, 0x3f8; mov al, 'x'; out dx, al; mov al, 10; out dx, al; cli; hlt; jmp to hlt */
static const uint8_t say[] = { 0x66, 0xba, 0xf8, 0x03, 0xb0, 'x', 0xee, 0xb0, '\n', 0xee, 0xfa, 0xf4, 0xeb, 0xfd };

static void destroy(uint32_t guest)
{
	CHECK(!ioctl(dev, TSR_IOC_DESTROY, &guest));
}

static int attach(uint32_t guest, uint32_t device)
{
	struct tsr_ioc_attach a = { .guest = guest, .device = device };

	return ioctl(dev, TSR_IOC_ATTACH, &a);
}

/* [HOST-2] */
static void refuses_bad_creation(void)
{
	struct tsr_info before = info();
	struct tsr_ioc_create c;
	uint32_t guest = create("first");

	c = config("first");
	REFUSED(EEXIST, ioctl(dev, TSR_IOC_CREATE, &c));
	c = config("");
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	c = config("a b");
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	memset(c.name, 'x', sizeof(c.name)); /* not terminated */
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	c = config("x");
	c.name[5] = 'y'; /* something behind the end */
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	c = config("x");
	c.reserved = 1;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	c = config("x");
	c.config.vcpus = 0;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	c.config.vcpus = TSR_MAX_VCPUS + 1;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	c = config("x");
	c.config.mem_pages = 0;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	c.config.mem_pages = UINT64_MAX;
	REFUSED(ENOMEM, ioctl(dev, TSR_IOC_CREATE, &c));
	c = config("x");
	c.config.flags = ~0u; /* this one the hypervisor refuses, after the memory was allocated */
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_CREATE, &c));
	REFUSED(EFAULT, ioctl(dev, TSR_IOC_CREATE, NULL));
	destroy(guest);
	all_is_back(&before);
}

/* [HOST-2] */
static void refuses_bad_loading(void)
{
	static uint8_t page[4096];
	uint32_t guest = create("loaded"), nobody = 4000;
	struct tsr_ioc_load good = { .guest = guest, .gpa = CODE_AT, .addr = (uintptr_t)page, .len = 4096 }, l;
	struct tsr_ioc_launch launching = { .guest = guest, .launch = { .eip = CODE_AT } };

	l = good, l.gpa++;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_LOAD, &l));
	l = good, l.len = 0;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_LOAD, &l));
	l = good, l.gpa = PAGES * 4096ull;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_LOAD, &l));
	l = good, l.len = UINT64_MAX;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_LOAD, &l));
	l = good, l.gpa = UINT64_MAX - 4095;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_LOAD, &l));
	l = good, l.addr = 0;
	REFUSED(EFAULT, ioctl(dev, TSR_IOC_LOAD, &l));
	l = good, l.addr = UINT64_MAX - 4095;
	REFUSED(EFAULT, ioctl(dev, TSR_IOC_LOAD, &l));
	l = good, l.guest = nobody;
	REFUSED(ESRCH, ioctl(dev, TSR_IOC_LOAD, &l));
	CHECK(!ioctl(dev, TSR_IOC_LOAD, &good));
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_LOAD, &good)); /* not ascending */
	launching.launch.reserved = 1;
	REFUSED(EINVAL, ioctl(dev, TSR_IOC_LAUNCH, &launching));
	launching.launch.reserved = 0;
	CHECK(!ioctl(dev, TSR_IOC_LAUNCH, &launching));
	REFUSED(EBADFD, ioctl(dev, TSR_IOC_LAUNCH, &launching));
	l = good, l.gpa += 4096;
	REFUSED(EBADFD, ioctl(dev, TSR_IOC_LOAD, &l));
	destroy(guest);
	REFUSED(ESRCH, ioctl(dev, TSR_IOC_DESTROY, &guest));
	REFUSED(ESRCH, ioctl(dev, TSR_IOC_STOP, &nobody));
	REFUSED(ESRCH, ioctl(dev, TSR_IOC_CONSOLE, &nobody));
	REFUSED(ENOTTY, ioctl(dev, _IO(TSR_IOC_MAGIC, 99), NULL));
}

/* [HOST-10] */
static void one_backend_at_a_time(void)
{
	uint32_t guest = create("served");
	struct tsr_ioc_config c = { .guest = guest };
	int fd;

	REFUSED(ENODEV, attach(guest, 1));
	REFUSED(ENODEV, attach(guest, TSR_MAX_DEVICES));
	REFUSED(ENODEV, attach(guest, ~0u));
	fd = attach(guest, 0);
	CHECK(fd >= 0);
	CHECK(!ioctl(dev, TSR_IOC_CONFIG, &c) && c.backend[0] == getpid());
	REFUSED(EBUSY, attach(guest, 0));
	close(fd);
	CHECK(!ioctl(dev, TSR_IOC_CONFIG, &c) && !c.backend[0]);
	fd = attach(guest, 0);
	CHECK(fd >= 0);
	close(fd);
	destroy(guest);
}

/* [HOST-13] [HOST-14] */
static void refuses_bad_mappings(void)
{
	uint64_t len = 8 * 4096;
	uint8_t *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tsr_ioc_window w = { .addr = (uintptr_t)memory, .len = len };
	struct tsr_ioc_map m = { .token = { .slot = 1, .generation = 1 }, .pages = 1, .session = 1, .dir = TSR_DIR_BOTH }, bad;
	uint32_t guest = create("mapped");
	int fd = attach(guest, 0);

	CHECK(fd >= 0 && memory != MAP_FAILED);
	w.addr++;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_WINDOW, &w));
	w.addr--, w.len = 0;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_WINDOW, &w));
	w.len = UINT64_MAX - 4095;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_WINDOW, &w));
	w.len = len, w.addr = 0x1000;
	REFUSED(EFAULT, ioctl(fd, TSR_IOC_WINDOW, &w));
	CHECK(!info().census.windows);
	w.addr = (uintptr_t)memory;
	CHECK(!ioctl(fd, TSR_IOC_WINDOW, &w)); /* window 0 */
	CHECK(info().census.windows == 8);
	CHECK(ioctl(fd, TSR_IOC_WINDOW, &w) == -1); /* the same pages twice */
	CHECK(info().census.windows == 8);

	REFUSED(ESTALE, ioctl(fd, TSR_IOC_MAP, &m)); /* a token nobody issued */
	bad = m, bad.window = 1;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_MAP, &bad));
	bad = m, bad.offset = 1;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_MAP, &bad));
	bad = m, bad.offset = len;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_MAP, &bad));
	bad = m, bad.pages = 9;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_MAP, &bad));
	bad = m, bad.pages = 0;
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_MAP, &bad));
	bad = m, bad.dir = 0x103; /* fits no byte */
	REFUSED(EINVAL, ioctl(fd, TSR_IOC_MAP, &bad));
	REFUSED(ESTALE, ioctl(fd, TSR_IOC_UNMAP, &m.token));
	close(fd);
	CHECK(!info().census.windows);
	destroy(guest);
	munmap(memory, len);
}

/* [HOST-11] [HOST-12] */
static void a_killed_backend_leaves_nothing(void)
{
	uint32_t guest = create("orphan");
	struct tsr_ioc_config c = { .guest = guest };
	int ready[2], status;
	pid_t child;
	char byte;

	CHECK(!pipe(ready));
	launch(guest, spin, sizeof(spin));
	for (int round = 0; round < 20; round++) {
		child = fork();
		if (!child) {
			void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
			struct tsr_ioc_window w = { .addr = (uintptr_t)memory, .len = 1 << 20 };
			int fd = attach(guest, 0);

			CHECK(fd >= 0 && !ioctl(fd, TSR_IOC_WINDOW, &w));
			CHECK(write(ready[1], "", 1) == 1);
			for (;;)
				pause();
		}
		CHECK(read(ready[0], &byte, 1) == 1);
		CHECK(info().census.windows == 256);
		kill(child, SIGKILL);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(!info().census.windows);
		CHECK(!ioctl(dev, TSR_IOC_CONFIG, &c) && !c.backend[0]);
	}
	destroy(guest);
}

/* [HOST-6] */
static void descriptors_outlive_their_guest_harmlessly(void)
{
	struct tsr_ioc_guest g = {};
	struct tsr_backend_event event;
	uint32_t guest = create("old"), next, number = 0;
	int backend = attach(guest, 0), console, flags;
	struct tsr_ioc_doorbell bell = { .queue = 16, .eventfd = -1 };
	struct pollfd p;
	char text[16];

	CHECK(backend >= 0);
	console = ioctl(dev, TSR_IOC_CONSOLE, &guest);
	CHECK(console >= 0);
	REFUSED(EINVAL, ioctl(backend, TSR_IOC_DOORBELL, &bell));
	bell.queue = 0, bell.eventfd = dev;
	REFUSED(EINVAL, ioctl(backend, TSR_IOC_DOORBELL, &bell));
	bell.eventfd = eventfd(0, 0);
	CHECK(!ioctl(backend, TSR_IOC_DOORBELL, &bell));
	flags = fcntl(backend, F_GETFL);
	fcntl(backend, F_SETFL, flags | O_NONBLOCK);
	REFUSED(EAGAIN, read(backend, &event, sizeof(event)));
	REFUSED(EINVAL, read(backend, &event, 1));

	launch(guest, say, sizeof(say));
	p = (struct pollfd){ .fd = console, .events = POLLIN };
	CHECK(poll(&p, 1, 20000) == 1);
	CHECK(read(console, text, sizeof(text)) == 2 && !memcmp(text, "x\n", 2));
	destroy(guest);
	CHECK(read(console, text, sizeof(text)) == 0); /* the end of the file */
	p = (struct pollfd){ .fd = backend, .events = POLLIN };
	CHECK(poll(&p, 1, 0) == 1);
	CHECK(read(backend, &event, sizeof(event)) == sizeof(event) && event.type == TSR_BACKEND_ENDED);
	CHECK(read(backend, &event, sizeof(event)) == 0);

	next = create("new");
	CHECK(next == guest); /* the hypervisor gave the id away again: now it would show */
	launch(next, say, sizeof(say));
	REFUSED(ESRCH, ioctl(backend, TSR_IOC_RAISE, &number));
	close(backend);
	close(console);
	g.guest = next;
	CHECK(!ioctl(dev, TSR_IOC_LIST, &g) && g.guest == next && !g.info.events);
	destroy(next);
}

static void *destroyer(void *guest)
{
	uint32_t id = (uint32_t)(uintptr_t)guest;
	int fd = open(TSR_HOST_DEVICE, O_RDWR);
	long ret = ioctl(fd, TSR_IOC_DESTROY, &id) ? errno : 0;

	close(fd);
	return (void *)ret;
}

/* [HOST-5] */
static void two_destroyers(void)
{
	struct tsr_info before = info();

	for (int round = 0; round < 10; round++) {
		uint32_t guest = create("contested");
		pthread_t thread[2];
		void *ret[2];

		launch(guest, spin, sizeof(spin));
		for (int i = 0; i < 2; i++)
			CHECK(!pthread_create(&thread[i], NULL, destroyer, (void *)(uintptr_t)guest));
		for (int i = 0; i < 2; i++)
			pthread_join(thread[i], &ret[i]);
		CHECK((!ret[0] && ret[1] == (void *)ESRCH) || (!ret[1] && ret[0] == (void *)ESRCH));
	}
	all_is_back(&before);
}

struct worker {
	pthread_t thread;
	int number;
};

/* Creates, launches, attaches, closes and destroys in an order of its own. */
static void *worker(void *arg)
{
	struct worker *w = arg;
	char name[16];

	snprintf(name, sizeof(name), "w%d", w->number);
	for (int round = 0; round < 6; round++) {
		uint32_t guest = create(name), event = 3;
		int fd = (round + w->number) % 2 ? attach(guest, 0) : -1;

		launch(guest, round % 2 ? spin : say, round % 2 ? sizeof(spin) : sizeof(say));
		if (fd < 0)
			fd = attach(guest, 0);
		for (int i = 0; i < 100; i++)
			CHECK(!ioctl(fd, TSR_IOC_RAISE, &event));
		if (round % 3)
			close(fd);
		destroy(guest);
		if (!(round % 3))
			close(fd);
	}
	return NULL;
}

/* [HOST-3] [HOST-8] */
static void four_guests_at_once(void)
{
	struct tsr_info before = info();
	struct worker w[4];

	for (int i = 0; i < 4; i++) {
		w[i].number = i;
		CHECK(!pthread_create(&w[i].thread, NULL, worker, &w[i]));
	}
	for (int i = 0; i < 4; i++)
		pthread_join(w[i].thread, NULL);
	all_is_back(&before);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "creation", refuses_bad_creation },
	{ "loading", refuses_bad_loading },
	{ "backend", one_backend_at_a_time },
	{ "mapping", refuses_bad_mappings },
	{ "killed", a_killed_backend_leaves_nothing },
	{ "outlived", descriptors_outlive_their_guest_harmlessly },
	{ "destroyers", two_destroyers },
	{ "four", four_guests_at_once },
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	dev = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC);
	CHECK(dev >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc != 2 || strcmp(argv[1], cases[i].name))
			continue;
		cases[i].run();
		printf("ok\n");
		return 0;
	}
	printf("name one case\n");
	return 2;
}
