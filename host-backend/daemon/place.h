/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Where a request's data and seals are in the guest's pages: by the request itself, or by the table it names. */
#ifndef DAEMON_PLACE_H
#define DAEMON_PLACE_H

#include "host-backend/daemon/queue.h"

enum place_result {
	PLACE_OK,
	PLACE_REVOKED, /* the guest took its pages back meanwhile */
	PLACE_INVALID, /* the table breaks the rules */
};

/* Fills work->page of a checked request; copies its table once, if it has one. */
enum place_result place_find(struct work *work);

/* The guest's page of a block. */
uint8_t *place_data(const struct work *work, uint32_t index);

/* How many blocks from index on, at most count, have pages that follow one another. */
uint32_t place_run(const struct work *work, uint32_t index, uint32_t count);

/* Whether all pages of data are the guest's, or were just now. */
bool place_live(const struct work *work);

/* Strict: maps the tokens that requests just taken have brought, with one shoot-down for all; work->reached says how it went. */
void place_reach(struct queue *queue, struct work *const works[], uint32_t count);

/* Unmaps what the guest has not revoked yet: when the queue has ended. */
void place_leave(struct queue *queue);

/* Data to the work's buffer and from it, and seals in and out. false: revoked meanwhile. */
bool place_data_in(struct work *work);
void place_data_out(struct work *work, uint32_t index, uint32_t count); /* on pages that follow one another */
bool place_seals_in(struct work *work);
void place_seals_out(struct work *work);

#endif
