/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * One operation, again and again: the first time its first allocation fails, then its second, until none is left to fail (Linux,
 * Documentation/fault-injection: fail-nth). Each time it has to succeed or to say that there is no memory, and has to work afterwards.
 * Also runs in guests. Prints a line for each operation: how often something failed, and how often that made the operation fail.
 *
 *	host_nth insmod FILE.ko
 *	host_nth write FILE TEXT UNDO-FILE UNDO-TEXT
 *	host_nth guest			what a guest's own device tells
 *	host_nth host			each call of /dev/tessera and of a backend's descriptor; no guest lives when it starts
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tessera/guest.h>
#include <tessera/host.h>

#include "check.h"

#define NTH     "/proc/thread-self/fail-nth"
#define LAST    20000 /* no operation has so many allocations */
#define CODE_AT 0x100000u
#define WINDOW  64u /* pages */

struct op {
	const char *name;
	void (*prepare)(void);
	int (*run)(void);
	void (*undo)(void); /* of a run that succeeded */
	void (*end)(void);
};

static int nth;
static char **words;

/* Nothing between here and the operation allocates. */
static void fail(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	CHECK(pwrite(nth, text, len, 0) == len);
}

static unsigned int left(void)
{
	char text[16] = "";

	CHECK(pread(nth, text, sizeof(text) - 1, 0) > 0);
	return strtoul(text, NULL, 10);
}

static int once(const struct op *op, unsigned int n, int *failed)
{
	int ret, err;

	if (op->prepare)
		op->prepare();
	fail(n);
	ret = op->run();
	err = ret < 0 ? errno : 0;
	*failed = left() == 0;
	fail(0);
	if (!err && op->undo)
		op->undo();
	if (op->end)
		op->end();
	return err;
}

static void try_all(const struct op *op)
{
	unsigned int n, refused = 0;
	int failed, expected, err;

	/* Some are refused whatever there is of memory. */
	expected = once(op, 0, &failed);
	for (n = 1; n < LAST; n++) {
		err = once(op, n, &failed);
		if (!failed)
			break;
		if (err != expected && err != ENOMEM && err != EAGAIN) {
			printf("%s: allocation %u failed, and it came to: %s\n", op->name, n, strerror(err));
			exit(1);
		}
		refused += err != expected;
	}
	err = once(op, 0, &failed);
	if (err != expected) {
		printf("%s: afterwards it comes to: %s\n", op->name, strerror(err));
		exit(1);
	}
	printf("%s: %u failed, %u refused\n", op->name, n - 1, refused);
	fflush(stdout);
}

/* ------------------------------------------------------------------ modules and sysfs */

static int module_file;

static void open_module(void)
{
	module_file = open(words[0], O_RDONLY | O_CLOEXEC);
	CHECK(module_file >= 0);
}

static int load_module(void)
{
	return syscall(SYS_finit_module, module_file, "", 0);
}

static void unload_module(void)
{
	char name[64], *end;

	snprintf(name, sizeof(name), "%s", basename(words[0]));
	end = strstr(name, ".ko");
	CHECK(end);
	*end = 0;
	CHECK(!syscall(SYS_delete_module, name, O_NONBLOCK));
}

static void close_module(void)
{
	close(module_file);
}

static const struct op insmod = { "insmod", open_module, load_module, unload_module, close_module };

static int word_file;

static void open_word(void)
{
	word_file = open(words[0], O_WRONLY | O_CLOEXEC);
	CHECK(word_file >= 0);
}

static int write_word(void)
{
	return write(word_file, words[1], strlen(words[1]));
}

static void unwrite_word(void)
{
	int undo = open(words[2], O_WRONLY | O_CLOEXEC);

	CHECK(undo >= 0 && write(undo, words[3], strlen(words[3])) > 0);
	close(undo);
}

static void close_word(void)
{
	close(word_file);
}

static const struct op write_op = { "write", open_word, write_word, unwrite_word, close_word };

/* ------------------------------------------------------------------ the guest's module */

static int guest_dev;

static void open_guest(void)
{
	guest_dev = open(TSR_GUEST_DEVICE, O_RDWR | O_CLOEXEC);
	CHECK(guest_dev >= 0);
}

static int do_guest_info(void)
{
	static struct tsr_info info;

	return ioctl(guest_dev, TSR_IOC_GUEST_INFO, &info);
}

static void close_guest(void)
{
	close(guest_dev);
}

static const struct op guest_info = { "guest info", open_guest, do_guest_info, NULL, close_guest };

/* ------------------------------------------------------------------ the host's module */

static int dev, backend, opened;
static uint32_t base, fresh;
static void *memory, *counters;
static uint8_t code[4096] = { 0xeb, 0xfe };

static int create(const char *name, uint32_t *guest)
{
	struct tsr_ioc_create c = { .config = { .mem_pages = 1024, .vcpus = 2 }, .eip = CODE_AT };
	int ret;

	snprintf(c.name, sizeof(c.name), "%s", name);
	c.config.device[0].type = TSR_DEVICE_BLOCK;
	c.config.device[0].suite = 1;
	c.config.device[0].label[0] = 'd';
	ret = ioctl(dev, TSR_IOC_CREATE, &c);
	*guest = c.guest;
	return ret;
}

static int load(uint32_t guest)
{
	struct tsr_ioc_load l = { .guest = guest, .gpa = CODE_AT, .addr = (uintptr_t)code, .len = sizeof(code) };

	return ioctl(dev, TSR_IOC_LOAD, &l);
}

static int launch(uint32_t guest)
{
	struct tsr_ioc_launch l = { .guest = guest, .launch = { .eip = CODE_AT } };

	return ioctl(dev, TSR_IOC_LAUNCH, &l);
}

static int do_create(void) { return create("fresh", &fresh); }
static void prepare_load(void) { CHECK(!do_create()); }
static int do_load(void) { return load(fresh); }
static void destroy_fresh(void) { CHECK(!ioctl(dev, TSR_IOC_DESTROY, &fresh)); }

static void prepare_launch(void)
{
	prepare_load();
	CHECK(!do_load());
}

static int do_launch(void) { return launch(fresh); }

static int do_info(void)
{
	static struct tsr_info info;

	return ioctl(dev, TSR_IOC_INFO, &info);
}

static int do_faults(void)
{
	static struct tsr_dma_faults faults;

	return ioctl(dev, TSR_IOC_DMA_FAULTS, &faults);
}

static int do_tokens(void)
{
	static struct tsr_ioc_tokens tokens;

	tokens.start = 0;
	return ioctl(dev, TSR_IOC_TOKENS, &tokens);
}

static int do_list(void)
{
	struct tsr_ioc_guest list = {};

	return ioctl(dev, TSR_IOC_LIST, &list);
}

static int do_config(void)
{
	struct tsr_ioc_config config = { .guest = base };

	return ioctl(dev, TSR_IOC_CONFIG, &config);
}

static int do_console(void) { return opened = ioctl(dev, TSR_IOC_CONSOLE, &base); }
static void close_opened(void) { CHECK(!close(opened)); }

static int do_attach(void)
{
	struct tsr_ioc_attach a = { .guest = base };

	return opened = ioctl(dev, TSR_IOC_ATTACH, &a);
}

static void pause_base(void) { CHECK(!ioctl(dev, TSR_IOC_PAUSE, &base)); }
static int do_resume(void) { return ioctl(dev, TSR_IOC_RESUME, &base); }

/* Of one that was refused, too. */
static void resume_base(void)
{
	CHECK(!ioctl(dev, TSR_IOC_RESUME, &base));
}

static void prepare_backend(void)
{
	CHECK(do_attach() >= 0);
	backend = opened;
}

static int do_window(void)
{
	struct tsr_ioc_window w = { .addr = (uintptr_t)memory, .len = WINDOW * 4096 };

	return ioctl(backend, TSR_IOC_WINDOW, &w);
}

static void prepare_window(void)
{
	prepare_backend();
	CHECK(do_window() == 0);
}

static void close_backend(void) { CHECK(!close(backend)); }

static int do_doorbell(void)
{
	struct tsr_ioc_doorbell d = { .eventfd = opened };

	return ioctl(backend, TSR_IOC_DOORBELL, &d);
}

static void prepare_doorbell(void)
{
	prepare_backend();
	opened = eventfd(0, EFD_CLOEXEC);
	CHECK(opened >= 0);
}

static void end_doorbell(void)
{
	close_opened();
	close_backend();
}

/* Nobody issued these tokens; what is needed for them is allocated before the hypervisor says so. */
static int do_map(void)
{
	struct tsr_ioc_map m = { .token = { 1, 2, 3 }, .pages = 1, .session = 1 };

	return ioctl(backend, TSR_IOC_MAP, &m);
}

static int do_maps(void)
{
	struct tsr_ioc_map m[2] = { { .token = { 1, 2, 3 }, .pages = 1, .session = 1 }, { .token = { 4, 5, 6 }, .pages = 1, .session = 1 } };
	struct tsr_ioc_maps maps = { .maps = (uintptr_t)m, .count = 2 };

	return ioctl(backend, TSR_IOC_MAPS, &maps);
}

static int do_copy(void)
{
	struct tsr_ioc_copy c = { .token = { 1, 2, 3 }, .addr = (uintptr_t)memory + 100, .len = 8192, .session = 1, .dir = TSR_DIR_READ };

	return ioctl(backend, TSR_IOC_COPY, &c);
}

static int do_mmap(void)
{
	counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, backend, 0);
	return counters == MAP_FAILED ? -1 : 0;
}

static void unmap(void) { CHECK(!munmap(counters, 4096)); }

static const struct op host_ops[] = {
	{ "info", NULL, do_info, NULL, NULL },
	{ "dma faults", NULL, do_faults, NULL, NULL },
	{ "tokens", NULL, do_tokens, NULL, NULL },
	{ "list", NULL, do_list, NULL, NULL },
	{ "config", NULL, do_config, NULL, NULL },
	{ "create", NULL, do_create, destroy_fresh, NULL },
	{ "load", prepare_load, do_load, NULL, destroy_fresh },
	{ "launch", prepare_launch, do_launch, NULL, destroy_fresh },
	{ "console", NULL, do_console, close_opened, NULL },
	{ "resume", pause_base, do_resume, NULL, resume_base },
	{ "attach", NULL, do_attach, close_opened, NULL },
	{ "window", prepare_backend, do_window, NULL, close_backend },
	{ "doorbell", prepare_doorbell, do_doorbell, NULL, end_doorbell },
	{ "map", prepare_window, do_map, NULL, close_backend },
	{ "maps", prepare_window, do_maps, NULL, close_backend },
	{ "copy", prepare_window, do_copy, NULL, close_backend },
	{ "mmap", prepare_backend, do_mmap, unmap, close_backend },
};

static void host(void)
{
	static struct tsr_info before, now;
	size_t i;

	dev = open(TSR_HOST_DEVICE, O_RDWR | O_CLOEXEC);
	CHECK(dev >= 0);
	CHECK(!ioctl(dev, TSR_IOC_INFO, &before));
	memory = mmap(NULL, WINDOW * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK(!create("base", &base) && !load(base) && !launch(base));
	for (i = 0; i < sizeof(host_ops) / sizeof(host_ops[0]); i++)
		try_all(&host_ops[i]);
	CHECK(!ioctl(dev, TSR_IOC_DESTROY, &base));
	CHECK(!ioctl(dev, TSR_IOC_INFO, &now));
	CHECK(!memcmp(&now.census, &before.census, sizeof(now.census)) && now.guests == before.guests && now.tokens == before.tokens);
}

int main(int argc, char **argv)
{
	nth = open(NTH, O_RDWR | O_CLOEXEC);
	CHECK(nth >= 0);
	words = argv + 2;
	if (argc == 3 && !strcmp(argv[1], "insmod")) {
		try_all(&insmod);
	} else if (argc == 6 && !strcmp(argv[1], "write")) {
		try_all(&write_op);
	} else if (argc == 2 && !strcmp(argv[1], "guest")) {
		try_all(&guest_info);
	} else if (argc == 2 && !strcmp(argv[1], "host")) {
		host();
	} else {
		fprintf(stderr, "usage: host_nth insmod FILE.ko | write FILE TEXT UNDO-FILE UNDO-TEXT | guest | host\n");
		return 2;
	}
	return 0;
}
