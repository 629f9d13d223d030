/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Checks of the block device's control page, on a private copy only: spec/block.md. */
#ifndef PROTO_CONTROL_H
#define PROTO_CONTROL_H

#include <tessera/block.h>
#include "proto/port.h"

enum tsr_control_error {
	TSR_CONTROL_OK = 0,
	TSR_CONTROL_BAD_MAGIC,
	TSR_CONTROL_BAD_VERSION,
	TSR_CONTROL_BAD_SESSION,
	TSR_CONTROL_BAD_QUEUES,
	TSR_CONTROL_BAD_DEPTH,
	TSR_CONTROL_BAD_DATA_PAGES,
	TSR_CONTROL_BAD_EVENT,
	TSR_CONTROL_BAD_FEATURES,
	TSR_CONTROL_BAD_RESERVED,
	TSR_CONTROL_BAD_TOKEN,
	TSR_CONTROL_BAD_STATE,
	TSR_CONTROL_BAD_ERROR,
	TSR_CONTROL_BAD_BLOCKS,
	TSR_CONTROL_BAD_READ_ONLY,
	TSR_CONTROL_BAD_MODE,
};

/* Backend: checks what the front-end wrote; session is the one of the CONNECT event. The backend's own part is not looked at. */
enum tsr_control_error tsr_control_check_front(const struct tsr_blk_control *control, uint32_t session);

/* Front-end: checks what the backend wrote; features: what the front-end said it understands. Its own part is not looked at. */
enum tsr_control_error tsr_control_check_back(const struct tsr_blk_control *control, uint32_t features);

/* A short text for people. */
const char *tsr_control_error_text(enum tsr_control_error error);

#endif
