/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/*
 * What happens to an event between the moment a virtual CPU finds it and the moment it takes it: spec/hypercalls.md, EVT. Taking it is the first
 * write to the page it is pending in, which is read-only here, so that the test comes in between, each time and without another thread.
 */
#include <signal.h>
#include <sys/mman.h>
#include "core_host.h"

#define EVENT 9u

static struct domain *d;
static uint8_t *page;
static void (*meanwhile)(void);
static int bound;      /* what a call from there returned */
static uint8_t vector; /* what was taken there */

static int setup(void **state)
{
	host_setup(state);
	d = guest_make_smp(16, 2);
	return 0;
}

static int bind(uint64_t cpu, uint64_t to)
{
	return call_by(&d->vcpu[0], TSR_CALL_EVENT_BIND, EVENT, cpu, to);
}

static int raise_event(void)
{
	return host_call(TSR_CALL_EVENT_RAISE, 0, d->id, EVENT);
}

static void between(int number, siginfo_t *info, void *context)
{
	size_t at = (size_t)((uint8_t *)info->si_addr - page);

	(void)number;
	(void)context;
	if (at >= TSR_PAGE_SIZE || !meanwhile)
		_exit(1);
	mprotect(page, TSR_PAGE_SIZE, PROT_READ | PROT_WRITE);
	meanwhile();
	meanwhile = NULL;
}

/* The first virtual CPU takes an event; what is done once it has found one. */
static uint8_t take_while(void (*what)(void))
{
	struct sigaction action = { .sa_sigaction = between, .sa_flags = SA_SIGINFO }, before;
	uint8_t taken;

	page = (uint8_t *)((uintptr_t)&d->pending[EVENT / 64] & ~(uintptr_t)(TSR_PAGE_SIZE - 1));
	assert_true(page >= (uint8_t *)domain_by_id(0) && page + TSR_PAGE_SIZE <= (uint8_t *)domain_by_id(DOMAIN_NR - 1));
	meanwhile = what;
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	assert_int_equal(mprotect(page, TSR_PAGE_SIZE, PROT_READ), 0);
	taken = core_take_event(&d->vcpu[0]);
	mprotect(page, TSR_PAGE_SIZE, PROT_READ | PROT_WRITE);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_null(meanwhile);
	return taken;
}

static void nothing(void)
{
}

/* [EVT-1] */
static void an_event_to_which_nothing_happens_meanwhile_is_taken_once(void **state)
{
	(void)state;
	assert_int_equal(bind(0, 60), TSR_OK);
	assert_int_equal(raise_event(), TSR_OK);
	assert_int_equal(take_while(nothing), 60);
	assert_int_equal(core_take_event(&d->vcpu[0]), 0);
}

static void bound_to_the_other(void)
{
	bound = bind(1, 61);
	fake.kicked = NULL;
	fake.woken = 0;
}

/* [EVT-1] [RUN-5] */
static void an_event_bound_to_another_meanwhile_is_given_on_and_whoever_sleeps_is_woken(void **state)
{
	(void)state;
	assert_int_equal(bind(0, 60), TSR_OK);
	assert_int_equal(raise_event(), TSR_OK);
	fake.idle = true;
	assert_int_equal(take_while(bound_to_the_other), 0);
	assert_int_equal(bound, TSR_OK);
	assert_ptr_equal(fake.kicked, &d->vcpu[1]);
	assert_int_equal(fake.woken, 1u << 1);
	assert_int_equal(core_take_event(&d->vcpu[0]), 0);
	assert_int_equal(core_take_event(&d->vcpu[1]), 61);
	assert_int_equal(core_take_event(&d->vcpu[1]), 0);
}

static void bound_to_nobody(void)
{
	bound = bind(0, 0);
	fake.kicked = NULL;
}

/* [EVT-2] */
static void an_event_unbound_meanwhile_waits_until_it_is_bound(void **state)
{
	(void)state;
	assert_int_equal(bind(0, 60), TSR_OK);
	assert_int_equal(raise_event(), TSR_OK);
	assert_int_equal(take_while(bound_to_nobody), 0);
	assert_int_equal(bound, TSR_OK);
	assert_null(fake.kicked);
	assert_false(core_event_pending(&d->vcpu[0]));
	assert_int_equal(bind(0, 62), TSR_OK);
	assert_int_equal(core_take_event(&d->vcpu[0]), 62);
	assert_int_equal(core_take_event(&d->vcpu[0]), 0);
}

static void taken_by_the_other(void)
{
	bound = bind(1, 61);
	vector = core_take_event(&d->vcpu[1]);
	fake.kicked = NULL;
}

/* [EVT-1] */
static void an_event_that_another_takes_meanwhile_is_taken_by_that_one_only(void **state)
{
	(void)state;
	assert_int_equal(bind(0, 60), TSR_OK);
	assert_int_equal(raise_event(), TSR_OK);
	assert_int_equal(take_while(taken_by_the_other), 0);
	assert_int_equal(bound, TSR_OK);
	assert_int_equal(vector, 61);
	assert_null(fake.kicked);
	assert_int_equal(core_take_event(&d->vcpu[1]), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(an_event_to_which_nothing_happens_meanwhile_is_taken_once),
		T(an_event_bound_to_another_meanwhile_is_given_on_and_whoever_sleeps_is_woken),
		T(an_event_unbound_meanwhile_waits_until_it_is_bound),
		T(an_event_that_another_takes_meanwhile_is_taken_by_that_one_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
