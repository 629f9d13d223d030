/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/control.h"
#include <tessera/hypercall.h>
#include "proto/disk.h"
#include "proto/ring.h"

static enum tsr_control_error check_queue(const struct tsr_blk_queue *queue, uint32_t mode)
{
	if (!queue->ring.generation || !queue->seal.generation)
		return TSR_CONTROL_BAD_TOKEN;
	if (mode == TSR_BLK_STRICT ? !tsr_is_zero(&queue->data, sizeof(queue->data)) : !queue->data.generation)
		return TSR_CONTROL_BAD_TOKEN;
	if (queue->event >= TSR_MAX_EVENTS)
		return TSR_CONTROL_BAD_EVENT;
	if (!tsr_is_zero(queue->reserved, sizeof(queue->reserved)))
		return TSR_CONTROL_BAD_RESERVED;
	return TSR_CONTROL_OK;
}

enum tsr_control_error tsr_control_check_front(const struct tsr_blk_control *control, uint32_t session)
{
	uint32_t unused = TSR_BLK_MAX_QUEUES - control->queues;

	if (control->magic != TSR_BLK_MAGIC)
		return TSR_CONTROL_BAD_MAGIC;
	if (control->version != TSR_BLK_VERSION)
		return TSR_CONTROL_BAD_VERSION;
	if (control->session != session || session == 0)
		return TSR_CONTROL_BAD_SESSION;
	if (control->queues == 0 || control->queues > TSR_BLK_MAX_QUEUES)
		return TSR_CONTROL_BAD_QUEUES;
	if (!tsr_ring_depth_valid(control->depth))
		return TSR_CONTROL_BAD_DEPTH;
	if (control->data_pages < TSR_HEADER_BLOCKS || control->data_pages > TSR_TOKEN_MAX_PAGES)
		return TSR_CONTROL_BAD_DATA_PAGES;
	if (control->event >= TSR_MAX_EVENTS)
		return TSR_CONTROL_BAD_EVENT;
	if (control->reading > 1)
		return TSR_CONTROL_BAD_READ_ONLY;
	if (control->mode > TSR_BLK_COPIED)
		return TSR_CONTROL_BAD_MODE;
	if (!tsr_is_zero(control->reserved0, sizeof(control->reserved0)) ||
	    !tsr_is_zero(&control->queue[control->queues], unused * sizeof(control->queue[0])))
		return TSR_CONTROL_BAD_RESERVED;
	for (uint32_t i = 0; i < control->queues; i++) {
		enum tsr_control_error error = check_queue(&control->queue[i], control->mode);

		if (error != TSR_CONTROL_OK)
			return error;
	}
	return TSR_CONTROL_OK;
}

enum tsr_control_error tsr_control_check_back(const struct tsr_blk_control *control, uint32_t features)
{
	if (control->state > TSR_BLK_BACKEND_FAILED)
		return TSR_CONTROL_BAD_STATE;
	if (control->state == TSR_BLK_BACKEND_NONE)
		return TSR_CONTROL_OK;
	if (!tsr_is_zero(control->reserved1, sizeof(control->reserved1)))
		return TSR_CONTROL_BAD_RESERVED;
	if (control->state == TSR_BLK_BACKEND_FAILED)
		return control->error && control->error <= TSR_BLK_E_UNSUPPORTED ? TSR_CONTROL_OK : TSR_CONTROL_BAD_ERROR;
	if (control->error)
		return TSR_CONTROL_BAD_ERROR;
	if (control->blocks == 0 || control->blocks > TSR_DISK_MAX_BLOCKS)
		return TSR_CONTROL_BAD_BLOCKS;
	if (control->backend_features & ~features)
		return TSR_CONTROL_BAD_FEATURES;
	if (control->read_only > 1)
		return TSR_CONTROL_BAD_READ_ONLY;
	return TSR_CONTROL_OK;
}

const char *tsr_control_error_text(enum tsr_control_error error)
{
	switch (error) {
	case TSR_CONTROL_OK:
		return "no error";
	case TSR_CONTROL_BAD_MAGIC:
		return "not a block device's control page";
	case TSR_CONTROL_BAD_VERSION:
		return "a version this side does not speak";
	case TSR_CONTROL_BAD_SESSION:
		return "session number differs from the announced one";
	case TSR_CONTROL_BAD_QUEUES:
		return "number of queues out of range";
	case TSR_CONTROL_BAD_DEPTH:
		return "ring depth is not a power of two in range";
	case TSR_CONTROL_BAD_DATA_PAGES:
		return "size of the data run out of range";
	case TSR_CONTROL_BAD_EVENT:
		return "event number out of range";
	case TSR_CONTROL_BAD_FEATURES:
		return "features that this side did not name";
	case TSR_CONTROL_BAD_RESERVED:
		return "reserved bytes are not zero";
	case TSR_CONTROL_BAD_TOKEN:
		return "a token is missing, or is one too many";
	case TSR_CONTROL_BAD_MODE:
		return "a way of moving data this side does not know";
	case TSR_CONTROL_BAD_STATE:
		return "unknown state";
	case TSR_CONTROL_BAD_ERROR:
		return "state and error contradict each other";
	case TSR_CONTROL_BAD_BLOCKS:
		return "impossible capacity";
	case TSR_CONTROL_BAD_READ_ONLY:
		return "reading or read_only is neither 0 nor 1";
	}
	return "unknown error";
}
