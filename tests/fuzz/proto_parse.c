/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: proto/control.c proto/disk.c proto/request.c proto/seal.c */
/*
 * Every check of proto/ on arbitrary bytes, each against what its callers rely on: what passes must be usable without another look.
 */
#include <stdlib.h>
#include <string.h>
#include <tessera/hypercall.h>
#include "proto/control.h"
#include "proto/disk.h"
#include "proto/fresh.h"
#include "proto/request.h"
#include "proto/ring.h"
#include "proto/seal.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void requests(const uint8_t *data, size_t size)
{
	struct tsr_blk_limits limits;
	struct tsr_blk_request r;
	struct tsr_blk_completion c;

	if (size < sizeof(r) + 16)
		return;
	memcpy(&r, data, sizeof(r));
	memcpy(&c, data, sizeof(c));
	limits = (struct tsr_blk_limits){ .depth = 2u << data[64] % 8, .data_pages = 16 + data[65], .read_only = data[66] & 1, .mode = data[67] % 3 };
	memcpy(&limits.blocks, data + 72, 8);
	if (tsr_blk_completion_check(&c, limits.depth))
		require(c.id < limits.depth);
	if (tsr_blk_request_check(&r, &limits) != TSR_BLK_OK)
		return;
	require(tsr_blk_request_pages(&r) <= TSR_BLK_MAX_BLOCKS);
	require((uint64_t)r.data_page + tsr_blk_request_pages(&r) <= limits.data_pages);
	if (r.op == TSR_BLK_READ || r.op == TSR_BLK_WRITE || r.op == TSR_BLK_WRITE_ZEROES) {
		require(r.count >= 1 && r.count <= TSR_BLK_MAX_BLOCKS);
		require(r.block < limits.blocks && limits.blocks - r.block >= r.count);
	}
	if (r.op == TSR_BLK_HEADER_READ || r.op == TSR_BLK_HEADER_WRITE)
		require(r.block < TSR_HEADER_SLOTS && r.count == TSR_HEADER_BLOCKS);
	require(tsr_blk_token_pages(&r) >= tsr_blk_request_pages(&r) && tsr_blk_token_pages(&r) <= TSR_TOKEN_MAX_PAGES);
	require(tsr_blk_token_dir(&r) >= TSR_DIR_READ && tsr_blk_token_dir(&r) <= TSR_DIR_BOTH);
	if (limits.mode == TSR_BLK_STRICT)
		require((uint64_t)r.data_page + tsr_blk_token_pages(&r) <= limits.data_pages && !r.token.generation == !tsr_blk_token_pages(&r));
	else
		require(tsr_is_zero(&r.token, sizeof(r.token)));
	require(r.flags & TSR_BLK_INDIRECT ? r.segments <= r.count : !r.segments);
	require(!limits.read_only || r.op == TSR_BLK_READ || r.op == TSR_BLK_FLUSH || r.op == TSR_BLK_HEADER_READ);
}

static void segments(const uint8_t *data, size_t size)
{
	struct tsr_blk_limits limits = { .depth = 8, .data_pages = TSR_TOKEN_MAX_PAGES, .blocks = 1000 };
	struct tsr_blk_request r = { .op = TSR_BLK_WRITE, .flags = TSR_BLK_INDIRECT };
	struct tsr_blk_segment segment[TSR_BLK_MAX_BLOCKS];
	uint32_t sum = 0;

	if (size < 2)
		return;
	r.count = 1u + data[0];
	r.segments = 1u + data[1] % r.count;
	r.data_page = data[0] ^ data[1];
	limits.mode = data[1] % 3;
	r.token.generation = limits.mode == TSR_BLK_STRICT;
	memset(segment, 0, sizeof(segment));
	memcpy(segment, data + 2, size - 2 < sizeof(segment) ? size - 2 : sizeof(segment));
	if (tsr_blk_request_check(&r, &limits) != TSR_BLK_OK || !tsr_blk_segments_check(&r, segment, &limits))
		return;
	for (uint32_t i = 0; i < r.segments; i++) {
		require(segment[i].count && (uint64_t)segment[i].page + segment[i].count <= limits.data_pages);
		sum += segment[i].count;
	}
	require(sum == r.count);
	/* What one token names: the table, then the data. */
	if (limits.mode == TSR_BLK_STRICT)
		require(segment[0].page >= r.data_page + tsr_blk_request_pages(&r) &&
			segment[0].page + sum <= r.data_page + tsr_blk_token_pages(&r));
}

static void controls(const uint8_t *data, size_t size)
{
	struct tsr_blk_control c = { .magic = TSR_BLK_MAGIC, .version = TSR_BLK_VERSION, .session = 1 };

	if (size > sizeof(c) - 12)
		size = sizeof(c) - 12;
	memcpy((uint8_t *)&c + 12, data, size);
	require(tsr_control_error_text(tsr_control_check_front(&c, 1))[0] && tsr_control_error_text(tsr_control_check_back(&c, 0))[0]);
	require(tsr_control_check_front(&c, 0) != TSR_CONTROL_OK);
	if (tsr_control_check_front(&c, 1) == TSR_CONTROL_OK) {
		for (uint32_t i = 0; i < c.queues; i++) {
			require(c.queue[i].ring.generation && c.queue[i].seal.generation && c.queue[i].event < TSR_MAX_EVENTS);
			require(!c.queue[i].data.generation == (c.mode == TSR_BLK_STRICT));
		}
		require(c.mode <= TSR_BLK_COPIED && c.reading <= 1);
		require(c.queues >= 1 && c.queues <= TSR_BLK_MAX_QUEUES && tsr_ring_depth_valid(c.depth));
		require(TSR_RING_PAGES(c.depth) <= TSR_TOKEN_MAX_PAGES && TSR_BLK_SEAL_PAGES(c.depth) <= TSR_TOKEN_MAX_PAGES);
		require(c.data_pages <= TSR_TOKEN_MAX_PAGES && c.event < TSR_MAX_EVENTS);
	}
	if (tsr_control_check_back(&c, TSR_BLK_FEATURES) == TSR_CONTROL_OK && c.state == TSR_BLK_BACKEND_READY)
		require(c.blocks >= 1 && c.blocks <= TSR_DISK_MAX_BLOCKS && !(c.backend_features & ~TSR_BLK_FEATURES));
}

static void headers(const uint8_t *data, size_t size)
{
	static struct tsr_disk_header h;
	uint8_t salt[TSR_SALT_SIZE] = { 1 }, tag[TSR_TAG_SIZE], nonce[TSR_NONCE_SIZE];
	uint32_t epochs;

	memset(&h, 0, sizeof(h));
	memcpy(h.magic, TSR_HEADER_MAGIC, 8);
	h.version = 1;
	h.suite = TSR_SUITE_AES_256_GCM;
	memcpy((uint8_t *)&h + 16, data, size < sizeof(h) - 16 ? size : sizeof(h) - 16);
	require(tsr_disk_error_text(tsr_disk_check(&h, TSR_SUITE_AES_256_GCM))[0] && tsr_disk_check(&h, TSR_SUITE_NONE) != TSR_DISK_OK);
	if (tsr_disk_check(&h, TSR_SUITE_AES_256_GCM) != TSR_DISK_OK)
		return;
	require(h.blocks && h.blocks <= TSR_DISK_MAX_BLOCKS && (h.formatted == TSR_DISK_FORMATTED || h.formatted <= h.blocks));
	epochs = h.epochs;
	require(epochs >= 1 && epochs <= TSR_HEADER_EPOCHS);
	require(tsr_disk_slot(&h) < TSR_HEADER_SLOTS);
	tsr_disk_open(&h, tag, nonce);
	tsr_disk_close(&h, tag);
	if (h.generation != UINT64_MAX && tsr_disk_attach(&h, salt, 1))
		require(h.epochs == epochs + 1 && tsr_disk_check(&h, TSR_SUITE_AES_256_GCM) == TSR_DISK_OK);
}

/* A whole ring, driven by indices from the other side: never more is taken than it holds, nor anything twice. */
static void a_ring(const uint8_t *data, size_t size)
{
	uint32_t depth = 2u << (size ? data[0] % 8 : 0), taken = (size > 1 ? data[1] : 0) * 0x01010101u, tail;

	for (size_t i = 2; i + 4 <= size; i += 4) {
		int count;

		memcpy(&tail, data + i, sizeof(tail));
		if (data[i] % 4)
			tail = taken + data[i + 1] % (depth + 2);
		count = tsr_ring_new(tail, taken, depth);
		require(count == (tail - taken <= depth ? (int)(tail - taken) : TSR_RING_BROKEN));
		for (int k = 0; k < count; k++, taken++)
			require(tsr_ring_sq_at(taken, depth) == TSR_RING_SQ_OFFSET + taken % depth * 64 &&
				tsr_ring_cq_at(taken, depth) + 16 <= TSR_RING_PAGES(depth) * TSR_PAGE_SIZE);
		/* Once told about an index, nobody is told again before it is passed anew. */
		require(!tsr_ring_need_event(tail, taken, taken));
		require(!count || count == TSR_RING_BROKEN || tsr_ring_need_event(taken - 1, taken, taken - (uint32_t)count));
	}
}

/* Of two slots the newer valid one, and what may be read under a seal within an attach. */
static void choices(const uint8_t *data, size_t size)
{
	uint64_t word, word_before, generation[2];
	struct tsr_seal seal;
	int chosen;

	if (size < 1 + sizeof(generation) + sizeof(seal))
		return;
	memcpy(generation, data + 1, sizeof(generation));
	memcpy(&seal, data + 1 + sizeof(generation), sizeof(seal));
	chosen = tsr_disk_choose(data[0] & 1, generation[0], data[0] & 2, generation[1]);
	require(chosen >= -1 && chosen <= 1 && (chosen < 0 ? !(data[0] & 3) : data[0] >> chosen & 1));
	require(!(data[0] & 1 && data[0] & 2) || generation[chosen] >= generation[!chosen]);
	word_before = generation[0];
	word = word_before;
	require(tsr_fresh_claim(&word, 1, &word_before) == (generation[0] != TSR_FRESH_CLAIMED));
	require(tsr_fresh_word(&seal) != TSR_FRESH_UNKNOWN && tsr_fresh_word(&seal) < TSR_FRESH_LOST);
	require(!tsr_fresh_accepts(TSR_FRESH_LOST, &seal) && tsr_fresh_accepts(tsr_fresh_word(&seal), &seal));
}

static void seals_and_rings(const uint8_t *data, size_t size)
{
	struct tsr_seal seal;
	uint32_t index[3];
	int count;

	if (size < sizeof(seal) + sizeof(index))
		return;
	memcpy(&seal, data, sizeof(seal));
	memcpy(index, data + sizeof(seal), sizeof(index));
	if (tsr_seal_check(&seal, index[0]) == TSR_SEAL_OK)
		require(seal.epoch >= 1 && seal.epoch <= index[0] && seal.counter);
	count = tsr_ring_new(index[1], index[2], 64);
	require(count == TSR_RING_BROKEN || (count >= 0 && count <= 64 && index[2] + (uint32_t)count == index[1]));
	require(tsr_ring_sq_at(index[1], 64) + 64 <= TSR_RING_CQ_OFFSET(64));
	require(tsr_ring_cq_at(index[1], 64) + 16 <= TSR_RING_PAGES(64) * TSR_PAGE_SIZE);
	(void)tsr_ring_need_event(index[0], index[1], index[2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	requests(data, size);
	segments(data, size);
	controls(data, size);
	headers(data, size);
	seals_and_rings(data, size);
	a_ring(data, size);
	choices(data, size);
	return 0;
}
