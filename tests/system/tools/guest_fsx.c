/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Random operations on one file, each checked against a model of it in memory: reads, writes, mapped reads and writes, truncates,
 * and all that fallocate does; with fsyncs, dropped caches and reopening in between. On a block device those of them that it has.
 *
 *	guest_fsx [-s SEED] [-n OPERATIONS] [-l LENGTH] [-d] FILE	-d: O_DIRECT, whole blocks
 *
 * Prints how often each operation was made, or what went wrong after the last operations; status 0 or 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK   4096u
#define PIECE   (256u << 10) /* most of one operation */
#define HISTORY 24

/* X(NAME, weight, on a block device) */
#define OPS(X)                                                                                                     \
	X(read, 8, true) X(write, 10, true) X(mapread, 4, true) X(mapwrite, 6, true) X(truncate, 4, false)         \
	X(allocate, 3, false) X(punch, 4, true) X(zero, 4, true) X(collapse, 2, false) X(insert, 2, false)         \
	X(discard, 3, true) X(fsync, 2, true) X(drop, 2, true) X(reopen, 1, true)
#define OP_ENUM(name, weight, block) OP_##name,
enum op { OPS(OP_ENUM) OP_NR };
#define OP_NAME(name, weight, block) #name,
static const char *const names[] = { OPS(OP_NAME) };
#define OP_WEIGHT(name, weight, block) weight,
static const unsigned weights[] = { OPS(OP_WEIGHT) };
#define OP_BLOCK(name, weight, block) block,
static const bool on_block[] = { OPS(OP_BLOCK) };

static const char *path;
static int fd;
static bool direct, device;
static uint8_t *model, *buffer; /* max bytes, page-aligned */
static uint64_t size, max = 4u << 20;
static uint64_t seed = 1;
static unsigned done[OP_NR], refused[OP_NR];
static struct {
	enum op op;
	uint64_t at, length;
} history[HISTORY];
static uint64_t made;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below ? (seed * 0x2545f4914f6cdd1dull >> 11) % below : 0;
}

static void fail(const char *what)
{
	printf("guest_fsx: %s: %s (errno %d); the last operations, newest last:\n", what, strerror(errno), errno);
	for (uint64_t i = made > HISTORY ? made - HISTORY : 0; i < made; i++)
		printf("  %" PRIu64 " %s at %" PRIu64 ", %" PRIu64 " bytes\n", i, names[history[i % HISTORY].op], history[i % HISTORY].at,
		       history[i % HISTORY].length);
	exit(1);
}

static void compare(const uint8_t *found, uint64_t at, uint64_t length, const char *how)
{
	char text[160];

	for (uint64_t i = 0; i < length; i++) {
		if (found[i] == model[at + i])
			continue;
		errno = 0;
		snprintf(text, sizeof(text), "%s: byte %" PRIu64 " is %#x and should be %#x", how, at + i, found[i], model[at + i]);
		fail(text);
	}
}

static void open_file(int flags)
{
	fd = open(path, O_RDWR | O_CLOEXEC | flags | (direct ? O_DIRECT : 0), 0600);
	if (fd < 0)
		fail("open");
}

static void check_all(void)
{
	for (uint64_t at = 0; at < size; at += PIECE) {
		uint64_t length = size - at < PIECE ? size - at : PIECE;

		if (pread(fd, buffer, (length + BLOCK - 1) & ~(uint64_t)(BLOCK - 1), at) < (ssize_t)length)
			fail("reading all");
		compare(buffer, at, length, "reading all");
	}
}

static void fill(uint8_t *to, uint64_t length)
{
	for (uint64_t i = 0; i < length; i++)
		to[i] = (uint8_t)draw(256);
}

/* The file's size, after an operation that ends there. */
static void grow(uint64_t end)
{
	if (end > size)
		size = end;
}

static void do_write(uint64_t at, uint64_t length)
{
	fill(buffer, length);
	if (pwrite(fd, buffer, length, at) != (ssize_t)length)
		fail("write");
	memcpy(model + at, buffer, length);
	grow(at + length);
}

static void do_map(uint64_t at, uint64_t length, bool write)
{
	uint64_t start = at & ~(uint64_t)(BLOCK - 1);
	uint8_t *map = mmap(NULL, at + length - start, PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);

	if (map == MAP_FAILED)
		fail("mmap");
	if (write) {
		fill(map + (at - start), length);
		memcpy(model + at, map + (at - start), length);
		if (draw(2) && msync(map, at + length - start, MS_SYNC))
			fail("msync");
	} else {
		compare(map + (at - start), at, length, "mapped");
	}
	munmap(map, at + length - start);
}

/* false: the file system has no such operation. */
static bool do_fallocate(enum op op, uint64_t at, uint64_t length)
{
	static const int modes[OP_NR] = {
		[OP_punch] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		[OP_zero] = FALLOC_FL_ZERO_RANGE,
		[OP_collapse] = FALLOC_FL_COLLAPSE_RANGE,
		[OP_insert] = FALLOC_FL_INSERT_RANGE,
	};
	int mode = modes[op];

	if (op == OP_zero && draw(2))
		mode |= FALLOC_FL_KEEP_SIZE;
	if (fallocate(fd, mode, at, length)) {
		if (errno != EOPNOTSUPP)
			fail(names[op]);
		return false;
	}
	if (op == OP_collapse) {
		memmove(model + at, model + at + length, size - at - length);
		memset(model + size - length, 0, length);
		size -= length;
	} else if (op == OP_insert) {
		memmove(model + at + length, model + at, size - at);
		memset(model + at, 0, length);
		size += length;
	} else {
		uint64_t end = at + length;

		if (!(mode & FALLOC_FL_KEEP_SIZE))
			grow(end);
		if (end > size)
			end = size;
		if (op != OP_allocate && end > at)
			memset(model + at, 0, end - at);
	}
	return true;
}

/* A sealed disk's discarded blocks are zeros. */
static bool do_discard(uint64_t at, uint64_t length)
{
	uint64_t range[2] = { at, length };

	if (ioctl(fd, BLKDISCARD, range)) {
		if (errno != EOPNOTSUPP)
			fail("discard");
		return false;
	}
	memset(model + at, 0, length);
	return true;
}

static void do_truncate(uint64_t to)
{
	if (ftruncate(fd, to))
		fail("truncate");
	if (to < size)
		memset(model + to, 0, size - to);
	size = to;
}

static bool changes_layout(enum op op)
{
	return op == OP_collapse || op == OP_insert;
}

/* Where and how much; false: nothing fits the file as it is now. */
static bool choose(enum op op, uint64_t *at, uint64_t *length)
{
	bool inside = op == OP_read || op == OP_mapread || op == OP_mapwrite || changes_layout(op) || device;
	uint64_t unit = direct || device || changes_layout(op) || op == OP_discard ? BLOCK : 1;
	uint64_t limit = inside ? size : max;

	/* Half of all pieces are small. */
	*length = (1 + draw(draw(2) ? PIECE : 3 * BLOCK)) / unit * unit;
	*at = draw(limit) / unit * unit;
	if (!*length)
		*length = unit;
	if (*at + *length > limit)
		*length = (limit - *at) / unit * unit;
	if (op == OP_collapse)
		return *length && *at + *length < size;
	if (op == OP_insert)
		return *length && *at < size && size + *length <= max;
	return *length > 0;
}

static bool make(enum op op, uint64_t at, uint64_t length)
{
	switch (op) {
	case OP_read:
		if (pread(fd, buffer, length, at) != (ssize_t)length)
			fail("read");
		compare(buffer, at, length, "read");
		return true;
	case OP_write:
		do_write(at, length);
		return true;
	case OP_mapread:
	case OP_mapwrite:
		do_map(at, length, op == OP_mapwrite);
		return true;
	case OP_truncate:
		do_truncate(at);
		return true;
	case OP_fsync:
		if (draw(2) ? fsync(fd) : fdatasync(fd))
			fail("fsync");
		return true;
	case OP_drop:
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		return true;
	case OP_reopen:
		close(fd);
		open_file(0);
		check_all();
		return true;
	case OP_discard:
		return do_discard(at, length);
	default:
		return do_fallocate(op, at, length);
	}
}

static enum op pick(void)
{
	unsigned sum = 0, i;

	for (i = 0; i < OP_NR; i++)
		sum += weights[i];
	sum = (unsigned)draw(sum);
	for (i = 0; sum >= weights[i]; i++)
		sum -= weights[i];
	return (enum op)i;
}

static void step(void)
{
	enum op op = pick();
	uint64_t at, length;

	if (device ? !on_block[op] : op == OP_discard)
		return;
	if (refused[op] || !choose(op, &at, &length))
		return;
	history[made++ % HISTORY] = (typeof(history[0])){ op, at, length };
	if (make(op, at, length))
		done[op]++;
	else
		refused[op]++;
}

static void start(void)
{
	struct stat status;

	device = stat(path, &status) == 0 && S_ISBLK(status.st_mode);
	max &= ~(uint64_t)(BLOCK - 1);
	model = aligned_alloc(BLOCK, max);
	buffer = aligned_alloc(BLOCK, PIECE);
	if (!model || !buffer)
		fail("memory");
	memset(model, 0, max);
	open_file(device ? 0 : O_CREAT | O_TRUNC);
	if (!device)
		return;
	/* What is there before is nobody's. */
	for (; size < max; size += PIECE) {
		fill(model + size, max - size < PIECE ? max - size : PIECE);
		if (pwrite(fd, model + size, max - size < PIECE ? max - size : PIECE, size) <= 0)
			fail("writing all");
	}
	size = max;
}

int main(int argc, char **argv)
{
	unsigned operations = 1000;
	int option;

	while ((option = getopt(argc, argv, "s:n:l:d")) != -1) {
		if (option == 's')
			seed = strtoull(optarg, NULL, 0) * 2 + 1;
		else if (option == 'n')
			operations = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 'l')
			max = strtoull(optarg, NULL, 0);
		else if (option == 'd')
			direct = true;
		else
			return 2;
	}
	if (optind + 1 != argc || max < PIECE)
		return 2;
	path = argv[optind];
	start();
	while (operations--)
		step();
	if (fsync(fd))
		fail("the last fsync");
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	check_all();
	for (unsigned i = 0; i < OP_NR; i++)
		if (done[i] || refused[i])
			printf("%s=%u%s ", names[i], done[i], refused[i] ? "(not there)" : "");
	printf("size=%" PRIu64 "\n", size);
	return 0;
}
