/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium -lpthread */
/* Guests with several virtual CPUs: spec/hypercalls.md, RUN and EVT. */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include "core_host.h"

#define VCPUS 4u

static struct domain *d;

static int setup(void **state)
{
	host_setup(state);
	d = guest_make_smp(16, VCPUS);
	return 0;
}

static int run_on(unsigned cpu, uint64_t vcpu)
{
	return call_by(host_cpu(cpu), TSR_CALL_VCPU_RUN, d->id, vcpu, 0);
}

static int bind(uint64_t event, uint64_t cpu, uint64_t vector)
{
	return call_by(&d->vcpu[0], TSR_CALL_EVENT_BIND, event, cpu, vector);
}

static int raise(uint64_t event)
{
	return host_call(TSR_CALL_EVENT_RAISE, 0, d->id, event);
}

/* [GST-1] */
static void a_guest_has_as_many_virtual_cpus_as_were_measured(void **state)
{
	struct domain *one = guest_make(16), *most = guest_make_smp(16, TSR_MAX_VCPUS);

	(void)state;
	assert_memory_not_equal(one->identity, d->identity, TSR_ID_SIZE);
	assert_memory_not_equal(most->identity, d->identity, TSR_ID_SIZE);
	assert_int_equal(run_on(0, VCPUS - 1), TSR_OK);
	assert_int_equal(run_on(0, VCPUS), -TSR_E_ARG);
	assert_int_equal(call_by(host_cpu(0), TSR_CALL_VCPU_RUN, most->id, TSR_MAX_VCPUS - 1, 0), TSR_OK);
	guest_unmake(most);
}

/* ------------------------------------------------------------------ running */

static unsigned depth, stop_at;
static int other, again;

/* Each virtual CPU's run starts the next one's on the next CPU. */
static void run_deeper(struct vcpu *v, struct tsr_run_exit *exit)
{
	assert_int_equal(v->index, depth);
	if (++depth < VCPUS) {
		assert_int_equal(run_on(depth, depth), TSR_OK);
	} else {
		for (unsigned i = 0; i < VCPUS; i++)
			assert_int_equal(d->vcpu[i].running_on, i);
		again = run_on(0, 2);
		other = host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0);
	}
	exit->reason = TSR_RUN_INTR;
}

/* [RUN-1] [RUN-4] [GST-6] */
static void all_virtual_cpus_run_at_once_and_all_of_them_are_stopped(void **state)
{
	unsigned kicks = fake.kicks;

	(void)state;
	depth = 0;
	fake.run = run_deeper;
	assert_int_equal(run_on(0, 0), TSR_OK);
	assert_int_equal(depth, VCPUS);
	assert_int_equal(again, -TSR_E_BUSY);
	assert_int_equal(other, -TSR_E_AGAIN);
	assert_int_equal(fake.kicks, kicks + VCPUS);
	assert_int_equal(((struct tsr_run_exit *)host_mail())->reason, TSR_RUN_ENDED);
	fake.run = NULL;
	for (unsigned i = 0; i < VCPUS; i++) {
		assert_int_equal(run_on(0, i), TSR_OK);
		assert_int_equal(((struct tsr_run_exit *)host_mail())->reason, TSR_RUN_ENDED);
	}
	guest_unmake(d);
}

static void ends_on_cpu_one(struct vcpu *v, struct tsr_run_exit *exit)
{
	(void)exit;
	if (v->index == stop_at)
		core_guest_ended(v, TSR_END_POWEROFF, 0, 0);
	else
		assert_int_equal(run_on(1, stop_at), TSR_OK);
}

/* [GST-6] [GUEST-30] */
static void the_end_of_one_virtual_cpu_is_the_end_of_all(void **state)
{
	unsigned kicks = fake.kicks;

	(void)state;
	stop_at = 2;
	fake.run = ends_on_cpu_one;
	assert_int_equal(run_on(0, 0), TSR_OK);
	assert_int_equal(((struct tsr_run_exit *)host_mail())->reason, TSR_RUN_ENDED);
	assert_int_equal(d->end, TSR_END_POWEROFF);
	assert_int_equal(fake.kicks, kicks + VCPUS);
}

/* ------------------------------------------------------------------ events */

/* [EVT-1] */
static void a_waiting_event_moves_with_its_binding(void **state)
{
	(void)state;
	assert_int_equal(raise(3), TSR_OK);
	assert_int_equal(bind(3, 1, 40), TSR_OK);
	assert_int_equal(core_take_event(&d->vcpu[0]), 0);
	assert_int_equal(core_take_event(&d->vcpu[1]), 40);
	assert_int_equal(raise(3), TSR_OK);
	assert_ptr_equal(fake.kicked, &d->vcpu[1]);
	assert_int_equal(bind(3, VCPUS, 40), -TSR_E_ARG);
	assert_int_equal(bind(3, 3, 41), TSR_OK);
	assert_int_equal(core_take_event(&d->vcpu[1]), 0);
	assert_int_equal(core_take_event(&d->vcpu[3]), 41);
}

/* [RUN-5] */
static void whoever_gives_a_sleeper_work_is_told_to_wake_it(void **state)
{
	(void)state;
	assert_int_equal(bind(5, 2, 50), TSR_OK);
	assert_int_equal(bind(TSR_EVENT_BACKEND(1), 3, 51), TSR_OK);
	assert_int_equal(raise(5), TSR_OK);
	assert_int_equal(last_value, 0);
	fake.idle = true;
	assert_int_equal(raise(5), TSR_OK);
	assert_int_equal(last_value, 1u << 2);
	assert_int_equal(host_call(TSR_CALL_BACKEND_STATE, 1, d->id, 1), TSR_OK);
	assert_int_equal(last_value, 1u << 3);
	assert_int_equal(host_call(TSR_CALL_BACKEND_STATE, 1, d->id, 1), TSR_OK);
	assert_int_equal(last_value, 0);
	/* Bound to nobody there is nobody to wake, until it is bound. */
	assert_int_equal(raise(6), TSR_OK);
	assert_int_equal(last_value, 0);
	assert_int_equal(fake.woken, 0);
	assert_int_equal(bind(6, 1, 52), TSR_OK);
	assert_int_equal(fake.woken, 1u << 1);
}

static unsigned taken; /* atomic */
static bool stop;      /* atomic */

static void *taker(void *v)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		if (core_take_event(v))
			__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
		else
			sched_yield();
	return NULL;
}

#define ROUNDS   20000u
#define PATIENCE 60 /* s for one round: far more than any takes, however busy the machine is */

/* [EVT-1] */
static void an_event_is_neither_lost_nor_doubled_while_its_binding_moves(void **state)
{
	pthread_t thread[2];

	(void)state;
	quick = true;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, taker, &d->vcpu[i]), 0);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		time_t end = time(NULL) + PATIENCE;

		assert_int_equal(bind(9, round & 1, 60), TSR_OK);
		assert_int_equal(raise(9), TSR_OK);
		assert_int_equal(bind(9, !(round & 1), 60), TSR_OK);
		while (__atomic_load_n(&taken, __ATOMIC_SEQ_CST) < round && time(NULL) < end)
			sched_yield();
		assert_int_equal(__atomic_load_n(&taken, __ATOMIC_SEQ_CST), round);
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(taken, ROUNDS);
	quick = false;
}

/* ------------------------------------------------------------------ console */

/* [RUN-6] */
static void what_the_guest_sent_goes_to_the_run_that_ends_first(void **state)
{
	const struct tsr_run_exit *exit = host_mail();

	(void)state;
	fake.console_out = 5;
	assert_int_equal(run_on(0, 3), TSR_OK);
	assert_int_equal(exit->console_len, 5);
	assert_int_equal(run_on(0, 1), TSR_OK);
	assert_int_equal(exit->console_len, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(a_guest_has_as_many_virtual_cpus_as_were_measured),
		T(all_virtual_cpus_run_at_once_and_all_of_them_are_stopped),
		T(the_end_of_one_virtual_cpu_is_the_end_of_all),
		T(a_waiting_event_moves_with_its_binding),
		T(whoever_gives_a_sleeper_work_is_told_to_wake_it),
		T(an_event_is_neither_lost_nor_doubled_while_its_binding_moves),
		T(what_the_guest_sent_goes_to_the_run_that_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
