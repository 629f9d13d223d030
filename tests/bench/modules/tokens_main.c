/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Issues tokens of one page each, has the host's program (tests/bench/tokens.c) map them, and revokes them, one, 8 and 64 in a call; each
 * between marks. Before that it issues as many others as parameter live says, which stay. With live only (rounds=0) it is done then.
 * It talks to the hypervisor directly: tessera.ko must not be loaded, as there is one mailbox.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "tokens.h"

static unsigned int live;
module_param(live, uint, 0400);
static unsigned int rounds = 2;
module_param(rounds, uint, 0400);
MODULE_PARM_DESC(rounds, "of each batch; the last one counts, since the marks repeat");
static char result[64] = "nothing was run";
module_param_string(result, result, sizeof(result), 0400);

#define DEVICE  0
#define SESSION 1
#define WAIT_MS 600000

static void *mailbox;
static struct tokens_page *shared;
static void *pages[TOKENS];

static s64 call(u64 nr, u64 a0, u64 a1, u64 a2)
{
	s64 status;

	asm volatile("vmmcall" : "=a" (status), "+d" (a2) : "a" (nr), "D" (a0), "S" (a1) : "memory");
	return status;
}

/* n pages in one call; tokens may be NULL. */
static s64 issue(void *const *page, unsigned int n, struct tsr_token *token)
{
	struct tsr_token_issue *e = mailbox;
	unsigned int i;
	s64 err;

	for (i = 0; i < n; i++)
		e[i] = (struct tsr_token_issue){ .gfn = virt_to_phys(page[i]) >> PAGE_SHIFT, .pages = 1, .dir = TSR_DIR_BOTH, .device = DEVICE,
						 .session = SESSION };
	err = call(TSR_CALL_TOKEN_ISSUE, n, 0, 0);
	for (i = 0; token && i < n; i++)
		token[i] = e[i].token;
	return err;
}

static s64 revoke(const struct tsr_token *token, unsigned int n)
{
	struct tsr_token_ref *e = mailbox;
	unsigned int i;

	for (i = 0; i < n; i++)
		e[i].token = token[i];
	return call(TSR_CALL_TOKEN_REVOKE, n, 0, 0);
}

static int fill(void)
{
	void *page[TOKENS];
	unsigned int done, i, n;

	for (done = 0; done < live; done += n) {
		n = min_t(unsigned int, live - done, TOKENS);
		for (i = 0; i < n; i++) {
			page[i] = (void *)get_zeroed_page(GFP_KERNEL);
			if (!page[i])
				return -ENOMEM;
		}
		if (issue(page, n, NULL))
			return -EIO;
	}
	return 0;
}

static int one_round(u32 round, u32 batch)
{
	unsigned int i, waited = 0;
	s64 err = 0;

	TOKENS_MARK(1, 1, batch);
	for (i = 0; i < TOKENS && !err; i += batch)
		err = issue(pages + i, batch, shared->token + i);
	TOKENS_MARK(2, 1, batch);
	if (err)
		return -EIO;
	shared->batch = batch;
	smp_store_release(&shared->round, round);
	while (smp_load_acquire(&shared->done) != round) {
		if (++waited > WAIT_MS)
			return -ETIMEDOUT;
		usleep_range(1000, 1100);
	}
	TOKENS_MARK(1, 3, batch);
	for (i = 0; i < TOKENS && !err; i += batch)
		err = revoke(shared->token + i, batch);
	TOKENS_MARK(2, 3, batch);
	return err ? -EIO : 0;
}

static int meet(void)
{
	struct tsr_device_info *info = mailbox;
	struct tsr_token token;
	unsigned int waited;
	void *page = shared;
	s64 err;

	for (waited = 0; waited < WAIT_MS; waited++) {
		if (call(TSR_CALL_DEVICE_INFO, DEVICE, 0, 0))
			return -EIO;
		if (info->backend == 1)
			break;
		usleep_range(1000, 1100);
	}
	err = issue(&page, 1, &token);
	if (err)
		return -EIO;
	*(struct tsr_connect *)mailbox = (struct tsr_connect){ .device = DEVICE, .session = SESSION, .token = token };
	return call(TSR_CALL_CONNECT, 0, 0, 0) ? -EIO : 0;
}

/* The pages stay: what is granted is never used for anything else. */
static int __init tokens_init(void)
{
	static const u32 batches[] = { 1, 8, 64 };
	u32 i, round = 0;
	int err;

	mailbox = (void *)get_zeroed_page(GFP_KERNEL);
	shared = (void *)get_zeroed_page(GFP_KERNEL);
	for (i = 0; i < TOKENS; i++)
		pages[i] = (void *)get_zeroed_page(GFP_KERNEL);
	if (!mailbox || !shared || !pages[TOKENS - 1] || call(TSR_CALL_MAILBOX, virt_to_phys(mailbox) >> PAGE_SHIFT, 0, 0))
		return -ENOMEM;
	err = fill();
	if (!err && rounds)
		err = meet();
	for (i = 0; i < ARRAY_SIZE(batches) * rounds && !err; i++)
		err = one_round(++round, batches[i / rounds]);
	snprintf(result, sizeof(result), "error=%d live=%u rounds=%u", err, live, round);
	return 0;
}

static void __exit tokens_exit(void)
{
}

module_init(tokens_init);
module_exit(tokens_exit);
MODULE_DESCRIPTION("Tessera bench: operations on tokens");
MODULE_LICENSE("Dual BSD/GPL");
