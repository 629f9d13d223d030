/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* Token slots: the grant table. All with core_lock held. States and rules: spec/tokens.md. */
#ifndef HV_CORE_GRANT_H
#define HV_CORE_GRANT_H

#include <core/call.h>

/* Tokens one guest may have alive: its share, so that no guest can use up the others'. */
#define GRANT_PER_GUEST (TSR_MAX_TOKENS / TSR_MAX_GUESTS)

/* Pages of one guest in live tokens: each costs the host a window page, so there is an end to it. */
#define GRANT_PAGES_PER_GUEST 131072u

struct grant {
	uint8_t state;    /* enum tsr_token_state */
	uint8_t dir;
	uint8_t how;      /* enum tsr_token_how */
	uint8_t issuer;   /* domain id; FREE: no guest's */
	uint16_t device;
	uint16_t next;    /* FREE: next free slot */
	uint32_t generation;
	uint32_t batch;   /* the element that named it last in a batch, for grant_named */
	uint64_t random;
	uint32_t session;
	uint32_t pages;
	uint32_t gfn;     /* of the issuer */
	uint32_t offset, bytes; /* the range that may be copied */
	uint32_t window;  /* MAPPED, PLACED: first window frame */
	uint64_t flush;   /* generation of the host's tables that this token's last change waits for; 0: it has been waited for */
};

void grant_init(void);
struct grant *grant_slot(uint32_t slot); /* below TSR_MAX_TOKENS */
uint32_t grant_live(void);
/* PERM_* that the host has on pages of this token while it is mapped. */
uint8_t grant_host_perm(uint32_t slot);
uint8_t grant_device_perm(uint32_t slot); /* exactly the direction */
/* The live token that t names, or NULL. */
struct grant *grant_find(const struct tsr_token *t);
/* Is g[n] also one of those before? Asked for each element of a batch, in order: see frame_named. */
bool grant_named(struct grant *const g[], unsigned n);
/* Takes a free slot and draws its token. There must be one. */
struct grant *grant_take(struct tsr_token *t);
/* Frames back to OWNED, slot free with its next generation. The token must not be mapped, all CPUs must have let go. */
void grant_release(struct grant *g);
/* Swaps a mapped token's frames out of the window; the caller flushes. */
void grant_swap_out(struct grant *g);
/* Copies a PLACED token's pages between run and place, as its direction says: at the beginning (dir READ) or the end (WRITE). */
void grant_copy(struct grant *g, uint8_t dir);
/* How many leading elements of a batch one call may do, where all tokens of HOW_EITHER move by copy. At least one. */
unsigned grant_within_budget(struct grant *const g[], unsigned n);
/* Ends all tokens of a guest. False: some CPU has not let go yet, repeat. */
bool grant_revoke_all(struct domain *d);

#endif
