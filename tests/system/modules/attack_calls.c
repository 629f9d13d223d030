/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Hypercalls of a hostile host kernel's, past the module that is meant to make them. They need a mailbox: `mailbox` takes this CPU's, and
 * tessera_host has it back when the CPU was taken offline and brought back. Until then guests and `tessera` have to keep off this CPU.
 *
 *	mailbox				this CPU's mailbox is the attack's
 *	call NR A0 A1 A2 [WORD...]	one hypercall, with 64-bit words in the mailbox; value = status, the text is RDX
 *	edges N SEED KEEP FRAME...	N calls with arguments and words at their edges; frames that are not the host's are named most, guest KEEP's end never
 *	guess N SEED			N calls with each live token's slot and generation, and a guessed random half
 *	twice GUEST N			runs a virtual CPU N times that another CPU runs as well; the text counts answers
 *	events GUEST N			raises N events, of all numbers; needs no mailbox
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <tessera/hypercall.h>
#include "attack.h"

#define WORDS 8u

static u64 *mailbox;
static int mailbox_cpu = -1;
static struct page *own;

static s64 vmmcall(u64 nr, u64 a0, u64 a1, u64 a2, u64 *value)
{
	s64 status;

	asm volatile("vmmcall" : "=a" (status), "+d" (a2) : "a" (nr), "D" (a0), "S" (a1) : "memory");
	*value = a2;
	return status;
}

static bool have_mailbox(void)
{
	return mailbox_cpu == raw_smp_processor_id();
}

static int take_mailbox(struct attack *a)
{
	u64 value;

	if (!mailbox)
		mailbox = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (!mailbox)
		return -ENOMEM;
	a->value = vmmcall(TSR_CALL_MAILBOX, virt_to_phys(mailbox) >> PAGE_SHIFT, 0, 0, &value);
	mailbox_cpu = raw_smp_processor_id();
	attack_note(a, -1);
	return a->value ? -EIO : 0;
}

static int one_call(struct attack *a, const u64 *arg, int nr)
{
	u64 value;

	memset(mailbox, 0, PAGE_SIZE);
	memcpy(mailbox, arg + 4, (nr - 4) * sizeof(u64));
	a->value = vmmcall(arg[0], arg[1], arg[2], arg[3], &value);
	attack_say(a, "0x%llx\n", value);
	attack_note(a, -1);
	return 0;
}

/* ------------------------------------------------------------------ edges */

static u64 random_state;

static u32 any(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state >> 32;
}

static u64 number(const u64 *frame, int frames)
{
	static const u64 edge[] = {
		0, 1, 2, 3, 15, 16, 63, 64, 65, 255, 256, 511, 512, 513, 4095, 4096, 0xffff, 0x7fffffff, 0x80000000, U32_MAX, 1ull << 32,
		(1ull << 32) + 1, 1ull << 52, S64_MAX, 1ull << 63, U64_MAX - 1, U64_MAX,
	};

	if (any() % 4 == 0)
		return edge[any() % 20] | edge[any() % 20] << 32;
	return any() % 2 ? edge[any() % ARRAY_SIZE(edge)] : frame[any() % frames];
}

/* What would end the bystander, or give away or overwrite memory that this kernel itself stands on, is not what is tried. */
static bool own_harm(u64 nr, u64 a0, u64 a1, u64 keep)
{
	switch (nr) {
	case TSR_CALL_MAILBOX:
	case TSR_CALL_HOST_RESET:
	case TSR_CALL_GUEST_CREATE:
	case TSR_CALL_TOKEN_COPY:
		return true;
	case TSR_CALL_VCPU_RUN:
		return a0 == keep;
	case TSR_CALL_GUEST_STOP:
	case TSR_CALL_GUEST_DESTROY:
	case TSR_CALL_CONSOLE_INPUT:
	case TSR_CALL_BACKEND_STATE:
		return a1 == keep;
	}
	return false;
}

static void count(struct attack *a, s64 status, u64 *done, u64 *refused, u64 *strange)
{
	attack_note(a, -1);
	if (!status)
		++*done;
	else if (status < 0 && status >= -TSR_E_UNSAFE)
		++*refused;
	else
		++*strange;
}

static int edges(struct attack *a, const u64 *arg, int nr)
{
	u64 done = 0, refused = 0, strange = 0, value, i;
	unsigned int w;

	random_state = arg[1] | 1;
	for (i = 0; i < arg[0]; i++) {
		u64 call = any() % 64, a0 = number(arg + 3, nr - 3), a1 = number(arg + 3, nr - 3), a2 = any() % 2 ? 0 : number(arg + 3, nr - 3);

		if (any() % 2)
			a0 = 1;
		if (any() % 2)
			a1 = any() % 2 ? 0 : arg[2];
		if (any() % 64 == 0)
			call = number(arg + 3, nr - 3);
		for (w = 0; w < WORDS; w++)
			mailbox[w] = number(arg + 3, nr - 3);
		if (own_harm(call, a0, a1, arg[2]))
			continue;
		count(a, vmmcall(call, a0, a1, a2, &value), &done, &refused, &strange);
		cond_resched();
	}
	a->value = strange;
	attack_say(a, "done=%llu refused=%llu\n", done, refused);
	return 0;
}

/* ------------------------------------------------------------------ tokens */

static void guess_one(struct attack *a, const struct tsr_token_info *t, u64 *done, u64 *refused, u64 *strange)
{
	struct tsr_token token = { .slot = t->slot, .generation = t->generation, .random = (u64)any() << 32 | any() };
	struct tsr_token_map *map = (void *)mailbox;
	struct tsr_token_copy *copy = (void *)mailbox;
	u64 value;

	memset(mailbox, 0, PAGE_SIZE);
	*map = (struct tsr_token_map){ .token = token, .window_pfn = page_to_pfn(own), .pages = t->pages, .issuer = t->issuer,
				       .session = t->session, .device = t->device, .dir = t->dir, .how = t->how };
	count(a, vmmcall(TSR_CALL_TOKEN_MAP, 1, 0, 0, &value), done, refused, strange);
	count(a, vmmcall(TSR_CALL_TOKEN_UNMAP, 1, 0, 0, &value), done, refused, strange);
	count(a, vmmcall(TSR_CALL_TOKEN_QUERY, 0, 0, 0, &value), done, refused, strange);
	*copy = (struct tsr_token_copy){ .token = token, .address = page_to_phys(own), .length = 64, .issuer = t->issuer,
					 .session = t->session, .dir = TSR_DIR_READ };
	count(a, vmmcall(TSR_CALL_TOKEN_COPY, 1, 0, 0, &value), done, refused, strange);
}

static int guess(struct attack *a, const u64 *arg)
{
	struct tsr_token_list *list = (void *)mailbox;
	u64 done = 0, refused = 0, strange = 0, value, i;
	struct tsr_token_info *known;
	u32 live, n;

	random_state = arg[1] | 1;
	if (vmmcall(TSR_CALL_TOKEN_LIST, 0, 0, 0, &value) || !list->count)
		return -ENODATA;
	live = min_t(u32, list->count, ARRAY_SIZE(list->token));
	known = kmemdup(list->token, live * sizeof(*known), GFP_KERNEL);
	if (!known)
		return -ENOMEM;
	for (i = 0; i < arg[0]; i += 4) {
		n = any() % live;
		guess_one(a, &known[n], &done, &refused, &strange);
		cond_resched();
	}
	kfree(known);
	a->value = done + strange;
	attack_say(a, "live=%u refused=%llu\n", live, refused);
	return 0;
}

/* ------------------------------------------------------------------ running, events */

static int twice(struct attack *a, const u64 *arg)
{
	u64 ran = 0, busy = 0, strange = 0, value, i;

	for (i = 0; i < arg[1]; i++) {
		s64 status = vmmcall(TSR_CALL_VCPU_RUN, arg[0], 0, 0, &value);

		attack_note(a, -1);
		ran += !status;
		busy += status == -TSR_E_BUSY;
		strange += status && status != -TSR_E_BUSY;
		cond_resched();
	}
	a->value = strange;
	attack_say(a, "ran=%llu busy=%llu\n", ran, busy);
	return 0;
}

static int events(struct attack *a, const u64 *arg)
{
	u64 value, i;

	for (i = 0; i < arg[1]; i++) {
		a->value |= vmmcall(TSR_CALL_EVENT_RAISE, 0, arg[0], i % TSR_MAX_EVENTS, &value);
		attack_note(a, -1);
		if (i % 64 == 0)
			cond_resched();
	}
	return 0;
}

int attack_calls(struct attack *a, const char *op, const u64 *arg, int nr)
{
	if (!strcmp(op, "events"))
		return nr == 2 ? events(a, arg) : -EINVAL;
	if (!strcmp(op, "mailbox"))
		return nr == 0 ? take_mailbox(a) : -EINVAL;
	if (strcmp(op, "call") && strcmp(op, "edges") && strcmp(op, "guess") && strcmp(op, "twice"))
		return -ENOENT;
	if (!have_mailbox())
		return -ENXIO;
	if (!strcmp(op, "call"))
		return nr >= 4 ? one_call(a, arg, nr) : -EINVAL;
	if (!strcmp(op, "edges"))
		return nr >= 4 ? edges(a, arg, nr) : -EINVAL;
	if (!strcmp(op, "guess"))
		return nr == 2 ? guess(a, arg) : -EINVAL;
	return nr == 2 ? twice(a, arg) : -EINVAL;
}

int attack_calls_init(void)
{
	own = alloc_page(GFP_KERNEL);
	return own ? 0 : -ENOMEM;
}
