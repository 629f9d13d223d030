/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/window.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/shared.h"

void window_init(struct window_pool *pool, const struct backend *backend)
{
	memset(pool, 0, sizeof(*pool));
	pool->backend = backend;
}

/* Sealed, so that nobody shrinks it under the module's pin. */
static void *huge_memory(void)
{
	int fd = memfd_create("tessera-window", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_2MB);
	void *memory = MAP_FAILED;

	if (fd < 0)
		return MAP_FAILED;
	if (ftruncate(fd, WINDOW_SIZE) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		memory = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	return memory;
}

/* Those in use beyond the machine's number, where somebody lowered it: a higher number counts them first. */
static unsigned long surplus(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages", "r");
	unsigned long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages;
}

/* The machine's number of them is read and written, and another may take what was added: back-ends that start together take turns. */
static void *huge_memory_in_turn(void)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "r+");
	void *memory = MAP_FAILED;
	unsigned long pages;

	if (!file)
		return huge_memory();
	if (flock(fileno(file), LOCK_EX) == 0)
		memory = huge_memory();
	if (memory == MAP_FAILED && fscanf(file, "%lu", &pages) == 1 && fseek(file, 0, SEEK_SET) == 0 && fprintf(file, "%lu\n", pages + surplus() + 1) > 0 &&
	    fflush(file) == 0)
		memory = huge_memory();
	fclose(file);
	return memory;
}

/* Transparent huge pages: contiguous too if the kernel has one to give; if not, mapping longer runs fails and says so. */
static void *plain_memory(void)
{
	uint8_t *area = mmap(NULL, 2 * WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *base;

	if (area == MAP_FAILED)
		return MAP_FAILED;
	base = (uint8_t *)(((uintptr_t)area + WINDOW_SIZE - 1) & ~(uintptr_t)(WINDOW_SIZE - 1));
	if (base > area)
		munmap(area, base - area);
	munmap(base + WINDOW_SIZE, area + WINDOW_SIZE - base);
	madvise(base, WINDOW_SIZE, MADV_HUGEPAGE);
	madvise(base, WINDOW_SIZE, MADV_DONTFORK);
	return base;
}

static void *get_memory(void)
{
	void *memory = huge_memory_in_turn();

	if (memory != MAP_FAILED)
		return memory;
	log_line("no 2 MiB huge page to be had, using normal memory; if mapping fails, raise vm.nr_hugepages early after boot");
	return plain_memory();
}

static int add_window(struct window_pool *pool)
{
	const struct backend_ops *ops = pool->backend->ops;
	void *memory;
	int number;

	if (pool->count == WINDOW_MAX) {
		log_line("a session needs more than %u windows of 2 MiB", WINDOW_MAX);
		return -ENOBUFS;
	}
	memory = ops->memory ? ops->memory(pool->backend->context, WINDOW_SIZE) : get_memory();
	if (memory == MAP_FAILED) {
		log_guest("no memory for a window of 2 MiB: %s; give the host more", strerror(ENOMEM));
		return -ENOMEM;
	}
	shared_fill(memory, WINDOW_SIZE);
	number = ops->window(pool->backend->context, memory, WINDOW_SIZE);
	if (number < 0) {
		log_guest("registering a window failed: %s; see the kernel's log", strerror(-number));
		munmap(memory, WINDOW_SIZE);
		return number;
	}
	pool->window[pool->count].base = memory;
	pool->window[pool->count].number = number;
	pool->window[pool->count].used = 0;
	pool->count++;
	return 0;
}

int window_place(struct window_pool *pool, uint32_t pages, struct window_run *run)
{
	uint32_t size = pages * TSR_PAGE_SIZE;
	uint32_t i = 0;

	while (i < pool->count && WINDOW_SIZE - pool->window[i].used < size)
		i++;
	if (i == pool->count) {
		int error = add_window(pool);

		if (error)
			return error;
	}
	run->address = pool->window[i].base + pool->window[i].used;
	run->window = pool->window[i].number;
	run->offset = pool->window[i].used;
	pool->window[i].used += size;
	return 0;
}

void window_reset(struct window_pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++) {
		pool->window[i].used = 0;
		shared_fill(pool->window[i].base, WINDOW_SIZE);
	}
}

void window_fini(struct window_pool *pool)
{
	for (uint32_t i = 0; i < pool->count; i++)
		munmap(pool->window[i].base, WINDOW_SIZE);
	pool->count = 0;
}
