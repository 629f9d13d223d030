/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Rings: spec/rings.md. One submission and one completion ring per queue, in pages the front-end grants. Indices run freely
 * over 2^32 and are masked on use. Each side writes only its own indices; the other side copies them once and checks them.
 */
#ifndef TESSERA_RING_H
#define TESSERA_RING_H

#include <tessera/types.h>

#define TSR_RING_MAX_DEPTH 256u /* a power of two, at least 2 */

/* One cache line each for what one side writes. First page of the ring run; offsets are ABI. */
struct tsr_ring_header {
	/* front-end writes */
	uint32_t sq_tail;  /* submissions made */
	uint32_t cq_head;  /* completions taken */
	uint32_t cq_event; /* raise the event when cq_tail passes this (cq_tail was <= cq_event, is > it) */
	uint32_t pad0[13];
	/* backend writes */
	uint32_t sq_head;  /* submissions taken */
	uint32_t cq_tail;  /* completions made */
	uint32_t sq_event; /* ring the doorbell when sq_tail passes this */
	uint32_t pad1[13];
};
TSR_ASSERT_SIZE(struct tsr_ring_header, 128);

/* The ring run: one header page, then depth 64-byte submissions, then depth 16-byte completions, each from a page boundary. */
#define TSR_RING_SQ_OFFSET        TSR_PAGE_SIZE
#define TSR_RING_SQ_PAGES(depth)  (((depth) * 64u + TSR_PAGE_SIZE - 1) / TSR_PAGE_SIZE)
#define TSR_RING_CQ_OFFSET(depth) (TSR_PAGE_SIZE * (1u + TSR_RING_SQ_PAGES(depth)))
#define TSR_RING_CQ_PAGES(depth)  (((depth) * 16u + TSR_PAGE_SIZE - 1) / TSR_PAGE_SIZE)
#define TSR_RING_PAGES(depth)     (1u + TSR_RING_SQ_PAGES(depth) + TSR_RING_CQ_PAGES(depth))

#endif
