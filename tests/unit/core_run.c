/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* Running guests, events, devices and console: spec/hypercalls.md, RUN, EVT, DEV. */
#include "core_host.h"

static struct domain *d;
static struct vcpu *v;

static int setup(void **state)
{
	host_setup(state);
	d = guest_make(16);
	v = &d->vcpu[0];
	return 0;
}

static int run(void)
{
	return host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0);
}

/* ------------------------------------------------------------------ running */

static int nested, nested_destroy, nested_other;

static void run_within(struct vcpu *guest, struct tsr_run_exit *exit)
{
	assert_int_equal(guest->running_on, 0);
	nested = call_by(host_cpu(1), TSR_CALL_VCPU_RUN, d->id, 0, 0);
	nested_other = call_by(host_cpu(1), TSR_CALL_GUEST_INFO, 0, d->id, 0);
	exit->reason = TSR_RUN_CONSOLE;
	fake.console_out = 3;
	exit->deadline = 77;
}

/* [RUN-1] [RUN-3] */
static void a_virtual_cpu_runs_on_one_cpu_at_a_time(void **state)
{
	const struct tsr_run_exit *exit = host_mail();

	(void)state;
	fake.run = run_within;
	assert_int_equal(run(), TSR_OK);
	assert_int_equal(nested, -TSR_E_BUSY);
	assert_int_equal(nested_other, TSR_OK);
	assert_int_equal(exit->reason, TSR_RUN_CONSOLE);
	assert_int_equal(exit->deadline, 77);
	assert_memory_equal(exit->console, "xxx", 3);
	assert_int_equal(v->running_on, -1);
	assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 1, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, UINT64_MAX, 0), -TSR_E_ARG);
}

static void destroyed_within(struct vcpu *guest, struct tsr_run_exit *exit)
{
	unsigned kicks = fake.kicks;

	(void)guest;
	nested_destroy = call_by(host_cpu(1), TSR_CALL_GUEST_DESTROY, 0, d->id, 0);
	assert_int_equal(fake.kicks, kicks + 1);
	exit->reason = TSR_RUN_INTR;
}

/* [RUN-2] [RUN-4] */
static void a_guest_is_destroyed_only_when_no_cpu_is_inside(void **state)
{
	(void)state;
	fake.run = destroyed_within;
	assert_int_equal(run(), TSR_OK);
	assert_int_equal(nested_destroy, -TSR_E_AGAIN);
	assert_int_equal(((struct tsr_run_exit *)host_mail())->reason, TSR_RUN_ENDED);
	assert_int_equal(d->state, TSR_GUEST_STOPPED);
	guest_unmake(d);
}

static void powers_off(struct vcpu *guest, struct tsr_run_exit *exit)
{
	(void)exit;
	core_guest_ended(guest, TSR_END_POWEROFF, 5, 0);
	fake.console_out = 2;
}

/* [RUN-2] */
static void what_a_guest_wrote_before_it_ended_is_still_told(void **state)
{
	const struct tsr_run_exit *exit = host_mail(), ended = { .reason = TSR_RUN_ENDED };

	(void)state;
	fake.run = powers_off;
	assert_int_equal(run(), TSR_OK);
	assert_int_equal(exit->reason, TSR_RUN_ENDED);
	assert_int_equal(exit->console_len, 2);
	assert_int_equal(d->end, TSR_END_POWEROFF);
	fake.run = NULL;
	assert_int_equal(run(), TSR_OK);
	assert_memory_equal(exit, &ended, sizeof(ended)); /* [RUN-3] */
}

/* ------------------------------------------------------------------ events */

static int bind(uint64_t event, uint64_t cpu, uint64_t vector)
{
	return call_by(v, TSR_CALL_EVENT_BIND, event, cpu, vector);
}

static int raise(uint64_t event)
{
	return host_call(TSR_CALL_EVENT_RAISE, 0, d->id, event);
}

/* [EVT-1] */
static void an_event_becomes_the_vector_the_guest_bound_it_to(void **state)
{
	(void)state;
	assert_int_equal(bind(200, 0, 0x55), TSR_OK);
	assert_false(core_event_pending(v));
	fake.idle = true;
	assert_int_equal(raise(200), TSR_OK);
	assert_int_equal(last_value, 1);
	assert_ptr_equal(fake.kicked, v);
	assert_true(core_event_pending(v));
	assert_int_equal(raise(200), TSR_OK);
	assert_int_equal(core_take_event(v), 0x55);
	assert_int_equal(core_take_event(v), 0);
	fake.idle = false;
	assert_int_equal(raise(200), TSR_OK);
	assert_int_equal(last_value, 0);
}

/* [EVT-2] */
static void an_unbound_event_waits_until_it_is_bound(void **state)
{
	unsigned kicks = fake.kicks;

	(void)state;
	assert_int_equal(raise(70), TSR_OK);
	assert_int_equal(fake.kicks, kicks);
	assert_false(core_event_pending(v));
	assert_int_equal(core_take_event(v), 0);
	assert_int_equal(bind(70, 0, 33), TSR_OK);
	assert_int_equal(fake.kicks, kicks + 1);
	assert_int_equal(core_take_event(v), 33);
	assert_int_equal(bind(70, 0, 0), TSR_OK);
	assert_int_equal(raise(70), TSR_OK);
	assert_int_equal(core_take_event(v), 0);
}

/* [EVT-3] */
static void vectors_of_exceptions_and_of_system_calls_cannot_be_bound(void **state)
{
	(void)state;
	for (uint64_t vector = 1; vector < 32; vector++)
		assert_int_equal(bind(0, 0, vector), -TSR_E_ARG);
	assert_int_equal(bind(0, 0, 0x80), -TSR_E_ARG);
	assert_int_equal(bind(0, 0, 256), -TSR_E_ARG);
	assert_int_equal(bind(0, 0, UINT64_MAX), -TSR_E_ARG);
	assert_int_equal(bind(TSR_MAX_EVENTS, 0, 33), -TSR_E_ARG);
	assert_int_equal(bind(1ull << 40, 0, 33), -TSR_E_ARG);
	assert_int_equal(bind(0, 1, 33), -TSR_E_ARG);
	assert_int_equal(bind(0, 0, 255), TSR_OK);
	assert_int_equal(raise(TSR_MAX_EVENTS), -TSR_E_ARG);
	assert_int_equal(raise(UINT64_MAX), -TSR_E_ARG);
}

/* ------------------------------------------------------------------ devices */

static int backend(uint64_t device, uint64_t present)
{
	return host_call(TSR_CALL_BACKEND_STATE, device, d->id, present);
}

static struct tsr_device_info device_info(void)
{
	struct tsr_device_info info;

	assert_int_equal(call_by(v, TSR_CALL_DEVICE_INFO, 1, 0, 0), TSR_OK);
	memcpy(&info, mail_of(v), sizeof(info));
	return info;
}

/* [DEV-1] */
static void a_guest_is_told_that_a_backend_came_or_went_even_for_a_moment(void **state)
{
	(void)state;
	assert_int_equal(bind(TSR_EVENT_BACKEND(1), 0, 60), TSR_OK);
	assert_int_equal(device_info().backend, 0);
	assert_memory_equal(device_info().desc.label, "disk1", 6);
	assert_int_equal(backend(1, 1), TSR_OK);
	assert_int_equal(core_take_event(v), 60);
	assert_int_equal(device_info().backend, 1);
	assert_int_equal(device_info().backend_change, 1);
	assert_int_equal(backend(1, 1), TSR_OK);
	assert_int_equal(core_take_event(v), 0);
	assert_int_equal(backend(1, 0), TSR_OK);
	assert_int_equal(backend(1, 1), TSR_OK);
	assert_int_equal(device_info().backend_change, 3);
	assert_int_equal(core_take_event(v), 60);
	assert_int_equal(backend(1, 2), -TSR_E_ARG);
	assert_int_equal(backend(2, 1), -TSR_E_NODEV);
	assert_int_equal(backend(UINT64_MAX, 1), -TSR_E_NODEV);
	assert_int_equal(call_by(v, TSR_CALL_DEVICE_INFO, 2, 0, 0), -TSR_E_NODEV);
	assert_int_equal(call_by(v, TSR_CALL_DEVICE_INFO, TSR_MAX_DEVICES, 0, 0), -TSR_E_NODEV);
}

static int connect(uint32_t device, uint32_t session, struct tsr_token t)
{
	struct tsr_connect c = { .device = device, .session = session, .token = t };

	memcpy(mail_of(v), &c, sizeof(c));
	return call_by(v, TSR_CALL_CONNECT, 0, 0, 0);
}

/* [DEV-2] */
static void a_control_token_belongs_to_one_device_and_is_not_in_use(void **state)
{
	struct tsr_token_issue el = { .gfn = 4, .pages = 1, .dir = TSR_DIR_BOTH, .device = 1, .session = SESSION };
	struct tsr_token_map map = { .window_pfn = window_add(1), .pages = 1, .issuer = d->id, .session = SESSION, .device = 1, .dir = TSR_DIR_BOTH };

	(void)state;
	assert_int_equal(guest_batch(d, TSR_CALL_TOKEN_ISSUE, &el, 1), TSR_OK);
	assert_int_equal(connect(0, SESSION, el.token), -TSR_E_BIND);
	assert_int_equal(fake.exits, 0);
	assert_int_equal(connect(1, SESSION, el.token), TSR_OK);
	assert_int_equal(fake.exits, 1);
	assert_int_equal(fake.exit.device, 1);
	map.token = el.token;
	assert_int_equal(host_batch(TSR_CALL_TOKEN_MAP, &map, 1, 0), TSR_OK);
	assert_int_equal(connect(1, SESSION, el.token), -TSR_E_TOKEN);
	assert_int_equal(token_unmap(el.token), TSR_OK);
	assert_int_equal(connect(1, SESSION, el.token), -TSR_E_TOKEN);
	assert_int_equal(fake.exits, 1);
}

/* [DEV-2] */
static void connect_hands_over_a_control_token_that_is_bound_to_just_that(void **state)
{
	struct tsr_token t = token_issue(d, 4, 1, TSR_DIR_BOTH), two = token_issue(d, 6, 2, TSR_DIR_BOTH);
	struct tsr_token read = token_issue(d, 8, 1, TSR_DIR_READ), theirs;
	struct domain *other = guest_make(16);

	(void)state;
	theirs = token_issue(other, 4, 1, TSR_DIR_BOTH);
	assert_int_equal(connect(0, SESSION + 1, t), -TSR_E_BIND);
	assert_int_equal(connect(1, SESSION, t), -TSR_E_BIND);
	assert_int_equal(connect(0, SESSION, two), -TSR_E_BIND);
	assert_int_equal(connect(0, SESSION, read), -TSR_E_BIND);
	assert_int_equal(connect(0, SESSION, theirs), -TSR_E_TOKEN);
	assert_int_equal(connect(0, SESSION, (struct tsr_token){ 0 }), -TSR_E_TOKEN);
	assert_int_equal(connect(0, 0, t), -TSR_E_ARG);
	assert_int_equal(connect(2, SESSION, t), -TSR_E_NODEV);
	assert_int_equal(fake.exits, 0);
	assert_int_equal(connect(0, SESSION, t), TSR_OK);
	assert_int_equal(fake.exit.reason, TSR_RUN_CONNECT);
	assert_int_equal(fake.exit.session, SESSION);
	assert_memory_equal(&fake.exit.token, &t, sizeof(t));
}

/* [DEV-3] */
static void a_doorbell_tells_device_and_queue(void **state)
{
	(void)state;
	assert_int_equal(call_by(v, TSR_CALL_NOTIFY, 1, 15, 0), TSR_OK);
	assert_int_equal(fake.exit.reason, TSR_RUN_DOORBELL);
	assert_int_equal(fake.exit.device, 1);
	assert_int_equal(fake.exit.queue, 15);
	assert_int_equal(d->doorbells, 1);
	assert_int_equal(call_by(v, TSR_CALL_NOTIFY, 1, 16, 0), -TSR_E_ARG);
	assert_int_equal(call_by(v, TSR_CALL_NOTIFY, 5, 0, 0), -TSR_E_NODEV);
	assert_int_equal(call_by(v, TSR_CALL_NOTIFY, 1ull << 33, 0, 0), -TSR_E_NODEV);
	assert_int_equal(core_counter(TSR_COUNT_doorbells), 1);
}

/* [RUN-3] One exit is all there is: nothing of it is in the next. */
static void an_exit_tells_nothing_of_the_one_before(void **state)
{
	const struct tsr_token t = token_issue(d, 4, 1, TSR_DIR_BOTH);
	const struct tsr_run_exit rings = { .reason = TSR_RUN_DOORBELL, .device = 1, .queue = 15 };
	const struct tsr_run_exit connects = { .reason = TSR_RUN_CONNECT, .session = SESSION, .token = t };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(call_by(v, TSR_CALL_NOTIFY, 1, 15, 0), TSR_OK);
		assert_memory_equal(&fake.exit, &rings, sizeof(rings));
		assert_int_equal(connect(0, SESSION, t), TSR_OK);
		assert_memory_equal(&fake.exit, &connects, sizeof(connects));
	}
}

/* ------------------------------------------------------------------ console */

static int type(struct domain *to, uint32_t len)
{
	struct tsr_console_input in = { .len = len };

	memcpy(in.bytes, "hello", 5);
	memcpy(host_mail(), &in, sizeof(in));
	return host_call(TSR_CALL_CONSOLE_INPUT, 0, to->id, 0);
}

/* [DEV-4] */
static void the_host_types_only_into_guests_whose_measured_policy_allows_it(void **state)
{
	struct tsr_guest_create config;
	struct domain *open;

	(void)state;
	fake.console_room = 3;
	assert_int_equal(type(d, 5), -TSR_E_POLICY);
	guest_config(&config, 4);
	config.flags = TSR_GUEST_CONSOLE_INPUT;
	open = guest_create_with(&config);
	assert_int_equal(type(open, 5), -TSR_E_STATE);
	assert_int_equal(donate(open, host_take(16), 0, 16, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(open, host_take(4), 0, 4, 0), TSR_OK);
	assert_int_equal(launch(open), TSR_OK);
	assert_int_equal(type(open, 0), -TSR_E_ARG);
	assert_int_equal(type(open, 61), -TSR_E_ARG);
	assert_int_equal(type(open, 5), TSR_OK);
	assert_int_equal(last_value, 3);
	assert_memory_equal(fake.console, "hel", 3);
	fake.console_room = 60;
	assert_int_equal(type(open, 60), TSR_OK);
	assert_int_equal(last_value, 60);
	assert_memory_equal(fake.console, "hello\0", 6);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(a_virtual_cpu_runs_on_one_cpu_at_a_time),
		T(a_guest_is_destroyed_only_when_no_cpu_is_inside),
		T(what_a_guest_wrote_before_it_ended_is_still_told),
		T(an_event_becomes_the_vector_the_guest_bound_it_to),
		T(an_unbound_event_waits_until_it_is_bound),
		T(vectors_of_exceptions_and_of_system_calls_cannot_be_bound),
		T(a_guest_is_told_that_a_backend_came_or_went_even_for_a_moment),
		T(a_control_token_belongs_to_one_device_and_is_not_in_use),
		T(connect_hands_over_a_control_token_that_is_bound_to_just_that),
		T(a_doorbell_tells_device_and_queue),
		T(an_exit_tells_nothing_of_the_one_before),
		T(the_host_types_only_into_guests_whose_measured_policy_allows_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
