// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Runs of pages and the tokens that grant them: spec/tokens.md. */
#define pr_fmt(fmt) "tessera: " fmt

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/io.h>
#include "bus.h"

#define REVOKE_TIMEOUT  (30 * HZ)
#define REVOKE_BUSY_MAX 64 /* repetitions before sleeping between them */

int tsr_run_alloc(struct tsr_device *tdev, struct tsr_run *run, u32 pages)
{
	void *addr;

	if (pages == 0 || pages > TSR_TOKEN_MAX_PAGES)
		return -EINVAL;
	addr = alloc_pages_exact((size_t)pages * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY);
	if (!addr)
		return -ENOMEM;
	*run = (struct tsr_run){ .tdev = tdev, .addr = addr, .pages = pages, .dir = TSR_DIR_BOTH };
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_run_alloc);

void tsr_run_free(struct tsr_run *run)
{
	if (!run->addr)
		return;
	if (tsr_run_issued(run))
		dev_warn(&run->tdev->dev, "%u pages are kept for ever: their token could not be revoked\n", run->pages);
	else
		free_pages_exact(run->addr, (size_t)run->pages * PAGE_SIZE);
	memset(run, 0, sizeof(*run));
}
EXPORT_SYMBOL_GPL(tsr_run_free);

int tsr_runs_issue(struct tsr_run *const runs[], u32 nr, u32 session, u32 *fit)
{
	struct tsr_device *tdev;
	u64 index = 0;
	u32 i;
	int err;

	if (nr == 0 || nr > TSR_MAX_BATCH)
		return -EINVAL;
	for (i = 0; i < nr; i++)
		if (WARN_ON_ONCE(!runs[i]->addr || tsr_run_issued(runs[i])))
			return -EINVAL;
	tdev = runs[0]->tdev;
	mutex_lock(&tdev->issue_lock);
	for (i = 0; i < nr; i++)
		tdev->issue[i] = (struct tsr_token_issue){
			.gfn = virt_to_phys(runs[i]->addr) >> PAGE_SHIFT,
			.pages = runs[i]->pages,
			.dir = runs[i]->dir,
			.how = runs[i]->how,
			.device = tdev->index,
			.session = session,
		};
	err = tsr_call_data(TSR_CALL_TOKEN_ISSUE, nr, 0, 0, tdev->issue, nr * sizeof(*tdev->issue), nr * sizeof(*tdev->issue), &index);
	for (i = 0; i < nr && !err; i++)
		runs[i]->token = tdev->issue[i].token;
	mutex_unlock(&tdev->issue_lock);
	if (!err)
		atomic64_add(nr, &bus_counters.tokens_issued);
	if (fit)
		*fit = err == -EDQUOT ? min_t(u64, index, nr) : nr;
	return err;
}
EXPORT_SYMBOL_GPL(tsr_runs_issue);

/* One call for the issued ones among runs. Returns how many remain issued, or an error. */
static int revoke_once(struct tsr_run *const runs[], u32 nr)
{
	struct tsr_token_ref ref[TSR_MAX_BATCH];
	struct tsr_run *issued[TSR_MAX_BATCH];
	u32 i, count = 0;
	u64 done = 0;
	int err;

	for (i = 0; i < nr; i++) {
		if (!tsr_run_issued(runs[i]))
			continue;
		issued[count] = runs[i];
		ref[count++].token = runs[i]->token;
	}
	if (count == 0)
		return 0;
	err = tsr_call_data(TSR_CALL_TOKEN_REVOKE, count, 0, 0, ref, count * sizeof(ref[0]), 0, &done);
	if (err && err != -EAGAIN)
		return err;
	if (!err)
		done = count;
	if (done > count)
		return -EIO;
	for (i = 0; i < done; i++)
		memset(&issued[i]->token, 0, sizeof(issued[i]->token));
	atomic64_add(done, &bus_counters.tokens_revoked);
	if (err)
		atomic64_inc(&bus_counters.revoke_repeats);
	return count - done;
}

int tsr_runs_revoke(struct tsr_run *const runs[], u32 nr)
{
	unsigned long deadline = jiffies + REVOKE_TIMEOUT;
	unsigned int repeats = 0;
	int left;

	if (WARN_ON_ONCE(nr > TSR_MAX_BATCH))
		return -EINVAL;
	for (;;) {
		left = revoke_once(runs, nr);
		if (left == 0)
			return 0;
		if (left < 0) {
			pr_err("revoking tokens was refused (%d)\n", left);
			return left;
		}
		if (time_after(jiffies, deadline)) {
			pr_warn("%d tokens are not revoked yet: a CPU of the host's has not let go for %u s\n", left,
				REVOKE_TIMEOUT / HZ);
			return -ETIMEDOUT;
		}
		cond_resched();
		if (++repeats > REVOKE_BUSY_MAX)
			usleep_range(200, 1000);
	}
}
EXPORT_SYMBOL_GPL(tsr_runs_revoke);
