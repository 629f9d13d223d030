// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* A backend in memory, one thread for all queues. It keeps the rules unless told otherwise. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "fake.h"
#include "proto/control.h"
#include "proto/request.h"
#include "proto/ring.h"

struct pair {
	u8 data[TSR_BLOCK_SIZE];
	struct tsr_seal seal;
};

static struct pair *disk;         /* FAKE_BLOCKS */
static u8 *headers, *headers_kept, *old_header; /* TSR_HEADER_SLOTS each, and one */
static bool have_old_header;
static struct pair kept;
static u64 kept_block;
static int misbehaviour;
static uint blocks = FAKE_BLOCKS; /* capacity of later sessions, up to FAKE_MAX_BLOCKS */
module_param(blocks, uint, 0644);
static uint read_only; /* of later sessions */
module_param(read_only, uint, 0644);
static uint through; /* of later sessions: what is completed is durable */
module_param(through, uint, 0644);
static uint indirect; /* requests with a table so far */
module_param(indirect, uint, 0444);
static struct task_struct *thread;
static DECLARE_WAIT_QUEUE_HEAD(wait);
static atomic_t rung;

/* With fake_lock held: the session. */
static struct {
	bool pending, open;
	u32 session;
	struct tsr_token token;
	struct tsr_blk_control *control;
	u32 queues, depth, data_pages, mode;
	bool read_only;
	struct queue {
		struct tsr_run *ring, *seal, *data;
		void *base; /* of the data run; strict: as if all of it were granted with the request at hand */
		u32 event, sq_head, cq_tail;
	} queue[TSR_BLK_MAX_QUEUES];
} s;

bool fake_do_now(int what)
{
	if (misbehaviour != what)
		return false;
	misbehaviour = FAKE_NOTHING;
	return true;
}

static bool run_is_zero(const struct tsr_run *run)
{
	return tsr_is_zero(run->addr, (size_t)run->pages * PAGE_SIZE);
}

static void open_session(void)
{
	struct tsr_run *run = fake_run(&s.token, s.session, 1);
	struct tsr_blk_control *c;
	u32 i;

	s.pending = false;
	if (!run)
		return;
	c = run->addr;
	if (tsr_control_check_front(c, s.session) != TSR_CONTROL_OK) {
		pr_err("guest_fake: control page: %s\n", tsr_control_error_text(tsr_control_check_front(c, s.session)));
		return;
	}
	s.control = c;
	s.queues = c->queues;
	s.depth = c->depth;
	s.read_only = read_only || c->reading;
	s.data_pages = c->data_pages;
	s.mode = c->mode;
	for (i = 0; i < s.queues; i++) {
		struct queue *q = &s.queue[i];

		q->ring = fake_run(&c->queue[i].ring, s.session, TSR_RING_PAGES(s.depth));
		q->seal = fake_run(&c->queue[i].seal, s.session, TSR_BLK_SEAL_PAGES(s.depth));
		q->data = fake_run(&c->queue[i].data, s.session, s.data_pages);
		q->event = c->queue[i].event;
		q->sq_head = 0;
		q->cq_tail = 0;
		if (s.mode == TSR_BLK_STRICT && !q->data)
			q->data = q->seal; /* none is granted */
		if (q->ring && q->seal && q->data &&
		    !(run_is_zero(q->ring) && run_is_zero(q->seal) && run_is_zero(q->data)))
			fake_complain("a granted page is not zero"); /* RING-4, BLK-7 */
		if (q->data && q->data->how != (s.mode == TSR_BLK_COPIED ? TSR_HOW_COPY : TSR_HOW_MAP))
			fake_complain("the data run is not granted as the mode has it");
		if (!q->ring || !q->seal || !q->data) {
			pr_err("guest_fake: queue %u: a token is not valid\n", i);
			return;
		}
	}
	s.open = true;
	c->blocks = blocks;
	c->read_only = read_only;
	c->backend_features = through ? TSR_BLK_F_WRITE_THROUGH : 0;
	smp_store_release(&c->state, TSR_BLK_BACKEND_READY);
	fake_raise(c->event);
}

/* As a backend of its own making would read the table: this one is trusted to be right, see note_taken. */
static u32 page_of(struct queue *q, const struct tsr_blk_request *r, u32 i)
{
	const struct tsr_blk_segment *segment = q->base + (size_t)r->data_page * PAGE_SIZE;

	if (!(r->flags & TSR_BLK_INDIRECT))
		return r->data_page + i;
	for (; i >= segment->count; segment++)
		i -= segment->count;
	return segment->page + i;
}

static struct tsr_seal *seals_of(struct queue *q, const struct tsr_blk_request *r)
{
	if (r->flags & TSR_BLK_INDIRECT)
		return q->base + (size_t)r->data_page * PAGE_SIZE + TSR_BLK_TABLE_SEALS;
	return q->seal->addr + r->id * TSR_BLK_SEAL_SLOT;
}

static void *data_of(struct queue *q, const struct tsr_blk_request *r, u32 i)
{
	return q->base + (size_t)page_of(q, r, i) * TSR_BLOCK_SIZE;
}

static void move_block(struct queue *q, const struct tsr_blk_request *r, u32 i)
{
	struct tsr_seal *seal = seals_of(q, r) + i;
	struct pair *pair = &disk[r->block + i];

	if (r->op == TSR_BLK_READ) {
		*seal = pair->seal;
		memcpy(data_of(q, r, i), pair->data, TSR_BLOCK_SIZE);
		return;
	}
	if (fake_do_now(FAKE_KEEP)) {
		kept = *pair;
		kept_block = r->block + i;
	}
	pair->seal = *seal;
	if (r->op == TSR_BLK_WRITE)
		memcpy(pair->data, data_of(q, r, i), TSR_BLOCK_SIZE);
}

static void spoil_read(struct queue *q, const struct tsr_blk_request *r)
{
	u8 *data = data_of(q, r, 0);
	struct tsr_seal *seal = seals_of(q, r);

	if (fake_do_now(FAKE_FLIP_DATA))
		data[100] ^= 1;
	if (fake_do_now(FAKE_FLIP_SEAL))
		seal->tag[3] ^= 0x80;
	if (r->count >= 2 && fake_do_now(FAKE_SWAP)) {
		swap(seal[0], seal[1]);
		memcpy(data, disk[r->block + 1].data, TSR_BLOCK_SIZE);
		memcpy(data_of(q, r, 1), disk[r->block].data, TSR_BLOCK_SIZE);
	}
	if (fake_do_now(FAKE_FORGET))
		memset(seal, 0, sizeof(*seal));
	if (fake_do_now(FAKE_DATA_AS_ZERO))
		seal->flags |= TSR_SEAL_ZERO;
}

static void move_header(struct queue *q, const struct tsr_blk_request *r)
{
	void *data = q->base + (size_t)r->data_page * TSR_BLOCK_SIZE;
	u8 *header = headers + r->block * TSR_HEADER_SIZE;

	if (r->op == TSR_BLK_HEADER_READ) {
		memcpy(data, header, TSR_HEADER_SIZE);
		return;
	}
	memcpy(header, data, TSR_HEADER_SIZE);
	if (!have_old_header && ((struct tsr_disk_header *)data)->formatted == 0xffffffffu) {
		memcpy(old_header, data, TSR_HEADER_SIZE);
		have_old_header = true;
	}
}

static u8 execute(struct queue *q, const struct tsr_blk_request *r)
{
	struct tsr_blk_limits limits = {
		.depth = s.depth, .data_pages = s.data_pages, .blocks = blocks, .read_only = s.read_only, .mode = s.mode,
	};
	u8 status = tsr_blk_request_check(r, &limits);
	bool write = r->op == TSR_BLK_WRITE || r->op == TSR_BLK_WRITE_ZEROES;
	u32 i;

	if (status != TSR_BLK_OK) {
		fake_complain("a request breaks the rules");
		return status;
	}
	if (write && fake_do_now(FAKE_IO_ERROR))
		return TSR_BLK_E_IO;
	if (write && fake_do_now(FAKE_NO_SPACE))
		return TSR_BLK_E_NOSPACE;
	if (r->op == TSR_BLK_HEADER_READ || r->op == TSR_BLK_HEADER_WRITE)
		move_header(q, r);
	else
		for (i = 0; i < r->count; i++)
			move_block(q, r, i);
	if (r->op == TSR_BLK_READ)
		spoil_read(q, r);
	return fake_do_now(FAKE_STATUS) ? 99 : TSR_BLK_OK;
}

static void put_completion(struct queue *q, u16 id, u8 status)
{
	struct tsr_blk_completion c = { .id = id, .status = status };

	memcpy(q->ring->addr + tsr_ring_cq_at(q->cq_tail, s.depth), &c, sizeof(c));
	q->cq_tail++;
}

static void complete_id(struct queue *q, u16 id, u8 status)
{
	struct tsr_ring_header *h = q->ring->addr;

	put_completion(q, id, status);
	smp_store_release(&h->cq_tail, q->cq_tail);
	smp_mb();
	if (tsr_ring_need_event(READ_ONCE(h->cq_event), q->cq_tail, q->cq_tail - 1))
		fake_raise(q->event);
}

static void lie(struct queue *q, u16 id)
{
	struct tsr_ring_header *h = q->ring->addr;

	if (fake_do_now(FAKE_BOGUS_ID))
		complete_id(q, 0xfff0, TSR_BLK_OK);
	if (fake_do_now(FAKE_UNSENT_ID))
		complete_id(q, s.depth - 1, TSR_BLK_OK);
	if (fake_do_now(FAKE_TWICE))
		complete_id(q, id, TSR_BLK_OK);
	if (fake_do_now(FAKE_TAIL)) {
		WRITE_ONCE(h->cq_tail, q->cq_tail + s.depth + 1);
		fake_raise(q->event);
	}
}

/* What requests in flight at once must not share: RING-7, RING-8. */
static struct {
	DECLARE_BITMAP(ids, TSR_RING_MAX_DEPTH);
	DECLARE_BITMAP(pages, TSR_TOKEN_MAX_PAGES);
} taken;

static void note_page(u32 page)
{
	if (page >= s.data_pages || test_and_set_bit(page, taken.pages))
		fake_complain("a data page is out of range or used twice");
}

/* BLK-40: what the request's token names is just its pages, in just the direction of its data. */
static bool reach(struct queue *q, const struct tsr_blk_request *r)
{
	u32 pages = tsr_blk_token_pages(r);
	const struct tsr_run *run;

	q->base = q->data->addr;
	if (s.mode != TSR_BLK_STRICT || !pages)
		return true;
	run = fake_run(&r->token, s.session, pages);
	if (!run || run->dir != tsr_blk_token_dir(r) || run->how != TSR_HOW_EITHER)
		return false;
	q->base = run->addr - (size_t)r->data_page * PAGE_SIZE;
	return true;
}

static void note_taken(struct queue *q, const struct tsr_blk_request *r)
{
	struct tsr_blk_limits limits = { .depth = s.depth, .data_pages = s.data_pages, .blocks = blocks, .mode = s.mode };
	u32 i;

	if (r->id >= s.depth || test_and_set_bit(r->id, taken.ids))
		fake_complain("an id is out of range or used twice");
	if (!reach(q, r)) {
		fake_complain("a request's token is not of its pages");
		return;
	}
	for (i = 0; i < tsr_blk_request_pages(r); i++)
		note_page(r->data_page + i);
	if (!(r->flags & TSR_BLK_INDIRECT) || r->op == TSR_BLK_WRITE_ZEROES)
		return;
	indirect++;
	if (!tsr_blk_segments_check(r, q->base + (size_t)r->data_page * PAGE_SIZE, &limits))
		fake_complain("a table breaks the rules");
	else
		for (i = 0; i < r->count; i++)
			note_page(page_of(q, r, i));
}

/* The other side of RING-12 and SEAL-8: changes what was answered while it is being looked at, and leaves it as it was. */
static void scribble(struct queue *q, const struct tsr_blk_request *r)
{
	volatile u8 *data = data_of(q, r, 0);
	volatile u8 *seal = (u8 *)seals_of(q, r);
	u32 n;

	for (n = 0; n < 200; n++) {
		data[n / 2 * 40] ^= 1;
		if (n % 32 < 2)
			seal[5] ^= 1;
		udelay(5);
	}
}

/* One more than there are: the first again. */
static bool complete_more(struct queue *q, const struct tsr_blk_request r[], u32 n)
{
	while (n-- > 0)
		if (reach(q, &r[n]))
			put_completion(q, r[n].id, execute(q, &r[n]));
	smp_store_release(&((struct tsr_ring_header *)q->ring->addr)->cq_tail, q->cq_tail + 1);
	fake_raise(q->event);
	return true;
}

/* Takes all requests of a queue there are, then completes them in the reverse order. */
static bool serve(struct queue *q)
{
	static struct tsr_blk_request r[TSR_RING_MAX_DEPTH];
	struct tsr_ring_header *h = q->ring->addr;
	u32 n = 0;
	u8 status;

	if (smp_load_acquire(&h->sq_tail) == q->sq_head) {
		WRITE_ONCE(h->sq_event, q->sq_head);
		smp_mb();
		if (READ_ONCE(h->sq_tail) == q->sq_head)
			return false;
	}
	memset(&taken, 0, sizeof(taken));
	for (; smp_load_acquire(&h->sq_tail) != q->sq_head && n < s.depth; n++) {
		memcpy(&r[n], q->ring->addr + tsr_ring_sq_at(q->sq_head, s.depth), sizeof(r[n]));
		q->sq_head++;
		note_taken(q, &r[n]);
	}
	WRITE_ONCE(h->sq_head, get_random_u32()); /* RING-9: nobody may depend on it */
	if (n == s.depth && fake_do_now(FAKE_MORE))
		return complete_more(q, r, n);
	while (n-- > 0) {
		if (!reach(q, &r[n]) || fake_do_now(FAKE_LOSE))
			continue;
		status = execute(q, &r[n]);
		complete_id(q, r[n].id, status);
		if (misbehaviour == FAKE_SCRIBBLE && r[n].op == TSR_BLK_READ)
			scribble(q, &r[n]);
		lie(q, r[n].id);
	}
	return true;
}

static bool work(void)
{
	bool more = false;
	u32 i;

	mutex_lock(&fake_lock);
	if (s.pending)
		open_session();
	for (i = 0; i < s.queues && s.open && misbehaviour != FAKE_SLOW; i++)
		more |= serve(&s.queue[i]);
	mutex_unlock(&fake_lock);
	return more;
}

static int backend_thread(void *unused)
{
	while (!kthread_should_stop()) {
		while (work())
			cond_resched();
		wait_event_idle(wait, atomic_xchg(&rung, 0) || kthread_should_stop());
	}
	return 0;
}

void fake_doorbell(void)
{
	atomic_set(&rung, 1);
	wake_up(&wait);
}

void fake_connect(u32 session, const struct tsr_token *token)
{
	mutex_lock(&fake_lock);
	if (session <= s.session)
		fake_complain("a session number is used again"); /* BLK-7 */
	s.pending = true;
	s.session = session;
	s.token = *token;
	mutex_unlock(&fake_lock);
	fake_doorbell();
}

/* With fake_lock held: as a killed daemon, whatever it was doing. */
void fake_disconnect(void)
{
	s.open = false;
	s.pending = false;
}

void fake_revoked(const struct tsr_run *run)
{
	if (run->addr == s.control)
		fake_disconnect();
}

/* What the kernel's slab debugging has to notice, or it would notice nothing of the driver's either. */
static void overrun(void)
{
	u32 behind = 64 + get_random_u32() % 8; /* the compiler is not to see it */
	u8 *bytes = kmalloc(64, GFP_KERNEL);

	if (bytes)
		WRITE_ONCE(bytes[behind], 0x5a);
	kfree(bytes);
}

int fake_misbehave(int what)
{
	u32 i;

	mutex_lock(&fake_lock);
	misbehaviour = what;
	if (fake_do_now(FAKE_REPLAY))
		disk[kept_block] = kept;
	if (fake_do_now(FAKE_OLD_HEADER) && have_old_header) {
		memcpy(headers_kept, headers, TSR_HEADER_SLOTS * TSR_HEADER_SIZE);
		memcpy(headers, old_header, TSR_HEADER_SIZE);
		memcpy(headers + TSR_HEADER_SIZE, old_header, TSR_HEADER_SIZE);
	}
	if (fake_do_now(FAKE_WIPE)) {
		memcpy(headers_kept, headers, TSR_HEADER_SLOTS * TSR_HEADER_SIZE);
		memset(headers, 0, TSR_HEADER_SLOTS * TSR_HEADER_SIZE);
	}
	if (fake_do_now(FAKE_EMPTY))
		memset(disk, 0, sizeof(*disk) * FAKE_MAX_BLOCKS);
	for (i = 0; s.open && misbehaviour == FAKE_STORM && i < 2000; i++) {
		fake_raise(s.queue[0].event);
		fake_raise(s.control->event);
	}
	fake_do_now(FAKE_STORM);
	if (fake_do_now(FAKE_OVERRUN))
		overrun();
	if (fake_do_now(FAKE_NEW_HEADER))
		memcpy(headers, headers_kept, TSR_HEADER_SLOTS * TSR_HEADER_SIZE);
	if (fake_do_now(FAKE_BAD_HEADERS)) {
		headers[100] ^= 1; /* reserved, and under the tag */
		headers[TSR_HEADER_SIZE + 130] ^= 1;
	}
	if (s.open && fake_do_now(FAKE_FAILED)) {
		s.control->error = TSR_BLK_E_IO;
		smp_store_release(&s.control->state, TSR_BLK_BACKEND_FAILED);
		fake_raise(s.control->event);
		s.open = false;
	}
	mutex_unlock(&fake_lock);
	fake_doorbell();
	return 0;
}

int fake_backend_init(void)
{
	disk = vzalloc(sizeof(*disk) * FAKE_MAX_BLOCKS);
	headers = vzalloc((size_t)TSR_HEADER_SLOTS * TSR_HEADER_SIZE);
	headers_kept = vzalloc((size_t)TSR_HEADER_SLOTS * TSR_HEADER_SIZE);
	old_header = vzalloc(TSR_HEADER_SIZE);
	if (disk && headers && headers_kept && old_header)
		thread = kthread_run(backend_thread, NULL, "guest_fake");
	if (!IS_ERR_OR_NULL(thread))
		return 0;
	fake_backend_exit();
	return -ENOMEM;
}

void fake_backend_exit(void)
{
	if (!IS_ERR_OR_NULL(thread))
		kthread_stop(thread);
	vfree(disk);
	vfree(headers);
	vfree(headers_kept);
	vfree(old_header);
}
