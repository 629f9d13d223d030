/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* A small host for tests of the core: makes calls, takes frames, builds guests. Every call ends in a check of everything. */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "fake_arch.h"

/* A fresh machine of four CPUs; each of the host's has a mailbox. For cmocka's setup and teardown. */
int host_setup(void **state);
void host_start(const struct fake_config *config); /* as host_setup, on such a machine */
int host_teardown(void **state);
void host_mailboxes(void);

extern uint64_t last_value; /* RDX of the last call */
extern bool quick;          /* leave the full check out */

int call_by(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2);
int host_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2); /* on CPU 0 */
struct vcpu *host_cpu(unsigned cpu);
void *mail_of(struct vcpu *v); /* its mailbox page */
void *host_mail(void);

/* A batch of the host's: elements are copied to the mailbox. a1 as the call wants it. */
#define host_batch(nr, el, n, a1) (memcpy(host_mail(), (el), (n) * sizeof(*(el))), host_call((nr), (n), (a1), 0))
/* A batch of a guest's, and its results back into el. */
#define guest_batch(d, nr, el, n)                                                                      \
	({                                                                                             \
		int ret_;                                                                              \
		memcpy(mail_of(&(d)->vcpu[0]), (el), (n) * sizeof(*(el)));                             \
		ret_ = call_by(&(d)->vcpu[0], (nr), (n), 0, 0);                                        \
		memcpy((el), mail_of(&(d)->vcpu[0]), (n) * sizeof(*(el)));                             \
		ret_;                                                                                  \
	})

/* The first of n free frames of the host in a row, never given twice until host_setup. */
uint64_t host_take(uint64_t n);

/* A guest of mem_pages with block devices 0 and 1 ("disk0", "disk1"). */
void guest_config(struct tsr_guest_create *config, uint64_t mem_pages);
struct domain *guest_create_with(const struct tsr_guest_create *config);
int donate(struct domain *d, uint64_t pfn, uint64_t g, uint32_t count, uint32_t flags);
int reclaim(struct domain *d, uint64_t pfn, uint32_t count);
int launch(struct domain *d);
/* Created, filled, launched, its mailbox at gfn 1. Its RAM is the frames from guest_ram() on. */
struct domain *guest_make(uint64_t mem_pages);
/* The same with several virtual CPUs, of which 0 has a mailbox. */
struct domain *guest_make_smp(uint64_t mem_pages, uint32_t vcpus);
uint64_t guest_ram(const struct domain *d);
/* Stops, destroys and reclaims all of it. */
void guest_unmake(struct domain *d);
void guest_bury(struct domain *d); /* reclaims it: it is dying already */
uint8_t *guest_page(const struct domain *d, uint64_t g);

struct tsr_token token_issue(struct domain *d, uint64_t g, uint32_t pages, uint8_t dir);
int token_map(struct domain *d, struct tsr_token t, uint64_t window, uint32_t pages, uint8_t dir);
int token_unmap(struct tsr_token t);
int token_revoke(struct domain *d, struct tsr_token t);
uint64_t window_add(uint32_t pages);
#define SESSION 7u

/* The statement must halt the machine. */
#define expect_halt(statement)                       \
	do {                                         \
		fake.expect_halt = true;             \
		if (!setjmp(fake.halted)) {          \
			statement;                   \
			fail_msg("did not halt");    \
		}                                    \
		fake.expect_halt = false;            \
	} while (0)

#endif
