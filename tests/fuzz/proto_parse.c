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
#include "proto/request.h"
#include "proto/ring.h"
#include "proto/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void requests(const uint8_t *data, size_t size)
{
	struct tsr_blk_limits limits;
	struct tsr_blk_request r;
	struct tsr_blk_completion c;

	if (size < sizeof(r) + 16)
		return;
	memcpy(&r, data, sizeof(r));
	memcpy(&c, data, sizeof(c));
	limits = (struct tsr_blk_limits){ .depth = 2u << data[64] % 8, .data_pages = 16 + data[65], .read_only = data[66] & 1 };
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
	memset(segment, 0, sizeof(segment));
	memcpy(segment, data + 2, size - 2 < sizeof(segment) ? size - 2 : sizeof(segment));
	if (tsr_blk_request_check(&r, &limits) != TSR_BLK_OK || !tsr_blk_segments_check(&r, segment, &limits))
		return;
	for (uint32_t i = 0; i < r.segments; i++) {
		require(segment[i].count && (uint64_t)segment[i].page + segment[i].count <= limits.data_pages);
		sum += segment[i].count;
	}
	require(sum == r.count);
}

static void controls(const uint8_t *data, size_t size)
{
	struct tsr_blk_control c = { .magic = TSR_BLK_MAGIC, .version = TSR_BLK_VERSION, .session = 1 };

	if (size > sizeof(c) - 12)
		size = sizeof(c) - 12;
	memcpy((uint8_t *)&c + 12, data, size);
	if (tsr_control_check_front(&c, 1) == TSR_CONTROL_OK) {
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
	if (tsr_disk_check(&h, TSR_SUITE_AES_256_GCM) != TSR_DISK_OK)
		return;
	epochs = h.epochs;
	require(epochs >= 1 && epochs <= TSR_HEADER_EPOCHS);
	require(tsr_disk_slot(&h) < TSR_HEADER_SLOTS);
	tsr_disk_open(&h, tag, nonce);
	tsr_disk_close(&h, tag);
	if (h.generation != UINT64_MAX && tsr_disk_attach(&h, salt, 1))
		require(h.epochs == epochs + 1 && tsr_disk_check(&h, TSR_SUITE_AES_256_GCM) == TSR_DISK_OK);
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
	return 0;
}
