/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: host-backend/daemon/disk.c host-backend/daemon/engine.c host-backend/daemon/medium.c host-backend/daemon/place.c host-backend/daemon/shared.c */
/* sources: host-backend/daemon/stage.c host-backend/daemon/uring.c host-backend/daemon/op.c host-backend/daemon/work.c host-backend/image/[a-z]*.c proto/request.c */
/* libs: -luring -lpthread */
/* flags: -fno-sanitize-coverage=trace-cmp */
/*
 * A queue of tesserad's under a hostile guest: ring, tables, seals and data are what the input says and change at any time, pages are taken back,
 * and the medium answers in any order, late, short, with errors. What must hold whatever comes: see allowed() and the end of each input. [RING-13]
 * [RING-16] [BLK-16] [BLK-29] [STORE-8]
 */
#include <stdlib.h>
#include <sys/random.h>
/* The thread's loop is the fuzzer's here, so what it is made of has to be seen. */
#include "host-backend/daemon/queue.c"
#include "daemon.h"
#include "medium.h"

#define BLOCKS  40u
#define PENDING 4096u
#define USED    (2 * BLOCKS + 16)
#define SESSION 5u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct queue q;
static struct disk disk;
static struct image image;
static struct image_super fresh;
static struct tsr_backend_page counters;
static struct engine_io *pending[PENDING];
static uint32_t pendings;
static uint32_t depth, data_pages, ring_size, revoked;
static uint8_t *ring, *seals, *pages, *sent; /* the guest's; sent: what it has written to its submissions */
static bool page_mapped[TSR_TOKEN_MAX_PAGES];
static struct {
	uint32_t page, pages;
} mapped[64]; /* strict: by a token's slot */
static bool hurt; /* the guest changed its own data while it was taken: what is stored may be incomplete */

static uint32_t two(void)
{
	uint32_t low = byte();

	return low | (uint32_t)byte() << 8;
}

/* The mark of revoked pages, as the C library's function would give it: the same each time, so that inputs can be tried again. */
ssize_t getrandom(void *to, size_t size, unsigned int flags)
{
	(void)flags;
	memset(to, 0xc5, size);
	return (ssize_t)size;
}

/* ------------------------------------------------------------------ the medium */

#define MEDIUM_SIZE (IMAGE_RECORD_OFFSET + 4096 + (BLOCKS + IMAGE_SPARE_MIN) * (TSR_BLOCK_SIZE + IMAGE_RECORD_SIZE))

static struct image_io io;

static bool inside(const uint8_t *at, uint64_t size, const void *area, uint64_t area_size)
{
	const uint8_t *start = area;

	return at >= start && size <= area_size && (uint64_t)(at - start) <= area_size - size;
}

static struct engine engine;

static bool records(const struct engine_io *one)
{
	return one->op == ENGINE_WRITE && inside(one->data, one->size, image.store.record, image.store.super.slots * IMAGE_RECORD_SIZE);
}

/* What tesserad may ever ask an engine for: host-backend/daemon/engine.h, and nothing outside of the image or of what the guest has granted. */
static bool allowed(const struct engine_io *new)
{
	const struct store *store = &image.store;
	uint64_t end = new->offset + new->size;

	if (new->op == ENGINE_SYNC)
		return true;
	if (!new->size || new->size > 1u << 20 || new->size % 64 || new->offset % 64 || end > image_size_of(&store->super))
		return false;
	if (new->op != ENGINE_READ && (q.limits.read_only || new->offset < IMAGE_HEADER_OFFSET))
		return false;
	if (!new->meta && new->offset < image_data_of(&store->super, 0))
		return false;
	for (uint32_t i = 0; i < pendings; i++) {
		const struct engine_io *old = pending[i];

		if (engine.late_reads && records(old) && records(new))
			continue;
		if (old->op != ENGINE_SYNC && (old->op != ENGINE_READ || new->op != ENGINE_READ) && old->offset < end &&
		    new->offset < old->offset + old->size && old->offset >= IMAGE_RECORD_OFFSET)
			return false;
	}
	if (new->op == ENGINE_DISCARD)
		return true;
	if (new->fixed)
		return inside(new->data, new->size, pages, (uint64_t)data_pages * TSR_PAGE_SIZE);
	return inside(new->data, new->size, q.buffers, q.works * BUFFER_SIZE) ||
	       (new->op == ENGINE_WRITE && inside(new->data, new->size, store->record, store->super.slots * IMAGE_RECORD_SIZE));
}

static void submit_io(struct engine_io *new)
{
	require(pendings < PENDING && allowed(new));
	pending[pendings++] = new;
}

static struct engine engine = { .name = "fuzzed", .submit = submit_io, .discards = true };

static void move(struct engine_io *one, uint32_t size)
{
	if (one->op == ENGINE_READ)
		medium_read(&io, one->data, size, one->offset);
	else if (one->op == ENGINE_WRITE)
		medium_write(&io, one->data, size, one->offset);
}

static bool takes(const struct engine_io *one)
{
	return one->fixed && one->op == ENGINE_WRITE;
}

/* Data that is being taken from the guest's pages as they are: whatever changes them now is the guest's own loss. */
static bool taking(void)
{
	const struct op *staged = q.stage[0].first;

	for (uint32_t i = 0; i < pendings; i++)
		if (takes(pending[i]))
			return true;
	/* Of what waits for slots the checksum is there already, and so it is of what a sync's end has begun and no round has sent yet. */
	return (staged && takes(&staged->io)) || (q.mode == TSR_BACKEND_DIRECT && q.waiting);
}

/* One of those in flight ends: well, short, or not. */
static void end_io(uint32_t which, uint8_t how)
{
	static const int errors[] = { -EIO, -ENOSPC, -EINTR, -EROFS, 0, -EOPNOTSUPP };
	struct engine_io *one = pending[which];
	int result = (int)one->size;

	pending[which] = pending[--pendings];
	if (one->op == ENGINE_SYNC) {
		result = how % 32 == 1 ? -EIO : 0;
	} else if (how % 8 == 1) {
		result = errors[how / 8 % 6];
	} else {
		if (how % 8 == 2 && one->size > 64)
			result = (int)(one->size / 128 * 64);
		move(one, (uint32_t)result);
	}
	hurt |= one->op == ENGINE_READ && taking();
	work_io_done(one, result);
}

/* ------------------------------------------------------------------ the guest's pages */

static void unmap_pages(uint32_t slot)
{
	for (uint32_t i = 0; i < mapped[slot].pages; i++) {
		page_mapped[mapped[slot].page + i] = false;
		shared_fill(pages + (size_t)(mapped[slot].page + i) * TSR_PAGE_SIZE, TSR_PAGE_SIZE);
	}
	mapped[slot].pages = 0;
}

/* What the hypervisor's map checks, as far as the daemon could get it wrong. */
static int map_one(const struct tsr_ioc_map *map)
{
	uint64_t page = (map->offset - q.place.offset) / TSR_PAGE_SIZE;
	uint32_t slot = map->token.slot % 64;

	require(map->pages && map->offset >= q.place.offset && page <= data_pages && map->pages <= data_pages - page);
	require(map->offset % TSR_PAGE_SIZE == 0 && map->window == q.place.window && map->session == SESSION);
	require(map->dir >= TSR_DIR_READ && map->dir <= TSR_DIR_BOTH && map->how == TSR_HOW_EITHER);
	if (mapped[slot].pages || map->token.generation % 8 == 7)
		return -ESTALE;
	for (uint32_t i = 0; i < map->pages; i++)
		if (page_mapped[page + i])
			return -EBUSY;
	mapped[slot].page = (uint32_t)page;
	mapped[slot].pages = map->pages;
	for (uint32_t i = 0; i < map->pages; i++) {
		page_mapped[page + i] = true;
		memset(pages + (page + i) * TSR_PAGE_SIZE, (int)map->token.random, TSR_PAGE_SIZE);
	}
	return 0;
}

static int op_maps(void *context, struct tsr_ioc_map *map, uint32_t count)
{
	(void)context;
	require(count >= 1 && count <= QUEUE_MAX_WORK);
	for (uint32_t i = 0; i < count; i++)
		map[i].result = map_one(&map[i]);
	return 0;
}

static int op_unmap(void *context, const struct tsr_token *token)
{
	(void)context;
	unmap_pages(token->slot % 64);
	return 0;
}

static int op_copy(void *context, const struct tsr_ioc_copy *copy)
{
	uint64_t all = (uint64_t)data_pages * TSR_PAGE_SIZE;
	void *own = (void *)(uintptr_t)copy->addr;

	(void)context;
	require(copy->len && copy->len <= TSR_IOC_COPY_MAX && copy->offset <= all && copy->len <= all - copy->offset && copy->session == SESSION);
	if (revoked & 4)
		return -ESTALE;
	if (copy->dir == TSR_DIR_READ)
		memcpy(own, pages + copy->offset, copy->len);
	else
		memcpy(pages + copy->offset, own, copy->len);
	return 0;
}

static int op_raise(void *context, uint32_t event)
{
	(void)context;
	require(event == q.event);
	return 0;
}

static const struct backend_ops ops = { .maps = op_maps, .unmap = op_unmap, .copy = op_copy, .raise = op_raise };
static const struct backend backend = { .ops = &ops, .command = -1 };

/* A run is taken back: 1 ring, 2 seals, 4 data. */
static void take_back(uint32_t which)
{
	revoked |= which;
	if (which == 1)
		shared_fill(ring, ring_size);
	else if (which == 2)
		shared_fill(seals, TSR_BLK_SEAL_PAGES(depth) * TSR_PAGE_SIZE);
	else if (which == 4 && q.limits.mode == TSR_BLK_POOLED)
		shared_fill(pages, (size_t)data_pages * TSR_PAGE_SIZE);
	hurt |= which == 4;
}

/* ------------------------------------------------------------------ what the guest does */

static void post(uint32_t at, uint32_t tail)
{
	struct tsr_blk_request r = { .id = byte() % (depth + (byte() % 16 == 0)), .op = byte() % 8, .flags = byte() % 16 ? byte() % 4 : byte() };
	bool indirect = r.flags & TSR_BLK_INDIRECT;

	r.count = r.op == TSR_BLK_FLUSH ? 0 : r.op > TSR_BLK_WRITE_ZEROES ? TSR_HEADER_BLOCKS : 1 + byte() % (indirect ? BLOCKS : TSR_BLK_DIRECT_BLOCKS);
	r.block = r.op == TSR_BLK_FLUSH ? 0 : byte() % (r.op > TSR_BLK_WRITE_ZEROES ? 3 : BLOCKS);
	if (r.block + r.count > BLOCKS && byte() % 16)
		r.block = BLOCKS > r.count ? BLOCKS - r.count : 0;
	r.data_page = r.op == TSR_BLK_FLUSH || (r.op == TSR_BLK_WRITE_ZEROES && !indirect) ? 0 : byte() % data_pages;
	r.segments = indirect && r.op <= TSR_BLK_WRITE ? 1 + byte() % 3 % r.count : 0;
	if (q.limits.mode == TSR_BLK_STRICT && tsr_blk_token_pages(&r))
		r.token = (struct tsr_token){ .slot = byte() % 64, .generation = 1 + byte() % 8, .random = byte() };
	if (byte() % 8 == 1)
		((uint8_t *)&r)[byte() % sizeof(r)] ^= byte();
	if (revoked & 1)
		return;
	memcpy(ring + tsr_ring_sq_at(at, depth), &r, sizeof(r));
	memcpy(sent + (tsr_ring_sq_at(at, depth) - TSR_RING_SQ_OFFSET), &r, sizeof(r));
	shared_store(&header(&q)->sq_tail, tail);
}

/* A table somewhere in the data run: mostly one that covers count. */
static void tabulate(void)
{
	uint32_t page = byte() % data_pages, count = 1 + byte() % BLOCKS, segments = 1 + byte() % 4;
	uint8_t *at = pages + (size_t)page * TSR_PAGE_SIZE;

	for (uint32_t i = 0; i < segments; i++, at += sizeof(struct tsr_blk_segment)) {
		uint32_t part = i + 1 == segments ? count : count / 2;
		struct tsr_blk_segment segment = { .page = byte() % data_pages, .count = byte() % 16 ? part : two() * 65537u };

		memcpy(at, &segment, sizeof(segment));
		count -= part;
	}
}

static void scribble(uint8_t *area, uint32_t size)
{
	uint32_t at = (two() * 64u + byte() % 64) % size, n = 1 + byte() % 32;
	uint8_t what = byte();

	for (uint32_t i = 0; i < n && at + i < size; i++)
		area[at + i] = what ? what : byte();
}

static void seal(void)
{
	struct tsr_seal one = { .counter = 1 + byte(), .epoch = 1, .flags = byte() % 3 == 0 };
	uint32_t id = byte() % depth;

	for (uint32_t i = 0; i < TSR_BLK_DIRECT_BLOCKS; i++)
		memcpy(seals + id * TSR_BLK_SEAL_SLOT + i * sizeof(one), &one, sizeof(one));
}

static void guest_does(void)
{
	uint8_t what = byte();
	uint32_t before;

	switch (what % 16) {
	case 0: case 1: case 2: case 3:
		post(q.taken + byte() % (1 + what / 64), shared_load(&header(&q)->sq_tail) + 1);
		break;
	case 4:
		post(two(), byte() % 4 ? q.taken + byte() % (depth + 2) : two() * 65537u);
		break;
	case 5:
		hurt |= taking();
		tabulate();
		break;
	case 6:
		if (!(revoked & 2))
			seal();
		break;
	case 7:
		hurt |= taking();
		scribble(pages, data_pages * TSR_PAGE_SIZE);
		break;
	case 8:
		if (byte() % 16 == 0)
			take_back(1u << byte() % 3);
		else if (q.limits.mode == TSR_BLK_STRICT)
			unmap_pages(byte() % 64);
		hurt |= taking();
		break;
	case 9:
		if (!(revoked & 1))
			scribble(ring, 64); /* its own indices */
		break;
	case 10: case 11: case 12: case 13:
		hurt |= taking(); /* what is answered at once is written to the guest's pages */
		before = q.taken;
		(void)serve(&q);
		announce(&q);
		work_unpin(&q);
		stage_flush(&q);
		hurt |= q.taken - before > 1 && taking(); /* and so may be what was taken just before */
		break;
	case 14:
		work_retry(&q);
		break;
	default:
		if (pendings)
			end_io(byte() % pendings, byte() % 4 ? 0 : byte());
	}
}

/* ------------------------------------------------------------------ one input */

static void start(void)
{
	static const enum tsr_backend_mode modes[] = { TSR_BACKEND_COPY, TSR_BACKEND_BOUNCE, TSR_BACKEND_DIRECT };
	static const uint32_t runs[] = { 16, 24, 64, 120 };
	uint8_t what = byte(), more = byte();
	struct medium how = { .mode = modes[what / 3 % 3] };

	depth = 2u << more % 3;
	data_pages = runs[more / 4 % 4];
	ring_size = TSR_RING_PAGES(depth) * TSR_PAGE_SIZE;
	ring = calloc(1, ring_size);
	sent = calloc(depth, sizeof(struct tsr_blk_request));
	seals = calloc(TSR_BLK_SEAL_PAGES(depth), TSR_PAGE_SIZE);
	pages = calloc(data_pages, TSR_PAGE_SIZE);
	medium_start(&io, MEDIUM_SIZE);
	for (uint32_t i = 0; i < IMAGE_SUPER_COPIES; i++)
		medium_write(&io, &fresh, sizeof(fresh), i * IMAGE_SUPER_SIZE);
	memset(&q, 0, sizeof(q));
	memset(mapped, 0, sizeof(mapped));
	memset(page_mapped, 0, sizeof(page_mapped));
	memset(&image, 0, sizeof(image));
	pendings = revoked = 0;
	hurt = false;
	image.io = io;
	require(store_init(&image.store, &fresh));
	/* Few of the slots are used, so that they are soon used again. */
	for (uint32_t slot = USED; slot < fresh.slots; slot++) {
		image.store.slot[slot].state = STORE_WRITING;
		free_remove(&image.store.free, slot);
	}
	engine.late_reads = more / 16 % 2; /* medium_write() reads when the I/O ends */
	disk_init(&disk, &image, &engine, &how, &counters);
	disk.through = what / 9 % 4 == 1;
	q.limits = (struct tsr_blk_limits){ .depth = depth, .data_pages = data_pages, .blocks = BLOCKS, .read_only = what / 64 == 3, .mode = what % 3 };
	q.disk = &disk;
	q.backend = &backend;
	q.event = 9;
	q.trouble = q.kick = q.doorbell = -1;
	q.ring = ring;
	q.seals = seals;
	q.data = q.limits.mode == TSR_BLK_COPIED ? NULL : pages;
	q.session = SESSION;
	q.place.offset = 8 * TSR_PAGE_SIZE;
	if (q.limits.mode == TSR_BLK_STRICT)
		shared_fill(pages, (size_t)data_pages * TSR_PAGE_SIZE);
	require(setup_works(&q) == 0);
	q.mode = q.data ? how.mode : TSR_BACKEND_COPY;
}

/* All that was taken ends: each request is answered once, or its pages went away. */
static void finish(void)
{
	uint32_t idle = 0, unanswered = 0;

	work_unpin(&q);
	stage_flush(&q);
	for (uint32_t rounds = 0; pendings || q.waiting; rounds++) {
		require(rounds < 100000);
		if (pendings)
			end_io(pendings - 1, 0);
		else
			work_retry(&q);
		work_unpin(&q);
		stage_flush(&q);
	}
	for (const struct work *work = q.idle; work; work = work->next)
		idle++;
	for (uint32_t i = 0; i < TSR_RING_MAX_DEPTH; i++)
		unanswered += q.in_use[i];
	require(idle == q.works && !q.busy && !q.reclaiming && q.taken - q.completed == unanswered);
	require(!unanswered || atomic_load(&q.state) != QUEUE_RUNNING);
	if (!(revoked & 1))
		require(!memcmp(ring + TSR_RING_SQ_OFFSET, sent, depth * sizeof(struct tsr_blk_request)));
}

/* A restart finds what was answered. */
static void compare(void)
{
	struct image_error error;
	struct image again;

	/* A failed write that could not be undone, or a sync that failed: nothing is promised any more. */
	hurt |= image.store.tainted || atomic_load(&disk.failed);
	require(image_load(&again, &io, true, &error) == 0);
	require(again.report.broken == 0);
	for (uint32_t i = 0; i < BLOCKS && !hurt; i++) {
		struct tsr_seal was = { 0 }, is = { 0 };
		uint32_t slot = image.store.map[i];

		if (slot != STORE_NONE)
			was = image.store.record[slot].seal;
		if (again.store.map[i] != STORE_NONE)
			is = again.store.record[again.store.map[i]].seal;
		require(!memcmp(&was, &is, sizeof(was)));
	}
	require(hurt || again.report.rejected == 0);
	image_drop(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!fresh.slots) {
		fresh = (struct image_super){ .blocks = BLOCKS, .slots = image_slots(BLOCKS), .generation = 1 };
		image_super_seal(&fresh);
		require(shared_init() && image_size_of(&fresh) <= MEDIUM_SIZE);
	}
	input = data;
	left = size;
	start();
	while (left)
		guest_does();
	finish();
	place_leave(&q);
	if (image.store.next_sequence != 1)
		compare();
	free_works(&q);
	image_drop(&image);
	free(ring);
	free(sent);
	free(seals);
	free(pages);
	return 0;
}
