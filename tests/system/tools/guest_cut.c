/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Writes whose fate a power cut decides, and the check of what it left.
 *
 *	guest_cut write DEVICE REGION FROM	operations FROM, FROM + 1, ... on one region, until it is killed; after each fdatasync the number of
 *						the last operation before it goes to /tmp/flushed.REGION
 *	guest_cut load DEVICE REGION FROM	the same, but slowly, except for a while after SIGUSR1, and it reads the region back: each block must be what
 *						the last operation on it left there; how often that was so goes to /tmp/verified.REGION
 *	guest_cut check DEVICE REGION FLUSHED	each block must be what operation FLUSHED left there, or a later one, as a whole
 *
 * What operation N does follows from N and REGION alone: blocks with N all over them, or zeros. Each millionth fills the region: runs begin with those.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BLOCK  4096u
#define REGION 1024u /* blocks */
#define RUN    1000000u /* the first operation of a run fills the region */
#define LATER  4096u /* operations that may have been under way or done since the last flush that was seen */
#define PAUSE  400000u /* microseconds after each operation of a load */
#define HURRY  200u /* operations without that */
#define VERIFY 4u /* a load looks after so many flushes */

struct operation {
	uint32_t first, count;
	bool zero, flush;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

static struct operation operation(uint64_t number, uint32_t region)
{
	uint64_t r = mix(number * 64 + region + 1);
	struct operation o = { .count = r >> 8 & 7 ? 1 + (r >> 16) % 16 : 1 + (r >> 16) % 256, .zero = (r & 7) == 1, .flush = (r >> 3 & 7) == 1 };

	if (number % RUN == 0)
		return (struct operation){ .count = REGION, .flush = true };
	o.first = (r >> 32) % (REGION - o.count + 1);
	return o;
}

static uint64_t word(uint64_t number, uint32_t region, uint32_t block)
{
	return mix(number << 20 ^ (uint64_t)region << 56 ^ block) | 1; /* never zero */
}

static void fail(const char *what)
{
	printf("guest_cut: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void note(const char *what, uint32_t region, uint64_t number)
{
	char name[64], next[72];
	FILE *file;

	snprintf(name, sizeof(name), "/tmp/%s.%u", what, region);
	snprintf(next, sizeof(next), "%s.new", name);
	file = fopen(next, "w");
	if (!file || fprintf(file, "%" PRIu64 "\n", number) < 0 || fclose(file) || rename(next, name))
		fail("noting");
}

static void make(int fd, uint8_t *data, const struct operation *o, uint64_t number, uint32_t region)
{
	uint64_t range[2] = { (uint64_t)(region * REGION + o->first) * BLOCK, (uint64_t)o->count * BLOCK };

	if (o->zero) {
		if (ioctl(fd, BLKZEROOUT, range))
			fail("zeroing");
		return;
	}
	for (uint32_t i = 0; i < o->count; i++)
		for (uint32_t k = 0; k < BLOCK / 8; k++)
			((uint64_t *)(data + (size_t)i * BLOCK))[k] = word(number, region, o->first + i);
	if (pwrite(fd, data, range[1], (off_t)range[0]) != (ssize_t)range[1])
		fail("writing");
}

/* The number of the operation that these bytes are of, out of those that may be: or UINT64_MAX. */
static uint64_t origin(const uint64_t *bytes, uint32_t region, uint32_t block, uint64_t flushed, uint64_t newest)
{
	bool found = false;

	for (uint32_t k = 1; k < BLOCK / 8; k++)
		if (bytes[k] != bytes[0])
			return UINT64_MAX; /* torn */
	for (uint64_t number = newest; !found; number--) {
		struct operation o = operation(number, region);

		if (block - o.first < o.count) {
			if (bytes[0] == (o.zero ? 0 : word(number, region, block)))
				return number;
			found = number <= flushed; /* the newest that must be there, and is not */
		}
	}
	return UINT64_MAX;
}

/* How many blocks are not what the last operation up to FLUSHED left there, or a later one up to NEWEST. */
static uint32_t wrong_blocks(int fd, uint8_t *data, uint32_t region, uint64_t flushed, uint64_t newest, uint32_t *newer)
{
	uint32_t wrong = 0;

	*newer = 0;
	if (pread(fd, data, REGION * BLOCK, (off_t)region * REGION * BLOCK) != REGION * BLOCK)
		fail("reading");
	for (uint32_t block = 0; block < REGION; block++) {
		uint64_t number = origin((uint64_t *)(data + (size_t)block * BLOCK), region, block, flushed, newest);

		*newer += number != UINT64_MAX && number > flushed;
		if (number == UINT64_MAX && wrong++ < 5)
			printf("guest_cut: block %u of region %u is neither flushed nor newer\n", block, region);
	}
	return wrong;
}

static int check(int fd, uint8_t *data, uint32_t region, uint64_t flushed)
{
	uint32_t newer, wrong = wrong_blocks(fd, data, region, flushed, flushed + LATER, &newer);

	printf("region %u: %u blocks newer than operation %" PRIu64 ", %u wrong\n", region, newer, flushed, wrong);
	return wrong ? 1 : 0;
}

static volatile sig_atomic_t hurry;

static void hurry_up(int signal)
{
	(void)signal;
	hurry = HURRY;
}

static void write_on(int fd, uint8_t *data, uint32_t region, uint64_t number, bool load)
{
	uint32_t flushes = 0, newer;

	signal(SIGUSR1, hurry_up);
	for (;; number++) {
		struct operation o = operation(number, region);

		make(fd, data, &o, number, region);
		if (load && !hurry)
			usleep(PAUSE);
		hurry -= hurry > 0;
		if (!o.flush)
			continue;
		if (fdatasync(fd))
			fail("flushing");
		note("flushed", region, number);
		if (!load || ++flushes % VERIFY)
			continue;
		if (wrong_blocks(fd, data, region, number, number, &newer))
			exit(1);
		note("verified", region, flushes / VERIFY);
	}
}

int main(int argc, char **argv)
{
	uint8_t *data = aligned_alloc(BLOCK, (size_t)REGION * BLOCK);
	int fd;

	if (argc != 5 || !data)
		return 2;
	fd = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		fail(argv[2]);
	if (!strcmp(argv[1], "check"))
		return check(fd, data, (uint32_t)atoi(argv[3]), strtoull(argv[4], NULL, 10));
	write_on(fd, data, (uint32_t)atoi(argv[3]), strtoull(argv[4], NULL, 10), !strcmp(argv[1], "load"));
}
