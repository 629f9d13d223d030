/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The life of tokens, for SPIN: two tokens of a guest that fight over one window page, two CPUs in the host's container, a device, and
 * a host that makes any call at any time, with tokens that it was given and with old ones. A call is one step, as the hypervisor's
 * lock makes it one; what it says and does is looked up in transitions.h, which tests/unit/core_model.c compares with the code.
 * What is modelled here is what the table cannot say: translations that are remembered, by whom, and until when.
 *
 * `make model` tries it, and with each of the macros below, of which each takes one protection out and must be noticed:
 *
 *	NO_WAIT		revoke returns without having waited
 *	NO_IOTLB	a shoot-down does not ask the device
 *	NO_ENTRY	a CPU enters the container without having looked for a newer generation
 *	NO_GENERATION	an old token is as good as the one that has its slot now
 *	NO_REMOVE_WAIT	a window page is given up without having waited
 *	NO_MAP_WAIT	map returns without having waited
 *	LOST		unmap leaves the guest's page in the window
 *	GOODWILL	revoke is refused while the host has the token mapped
 *	DRAIN		(not a protection: for the search for progress) the device translates nothing new while it has to answer
 *	DEAF		one CPU never answers, and never leaves
 */
#ifndef TOKENS
#define TOKENS 2		/* at most; and so many pages of the guest */
#endif
#ifndef CPUS
#define CPUS   2		/* of the host's, at most */
#endif
#ifndef ROUNDS
#define ROUNDS 1		/* tokens that the guest issues for each page, one after the other; each is a session of its own */
#endif
#define DEVICE 2		/* after the CPUs: the third of those who remember translations */

/* What somebody remembers of the window's address. */
#define NOTHING_YET 0
#define OWN_FRAME   1
#define PAGE(t)     (2 + (t))

c_code {
	extern void (*Uerror)(char *);

	enum { FREE, ISSUED, MAPPING, MAPPED, UNMAPPING, SPENT, REVOKING, TO_COPY, PLACED };
	enum { PLAIN, WINDOW, SHOWN };
	enum { ISSUE, ISSUE_COPY, MAP, MAP_ELSE, MAP_OLD, UNMAP, UNMAP_OLD, REVOKE, REVOKE_OLD, COPY_HOST, COPY_GUEST, COPY_OLD, WINDOW_ADD,
	       WINDOW_REMOVE, DESTROY };
	enum { NOTHING, NEW, OWN, LAST };	/* what a call waits for: see transitions.h */
	enum { OK, AGAIN, REFUSED };
	/* The errors differ for the caller, not for the state. */
	enum { E_ARG = REFUSED, E_FRAME = REFUSED, E_TOKEN = REFUSED, E_BIND = REFUSED, E_BUSY = REFUSED, E_STATE = REFUSED };

	static const struct row {
		unsigned char token, window, call, result, waits, token_to, window_to, token_late, window_late;
	} table[] = {
#define TRANSITION(...) { __VA_ARGS__ },
#include "transitions.h"
	};

	static const struct row *find(int token, int window, int call)
	{
		static const struct row *index[9][3][15];
		unsigned i;

		if (!index[FREE][PLAIN][ISSUE])
			for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
				index[table[i].token][table[i].window][table[i].call] = &table[i];
		return index[token][window][call];
	}
}

byte token[2];	/* the table's states; the window's, which all tokens share */
byte window = 1;
byte shown;		/* which token's page the window shows, if it is SHOWN */
bool inside[2];	/* the host's container */
byte remembers[3];	/* CPUs and device: the window's address */
byte flying = NOTHING_YET;	/* a transfer of the device that has been translated and is not done */
byte stale;		/* who has not followed the last shoot-down: CPUs outside too, which follow when they enter */
byte late_last;		/* who has to answer the last shoot-down */
byte late[2];	/* who has to answer the one that this token's last change began */
bool alive = true;	/* the guest */

/* What the guest knows. */
bool granted[2];	/* issued, and no revoke has returned since */
bool told[2];	/* it has given the token to the host */
bool revoking[2];
byte rounds[2];
byte result;		/* of the last call */

c_code {
	/* A CPU forgets, and follows all shoot-downs begun so far. */
	static void answer(int who)
	{
		int t;

		now.remembers[who] = 0;
		now.stale &= ~(1 << who);
		now.late_last &= ~(1 << who);
		for (t = 0; t < TOKENS; t++)
			now.late[t] &= ~(1 << who);
	}

	/* A shoot-down, for a change of token t's: CPUs outside have nothing to answer, and the device always has. */
	static void begin(int t)
	{
		now.stale = (1 << CPUS) - 1;
		now.late[t] = (now.inside[0] ? 1 : 0) | (now.inside[1] ? 2 : 0);
#ifndef NO_IOTLB
		now.late[t] |= 1 << DEVICE;
#endif
		now.late_last = now.late[t];
	}

	static void all_answer(int mask)
	{
		int who;

		for (who = 0; who <= DEVICE; who++)
			if (mask & 1 << who && (who != DEVICE || !now.flying))
				answer(who);
	}

	static int must_wait(const struct row *r, int t)
	{
#ifdef NO_WAIT
		if (r->call == REVOKE)
			return 0;
#endif
#ifdef NO_REMOVE_WAIT
		if (r->call == WINDOW_REMOVE)
			return 0;
#endif
#ifdef NO_MAP_WAIT
		if (r->call == MAP)
			return 0;
#endif
		return r->waits == LAST ? now.late_last : r->waits == NOTHING ? 0 : now.late[t];
	}

	/* One call. patient: those who are late answer while it waits. */
	static void call(int t, int what, int patient)
	{
		const struct row *r;
		int mapped = 0;

#ifdef NO_GENERATION
		what = what == MAP_OLD ? MAP : what == UNMAP_OLD ? UNMAP : what == COPY_OLD ? COPY_HOST : what;
#endif
		r = find(now.token[t], now.window, what);
		if (!r)
			Uerror("the code never was in this state");
#ifdef GOODWILL
		if (what == REVOKE && (now.token[t] == MAPPED || now.token[t] == MAPPING)) {
			now.result = REFUSED;
			return;
		}
#endif
		if (r->waits == NEW)
			begin(t);
		if (patient)
			all_answer(must_wait(r, t));
		if (must_wait(r, t)) {
			now.result = AGAIN;
			now.token[t] = r->token_late;
			now.window = r->window_late;
		} else {
			now.result = r->result;
			now.token[t] = r->token_to;
			now.window = r->window_to;
		}
#ifdef LOST
		if (what == UNMAP && r->window_to != r->window)
			now.window = SHOWN;
#endif
		if (now.window == SHOWN && r->window != SHOWN)
			now.shown = t;
		for (t = 0; t < TOKENS; t++)
			mapped += now.token[t] == MAPPING || now.token[t] == MAPPED;
		/* No page in two places, no place with two pages, and the window's own frame comes back. */
		if (mapped != (now.window == SHOWN) || (mapped && now.token[now.shown] != MAPPING && now.token[now.shown] != MAPPED))
			Uerror("a page or a window page is lost, or in two places");
		if (!mapped)
			now.shown = 0;
	}

	/* All tokens of a guest end as one, after one shoot-down. */
	static void destroy(int patient)
	{
		const struct row *r;
		int t, mapped, waits = 0;

		now.alive = 0;
		for (t = 0; t < TOKENS; t++) {
			if (now.token[t] == FREE)
				continue;
			/* Another's page in the window is no matter to this one. */
			mapped = now.token[t] == MAPPING || now.token[t] == MAPPED;
			r = find(now.token[t], now.window == SHOWN && !mapped ? WINDOW : now.window, DESTROY);
			if (r->waits == NEW)
				begin(t);
			now.token[t] = REVOKING;
			if (mapped)
				now.window = r->window_to;
		}
		for (t = 0; t < TOKENS; t++) {
			if (patient)
				all_answer(now.late[t]);
			waits |= now.late[t];
		}
		now.result = waits ? AGAIN : OK;
		now.shown = 0;
		for (t = 0; t < TOKENS && !waits; t++)
			now.token[t] = FREE, now.granted[t] = now.told[t] = 0;
	}

	/* Somebody uses what it remembers of the window's address. */
	static void touch(int what)
	{
		if (what >= PAGE(0) && !(now.granted[what - PAGE(0)] && now.told[what - PAGE(0)]))
			Uerror("access to a page that is not granted");
		if (what >= PAGE(0) && now.window == PLAIN)
			Uerror("a guest's page in a page that the host has back");
		if (what == OWN_FRAME && now.window == SHOWN && now.token[now.shown] == MAPPED)
			Uerror("the frame set aside, after map had returned");
	}

	static int translate(void)
	{
		return now.window == SHOWN ? PAGE(now.shown) : OWN_FRAME;
	}
}

/* ---------------------------------------------------------------- who remembers */

proctype cpu(byte me)
{
	do
	:: inside[me] -> c_code {
		if (now.inside[Pcpu->me]) {	/* an answer may have come between */
			if (!now.remembers[Pcpu->me])
				now.remembers[Pcpu->me] = translate();
			touch(now.remembers[Pcpu->me]);
		}
	}
#ifdef DEAF
	:: me == 0 && inside[me] ->
#else
	:: inside[me] ->
#endif
		/* Outside, it need not answer: it is stale until it enters. */
		d_step { inside[me] = false; late_last = late_last & ~(1 << me); late[0] = late[0] & ~(1 << me); late[1] = late[1] & ~(1 << me) }
	:: atomic { !inside[me] ->
#ifndef NO_ENTRY
		if
		:: stale & (1 << me) -> c_code { answer(Pcpu->me); }
		:: else
		fi;
#endif
		inside[me] = true }
	od
}

/* The NMI of a shoot-down reaches a CPU inside. */
proctype nmi(byte me)
{
	do
#ifdef DEAF
	:: me == 0 && late_last & (1 << me) -> c_code { answer(Pnmi->me); }
#else
	:: late_last & (1 << me) -> c_code { answer(Pnmi->me); }
#endif
	od
}

/* Translates, and moves the data at any time later. */
active proctype device()
{
	do
#ifdef DRAIN
	:: !flying && !(late_last & (1 << DEVICE)) -> c_code {
#else
	:: !flying -> c_code {
#endif
		if (!now.remembers[DEVICE])
			now.remembers[DEVICE] = translate();
		now.flying = now.remembers[DEVICE];
	}
	:: flying -> c_code { touch(now.flying); now.flying = 0; }
	od
}

/* The unit reports an invalidation done only when no transfer is under way that was translated before. */
active proctype iommu()
{
	do
	:: atomic { late_last & (1 << DEVICE) && !flying -> c_code { answer(DEVICE); } }
	od
}

/* ---------------------------------------------------------------- who calls */

#define CALL(t, what) c_code { call(t, what, 0); }
#define PATIENT_CALL(t, what) c_code { call(t, what, 1); }
#define EITHER_CALL(t, what) if :: CALL(t, what) :: PATIENT_CALL(t, what) fi

/* Anything, at any time; a token only after it was told. */
active proctype host()
{
	byte t;

	do
	:: atomic { if :: t = 0 :: TOKENS > 1 -> t = 1 fi;
		if
		:: told[t] -> EITHER_CALL(Phost->t, MAP)
		:: told[t] -> CALL(Phost->t, MAP_ELSE)
		:: told[t] -> EITHER_CALL(Phost->t, UNMAP)
		:: told[t] -> CALL(Phost->t, COPY_HOST);
			assert(result != 0 || granted[t])
		:: EITHER_CALL(Phost->t, MAP_OLD)
		:: EITHER_CALL(Phost->t, UNMAP_OLD)
		:: CALL(Phost->t, COPY_OLD);
			assert(result != 0 || (granted[t] && told[t]))
		:: CALL(Phost->t, WINDOW_ADD)
		:: EITHER_CALL(Phost->t, WINDOW_REMOVE)
		:: if :: c_code { destroy(0); } :: c_code { destroy(1); } fi
		fi;
		/* What is not needed any more, so that states that are alike are the same. */
		d_step { t = 0; result = 0 } }
	od
}

/* Issues, tells, copies, and when it revokes, does nothing else until the token is revoked. */
active proctype guest()
{
	byte t;

	do
	:: atomic { alive && !revoking[0] && !revoking[1] ->
		if :: t = 0 :: TOKENS > 1 -> t = 1 fi;
		if
		:: !granted[t] && rounds[t] < ROUNDS ->
			if :: CALL(Pguest->t, ISSUE) :: CALL(Pguest->t, ISSUE_COPY) fi;
			assert(result == 0);
			granted[t] = true
		:: granted[t] -> told[t] = true
		:: granted[t] -> CALL(Pguest->t, COPY_GUEST)
		:: granted[t] -> revoking[t] = true
		:: true
		fi;
		d_step { t = 0; result = 0 } }
	:: atomic { alive && (revoking[0] || revoking[1]) ->
		t = (revoking[0] -> 0 : 1);
		EITHER_CALL(Pguest->t, REVOKE);
		if
		:: result == 0 -> d_step { revoking[t] = false; granted[t] = false; told[t] = false; rounds[t]++ }
		:: else
		fi;
		d_step { t = 0; result = 0 } }
	:: !alive -> break
	od
}

init {
	atomic { run cpu(0); run nmi(0); if :: CPUS > 1 -> run cpu(1); run nmi(1) :: else fi }
}

/* Whatever the host does, whoever remembers what. */
ltl revoke_ends { [] ((revoking[0] -> <> (!revoking[0] || !alive)) && (revoking[1] -> <> (!revoking[1] || !alive))) }
