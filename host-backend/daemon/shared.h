/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Memory shared with a guest. Each range is copied once, and only the copy is looked at.
 *
 * A guest may revoke a token while its pages are being copied. Then the hypervisor swaps the daemon's own frames back in: the copy
 * does not fault, it reads something else. So that such a mixture is never taken for the guest's words and written to the disk, the own frames
 * are filled with a random mark that no guest ever sees. A token never comes back, so a range that does not show the mark *after* it
 * was copied was the guest's throughout.
 *
 * Data that DMA takes from the guest's pages is looked at in the same way: once for its CRC, and when the DMA has ended the marks are looked
 * for. DMA *to* a page revoked meanwhile wipes out its mark; but then the guest has broken its own rules if it asks for anything to be
 * written from that page (one request in flight for a page, none made once it revokes), and harms itself alone.
 */
#ifndef DAEMON_SHARED_H
#define DAEMON_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHARED_MARK 16u /* bytes; ranges are aligned to it */

/* Keeps the compiler from moving, merging or repeating accesses to shared memory across this point. */
static inline void shared_barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Draws the mark. Once, before any thread. false: no random bytes. */
bool shared_init(void);

/* Fills own memory with the mark: before it is mapped over. */
void shared_fill(void *memory, size_t size);

/* The SHARED_MARK bytes at address are still (or were just now) the guest's. */
bool shared_live(const void *address);

/* Whether each page of a range is, or was just now, the guest's: what was read there before was its. from and size as below. */
bool shared_live_range(const void *from, size_t size);

/* false: revoked meanwhile, the copy is worthless. from and size are multiples of SHARED_MARK. */
static inline bool shared_copy_in(void *to, const void *from, size_t size)
{
	shared_barrier();
	memcpy(to, from, size);
	return shared_live_range(from, size);
}

static inline void shared_copy_out(void *to, const void *from, size_t size)
{
	shared_barrier();
	memcpy(to, from, size);
	shared_barrier();
}

/* Indices. Loads acquire, stores release. */
uint32_t shared_load(const uint32_t *index);
void shared_store(uint32_t *index, uint32_t value);

/* Orders an earlier store before a later load: between publishing an index and looking at the other side's. */
void shared_fence(void);

#endif
