/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/*
 * The table that the model of spec/model/tokens.pml runs on, made of the core itself: two tokens that share a window page are led
 * through every state, in each every call is tried, with CPUs that answer and that do not, again and again with other histories. What
 * was seen once must be seen always, or the model's states say too little; and all of it must be what spec/model/transitions.h says.
 * To write that file anew: TRANSITIONS=FILE build/default/unit/core_model
 */
#include <stdio.h>
#include <stdlib.h>
#include "core_host.h"

#define TABLE "spec/model/transitions.h"
#define ROUNDS 200000u
#define TIMES  12u /* each call in each state, with and without an answer, at least */

enum { FREE, ISSUED, MAPPING, MAPPED, UNMAPPING, SPENT, REVOKING, TO_COPY, PLACED, TOKEN_STATES };
static const char *const token_name[] = { "FREE", "ISSUED", "MAPPING", "MAPPED", "UNMAPPING", "SPENT", "REVOKING", "TO_COPY", "PLACED" };
enum { PLAIN, WINDOW, SHOWN, WINDOW_STATES };
static const char *const window_name[] = { "PLAIN", "WINDOW", "SHOWN" };
enum { ISSUE, ISSUE_COPY, MAP, MAP_ELSE, MAP_OLD, UNMAP, UNMAP_OLD, REVOKE, REVOKE_OLD, COPY_HOST, COPY_GUEST, COPY_OLD, WINDOW_ADD,
       WINDOW_REMOVE, DESTROY, CALLS };
static const char *const call_name[] = { "ISSUE", "ISSUE_COPY", "MAP", "MAP_ELSE", "MAP_OLD", "UNMAP", "UNMAP_OLD", "REVOKE", "REVOKE_OLD",
	"COPY_HOST", "COPY_GUEST", "COPY_OLD", "WINDOW_ADD", "WINDOW_REMOVE", "DESTROY" };
enum { NOTHING, NEW, OWN, LAST };
static const char *const waits_name[] = { "NOTHING", "NEW", "OWN", "LAST" };

struct state {
	uint8_t token, window;
};

/* What is known of one call in one state. */
struct row {
	unsigned tries[3]; /* by class */
	bool answered, late, needs_own, needs_last, begins;
	int result;
	struct state to, to_late;
};
static struct row table[TOKEN_STATES][WINDOW_STATES][CALLS];

static struct domain *d;
static uint64_t window;
static struct tsr_token token[2], old[2];
static uint32_t session[2];
static bool copied[2]; /* how it was issued */

static struct state state_of(unsigned t)
{
	const struct grant *g = grant_find(&token[t]);
	struct state s = { FREE, PLAIN };

	s.window = frame_of(mfn(window))->state == FRAME_DISPLACED ? SHOWN : frame_of(mfn(window))->state == FRAME_WINDOW ? WINDOW : PLAIN;
	if (!g)
		return s;
	switch (g->state) {
	case TSR_TOKEN_ISSUED:
		s.token = g->how == TSR_HOW_COPY ? TO_COPY : ISSUED;
		break;
	case TSR_TOKEN_MAPPED:
		s.token = g->flush ? MAPPING : MAPPED;
		break;
	case TSR_TOKEN_SPENT:
		s.token = g->flush ? UNMAPPING : SPENT;
		break;
	case TSR_TOKEN_PLACED:
		s.token = PLACED;
		break;
	default:
		s.token = REVOKING;
	}
	return s;
}

/* The frame table and the host's leaf say the same as the token's state. */
static void check_frames(unsigned t)
{
	struct state s = state_of(t);
	const struct frame *page = frame_of(mfn(guest_ram(d) + 2 + t));
	bool mapped = s.token == MAPPING || s.token == MAPPED;
	struct leaf l = core_leaf_expected(core_host(), gfn(window));

	assert_int_equal(page->owner, d->id);
	assert_int_equal(page->state, s.token == FREE ? FRAME_OWNED : mapped ? FRAME_MAPPED : FRAME_ISSUED);
	assert_false(mapped && (s.window != SHOWN || page->partner != window || l.frame.n != guest_ram(d) + 2 + t));
	assert_false(s.window != SHOWN && l.frame.n != window);
}

static void begin_anew(void)
{
	struct domain *next = guest_make(4);

	d = next;
	for (unsigned t = 0; t < 2; t++) {
		old[t] = token_issue(d, 2 + t, 1, TSR_DIR_BOTH);
		assert_int_equal(token_revoke(d, old[t]), TSR_OK);
		token[t] = old[t];
	}
}

static int issue(unsigned t, uint8_t how)
{
	struct tsr_token_issue el = { .gfn = 2 + t, .pages = 1, .dir = TSR_DIR_BOTH, .session = session[t] + 1, .how = how };
	int ret = guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1);

	if (ret)
		return ret;
	session[t]++;
	copied[t] = how == TSR_HOW_COPY;
	old[t] = token[t];
	token[t] = el.token;
	return TSR_OK;
}

static int copy_by(struct vcpu *v, unsigned t, struct tsr_token which)
{
	bool host = v->dom->id == DOMAIN_HOST;
	struct tsr_token_copy el = { .token = which, .address = host ? (window + 1) * TSR_PAGE_SIZE : 0, .length = 8, .issuer = d->id,
				     .session = session[t], .dir = TSR_DIR_READ };

	memcpy(mail_of(v), &el, sizeof(el));
	return call_by(v, TSR_CALL_TOKEN_COPY, 1, 0, 0);
}

static int map(unsigned t, struct tsr_token which, uint32_t with_session)
{
	struct tsr_token_map el = { .token = which, .window_pfn = window, .pages = 1, .issuer = d->id, .session = with_session,
				    .dir = TSR_DIR_BOTH, .how = copied[t] ? TSR_HOW_COPY : TSR_HOW_MAP };

	return host_batch(TSR_CALL_TOKEN_MAP, &el, 1, 0);
}

static int make(unsigned t, unsigned call)
{
	struct tsr_window el = { .pfn = window, .count = 1 };

	switch (call) {
	case ISSUE:
		return issue(t, TSR_HOW_MAP);
	case ISSUE_COPY:
		return issue(t, TSR_HOW_COPY);
	case MAP:
		return map(t, token[t], session[t]);
	case MAP_ELSE:
		return map(t, token[t], session[t] + 1);
	case MAP_OLD:
		return map(t, old[t], session[t]);
	case UNMAP:
		return token_unmap(token[t]);
	case UNMAP_OLD:
		return token_unmap(old[t]);
	case REVOKE:
		return token_revoke(d, token[t]);
	case REVOKE_OLD:
		return token_revoke(d, old[t]);
	case COPY_HOST:
		return copy_by(host_cpu(0), t, token[t]);
	case COPY_GUEST:
		return copy_by(&d->vcpu[0], t, token[t]);
	case COPY_OLD:
		return copy_by(host_cpu(0), t, old[t]);
	case WINDOW_ADD:
		return host_batch(TSR_CALL_WINDOW_ADD, &el, 1, 0);
	case WINDOW_REMOVE:
		return host_batch(TSR_CALL_WINDOW_REMOVE, &el, 1, 0);
	default:
		return host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0);
	}
}

static void shoot_down(bool wait)
{
	arch_lock();
	if (wait)
		assert_true(arch_flush_wait(core_host(), core_host()->generation));
	else
		arch_flush_begin(core_host());
	arch_unlock();
}

static bool same(struct state a, struct state b)
{
	return a.token == b.token && a.window == b.window;
}

/* How a call is tried: all answer; somebody does not; he has not answered the shoot-down of the token's own change before this either. */
enum { ANSWERED, LATE, OWN_LATE };

static unsigned class_of_try(unsigned t, bool late)
{
	const struct grant *g = grant_find(&token[t]);

	return !late ? ANSWERED : g && g->flush > fake.cpu[1].seen ? OWN_LATE : LATE;
}

/* Makes the call and holds it against what is known. late: CPU 1 does not answer; elsewhere: and a later shoot-down was begun. */
static void try_call(unsigned t, unsigned call, bool late, bool elsewhere)
{
	struct state from = state_of(t), other = state_of(!t), to;
	struct row *row = &table[from.token][from.window][call];
	unsigned flushes, class = class_of_try(t, late);
	bool last_late, begins;
	int ret;

	if (elsewhere)
		shoot_down(false);
	last_late = core_host()->generation > fake.cpu[1].seen;
	fake.cpu[1].refuses = late;
	flushes = fake.flushes;
	ret = make(t, call);
	begins = fake.flushes != flushes;
	fake.cpu[1].refuses = false;
	to = state_of(t);
	row->tries[class]++;
	row->begins |= begins;
	assert_int_equal(row->begins, begins);
	if (ret == -TSR_E_AGAIN) {
		assert_true(late && last_late | begins);
		/* It is the token's own shoot-down that is waited for, if one was told to repeat while no other was open. */
		row->needs_own |= class == OWN_LATE;
		row->needs_last |= class == LATE;
		assert_true(!row->late || same(to, row->to_late));
		row->late = true;
		row->to_late = to;
	} else {
		assert_true(!row->answered || (ret == row->result && same(to, row->to)));
		row->answered = true;
		row->result = ret;
		row->to = to;
	}
	if (call != DESTROY) {
		assert_int_equal(state_of(!t).token, other.token);
		check_frames(0);
		check_frames(1);
	}
}

static unsigned waits_of(const struct row *row)
{
	return !row->late ? NOTHING : row->begins ? NEW : row->needs_last ? LAST : OWN;
}

/* The least tried thing to do in this state, or anything, or something that is known to change it. */
static unsigned choose(unsigned t, bool late, unsigned random)
{
	struct state s = state_of(t);
	unsigned class = class_of_try(t, late);
	struct row *row = table[s.token][s.window];
	unsigned pick = random / 4 % DESTROY;

	for (unsigned c = 0; c < DESTROY && random % 4 == 0; c++)
		if (row[c].tries[class] < row[pick].tries[class])
			pick = c;
	for (unsigned c = 0; c < DESTROY && random % 4 > 1 && same(row[pick].to, s); c++)
		pick = (pick + 1) % DESTROY;
	return pick;
}

/* How often the least tried call was tried in the state that this token is in. */
static unsigned least_tried(unsigned t, bool late)
{
	struct state s = state_of(t);

	return table[s.token][s.window][choose(t, late, 0)].tries[class_of_try(t, late)];
}

static void walk(void)
{
	uint64_t x = 88172645463325252ull;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned t, random;
		bool late;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		late = x >> 24 & 1;
		random = x >> 32 & 0xffff;
		t = x >> 20 & 1;
		/* Where little was tried yet, all is tried before the state is left. */
		if (least_tried(!t, late) < TIMES)
			t = !t;
		if (least_tried(t, late) < TIMES)
			random &= ~3u;
		/* Whether those who did not answer a call before have done so since. */
		if ((x >> 28) % 8 == 0)
			shoot_down(true);
		try_call(t, choose(t, late, random), late, x >> 50 & 1);
	}
}

static void destroy(bool late)
{
	try_call(0, DESTROY, late, false);
	/* Told to repeat: its token can not be used, and nothing else is done for the guest. */
	if (state_of(0).token == REVOKING)
		assert_int_equal(make(0, ISSUE), -TSR_E_STATE);
	while (d->state == TSR_GUEST_STOPPED)
		assert_int_equal(make(0, DESTROY), TSR_OK);
	guest_bury(d);
	begin_anew();
}

/* DESTROY is the last call of a guest, in every state of a single token. */
static void destroy_in_every_state(void)
{
	uint64_t x = 2463534242u;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct state s = state_of(0);
		bool late;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		late = x >> 24 & 1;
		if ((x >> 28) % 8 == 0)
			shoot_down(true);
		if (x >> 29 & 1 && table[s.token][s.window][DESTROY].tries[class_of_try(0, late)] < TIMES)
			destroy(late);
		else
			try_call(0, choose(0, late, (unsigned)(x >> 32 & 0xffff)), late, false);
	}
}

/* ------------------------------------------------------------------ the table as text */

static const char *result_name(int result)
{
	static const char *const names[] = { [TSR_OK] = "OK", [TSR_E_ARG] = "E_ARG", [TSR_E_FRAME] = "E_FRAME", [TSR_E_TOKEN] = "E_TOKEN",
					     [TSR_E_BIND] = "E_BIND", [TSR_E_BUSY] = "E_BUSY", [TSR_E_STATE] = "E_STATE" };

	assert_true(-result < (int)(sizeof(names) / sizeof(names[0])) && names[-result]);
	return names[-result];
}

static void print_row(FILE *out, unsigned token_from, unsigned window_from, unsigned c)
{
	const struct row *r = &table[token_from][window_from][c];
	struct state late = r->late ? r->to_late : r->to;

	if (!r->tries[ANSWERED] && !r->tries[LATE] && !r->tries[OWN_LATE])
		return;
	/* Each was seen with and without an answer, or the table would not say what happens. */
	if (!r->answered || !r->tries[ANSWERED] || !r->tries[LATE])
		fail_msg("%s in %s, %s was tried too seldom", call_name[c], token_name[token_from], window_name[window_from]);
	fprintf(out, "TRANSITION(%s, %s, %s, %s, %s, %s, %s, %s, %s)\n", token_name[token_from], window_name[window_from], call_name[c],
		result_name(r->result), waits_name[waits_of(r)], token_name[r->to.token], window_name[r->to.window], token_name[late.token],
		window_name[late.window]);
}

static void print_table(FILE *out)
{
	fprintf(out, "/* SPDX-License-Identifier: BSD-2-Clause-Patent */\n"
		     "/*\n"
		     " * What each call makes of a token and of the window page that it is mapped at. Written by tests/unit/core_model.c from what the core\n"
		     " * does, and used by tokens.pml: token and window, call, its result, what it waits for (a NEW shoot-down, its OWN of before, the LAST\n"
		     " * of all), token and window afterwards; and if not all answer in time, so that it has to be repeated.\n"
		     " */\n");
	for (unsigned s = 0; s < TOKEN_STATES; s++)
		for (unsigned w = 0; w < WINDOW_STATES; w++)
			for (unsigned c = 0; c < CALLS; c++)
				print_row(out, s, w, c);
}

/* [TOK-5] [TOK-9] [TOK-10] */
static void the_model_has_the_transitions_of_the_code(void **state)
{
	static char is[1u << 16], wanted[1u << 16];
	const char *to = getenv("TRANSITIONS");
	FILE *f;

	(void)state;
	quick = true;
	window = frame_nr() - 40; /* beyond what host_take() gets to */
	begin_anew();
	fake_enter(1);
	walk();
	while (!same(state_of(0), (struct state){ FREE, PLAIN }) || state_of(1).token != FREE) {
		for (unsigned t = 0; t < 2; t++)
			if (state_of(t).token != FREE)
				assert_int_equal(make(t, REVOKE), TSR_OK);
		if (state_of(0).window != PLAIN)
			assert_int_equal(make(0, WINDOW_REMOVE), TSR_OK);
	}
	destroy_in_every_state();
	quick = false;
	if (to) {
		f = fopen(to, "w");
		assert_non_null(f);
		print_table(f);
		assert_int_equal(fclose(f), 0);
		return;
	}
	f = fmemopen(is, sizeof(is), "w");
	print_table(f);
	fclose(f);
	f = fopen(TABLE, "r");
	assert_non_null(f);
	assert_true(fread(wanted, 1, sizeof(wanted) - 1, f) > 0);
	fclose(f);
	assert_string_equal(is, wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_model_has_the_transitions_of_the_code, host_setup, host_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
