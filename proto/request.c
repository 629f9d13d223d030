/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/request.h"

bool tsr_blk_request_id_valid(const struct tsr_blk_request *request, uint32_t depth)
{
	return request->id < depth;
}

static bool in_capacity(const struct tsr_blk_request *request, uint64_t blocks)
{
	return request->count <= blocks && request->block <= blocks - request->count;
}

static bool in_data_run(uint32_t page, uint32_t count, uint32_t data_pages)
{
	return count <= data_pages && page <= data_pages - count;
}

static bool moves_data(const struct tsr_blk_request *request)
{
	return request->op != TSR_BLK_FLUSH && request->op != TSR_BLK_WRITE_ZEROES;
}

static bool indirect(const struct tsr_blk_request *request)
{
	return request->flags & TSR_BLK_INDIRECT;
}

static enum tsr_blk_status check_blocks(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	uint32_t segments = indirect(request) && moves_data(request) ? request->count : 0;

	if (request->count == 0 || request->count > (indirect(request) ? TSR_BLK_MAX_BLOCKS : TSR_BLK_DIRECT_BLOCKS))
		return TSR_BLK_E_INVALID;
	if (request->segments > segments || (segments && request->segments == 0))
		return TSR_BLK_E_INVALID;
	if (!tsr_blk_request_pages(request) ? request->data_page != 0 :
	    !in_data_run(request->data_page, tsr_blk_request_pages(request), limits->data_pages))
		return TSR_BLK_E_INVALID;
	if (!in_capacity(request, limits->blocks))
		return TSR_BLK_E_RANGE;
	return TSR_BLK_OK;
}

static enum tsr_blk_status check_header(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	if (request->count != TSR_HEADER_BLOCKS || request->segments || !in_data_run(request->data_page, request->count, limits->data_pages))
		return TSR_BLK_E_INVALID;
	if (request->block >= TSR_HEADER_SLOTS)
		return TSR_BLK_E_RANGE;
	return TSR_BLK_OK;
}

static enum tsr_blk_status check_op(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	switch (request->op) {
	case TSR_BLK_READ:
	case TSR_BLK_WRITE:
	case TSR_BLK_WRITE_ZEROES:
		return check_blocks(request, limits);
	case TSR_BLK_FLUSH:
		if (request->count || request->block || request->data_page || request->segments)
			return TSR_BLK_E_INVALID;
		return TSR_BLK_OK;
	case TSR_BLK_HEADER_READ:
	case TSR_BLK_HEADER_WRITE:
		return check_header(request, limits);
	}
	return TSR_BLK_E_UNSUPPORTED;
}

static uint8_t known_flags(const struct tsr_blk_request *request)
{
	switch (request->op) {
	case TSR_BLK_READ:
		return TSR_BLK_INDIRECT;
	case TSR_BLK_WRITE:
		return TSR_BLK_INDIRECT | TSR_BLK_FUA;
	case TSR_BLK_WRITE_ZEROES:
		return TSR_BLK_INDIRECT | TSR_BLK_FUA | TSR_BLK_UNMAP;
	}
	return 0;
}

static bool writes(const struct tsr_blk_request *request)
{
	return request->op == TSR_BLK_WRITE || request->op == TSR_BLK_WRITE_ZEROES || request->op == TSR_BLK_HEADER_WRITE;
}

/* A strict request's pages follow one another, so that one token names them. */
static bool token_ok(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	uint32_t pages = tsr_blk_token_pages(request);

	if (limits->mode != TSR_BLK_STRICT || pages == 0)
		return tsr_is_zero(&request->token, sizeof(request->token));
	return request->token.generation != 0 && pages <= TSR_TOKEN_MAX_PAGES && request->data_page <= limits->data_pages &&
	       pages <= limits->data_pages - request->data_page;
}

enum tsr_blk_status tsr_blk_request_check(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	enum tsr_blk_status status = check_op(request, limits);

	if (status != TSR_BLK_OK)
		return status;
	if (request->flags & ~known_flags(request))
		return TSR_BLK_E_INVALID;
	if (!tsr_is_zero(request->reserved1, sizeof(request->reserved1)) || !token_ok(request, limits))
		return TSR_BLK_E_INVALID;
	if (limits->read_only && writes(request))
		return TSR_BLK_E_READONLY;
	return TSR_BLK_OK;
}

bool tsr_blk_segments_check(const struct tsr_blk_request *request, const struct tsr_blk_segment *segment,
			    const struct tsr_blk_limits *limits)
{
	uint32_t left = request->count;

	if (limits->mode == TSR_BLK_STRICT && request->segments &&
	    (request->segments != 1 || segment->page != request->data_page + TSR_BLK_TABLE_PAGES(request->count)))
		return false;
	for (uint32_t i = 0; i < request->segments; i++) {
		if (segment[i].count == 0 || segment[i].count > left || !in_data_run(segment[i].page, segment[i].count, limits->data_pages))
			return false;
		left -= segment[i].count;
	}
	return left == 0 || request->segments == 0;
}

bool tsr_blk_seal_suits(const struct tsr_blk_request *request, const struct tsr_seal *seal)
{
	return seal->flags == (request->op == TSR_BLK_WRITE_ZEROES ? TSR_SEAL_ZERO : 0u);
}

uint32_t tsr_blk_request_pages(const struct tsr_blk_request *request)
{
	if (indirect(request))
		return TSR_BLK_TABLE_PAGES(request->count);
	return moves_data(request) ? request->count : 0;
}

uint32_t tsr_blk_token_pages(const struct tsr_blk_request *request)
{
	return tsr_blk_request_pages(request) + (indirect(request) && moves_data(request) ? request->count : 0);
}

uint8_t tsr_blk_token_dir(const struct tsr_blk_request *request)
{
	if (writes(request))
		return TSR_DIR_READ;
	return indirect(request) ? TSR_DIR_BOTH : TSR_DIR_WRITE; /* the table is read */
}
