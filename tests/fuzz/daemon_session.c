/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/session.c host-backend/daemon/window.c proto/control.c */
/* libs: -lpthread */
/* flags: -fno-sanitize-coverage=trace-cmp */
/*
 * Sessions of tesserad's as a hostile guest opens them: control pages that are anything, one after another, tokens that map or do not, queues that do
 * not start or break. What a queue is started with must be usable without another look, and nothing may stay mapped. [RING-2] [RING-3] [BLK-16]
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host-backend/daemon/log.h"
#include "host-backend/daemon/place.h"
#include "host-backend/daemon/session.h"
#include "host-backend/daemon/shared.h"
#include "proto/ring.h"
#include "daemon.h"
#include "require.h"

#define EVENT 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct session session;
static struct disk disk;
static struct image image;
static struct tsr_backend_page page;
static struct tsr_blk_control control; /* the guest's */
static uint8_t *window[WINDOW_MAX];
static uint32_t windows, live;
static struct run {
	struct tsr_token token;
	uint64_t from, to; /* bytes, over all windows; to 0: not mapped */
} run[SESSION_MAX_TOKENS];

/* ------------------------------------------------------------------ what the daemon is given */

/* Filling 2 MiB for each session is most of the time otherwise; the marks are looked at by daemon_ring. */
void shared_fill(void *memory, size_t size)
{
	(void)memory;
	(void)size;
}

bool shared_live_range(const void *from, size_t size)
{
	(void)from;
	(void)size;
	return byte() % 32 != 1;
}

void shared_store(uint32_t *index, uint32_t value)
{
	*index = value;
}

void place_leave(struct queue *queue)
{
	(void)queue;
}

static uint64_t where(uint32_t number, uint64_t offset, uint64_t pages)
{
	require(number < windows && pages && offset % TSR_PAGE_SIZE == 0 && offset <= WINDOW_SIZE && pages * TSR_PAGE_SIZE <= WINDOW_SIZE - offset);
	return (uint64_t)number * WINDOW_SIZE + offset;
}

static bool taken(uint64_t from, uint64_t to)
{
	for (uint32_t i = 0; i < SESSION_MAX_TOKENS; i++)
		if (run[i].to && run[i].from < to && from < run[i].to)
			return true;
	return false;
}

static bool is_mapped(uint64_t from, uint64_t pages)
{
	for (uint32_t i = 0; i < SESSION_MAX_TOKENS; i++)
		if (run[i].to && run[i].from == from && run[i].to == from + pages * TSR_PAGE_SIZE)
			return true;
	return false;
}

static void *op_memory(void *context, size_t size)
{
	static uint8_t *kept[WINDOW_MAX]; /* from one input to the next */

	(void)context;
	require(windows < WINDOW_MAX && size == WINDOW_SIZE);
	if (!kept[windows])
		kept[windows] = calloc(1, WINDOW_SIZE);
	window[windows] = kept[windows];
	return window[windows++];
}

static int op_window(void *context, void *address, size_t size)
{
	(void)context;
	require(address == window[windows - 1] && size == WINDOW_SIZE);
	return (int)windows - 1;
}

static int op_map(void *context, const struct tsr_ioc_map *map)
{
	static const int results[] = { -ESTALE, -EDQUOT, -ENOSPC, -EBUSY, -EIO };
	uint64_t from = where(map->window, map->offset, map->pages);
	struct run *free_run = run;
	uint8_t how = byte();

	(void)context;
	require(map->session == session.number && map->dir == TSR_DIR_BOTH && map->how == TSR_HOW_MAP);
	require(map->pages <= TSR_TOKEN_MAX_PAGES && !taken(from, from + (uint64_t)map->pages * TSR_PAGE_SIZE));
	if (how % 32 < 5)
		return results[how % 32];
	while (free_run->to)
		free_run++;
	*free_run = (struct run){ map->token, from, from + (uint64_t)map->pages * TSR_PAGE_SIZE };
	if (!live++)
		memcpy(window[map->window] + map->offset, &control, sizeof(control));
	return 0;
}

static int op_unmap(void *context, const struct tsr_token *token)
{
	(void)context;
	for (uint32_t i = 0; i < SESSION_MAX_TOKENS; i++)
		if (run[i].to && !memcmp(&run[i].token, token, sizeof(*token))) {
			run[i].to = 0;
			live--;
			return 0;
		}
	return -ESTALE;
}

static int op_raise(void *context, uint32_t event)
{
	(void)context;
	require(event < TSR_MAX_EVENTS);
	return 0;
}

/* Which run of which window an address is in. */
static uint64_t place_of(const uint8_t *address)
{
	for (uint32_t i = 0; i < windows; i++)
		if (address >= window[i] && address < window[i] + WINDOW_SIZE)
			return (uint64_t)i * WINDOW_SIZE + (uint64_t)(address - window[i]);
	abort();
}

int queue_start(struct queue *queue)
{
	const struct tsr_blk_limits *limits = &queue->limits;

	require(queue->number < TSR_BLK_MAX_QUEUES && tsr_ring_depth_valid(limits->depth) && limits->mode <= TSR_BLK_COPIED);
	require(limits->data_pages >= TSR_HEADER_BLOCKS && limits->data_pages <= TSR_TOKEN_MAX_PAGES && queue->event < TSR_MAX_EVENTS);
	require(is_mapped(place_of(queue->ring), TSR_RING_PAGES(limits->depth)) && is_mapped(place_of(queue->seals), TSR_BLK_SEAL_PAGES(limits->depth)));
	if (limits->mode == TSR_BLK_POOLED)
		require(is_mapped(place_of(queue->data), limits->data_pages));
	if (limits->mode == TSR_BLK_STRICT) {
		uint64_t from = where(queue->place.window, queue->place.offset, limits->data_pages);

		require(from == place_of(queue->data) && !taken(from, from + (uint64_t)limits->data_pages * TSR_PAGE_SIZE));
	}
	require((limits->mode == TSR_BLK_COPIED) == !queue->data);
	return byte() % 64 == 1 ? -ENOMEM : 0;
}

void queue_stop(struct queue *queue)
{
	require(atomic_load(&queue->stop));
}

/* ------------------------------------------------------------------ the guest */

static const struct backend_ops ops = { .memory = op_memory, .window = op_window, .map = op_map, .unmap = op_unmap, .raise = op_raise };
static const struct backend backend = { .ops = &ops, .command = -1, .fd = -1 };

static void connect_guest(uint32_t number)
{
	static const uint32_t depths[] = { 2, 8, 64, 256 }, runs[] = { 16, 17, 256, 512 };
	uint8_t what = byte(), more = byte();
	struct tsr_backend_event event = { .type = TSR_BACKEND_CONNECT, .session = number, .token = { .slot = 1, .generation = number } };

	control = (struct tsr_blk_control){
		.magic = TSR_BLK_MAGIC, .version = TSR_BLK_VERSION, .session = number, .queues = 1 + what % TSR_BLK_MAX_QUEUES, .depth = depths[more % 4],
		.data_pages = runs[more / 4 % 4], .event = EVENT, .features = what / 16 % 2, .reading = what / 32 % 2, .mode = more / 16 % 3,
	};
	for (uint32_t i = 0; i < control.queues; i++) {
		control.queue[i].ring = (struct tsr_token){ .slot = 10 * i + 2, .generation = number };
		control.queue[i].seal = (struct tsr_token){ .slot = 10 * i + 3, .generation = number };
		if (control.mode != TSR_BLK_STRICT)
			control.queue[i].data = (struct tsr_token){ .slot = byte() % 16 ? 10 * i + 4 : 2, .generation = number };
		control.queue[i].event = EVENT + i;
	}
	for (uint8_t n = byte() % 8 ? 0 : 1 + byte() % 3; n; n--)
		((uint8_t *)&control)[(byte() | byte() << 8) % sizeof(control)] ^= byte();
	session_connect(&session, &event);
}

static void a_queue_breaks(void)
{
	const uint64_t one = 1;

	if (session.queues && byte() % 2)
		atomic_store(&session.queue[byte() % session.queues]->state, QUEUE_BROKEN);
	require(write(session.trouble, &one, sizeof(one)) == sizeof(one));
	session_broken(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
	windows = live = 0;
	memset(run, 0, sizeof(run));
	image.store.super.blocks = 1000;
	disk = (struct disk){ .image = &image, .page = &page, .read_only = byte() % 2 };
	require(session_init(&session, &disk, &backend) == 0);
	for (uint32_t number = 1; left; number++) {
		uint8_t what = byte();

		if (what % 8 == 0)
			a_queue_breaks();
		else if (what % 8 == 1)
			session_end(&session);
		else
			connect_guest(what % 8 == 2 && byte() % 4 == 0 ? 0 : number);
		require(session.queues <= TSR_BLK_MAX_QUEUES && session.tokens <= SESSION_MAX_TOKENS && session.tokens == live);
	}
	session_end(&session);
	require(live == 0 && session.queues == 0);
	close(session.trouble); /* session_fini, but for windows, which are kept */
	return 0;
}
