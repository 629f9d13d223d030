/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Issues a page, hands it to the host's racer, waits until a thread there has used it often enough, revokes it in the middle of
 * that, and at once puts secrets where the granted data was. What the host's thread writes late shows here as a changed word;
 * what it reads late it tells itself.
 *
 * It talks to the hypervisor directly, from the spec's text alone: tessera.ko must not be loaded, as there is one mailbox.
 * Loading it runs the race; parameter result then tells "rounds=.. accesses=.. changed=.. refused=..".
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <tessera/hypercall.h>
#include "revoke.h"

static unsigned int rounds = 1000;
module_param(rounds, uint, 0400);
static unsigned int accesses = 1000;
module_param(accesses, uint, 0400);
MODULE_PARM_DESC(accesses, "by the host's thread in each round before the page is revoked");
static unsigned int watch = 6000;
module_param(watch, uint, 0400);
MODULE_PARM_DESC(watch, "microseconds for which the page is compared after each revoke: longer than whoever emulates this machine "
		 "keeps the host's CPU from running");
static char result[160] = "nothing was run";
module_param_string(result, result, sizeof(result), 0400);

#define DEVICE       0
#define ROUND_LIMIT  (120ull * NSEC_PER_SEC)

static void *mailbox;

struct race {
	u64 *page;
	u64 accesses; /* of all rounds, as the host's thread counted them in the page */
	u64 changed;  /* words that changed after revoke had returned */
	u64 refused;  /* revokes that had to be continued */
};

static s64 call(u64 nr, u64 a0, u64 a1, u64 a2)
{
	s64 status;

	asm volatile("vmmcall" : "=a" (status), "+d" (a2) : "a" (nr), "D" (a0), "S" (a1) : "memory");
	return status;
}

static s64 issue(u64 gfn, u32 session, struct tsr_token *token)
{
	struct tsr_token_issue *e = mailbox;
	s64 err;

	*e = (struct tsr_token_issue){ .gfn = gfn, .pages = 1, .dir = TSR_DIR_BOTH, .device = DEVICE, .session = session };
	err = call(TSR_CALL_TOKEN_ISSUE, 1, 0, 0);
	*token = e->token;
	return err;
}

static s64 connect(u32 session, struct tsr_token token)
{
	*(struct tsr_connect *)mailbox = (struct tsr_connect){ .device = DEVICE, .session = session, .token = token };
	return call(TSR_CALL_CONNECT, 0, 0, 0);
}

static s64 backend_present(void)
{
	struct tsr_device_info *info = mailbox;
	s64 err = call(TSR_CALL_DEVICE_INFO, DEVICE, 0, 0);

	return err ? err : info->backend;
}

static u64 accesses_of(const struct race *race, u32 round)
{
	u64 word = READ_ONCE(race->page[RACE_COUNT]);

	return word >> RACE_COUNT_BITS == round ? word & ((1ull << RACE_COUNT_BITS) - 1) : 0;
}

/* Revokes, and leaves not one instruction more than needed between its end and the secrets. Interrupts are off. */
static s64 revoke_and_fill(struct race *race, u32 round, struct tsr_token token)
{
	s64 err;
	int i;

	do {
		((struct tsr_token_ref *)mailbox)->token = token;
		err = call(TSR_CALL_TOKEN_REVOKE, 1, 0, 0);
		race->refused += err == -TSR_E_AGAIN;
	} while (err == -TSR_E_AGAIN);
	if (err)
		return err;
	race->accesses += accesses_of(race, round);
	for (i = 0; i < RACE_WORDS; i++)
		WRITE_ONCE(race->page[i], RACE_WORD(RACE_SECRET, i));
	return 0;
}

static void look_for_changes(struct race *race)
{
	u64 end = ktime_get_ns() + watch * NSEC_PER_USEC;
	unsigned int i;

	while (ktime_get_ns() < end) {
		for (i = 0; i < RACE_WORDS; i++) {
			if (READ_ONCE(race->page[i]) == RACE_WORD(RACE_SECRET, i))
				continue;
			race->changed++;
			WRITE_ONCE(race->page[i], RACE_WORD(RACE_SECRET, i));
		}
	}
}

static int one_round(struct race *race, u32 round)
{
	u64 limit = ktime_get_ns() + ROUND_LIMIT;
	struct tsr_token token;
	unsigned long flags;
	s64 err;

	memset(race->page, 0, PAGE_SIZE);
	WRITE_ONCE(race->page[RACE_MARK], RACE_WORD(RACE_GUEST, round));
	while (backend_present() != 1) {
		if (ktime_get_ns() > limit)
			return -ENOTCONN;
		usleep_range(500, 1000);
	}
	err = issue(virt_to_phys(race->page) >> PAGE_SHIFT, round, &token);
	if (!err)
		err = connect(round, token);
	if (err) {
		pr_err("round %u: issue or connect gave %lld\n", round, err);
		return -EIO;
	}
	while (accesses_of(race, round) < accesses) {
		if (ktime_get_ns() > limit)
			return -ETIMEDOUT;
		usleep_range(50, 100);
	}
	local_irq_save(flags);
	err = revoke_and_fill(race, round, token);
	local_irq_restore(flags);
	if (err) {
		pr_err("round %u: revoke gave %lld\n", round, err);
		return -EIO;
	}
	look_for_changes(race);
	return 0;
}

static int __init revoke_init(void)
{
	struct race race = { };
	unsigned int round;
	int err = -ENOMEM;

	mailbox = (void *)get_zeroed_page(GFP_KERNEL);
	race.page = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (!mailbox || !race.page)
		goto out;
	err = -ENODEV;
	if (call(TSR_CALL_MAILBOX, virt_to_phys(mailbox) >> PAGE_SHIFT, 0, 0))
		goto out;
	for (round = 1, err = 0; round <= rounds && !err; round++)
		err = one_round(&race, round);
	snprintf(result, sizeof(result), "error=%d rounds=%u accesses=%llu changed=%llu refused=%llu", err, round - 1 - !!err,
		 race.accesses, race.changed, race.refused);
	call(TSR_CALL_MAILBOX, ~0ull, 0, 0);
	/* A round that failed may have left its page granted: then it is never used for anything else. */
	if (err)
		race.page = NULL;
	err = 0;
out:
	free_page((unsigned long)mailbox);
	free_page((unsigned long)race.page);
	return err;
}

/* So that it can be unloaded. */
static void __exit revoke_exit(void)
{
}

module_init(revoke_init);
module_exit(revoke_exit);
MODULE_DESCRIPTION("Tessera test: revoke while the host uses the page");
MODULE_LICENSE("Dual BSD/GPL");
