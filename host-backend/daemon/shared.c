/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/shared.h"
#include <string.h>
#include <sys/random.h>

#define PAGE 4096u

static uint8_t mark[SHARED_MARK];

bool shared_init(void)
{
	return getrandom(mark, sizeof(mark), 0) == sizeof(mark);
}

void shared_fill(void *memory, size_t size)
{
	for (size_t at = 0; at < size; at += SHARED_MARK)
		memcpy((uint8_t *)memory + at, mark, SHARED_MARK);
}

bool shared_live(const void *address)
{
	uint8_t seen[SHARED_MARK];

	shared_barrier();
	memcpy(seen, address, sizeof(seen));
	shared_barrier();
	return memcmp(seen, mark, sizeof(seen)) != 0;
}

bool shared_live_range(const void *from, size_t size)
{
	uintptr_t at = (uintptr_t)from, end = at + size;

	/* Processors that Tessera runs on do loads in order: what shared_live reads is read after all that was read before. */
	while (at < end) {
		at = (at | (PAGE - 1)) + 1 < end ? (at | (PAGE - 1)) + 1 : end;
		if (!shared_live((const uint8_t *)at - SHARED_MARK))
			return false;
	}
	return true;
}

uint32_t shared_load(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

void shared_store(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

void shared_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
