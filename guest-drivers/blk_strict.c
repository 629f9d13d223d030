// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Strict mode: a page is the host's only while a request needs it. A filled request gets a token of its pages, in the direction of its
 * data, and goes into the ring with it; a completed one is looked at when its token's revoke has returned. Both are done for many at once.
 */
#include <linux/jiffies.h>
#include "blk.h"
#include "proto/request.h"

#define LATER (HZ / 50 + 1)

void blk_strict_add(struct blk_queue *q, u32 slot, const struct tsr_blk_request *request)
{
	q->grant[slot] = (struct tsr_run){
		.tdev = q->blk->tdev,
		.addr = q->data.addr + (size_t)request->data_page * PAGE_SIZE,
		.pages = tsr_blk_token_pages(request),
		.dir = tsr_blk_token_dir(request),
		.how = TSR_HOW_EITHER,
	};
	tsr_turns_wait(&q->granting, slot);
}

static int issue(struct blk_queue *q, struct tsr_run *runs[], u32 nr, u32 *fit)
{
	return tsr_runs_issue(runs, nr, q->blk->session, fit);
}

static noinline int send_granted(struct blk_queue *q)
{
	struct tsr_run *runs[BLK_DEPTH];
	u32 nr = q->granting.count, fit, i;
	int err;

	BUILD_BUG_ON(BLK_DEPTH > TSR_MAX_BATCH || BLK_DEPTH > TSR_TURNS_MAX);
	for (i = 0; i < nr; i++)
		runs[i] = &q->grant[q->granting.slot[i]];
	err = issue(q, runs, nr, &fit);
	if (err == -EDQUOT) {
		/* Others' requests end, or this queue's: then there is room again. */
		q->count.limit_waits++;
		mod_timer(&q->later, jiffies + LATER);
		err = fit ? issue(q, runs, fit, NULL) : 0;
		if (err == -EDQUOT)
			return 0; /* another queue was faster */
	}
	if (err)
		return err;
	q->count.granted += fit;
	for (i = 0; i < fit; i++)
		blk_q_push(q, q->granting.slot[i]);
	tsr_turns_served(&q->granting, fit);
	return 0;
}

/* The kernel sets what is on the stack to zero: what the other modes pass through too has no arrays there. */
int blk_strict_send(struct blk_queue *q)
{
	return q->granting.count ? send_granted(q) : 0;
}

static noinline int revoke_granted(struct blk_queue *q, const struct tsr_blk_completion done[], u32 nr)
{
	struct tsr_run *runs[BLK_DEPTH];
	u32 i;

	for (i = 0; i < nr; i++)
		runs[i] = &q->grant[done[i].id];
	return tsr_runs_revoke(runs, nr);
}

int blk_strict_revoke(struct blk_queue *q, const struct tsr_blk_completion done[], u32 nr)
{
	return q->blk->mode == TSR_BLK_STRICT ? revoke_granted(q, done, nr) : 0;
}

int blk_strict_revoke_all(struct blk_queue *q)
{
	struct tsr_run *runs[BLK_DEPTH];
	u32 i;

	for (i = 0; i < BLK_DEPTH; i++)
		runs[i] = &q->grant[i];
	return tsr_runs_revoke(runs, BLK_DEPTH);
}
