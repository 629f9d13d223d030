/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: hv/core/[a-z]*.c proto/hash.c proto/kdf.c proto/measure.c tests/unit/fake_arch.c tests/unit/core_host.c */
/* libs: -lsodium */
/* A guest's life: spec/hypercalls.md, GST and KEY. */
#include <tessera/seal.h>
#include "core_host.h"
#include "proto/kdf.h"
#include "proto/measure.h"

static int create(const struct tsr_guest_create *config)
{
	memcpy(host_mail(), config, sizeof(*config));
	return host_call(TSR_CALL_GUEST_CREATE, 0, 0, 0);
}

/* [GST-1] [HC-10] */
static void a_guests_configuration_is_checked(void **state)
{
	struct tsr_guest_create good, c;

	(void)state;
	guest_config(&good, 16);
	c = good, c.mem_pages = 0;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.mem_pages = frame_nr() + 1;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.vcpus = 0;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.vcpus = TSR_MAX_VCPUS + 1;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.flags = 2;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.device[0].type = 2;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.device[0].suite = 0;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.device[0].suite = TSR_SUITE_NR; /* [SEAL-2] */
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.device[0].flags = 1;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.device[0].reserved = 1;
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, memset(c.device[0].label, 0, TSR_LABEL_SIZE);
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.device[1] = c.device[0];
	assert_int_equal(create(&c), -TSR_E_ARG);
	c = good, c.device[5].label[0] = 1;
	assert_int_equal(create(&c), -TSR_E_ARG);
	assert_int_equal(guest_count(), 0);
	assert_int_equal(create(&good), TSR_OK);
	assert_int_equal(last_value, DOMAIN_GUEST);
	c = good, c.mem_pages = frame_nr();
	assert_int_equal(create(&c), TSR_OK);
}

/* [GST-2] */
static void an_unsafe_machine_runs_no_guests(void **state)
{
	const struct fake_config config = { .no_guests = true };
	struct tsr_guest_create c;

	(void)state;
	fake_start(&config);
	host_mailboxes();
	guest_config(&c, 16);
	assert_int_equal(create(&c), -TSR_E_UNSAFE);
}

/* [GST-3] */
static void the_number_of_guests_is_limited_and_ids_are_used_again(void **state)
{
	struct tsr_guest_create c;

	(void)state;
	guest_config(&c, 16);
	for (unsigned i = 0; i < TSR_MAX_GUESTS; i++)
		assert_int_equal(create(&c), TSR_OK);
	assert_int_equal(create(&c), -TSR_E_LIMIT);
	/* A guest to which nothing was donated is gone at once. */
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, DOMAIN_GUEST + 3, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, DOMAIN_GUEST + 3, 0), -TSR_E_GUEST);
	assert_int_equal(create(&c), TSR_OK);
	assert_int_equal(last_value, DOMAIN_GUEST + 3);
}

/* [GST-3] */
static void calls_on_ids_that_are_no_guests_are_refused(void **state)
{
	const uint64_t ids[] = { 0, DOMAIN_HOST, DOMAIN_GUEST, DOMAIN_NR, 1ull << 32 | DOMAIN_GUEST, UINT64_MAX };

	(void)state;
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		assert_int_equal(host_call(TSR_CALL_GUEST_LAUNCH, 0, ids[i], 0), -TSR_E_GUEST);
		assert_int_equal(host_call(TSR_CALL_VCPU_RUN, ids[i], 0, 0), -TSR_E_GUEST);
		assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 0, ids[i], 0), -TSR_E_GUEST);
		assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, ids[i], 0), -TSR_E_GUEST);
		assert_int_equal(host_call(TSR_CALL_GUEST_INFO, 0, ids[i], 0), -TSR_E_GUEST);
		assert_int_equal(host_call(TSR_CALL_EVENT_RAISE, 0, ids[i], 0), -TSR_E_GUEST);
		assert_int_equal(host_call(TSR_CALL_CONSOLE_INPUT, 0, ids[i], 0), -TSR_E_GUEST);
		assert_int_equal(host_call(TSR_CALL_BACKEND_STATE, 0, ids[i], 0), -TSR_E_GUEST);
	}
}

/* [GST-4] */
static void a_launch_needs_all_memory_and_happens_once(void **state)
{
	struct tsr_guest_create c;
	struct tsr_guest_launch l = { .eip = 1, .reserved = 1 };
	uint64_t ram = host_take(16);
	struct domain *d;

	(void)state;
	guest_config(&c, 16);
	d = guest_create_with(&c);
	assert_int_equal(donate(d, host_take(20), 0, 20, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(d, ram, 0, 15, 0), TSR_OK);
	assert_int_equal(launch(d), -TSR_E_STATE);
	assert_int_equal(donate(d, ram + 15, 15, 1, 0), TSR_OK);
	memcpy(host_mail(), &l, sizeof(l));
	assert_int_equal(host_call(TSR_CALL_GUEST_LAUNCH, 0, d->id, 0), -TSR_E_ARG);
	assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0), -TSR_E_STATE);
	assert_int_equal(launch(d), TSR_OK);
	assert_int_equal(d->vcpu[0].arch->eip, 0x100000);
	assert_int_equal(d->vcpu[0].arch->esi, 0x1000);
	assert_int_equal(launch(d), -TSR_E_STATE);
}

/* [GST-5] */
static void the_identity_is_that_of_the_published_format(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_guest_create config;
	struct tsr_measure measure;
	uint8_t identity[TSR_ID_SIZE];

	(void)state;
	guest_config(&config, 16);
	tsr_measure_create(&measure, &config);
	tsr_measure_launch(&measure, 0x100000, 0x1000, identity);
	assert_memory_equal(identity, d->identity, TSR_ID_SIZE);
	assert_int_equal(host_call(TSR_CALL_GUEST_INFO, 0, d->id, 0), TSR_OK);
	assert_memory_equal(((struct tsr_guest_info *)host_mail())->identity, identity, TSR_ID_SIZE);
}

/* [GST-6] */
static void a_stopped_guest_never_runs_again(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_guest_info *info = host_mail();
	const struct tsr_run_exit *exit = host_mail();

	(void)state;
	assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 0, d->id, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 0, d->id, 0), TSR_OK);
	assert_ptr_equal(fake.kicked, &d->vcpu[0]);
	assert_int_equal(host_call(TSR_CALL_VCPU_RUN, d->id, 0, 0), TSR_OK);
	assert_int_equal(exit->reason, TSR_RUN_ENDED);
	assert_int_equal(launch(d), -TSR_E_STATE);
	assert_int_equal(host_call(TSR_CALL_EVENT_RAISE, 0, d->id, 0), -TSR_E_STATE);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_VERSION, 0, 0, 0), -TSR_E_STATE);
	assert_int_equal(host_call(TSR_CALL_GUEST_INFO, 0, d->id, 0), TSR_OK);
	assert_int_equal(info->state, TSR_GUEST_STOPPED);
	assert_int_equal(info->end, TSR_END_HOST);
	assert_int_equal(info->end_code[0] | info->end_code[1], 0);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 0, d->id, 0), -TSR_E_STATE);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), -TSR_E_STATE);
	assert_int_equal(host_call(TSR_CALL_BACKEND_STATE, 0, d->id, 1), -TSR_E_STATE);
}

/* [GST-6] [GST-4] */
static void a_guest_stopped_before_its_launch_is_never_launched(void **state)
{
	struct tsr_guest_create c;
	struct tsr_guest_info *info = host_mail();
	uint64_t tables = host_take(4), ram = host_take(16);
	struct domain *d;

	(void)state;
	guest_config(&c, 16);
	d = guest_create_with(&c);
	assert_int_equal(donate(d, tables, 0, 4, TSR_DONATE_TABLES), TSR_OK);
	assert_int_equal(donate(d, ram, 0, 16, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 0, d->id, 0), TSR_OK);
	assert_int_equal(launch(d), -TSR_E_STATE);
	assert_int_equal(host_call(TSR_CALL_GUEST_INFO, 0, d->id, 0), TSR_OK);
	assert_int_equal(info->state, TSR_GUEST_STOPPED);
	assert_int_equal(info->end, TSR_END_HOST);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(reclaim(d, ram, 16), TSR_OK);
	assert_int_equal(reclaim(d, tables, 4), TSR_OK);
	assert_int_equal(d->state, TSR_GUEST_NONE);
}

/* [GST-6] */
static void the_first_reason_to_end_is_the_one_that_is_told(void **state)
{
	struct domain *d = guest_make(16);

	(void)state;
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_REPORT, 2, 0, 0), -TSR_E_ARG);
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_REPORT, 1, 0xdead, 0xbeef), TSR_OK);
	assert_int_equal(fake.exit.reason, TSR_RUN_ENDED);
	core_guest_ended(&d->vcpu[0], TSR_END_TRIPLE, 1, 2);
	assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 0, d->id, 0), TSR_OK);
	assert_int_equal(d->end, TSR_END_PANIC);
	assert_int_equal(d->end_code[0], 0xdead);
	assert_int_equal(d->end_code[1], 0xbeef);
}

/* [GST-6] [HC-8] */
static void a_guest_destroyed_as_it_runs_was_ended_by_the_host_and_has_no_mailbox(void **state)
{
	struct domain *d = guest_make_smp(16, 2);
	struct tsr_guest_info *info = host_mail();

	(void)state;
	assert_int_equal(call_by(&d->vcpu[1], TSR_CALL_MAILBOX, 2, 0, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(host_call(TSR_CALL_GUEST_INFO, 0, d->id, 0), TSR_OK);
	assert_int_equal(info->state, TSR_GUEST_DYING);
	assert_int_equal(info->end, TSR_END_HOST);
	assert_int_equal(info->end_code[0] | info->end_code[1], 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(d->vcpu[i].mailbox, GFN_NONE);
		assert_int_equal(frame_of(mfn(guest_ram(d) + 1 + i))->state, FRAME_OWNED);
	}
	guest_bury(d);
}

/* [HC-16] [GST-7] */
static void fifty_guests_leave_the_census_as_it_was(void **state)
{
	struct tsr_census before, after;

	(void)state;
	quick = true;
	frame_census(&before);
	for (unsigned i = 0; i < 50; i++) {
		struct domain *d = guest_make(64 + i);
		uint64_t window = window_add(4);
		struct tsr_window el = { .pfn = window, .count = 4 };

		token_map(d, token_issue(d, 10, 4, TSR_DIR_BOTH), window, 4, TSR_DIR_BOTH);
		token_issue(d, 20, 4, TSR_DIR_READ);
		guest_unmake(d);
		assert_int_equal(host_batch(TSR_CALL_WINDOW_REMOVE, &el, 1, 0), TSR_OK);
		frame_census(&after);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(grant_live(), 0);
	}
}

/* [GST-7] */
static void a_new_guest_inherits_nothing_from_the_one_that_had_its_id(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_guest_info *info = host_mail();
	uint32_t id = d->id;

	(void)state;
	assert_int_equal(host_call(TSR_CALL_EVENT_RAISE, 0, id, 5), TSR_OK);
	guest_unmake(d);
	d = guest_make(16);
	assert_int_equal(d->id, id);
	assert_false(d->pending[0]);
	assert_int_equal(host_call(TSR_CALL_GUEST_INFO, 0, id, 0), TSR_OK);
	assert_int_equal(info->state, TSR_GUEST_RUNNING);
	assert_int_equal(info->end + info->tokens + info->events, 0);
}

/* [SHOOT-1] Or a CPU that was inside the guest that had the id before would pass for one that has seen the new guest's tables. */
static void the_generation_of_a_guests_tables_goes_on_with_the_next_of_its_id(void **state)
{
	struct domain *d = guest_make(16);
	uint64_t seen;

	(void)state;
	guest_unmake(d);
	seen = d->generation;
	assert_true(seen > 0);
	assert_ptr_equal(guest_make(16), d);
	assert_true(d->generation >= seen);
	guest_unmake(d);
	assert_true(d->generation > seen);
}

/* [GST-7] Of what it was measured to be nothing is kept while its memory goes back. */
static void a_destroyed_guests_measurement_is_wiped(void **state)
{
	static const uint8_t zero[sizeof(((struct domain *)0)->measure)];
	struct tsr_guest_create config;
	struct domain *d;

	(void)state;
	guest_config(&config, 16);
	d = guest_create_with(&config);
	assert_int_equal(donate(d, host_take(4), 0, 4, TSR_DONATE_TABLES), TSR_OK);
	assert_memory_not_equal(d->measure, zero, sizeof(zero));
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
	assert_int_equal(d->state, TSR_GUEST_DYING);
	assert_memory_equal(d->measure, zero, sizeof(zero));
}

/* [DON-3] [GST-7] The core takes memory from nowhere but a guest's own table pages: here they run out at each place in turn. */
static void a_guest_whose_table_pages_run_out_leaves_nothing(void **state)
{
	enum { RAM = 600, VCPUS = 3, NEEDED = 1 + 2 + VCPUS }; /* the fake machine's tables, leaves and virtual CPUs */
	uint64_t tables = host_take(NEEDED), ram = host_take(RAM);
	struct tsr_guest_create config;
	struct tsr_census before, after;

	(void)state;
	quick = true;
	frame_census(&before);
	guest_config(&config, RAM);
	config.vcpus = VCPUS;
	for (uint32_t pages = 0; pages <= NEEDED; pages++) {
		struct domain *d = guest_create_with(&config);
		int status = pages ? donate(d, tables, 0, pages, TSR_DONATE_TABLES) : TSR_OK;

		assert_int_equal(status, TSR_OK);
		for (uint32_t g = 0; g < RAM && !status; g += 300)
			status = donate(d, ram + g, g, 300, 0);
		assert_int_equal(status, pages < 3 ? -TSR_E_NOMEM : TSR_OK);
		if (!status)
			assert_int_equal(launch(d), pages < NEEDED ? -TSR_E_NOMEM : TSR_OK);
		oracle_check_all();
		assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, d->id, 0), TSR_OK);
		for (uint32_t g = 0; g < RAM; g += 300)
			if (frame_of(mfn(ram + g))->owner == d->id)
				assert_int_equal(reclaim(d, ram + g, 300), TSR_OK);
		if (pages)
			assert_int_equal(reclaim(d, tables, pages), TSR_OK);
		assert_int_equal(d->state, TSR_GUEST_NONE);
		frame_census(&after);
		assert_memory_equal(&before, &after, sizeof(before));
	}
}

/* ------------------------------------------------------------------ keys */

static int derive(struct domain *d, const char *label, uint32_t purpose, uint8_t salt, uint8_t key[TSR_KEY_SIZE])
{
	struct tsr_key_derive req = { .purpose = purpose };
	int ret;

	memcpy(req.label, label, strlen(label));
	req.salt[15] = salt;
	memcpy(mail_of(&d->vcpu[0]), &req, sizeof(req));
	ret = call_by(&d->vcpu[0], TSR_CALL_KEY_DERIVE, 0, 0, 0);
	memcpy(key, ((struct tsr_key_derive *)mail_of(&d->vcpu[0]))->key, TSR_KEY_SIZE);
	return ret;
}

/* [KEY-1] */
static void keys_come_from_root_secret_identity_label_purpose_and_salt(void **state)
{
	static const uint8_t root[TSR_KEY_SIZE] = "a root secret for this test only";
	const struct fake_config config = { .root_secret = root };
	uint8_t label[TSR_LABEL_SIZE] = "disk0", salt[16] = { 0 }, key[TSR_KEY_SIZE], expected[TSR_KEY_SIZE];
	struct domain *d;

	(void)state;
	fake_start(&config);
	host_mailboxes();
	d = guest_make(16);
	assert_int_equal(derive(d, "disk0", TSR_KEY_DISK_HEADER, 0, key), TSR_OK);
	tsr_kdf(expected, root, d->identity, label, TSR_KEY_DISK_HEADER, salt);
	assert_memory_equal(key, expected, TSR_KEY_SIZE);
	salt[15] = 9;
	assert_int_equal(derive(d, "disk0", TSR_KEY_DISK_ATTACH, 9, key), TSR_OK);
	tsr_kdf(expected, root, d->identity, label, TSR_KEY_DISK_ATTACH, salt);
	assert_memory_equal(key, expected, TSR_KEY_SIZE);
	assert_int_equal(derive(d, "anything", TSR_KEY_APPLICATION, 9, key), TSR_OK);
	assert_memory_not_equal(key, expected, TSR_KEY_SIZE);
}

/* [KEY-2] [HC-10] */
static void key_requests_are_checked(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_key_derive req = { .purpose = TSR_KEY_APPLICATION, .reserved = 1 };
	uint8_t key[TSR_KEY_SIZE];

	(void)state;
	assert_int_equal(derive(d, "disk0", 0, 0, key), -TSR_E_ARG);
	assert_int_equal(derive(d, "disk0", 4, 0, key), -TSR_E_ARG);
	assert_int_equal(derive(d, "disk0", TSR_KEY_DISK_HEADER, 1, key), -TSR_E_ARG);
	assert_int_equal(derive(d, "disk9", TSR_KEY_DISK_ATTACH, 1, key), -TSR_E_NODEV);
	memcpy(mail_of(&d->vcpu[0]), &req, sizeof(req));
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_KEY_DERIVE, 0, 0, 0), -TSR_E_ARG);
}

/* [KEY-3] */
static void of_two_live_guests_of_one_identity_one_gets_a_disks_keys(void **state)
{
	struct domain *a = guest_make(16), *b = guest_make(16), *other = guest_make(17);
	uint8_t key[TSR_KEY_SIZE];

	(void)state;
	assert_memory_equal(a->identity, b->identity, TSR_ID_SIZE);
	assert_int_equal(derive(a, "disk0", TSR_KEY_DISK_HEADER, 0, key), TSR_OK);
	assert_int_equal(derive(b, "disk0", TSR_KEY_DISK_HEADER, 0, key), -TSR_E_BUSY);
	assert_int_equal(derive(b, "disk0", TSR_KEY_DISK_ATTACH, 1, key), -TSR_E_BUSY);
	assert_int_equal(derive(b, "disk1", TSR_KEY_DISK_ATTACH, 1, key), TSR_OK);
	assert_int_equal(derive(a, "disk1", TSR_KEY_DISK_ATTACH, 1, key), -TSR_E_BUSY);
	assert_int_equal(derive(b, "disk0", TSR_KEY_APPLICATION, 1, key), TSR_OK);
	assert_int_equal(derive(other, "disk0", TSR_KEY_DISK_HEADER, 0, key), TSR_OK);
	assert_int_equal(derive(a, "disk0", TSR_KEY_DISK_ATTACH, 1, key), TSR_OK);
	/* A stopped guest's writes may still be on their way: the lease ends with DESTROY. */
	assert_int_equal(host_call(TSR_CALL_GUEST_STOP, 0, a->id, 0), TSR_OK);
	assert_int_equal(derive(b, "disk0", TSR_KEY_DISK_HEADER, 0, key), -TSR_E_BUSY);
	assert_int_equal(host_call(TSR_CALL_GUEST_DESTROY, 0, a->id, 0), TSR_OK);
	assert_int_equal(derive(b, "disk0", TSR_KEY_DISK_HEADER, 0, key), TSR_OK);
}

/* [KEY-4] */
static void random_bytes_are_as_many_as_were_asked_for(void **state)
{
	struct domain *d = guest_make(16);
	struct tsr_random req = { .len = 5 };

	(void)state;
	memcpy(mail_of(&d->vcpu[0]), &req, sizeof(req));
	assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_RANDOM, 0, 0, 0), TSR_OK);
	memcpy(&req, mail_of(&d->vcpu[0]), sizeof(req));
	assert_true(req.bytes[0] | req.bytes[1] | req.bytes[2] | req.bytes[3] | req.bytes[4]);
	assert_int_equal(req.bytes[5], 0);
	for (unsigned i = 0; i < 3; i++) {
		req = (struct tsr_random){ .len = i == 0 ? 0 : i == 1 ? 65 : 1, .reserved = i == 2 };
		memcpy(mail_of(&d->vcpu[0]), &req, sizeof(req));
		assert_int_equal(call_by(&d->vcpu[0], TSR_CALL_RANDOM, 0, 0, 0), -TSR_E_ARG);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
	const struct CMUnitTest tests[] = {
		T(a_guests_configuration_is_checked),
		T(an_unsafe_machine_runs_no_guests),
		T(the_number_of_guests_is_limited_and_ids_are_used_again),
		T(calls_on_ids_that_are_no_guests_are_refused),
		T(a_launch_needs_all_memory_and_happens_once),
		T(the_identity_is_that_of_the_published_format),
		T(a_stopped_guest_never_runs_again),
		T(a_guest_stopped_before_its_launch_is_never_launched),
		T(the_first_reason_to_end_is_the_one_that_is_told),
		T(a_guest_destroyed_as_it_runs_was_ended_by_the_host_and_has_no_mailbox),
		T(fifty_guests_leave_the_census_as_it_was),
		T(a_new_guest_inherits_nothing_from_the_one_that_had_its_id),
		T(the_generation_of_a_guests_tables_goes_on_with_the_next_of_its_id),
		T(a_destroyed_guests_measurement_is_wiped),
		T(a_guest_whose_table_pages_run_out_leaves_nothing),
		T(keys_come_from_root_secret_identity_label_purpose_and_salt),
		T(key_requests_are_checked),
		T(of_two_live_guests_of_one_identity_one_gets_a_disks_keys),
		T(random_bytes_are_as_many_as_were_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
