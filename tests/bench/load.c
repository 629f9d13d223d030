// SPDX-License-Identifier: BSD-2-Clause-Patent
/*
 * The load that is counted: Linux AIO with O_DIRECT, small and static, so that it is nearly nothing of what it counts.
 *
 *	load DEVICE MIB LOAD:DEPTH...	rr4k, rw4k, sr128k, sw128k, or another size: rr16k; on the device's first MIB
 *	load point N			a mark and nothing else
 *	load forks			between marks, 100 processes that each write to 256 pages of their own
 *
 * It first writes known data to all of it; after the last load it reads all of it back and compares. Each block of 4 KiB begins with its
 * number and the number of its last write; the rest is a pattern of the buffer it was written from. Buffers are filled beforehand: what is
 * between the marks is the I/O and some instructions a block. A read is checked by its block's beginning at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "mark.h"

#define BLOCK 4096u
#define MAX_DEPTH 128
#define MAX_SIZE (1u << 20)
#define WORDS (BLOCK / 8)

struct head {
	uint64_t block, write; /* write: its number, from 1 */
};

struct buffer {
	uint8_t *data;
	uint64_t at; /* first block of what is under way */
	struct iocb cb;
};

static const char *device;
static int fd;
static aio_context_t context;
static uint64_t blocks, writes, random_state = 88172645463325252u;
static struct buffer buffers[MAX_DEPTH];
/* Of each block: the number of its last write, and which page of which buffer that was. */
static uint64_t *last;
static struct from {
	uint8_t buffer, page;
} *from;

static void die(const char *what)
{
	printf("load: error: %s: %s: %s\n", device, what, strerror(errno));
	exit(1);
}

static uint64_t pattern(unsigned int buffer, unsigned int page, unsigned int word)
{
	return (buffer * 0x9e3779b97f4a7c15u) ^ (page * 0xc2b2ae3d27d4eb4fu) ^ (word * 0x165667b19e3779f9u);
}

static void fill(struct buffer *b, unsigned int size)
{
	for (unsigned int i = 0; i < size / 8; i++)
		((uint64_t *)b->data)[i] = pattern(b - buffers, i / WORDS, i % WORDS);
}

static void stamp(struct buffer *b, unsigned int count)
{
	uint64_t write = ++writes;

	for (unsigned int i = 0; i < count; i++) {
		struct head *head = (void *)(b->data + i * BLOCK);

		head->block = b->at + i;
		head->write = write;
		last[b->at + i] = write;
		from[b->at + i] = (struct from){ b - buffers, i };
	}
}

/* Their beginnings only. */
static void look(const struct buffer *b, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct head *head = (const void *)(b->data + i * BLOCK);

		if (head->block != b->at + i || head->write != last[b->at + i]) {
			printf("load: error: %s: block %llu reads as block %llu, write %llu instead of %llu\n", device, (unsigned long long)(b->at + i),
			       (unsigned long long)head->block, (unsigned long long)head->write, (unsigned long long)last[b->at + i]);
			exit(1);
		}
	}
}

/* All of a block. */
static void compare(const uint64_t *data, uint64_t block)
{
	const struct head *head = (const void *)data;

	if (head->block != block || head->write != last[block])
		goto bad;
	for (unsigned int i = sizeof(*head) / 8; i < WORDS; i++)
		if (data[i] != pattern(from[block].buffer, from[block].page, i))
			goto bad;
	return;
bad:
	printf("load: error: %s: block %llu is not what was written to it\n", device, (unsigned long long)block);
	exit(1);
}

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

struct load {
	bool write, random;
	unsigned int size, depth, count;
	uint64_t next; /* block, of a sequential one */
};

static void prepare(struct load *load, struct buffer *b)
{
	unsigned int count = load->size / BLOCK;

	if (load->random) {
		/* Each request in flight has places of its own: which of two writes of one block is the last nobody would promise. */
		b->at = (random_number() % (blocks / count / load->depth) * load->depth + (uint64_t)(b - buffers)) * count;
	} else {
		b->at = load->next;
		load->next = load->next + 2 * count > blocks ? 0 : load->next + count;
	}
	if (load->write)
		stamp(b, count);
	memset(&b->cb, 0, sizeof(b->cb));
	b->cb.aio_data = b - buffers;
	b->cb.aio_lio_opcode = load->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	b->cb.aio_fildes = fd;
	b->cb.aio_buf = (uintptr_t)b->data;
	b->cb.aio_nbytes = load->size;
	b->cb.aio_offset = b->at * BLOCK;
}

static void submit(struct iocb **list, long n)
{
	for (long done = 0; done < n;) {
		long r = syscall(SYS_io_submit, context, n - done, list + done);

		if (r <= 0) {
			errno = r ? errno : EIO;
			die("io_submit");
		}
		done += r;
	}
}

/* n requests, at most so many at a time as the load's depth. What has ended is replaced at once, in one call. */
static void run(struct load *load, unsigned int n)
{
	struct io_event event[MAX_DEPTH];
	struct iocb *list[MAX_DEPTH];
	unsigned int begun = 0, ended = 0;
	long i, r;

	for (; begun < load->depth && begun < n; begun++) {
		prepare(load, &buffers[begun]);
		list[begun] = &buffers[begun].cb;
	}
	submit(list, begun);
	while (ended < n) {
		long again = 0;

		r = syscall(SYS_io_getevents, context, 1, load->depth, event, NULL);
		if (r <= 0)
			die("io_getevents");
		for (i = 0; i < r; i++) {
			struct buffer *b = &buffers[event[i].data];

			if (event[i].res != (long long)load->size) {
				errno = event[i].res < 0 ? -event[i].res : EIO;
				die(load->write ? "write" : "read");
			}
			if (!load->write)
				look(b, load->size / BLOCK);
			if (begun < n) {
				begun++;
				prepare(load, b);
				list[again++] = &b->cb;
			}
		}
		ended += r;
		if (again)
			submit(list, again);
	}
}

static bool parse(struct load *load, const char *text)
{
	char what[3] = "";
	unsigned int kib;

	if (sscanf(text, "%2[a-z]%uk:%u", what, &kib, &load->depth) != 3 || !strchr("rs", what[0]) || !strchr("rw", what[1]))
		return false;
	load->random = what[0] == 'r';
	load->write = what[1] == 'w';
	load->size = kib << 10;
	load->next = 0;
	load->count = kib >= 64 ? 62 : 500;
	return kib && !(kib % 4) && load->size <= MAX_SIZE && load->depth && load->depth <= MAX_DEPTH;
}

static void counted(const char *text)
{
	struct load load;
	unsigned int i;

	if (!parse(&load, text)) {
		printf("load: error: \"%s\" is no load; one is rr4k:32\n", text);
		exit(1);
	}
	if (load.random && blocks / (load.size / BLOCK) < load.depth) {
		printf("load: error: \"%s\" has more in flight than %llu blocks have room for\n", text, (unsigned long long)blocks);
		exit(1);
	}
	for (i = 0; i < load.depth; i++)
		fill(&buffers[i], load.size);
	run(&load, load.count / 2 + load.depth);
	MARK_BEGIN();
	run(&load, load.count);
	MARK_END();
	printf("load: %s %u done\n", text, load.count);
	fflush(stdout);
}

static void write_all(void)
{
	struct load load = { .write = true, .size = 128u << 10, .depth = 1 };

	fill(&buffers[0], load.size);
	run(&load, blocks / (load.size / BLOCK));
}

static void verify_all(void)
{
	unsigned int count = 32;

	for (uint64_t at = 0; at < blocks; at += count) {
		if (pread(fd, buffers[0].data, count * BLOCK, at * BLOCK) != count * BLOCK)
			die("read");
		for (unsigned int i = 0; i < count; i++)
			compare((void *)(buffers[0].data + i * BLOCK), at + i);
	}
	printf("load: verified %llu blocks\n", (unsigned long long)blocks);
}

static int point(unsigned int number)
{
#define POINT(n) \
	case n: \
		MARK_POINT(n); \
		return 0;
	switch (number) {
	POINT(0) POINT(1) POINT(2) POINT(3) POINT(4) POINT(5) POINT(6) POINT(7)
	}
	printf("load: error: points are 0 to 7\n");
	return 1;
}

static int forks(void)
{
	enum { COUNT = 100, PAGES = 256 };
	char *pages = mmap(NULL, PAGES * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (pages == MAP_FAILED)
		return 1;
	MARK_BEGIN();
	for (int i = 0; i < COUNT; i++) {
		pid_t child = fork();

		if (!child) {
			for (int page = 0; page < PAGES; page++)
				*(volatile char *)(pages + page * BLOCK) = 1;
			_exit(0);
		}
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return 1;
	}
	MARK_END();
	printf("load: forks %d done\n", COUNT);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "forks"))
		return forks();
	if (argc == 3 && !strcmp(argv[1], "point"))
		return point(strtoul(argv[2], NULL, 10));
	if (argc < 4 || !strtoul(argv[2], NULL, 10)) {
		printf("load: error: load DEVICE MIB LOAD:DEPTH...\n");
		return 2;
	}
	device = argv[1];
	blocks = strtoull(argv[2], NULL, 10) << 8;
	fd = open(device, O_RDWR | O_DIRECT);
	if (fd < 0)
		die("open");
	last = calloc(blocks, sizeof(*last));
	from = calloc(blocks, sizeof(*from));
	for (unsigned int i = 0; i < MAX_DEPTH; i++)
		if (!last || !from || posix_memalign((void **)&buffers[i].data, BLOCK, MAX_SIZE))
			die("memory");
	if (syscall(SYS_io_setup, MAX_DEPTH, &context))
		die("io_setup");
	write_all();
	for (int i = 3; i < argc; i++)
		counted(argv[i]);
	verify_all();
	return 0;
}
