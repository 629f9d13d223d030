/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/daemon/session.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/place.h"
#include "host-backend/daemon/shared.h"
#include "proto/control.h"

int session_init(struct session *session, struct disk *disk, const struct backend *backend)
{
	memset(session, 0, sizeof(*session));
	session->disk = disk;
	session->backend = backend;
	window_init(&session->pool, backend);
	session->trouble = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return session->trouble < 0 ? -errno : 0;
}

/* Maps a token's run somewhere. *address is the run's. */
static int map_run(struct session *session, const struct tsr_token *token, uint32_t pages, void *address)
{
	struct tsr_ioc_map map = { .token = *token, .pages = pages, .session = session->number, .dir = TSR_DIR_BOTH };
	struct window_run run;
	int error = window_place(&session->pool, pages, &run);

	if (error)
		return error;
	map.window = run.window;
	map.offset = run.offset;
	error = session->backend->ops->map(session->backend->context, &map);
	if (error < 0)
		return error;
	session->token[session->tokens++] = *token;
	memcpy(address, &run.address, sizeof(run.address));
	return 0;
}

static void say(struct session *session, enum tsr_blk_backend_state state, enum tsr_blk_status error)
{
	struct tsr_blk_control *control = session->control;

	control->blocks = state == TSR_BLK_BACKEND_READY ? session->disk->image->store.super.blocks : 0;
	control->backend_features = session->disk->through ? session->features & TSR_BLK_F_WRITE_THROUGH : 0;
	control->read_only = session->disk->read_only;
	control->error = error;
	shared_store(&control->state, state);
	session->backend->ops->raise(session->backend->context, session->event);
}

/* The data run as the session's mode has it. */
static int reach_data(struct session *session, const struct tsr_blk_control *control, const struct tsr_blk_queue *tokens, struct queue *queue)
{
	int error;

	switch (control->mode) {
	case TSR_BLK_STRICT:
		error = window_place(&session->pool, control->data_pages, &queue->place);
		queue->data = queue->place.address;
		return error;
	case TSR_BLK_COPIED:
		queue->token = tokens->data;
		return 0;
	}
	return map_run(session, &tokens->data, control->data_pages, &queue->data);
}

static int start_queue(struct session *session, const struct tsr_blk_control *control, uint32_t number)
{
	const struct tsr_blk_queue *tokens = &control->queue[number];
	struct queue *queue = calloc(1, sizeof(*queue));
	int error;

	if (!queue)
		return -ENOMEM;
	queue->disk = session->disk;
	queue->backend = session->backend;
	queue->number = number;
	queue->event = tokens->event;
	queue->trouble = session->trouble;
	queue->limits = (struct tsr_blk_limits){
		.depth = control->depth,
		.data_pages = control->data_pages,
		.blocks = session->disk->image->store.super.blocks,
		.read_only = session->disk->read_only || control->reading,
		.mode = control->mode,
	};
	queue->session = session->number;
	error = map_run(session, &tokens->ring, TSR_RING_PAGES(control->depth), &queue->ring);
	if (!error)
		error = map_run(session, &tokens->seal, TSR_BLK_SEAL_PAGES(control->depth), &queue->seals);
	if (!error)
		error = reach_data(session, control, tokens, queue);
	if (!error)
		error = queue_start(queue);
	if (error) {
		free(queue);
		return error;
	}
	session->queue[session->queues++] = queue;
	return 0;
}

/* Runs the session's queues by a private copy of the control page. */
static int start_queues(struct session *session, const struct tsr_blk_control *control)
{
	for (uint32_t i = 0; i < control->queues; i++) {
		int error = start_queue(session, control, i);

		if (error)
			return error;
	}
	return 0;
}

static void stop_queues(struct session *session)
{
	/* All stop taking before the first is waited for. */
	for (uint32_t i = 0; i < session->queues; i++)
		atomic_store(&session->queue[i]->stop, true);
	for (uint32_t i = 0; i < session->queues; i++) {
		queue_stop(session->queue[i]);
		place_leave(session->queue[i]);
		free(session->queue[i]);
	}
	session->queues = 0;
}

void session_end(struct session *session)
{
	if (!session->open)
		return;
	stop_queues(session);
	/* Tokens that the guest has revoked are gone already: their unmap is refused, which is as good. */
	for (uint32_t i = 0; i < session->tokens; i++)
		session->backend->ops->unmap(session->backend->context, &session->token[i]);
	session->tokens = 0;
	session->open = false;
	window_reset(&session->pool);
}

/* Nothing is wrong: others have what this session needs, window pages or memory. The guest waits for its answer meanwhile. */
static bool wait_for_room(struct session *session, const struct tsr_backend_event *event, int error)
{
	if (error != -EDQUOT && error != -ENOSPC && error != -ENOMEM)
		return false;
	log_guest("session %u: %s: trying again each second", event->session,
		  error == -ENOMEM ? "this host has no memory for it, give it more" :
				     "the hypervisor's limit of window pages is reached, see `tessera info`");
	session_end(session);
	session->again = *event;
	return true;
}

static void fail(struct session *session, enum tsr_blk_status status, int error)
{
	stop_queues(session);
	say(session, TSR_BLK_BACKEND_FAILED, status);
	if (error == -ESTALE)
		log_guest("session %u: the guest revoked its tokens already", session->number);
	else if (error)
		log_guest("session %u: mapping the guest's queues failed: %s; see the kernel's log", session->number, strerror(-error));
}

void session_connect(struct session *session, const struct tsr_backend_event *event)
{
	struct tsr_blk_control control;
	enum tsr_control_error bad;
	int error;

	session_end(session);
	session->again.type = 0;
	session->open = true;
	session->number = event->session;
	disk_count(&session->disk->page->sessions, 1);
	error = map_run(session, &event->token, 1, &session->control);
	if (wait_for_room(session, event, error))
		return;
	if (error) {
		log_guest("session %u: mapping the control page failed: %s; waiting for the guest to connect again", event->session,
			  strerror(-error));
		session_end(session);
		return;
	}
	if (!shared_copy_in(&control, session->control, sizeof(control))) {
		session_end(session);
		return;
	}
	bad = tsr_control_check_front(&control, event->session);
	session->features = control.features;
	session->event = control.event < TSR_MAX_EVENTS ? control.event : 0;
	if (bad) {
		log_guest("session %u refused: %s", event->session, tsr_control_error_text(bad));
		fail(session, TSR_BLK_E_INVALID, 0);
		return;
	}
	session->disk->page->asked = control.mode + 1;
	error = start_queues(session, &control);
	if (wait_for_room(session, event, error))
		return;
	if (error) {
		fail(session, TSR_BLK_E_IO, error);
		return;
	}
	say(session, TSR_BLK_BACKEND_READY, TSR_BLK_OK);
	log_guest("session %u: %u queues of depth %u, %u data pages each", event->session, control.queues, control.depth, control.data_pages);
}

void session_broken(struct session *session)
{
	uint64_t count;
	bool broken = false;

	if (read(session->trouble, &count, sizeof(count)) < 0)
		return;
	/* It may have been a queue of the session before. */
	for (uint32_t i = 0; i < session->queues; i++)
		broken |= atomic_load(&session->queue[i]->state) == QUEUE_BROKEN;
	if (broken)
		fail(session, TSR_BLK_E_INVALID, 0);
}

void session_fini(struct session *session)
{
	session_end(session);
	window_fini(&session->pool);
	close(session->trouble);
}
