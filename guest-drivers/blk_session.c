// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * The device's thread: opens sessions with the backend, attaches the disk in the first, watches, closes. While there is no session
 * the block layer's requests simply wait. See spec/block.md for the life of a session.
 */
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include "blk.h"
#include "proto/control.h"

#define POLL      (5 * HZ) /* only in case an event got lost: everything that matters raises one */
#define DELAY_MIN (1 * HZ)
#define DELAY_MAX (30 * HZ)

#define MODE_TEXT(name, text) [TSR_BLK_##name] = text,
static const char *const modes[] = { BLK_MODES(MODE_TEXT) };
#undef MODE_TEXT

static struct tsr_blk_control *control_of(struct blk *b)
{
	return b->control.addr;
}

void blk_poke(struct blk *b)
{
	atomic_set(&b->poked, 1);
	wake_up(&b->wait);
}

const char *blk_mode_text(enum tsr_blk_mode mode)
{
	return modes[mode];
}

int blk_mode_parse(const char *text)
{
	int mode = sysfs_match_string(modes, text);

	return mode < 0 ? -EINVAL : mode;
}

const char *blk_state_text(enum blk_state state)
{
#define STATE_TEXT(name, text) text,
	static const char *const texts[] = { BLK_STATES(STATE_TEXT) };
#undef STATE_TEXT

	return texts[state];
}

void blk_set_state(struct blk *b, enum blk_state state)
{
	if (b->state == state)
		return;
	WRITE_ONCE(b->state, state);
	sysfs_notify(&b->tdev->dev.kobj, NULL, "state");
}

/* Idle state: neither load nor a hung task, however long it takes. */
static void idle(struct blk *b, unsigned long timeout)
{
	wait_event_idle_timeout(b->wait, atomic_xchg(&b->poked, 0) || kthread_should_stop(), timeout);
}

/* The same until a point in time: false when it has come. */
static bool idle_until(struct blk *b, unsigned long end)
{
	long left = end - jiffies;

	if (left > 0)
		idle(b, left);
	return left > 0;
}

/* ------------------------------------------------------------------ within a session */

/* Why the session must end, or 0. */
static int trouble(struct blk *b)
{
	struct tsr_device_info info;
	u32 i;
	int err;

	if (kthread_should_stop())
		return -ESHUTDOWN;
	for (i = 0; i < b->nr_queues; i++)
		if (READ_ONCE(b->queue[i].broken))
			return -EPROTO;
	err = tsr_device_info(b->tdev, &info);
	if (err)
		return err;
	if (!info.backend || info.backend_change != b->change || READ_ONCE(b->mode_wanted) != b->mode)
		return -ENOTCONN;
	if (b->answered && READ_ONCE(control_of(b)->state) != TSR_BLK_BACKEND_READY) {
		dev_warn(&b->tdev->dev, "the backend has given up on the disk: see its log; trying again\n");
		return -EREMOTEIO;
	}
	return 0;
}

int blk_wait(struct blk *b, bool (*ready)(struct blk *b, u32 arg), u32 arg)
{
	int err;

	for (;;) {
		if (ready && ready(b, arg))
			return 0;
		err = trouble(b);
		if (err)
			return err;
		idle(b, POLL);
	}
}

int blk_wait_time(struct blk *b, unsigned long timeout)
{
	unsigned long end = jiffies + timeout;
	int err = trouble(b);

	while (!err && idle_until(b, end))
		err = trouble(b);
	return err;
}

/* ------------------------------------------------------------------ opening and closing */

/* All runs that the device's session grants for all of its life, at most TSR_MAX_BATCH of them; the data runs last. */
static u32 collect_runs(struct blk *b, struct tsr_run *runs[])
{
	u32 i, n = 0;

	BUILD_BUG_ON(1 + 3 * TSR_BLK_MAX_QUEUES > TSR_MAX_BATCH);
	runs[n++] = &b->control;
	for (i = 0; i < b->nr_queues; i++) {
		runs[n++] = &b->queue[i].ring;
		runs[n++] = &b->queue[i].seal;
	}
	for (i = 0; i < b->nr_queues && b->mode != TSR_BLK_STRICT; i++)
		runs[n++] = &b->queue[i].shared;
	return n;
}

/* Every queue's data run, or the first pages of it, as this session's mode has it. */
static void share_data(struct blk *b, u32 pages)
{
	u32 i;

	b->pool_pages = pages;
	for (i = 0; i < b->nr_queues; i++) {
		b->queue[i].shared = b->queue[i].data;
		b->queue[i].shared.pages = pages;
		b->queue[i].shared.how = b->mode == TSR_BLK_COPIED ? TSR_HOW_COPY : TSR_HOW_MAP;
	}
}

/* Where a limit leaves no room for whole data runs, for just so much as the largest request needs. */
static int issue(struct blk *b, struct tsr_run *runs[], u32 n)
{
	u32 least = b->max_blocks + (b->max_blocks > TSR_BLK_DIRECT_BLOCKS ? TSR_BLK_TABLE_PAGES(b->max_blocks) : 0);
	int err = tsr_runs_issue(runs, n, b->session, NULL);

	if (err == -EDQUOT && b->mode != TSR_BLK_STRICT && least < b->data_pages) {
		share_data(b, least);
		err = tsr_runs_issue(runs, n, b->session, NULL);
	}
	if (err == -EDQUOT && !b->limit_told)
		dev_notice(&b->tdev->dev, "a limit of this guest's tokens or of their pages is reached: waiting for others to give some back\n");
	b->limit_told = err == -EDQUOT;
	if (err && err != -EDQUOT)
		dev_err(&b->tdev->dev, "tokens for the disk's pages are refused (%d)\n", err);
	return err;
}

/* Nothing of an earlier session is left for the new backend to see. */
static void clear_runs(struct blk *b)
{
	u32 i;

	memset(control_of(b), 0, PAGE_SIZE);
	for (i = 0; i < b->nr_queues; i++) {
		mutex_lock(&b->queue[i].mutex);
		blk_ring_reset(&b->queue[i]);
		mutex_unlock(&b->queue[i].mutex);
	}
}

static void fill_control(struct blk *b)
{
	struct tsr_blk_control *control = control_of(b);
	u32 i;

	control->magic = TSR_BLK_MAGIC;
	control->version = TSR_BLK_VERSION;
	control->session = b->session;
	control->queues = b->nr_queues;
	control->depth = BLK_DEPTH;
	control->data_pages = b->pool_pages;
	control->mode = b->mode;
	control->event = b->control_event;
	control->features = TSR_BLK_FEATURES;
	control->reading = b->reading;
	for (i = 0; i < b->nr_queues; i++) {
		struct blk_queue *q = &b->queue[i];

		control->queue[i].ring = q->ring.token;
		control->queue[i].seal = q->seal.token;
		control->queue[i].data = q->shared.token; /* strict: none */
		control->queue[i].event = q->event;
	}
}

static bool has_answered(struct blk *b, u32 unused)
{
	return READ_ONCE(control_of(b)->state) != TSR_BLK_BACKEND_NONE;
}

static int check_answer(struct blk *b)
{
	enum tsr_control_error error;

	/* The backend writes state last; its other fields are read after it. */
	virt_rmb();
	memcpy(b->answer, control_of(b), sizeof(*b->answer));
	barrier(); /* from here on only the copy */
	error = tsr_control_check_back(b->answer, TSR_BLK_FEATURES);
	if (error != TSR_CONTROL_OK) {
		dev_err(&b->tdev->dev, "the backend's answer is not valid: %s\n", tsr_control_error_text(error));
		return -EPROTO;
	}
	if (b->answer->state != TSR_BLK_BACKEND_READY) {
		dev_err(&b->tdev->dev, "the backend cannot serve the disk (status %u): see its log\n", b->answer->error);
		return -EREMOTEIO;
	}
	return 0;
}

static int session_open(struct blk *b)
{
	struct tsr_run *runs[TSR_MAX_BATCH];
	u32 i, n;
	int err;

	blk_set_state(b, BLK_CONNECTING);
	b->mode = READ_ONCE(b->mode_wanted);
	b->session = tsr_device_next_session(b->tdev);
	share_data(b, b->data_pages);
	n = collect_runs(b, runs);
	clear_runs(b);
	err = issue(b, runs, n);
	if (err)
		return err;
	fill_control(b);
	err = tsr_connect(b->tdev, b->session, &b->control.token);
	if (err) {
		dev_err(&b->tdev->dev, "the hypervisor refuses to connect (%d)\n", err);
		return err;
	}
	b->sessions++;
	err = blk_wait(b, has_answered, 0);
	if (!err)
		err = check_answer(b);
	if (err)
		return err;
	b->answered = true;
	for (i = 0; i < b->nr_queues; i++)
		blk_q_start(&b->queue[i]);
	return 0;
}

void blk_queues_stop(struct blk *b)
{
	u32 i;

	for (i = 0; i < b->nr_queues; i++)
		blk_q_stop(&b->queue[i]);
}

/*
 * After it no page of the disk is within the host's reach. It needs nothing of the backend or the host. It takes as long as it takes:
 * a page whose revoke has not returned cannot be used for anything.
 */
static void session_close(struct blk *b)
{
	struct tsr_run *runs[TSR_MAX_BATCH];
	u32 n = collect_runs(b, runs), i;

	b->answered = false;
	blk_queues_stop(b);
	while (tsr_runs_revoke(runs, n) && !kthread_should_stop())
		idle(b, DELAY_MIN);
	for (i = 0; i < b->nr_queues; i++)
		while (blk_strict_revoke_all(&b->queue[i]) && !kthread_should_stop())
			idle(b, DELAY_MIN);
}

/* ------------------------------------------------------------------ the thread */

static void serve(struct blk *b)
{
	u32 i;

	blk_set_state(b, BLK_ATTACHED);
	blk_disk_cache(b);
	for (i = 0; i < b->nr_queues; i++)
		blk_q_serve(&b->queue[i]);
	mutex_lock(&b->add_lock);
	if (!b->removing && b->shown != b->blocks) {
		b->shown = b->blocks;
		schedule_work(&b->add_work);
	}
	mutex_unlock(&b->add_lock);
}

static u64 requests_in_flight(struct blk *b)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < b->nr_queues; i++)
		sum += READ_ONCE(b->queue[i].count.in_flight);
	return sum;
}

static int session(struct blk *b)
{
	int err = session_open(b);

	if (!err)
		err = b->attached ? blk_attach_again(b) : blk_attach(b);
	if (err) {
		blk_format_finish(b, err);
		return err;
	}
	serve(b);
	err = blk_wait(b, NULL, 0);
	if (err == -ENOTCONN && READ_ONCE(b->mode_wanted) != b->mode)
		dev_info(&b->tdev->dev, "from now on %s\n", blk_mode_text(b->mode_wanted));
	else if (err == -ENOTCONN)
		dev_info(&b->tdev->dev, "the backend went away; %llu requests in flight will be sent to the next\n",
			 requests_in_flight(b));
	return err;
}

/* A backend that is there but cannot be used is tried again, ever more rarely, or as soon as another comes. */
static void pause_after_failure(struct blk *b, unsigned long delay)
{
	unsigned long end = jiffies + delay;
	struct tsr_device_info info;

	while (!kthread_should_stop() && idle_until(b, end))
		if (!tsr_device_info(b->tdev, &info) && info.backend_change != b->change)
			return;
}

int blk_thread(void *arg)
{
	struct blk *b = arg;
	unsigned long delay = DELAY_MIN, since;
	struct tsr_device_info info;
	int err;

	while (!kthread_should_stop()) {
		err = tsr_device_info(b->tdev, &info);
		if (err || !info.backend) {
			blk_set_state(b, BLK_AWAY);
			idle(b, POLL);
			continue;
		}
		b->change = info.backend_change;
		since = jiffies;
		err = session(b);
		session_close(b);
		if (err == -ENOTCONN || err == -ESHUTDOWN || time_after(jiffies, since + 2 * delay)) {
			delay = DELAY_MIN;
			continue;
		}
		pause_after_failure(b, err == -EDQUOT ? DELAY_MIN : delay);
		delay = err == -EDQUOT ? DELAY_MIN : min_t(unsigned long, 2 * delay, DELAY_MAX);
	}
	return 0;
}
