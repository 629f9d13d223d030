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

static bool in_data_run(const struct tsr_blk_request *request, uint32_t data_pages)
{
	return request->count <= data_pages && request->data_page <= data_pages - request->count;
}

static enum tsr_blk_status check_blocks(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	if (request->count == 0 || request->count > TSR_BLK_MAX_BLOCKS)
		return TSR_BLK_E_INVALID;
	if (!in_capacity(request, limits->blocks))
		return TSR_BLK_E_RANGE;
	return TSR_BLK_OK;
}

static enum tsr_blk_status check_header(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	if (request->count != TSR_HEADER_BLOCKS || !in_data_run(request, limits->data_pages))
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
		if (!in_data_run(request, limits->data_pages))
			return TSR_BLK_E_INVALID;
		return check_blocks(request, limits);
	case TSR_BLK_WRITE_ZEROES:
		if (request->data_page)
			return TSR_BLK_E_INVALID;
		return check_blocks(request, limits);
	case TSR_BLK_FLUSH:
		if (request->count || request->block || request->data_page)
			return TSR_BLK_E_INVALID;
		return TSR_BLK_OK;
	case TSR_BLK_HEADER_READ:
	case TSR_BLK_HEADER_WRITE:
		return check_header(request, limits);
	}
	return TSR_BLK_E_UNSUPPORTED;
}

static bool writes(const struct tsr_blk_request *request)
{
	return request->op == TSR_BLK_WRITE || request->op == TSR_BLK_WRITE_ZEROES || request->op == TSR_BLK_HEADER_WRITE;
}

enum tsr_blk_status tsr_blk_request_check(const struct tsr_blk_request *request, const struct tsr_blk_limits *limits)
{
	bool may_fua = request->op == TSR_BLK_WRITE || request->op == TSR_BLK_WRITE_ZEROES;
	enum tsr_blk_status status = check_op(request, limits);

	if (status != TSR_BLK_OK)
		return status;
	if (request->flags & ~(may_fua ? TSR_BLK_FUA : 0u))
		return TSR_BLK_E_INVALID;
	if (request->reserved0 || !tsr_is_zero(request->reserved1, sizeof(request->reserved1)))
		return TSR_BLK_E_INVALID;
	if (limits->read_only && writes(request))
		return TSR_BLK_E_READONLY;
	return TSR_BLK_OK;
}

bool tsr_blk_seal_suits(const struct tsr_blk_request *request, const struct tsr_seal *seal)
{
	return seal->flags == (request->op == TSR_BLK_WRITE_ZEROES ? TSR_SEAL_ZERO : 0u);
}

uint32_t tsr_blk_request_pages(const struct tsr_blk_request *request)
{
	return request->op == TSR_BLK_FLUSH || request->op == TSR_BLK_WRITE_ZEROES ? 0 : request->count;
}

bool tsr_blk_completion_check(const struct tsr_blk_completion *completion, uint32_t depth)
{
	return completion->id < depth && completion->status <= TSR_BLK_E_UNSUPPORTED && !completion->reserved0 &&
	       !completion->reserved1 && !completion->reserved2;
}
