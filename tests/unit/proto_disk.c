/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: proto/disk.c proto/seal.c */
/* The disk header, a seal's plain fields, and freshness. */
#include "unit.h"
#include "proto/disk.h"
#include "proto/fresh.h"
#include "proto/seal.h"

static const uint8_t id[16] = { 1, 2, 3 }, salt[16] = { 9, 8, 7 };
static struct tsr_disk_header header;

static int fresh_header(void **state)
{
	(void)state;
	tsr_disk_init(&header, TSR_SUITE_AES_256_GCM, id, 1000);
	assert_int_equal(tsr_disk_attach(&header, salt, 0x1122334455667788), 1);
	return 0;
}

static int check(void)
{
	return tsr_disk_check(&header, TSR_SUITE_AES_256_GCM);
}

static void a_new_header_passes_and_is_not_formatted(void **state)
{
	(void)state;
	assert_int_equal(check(), TSR_DISK_OK);
	assert_int_equal(header.generation, 1);
	assert_int_equal(header.epochs, 1);
	assert_int_equal(header.formatted, 0); /* [DISK-8] */
	assert_memory_equal(header.salt[0], salt, 16);
	assert_memory_equal(header.disk_id, id, 16);
}

/* [DISK-2] [DISK-7] */
static void a_wrong_field_is_refused(void **state)
{
	struct tsr_disk_header good = header;

	(void)state;
#define REFUSED(change, expected)                    \
	do {                                         \
		header = good;                       \
		header.change;                       \
		assert_int_equal(check(), expected); \
	} while (0)
	REFUSED(magic[7] ^= 1, TSR_DISK_BAD_MAGIC);
	REFUSED(version = 2, TSR_DISK_BAD_VERSION);
	REFUSED(suite = 2, TSR_DISK_BAD_SUITE);
	REFUSED(suite = 0, TSR_DISK_BAD_SUITE);
	REFUSED(blocks = 0, TSR_DISK_BAD_BLOCKS);
	REFUSED(blocks = 0xffffffff, TSR_DISK_BAD_BLOCKS);
	REFUSED(generation = 0, TSR_DISK_BAD_GENERATION);
	REFUSED(epochs = 0, TSR_DISK_BAD_EPOCHS);
	REFUSED(epochs = 4089, TSR_DISK_BAD_EPOCHS);
	REFUSED(formatted = 1001, TSR_DISK_BAD_FORMATTED);
	REFUSED(formatted = 0xfffffffe, TSR_DISK_BAD_FORMATTED);
	REFUSED(formatted = 1000, TSR_DISK_OK);
	REFUSED(formatted = TSR_DISK_FORMATTED, TSR_DISK_OK);
	REFUSED(reserved[47] = 1, TSR_DISK_BAD_RESERVED);
	REFUSED(salt[1][0] = 1, TSR_DISK_BAD_RESERVED);
	REFUSED(salt[4087][15] = 1, TSR_DISK_BAD_RESERVED);
	header = good;
	header.suite = TSR_SUITE_NR;
	assert_int_equal(tsr_disk_check(&header, TSR_SUITE_NR), TSR_DISK_BAD_SUITE);
	header.suite = 0;
	assert_int_equal(tsr_disk_check(&header, TSR_SUITE_NONE), TSR_DISK_BAD_SUITE); /* [SEAL-2] */
	memset(&header, 0, sizeof(header));
	assert_int_equal(check(), TSR_DISK_BLANK);
	header.salt[4087][15] = 1;
	assert_int_equal(check(), TSR_DISK_BAD_MAGIC);
}

/* [DISK-4] [DISK-5] [DISK-6] */
static void each_attach_takes_an_epoch_until_none_is_left(void **state)
{
	(void)state;
	for (uint32_t epoch = 2; epoch <= TSR_HEADER_EPOCHS; epoch++) {
		uint8_t next[16] = { epoch, epoch >> 8, 1 };
		uint32_t slot = tsr_disk_slot(&header);

		assert_int_equal(tsr_disk_attach(&header, next, epoch), epoch);
		assert_int_equal(header.counter, epoch);
		assert_int_equal(header.generation, epoch);
		assert_int_equal(tsr_disk_slot(&header), 1 - slot);
		assert_memory_equal(header.salt[epoch - 1], next, 16);
	}
	assert_int_equal(check(), TSR_DISK_OK);
	assert_int_equal(tsr_disk_attach(&header, salt, 1), 0);
	assert_int_equal(header.generation, TSR_HEADER_EPOCHS);
	assert_int_equal(check(), TSR_DISK_OK);
}

/* [DISK-8] */
static void progress_is_another_generation(void **state)
{
	(void)state;
	tsr_disk_progress(&header, 500, 77);
	assert_int_equal(header.formatted, 500);
	assert_int_equal(header.generation, 2);
	assert_int_equal(header.counter, 77);
	assert_int_equal(header.epochs, 1);
	assert_int_equal(check(), TSR_DISK_OK);
}

/* [DISK-1] */
static void what_is_authenticated_has_a_zero_tag(void **state)
{
	const uint8_t made[16] = { 0xaa, 0xbb }, nonce_expected[12] = { 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 1 };
	uint8_t tag[16], nonce[12];

	(void)state;
	tsr_disk_close(&header, made);
	assert_memory_equal(header.tag, made, 16);
	tsr_disk_open(&header, tag, nonce);
	assert_memory_equal(tag, made, 16);
	assert_memory_equal(header.tag, (uint8_t[16]){ 0 }, 16);
	assert_memory_equal(nonce, nonce_expected, 12);
}

/* [DISK-3] */
static void the_higher_generation_of_valid_headers_counts(void **state)
{
	(void)state;
	assert_int_equal(tsr_disk_choose(true, 4, true, 5), 1);
	assert_int_equal(tsr_disk_choose(true, 6, true, 5), 0);
	assert_int_equal(tsr_disk_choose(true, 1, false, 9), 0);
	assert_int_equal(tsr_disk_choose(false, 9, true, 1), 1);
	assert_int_equal(tsr_disk_choose(false, 9, false, 9), -1);
}

static void every_error_has_its_own_text(void **state)
{
	(void)state;
	for (int a = TSR_DISK_OK; a <= TSR_DISK_BAD_RESERVED; a++)
		for (int b = TSR_DISK_OK; b < a; b++)
			assert_string_not_equal(tsr_disk_error_text(a), tsr_disk_error_text(b));
	assert_string_equal(tsr_disk_error_text(99), "unknown error");
}

/* [SEAL-7] */
static void a_seals_plain_fields_are_checked(void **state)
{
	struct tsr_seal seal;

	(void)state;
	tsr_seal_init(&seal, 1, 3, 0);
	assert_int_equal(tsr_seal_check(&seal, 3), TSR_SEAL_OK);
	assert_int_equal(tsr_seal_check(&seal, 2), TSR_SEAL_BAD_EPOCH);
	seal.flags = TSR_SEAL_ZERO;
	assert_int_equal(tsr_seal_check(&seal, 3), TSR_SEAL_OK);
	seal.flags = 2;
	assert_int_equal(tsr_seal_check(&seal, 3), TSR_SEAL_BAD_FLAGS);
	tsr_seal_init(&seal, 0, 3, 0);
	assert_int_equal(tsr_seal_check(&seal, 3), TSR_SEAL_BAD_COUNTER);
	tsr_seal_init(&seal, 1, 0, 0);
	assert_int_equal(tsr_seal_check(&seal, 3), TSR_SEAL_BAD_EPOCH);
	memset(&seal, 0, sizeof(seal));
	assert_int_equal(tsr_seal_check(&seal, 3), TSR_SEAL_NEVER_WRITTEN);
	seal.tag[0] = 1;
	assert_int_equal(tsr_seal_check(&seal, 3), TSR_SEAL_BAD_COUNTER);
}

/* [SEAL-6] A restored header repeats an epoch's number; its salt, and so its key, differs. */
static void block_and_header_nonces_never_meet(void **state)
{
	uint8_t block[12], other[12], head[12];

	(void)state;
	tsr_seal_nonce(block, 0x0102030405060708, TSR_NONCE_BLOCK);
	tsr_seal_nonce(other, 0x0102030405060709, TSR_NONCE_BLOCK);
	tsr_seal_nonce(head, 0x0102030405060708, TSR_NONCE_HEADER);
	assert_memory_equal(block, ((uint8_t[]){ 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0 }), 12);
	assert_memory_not_equal(block, other, 12);
	assert_memory_not_equal(block, head, 12);
}

/* [SEAL-10] */
static void only_the_last_seal_is_fresh(void **state)
{
	struct tsr_seal first = { .tag = { 1, 2, 3 } }, second = { .tag = { 4, 5, 6 } }, zero = { .counter = 1 };
	uint64_t word[3] = { TSR_FRESH_UNKNOWN, TSR_FRESH_LOST, 77 }, before[3], after[3];

	(void)state;
	assert_true(tsr_fresh_accepts(TSR_FRESH_UNKNOWN, &first));
	assert_true(tsr_fresh_accepts(tsr_fresh_word(&first), &first));
	assert_false(tsr_fresh_accepts(tsr_fresh_word(&second), &first));
	assert_false(tsr_fresh_accepts(TSR_FRESH_LOST, &first));
	assert_false(tsr_fresh_accepts(TSR_FRESH_CLAIMED, &first));
	assert_true(tsr_fresh_word(&zero) != TSR_FRESH_UNKNOWN);
	memset(zero.tag, 0xff, 16);
	assert_true(tsr_fresh_word(&zero) < TSR_FRESH_LOST);

	assert_true(tsr_fresh_claim(word, 3, before));
	assert_int_equal(before[2], 77);
	assert_false(tsr_fresh_claim(word, 1, after));
	word[0] = 5;
	assert_false(tsr_fresh_claim(word, 3, after));
	assert_int_equal(word[0], 5); /* all or none */
	before[0] = tsr_fresh_word(&second);
	tsr_fresh_release(word, 3, before);
	assert_true(word[0] == tsr_fresh_word(&second) && word[1] == TSR_FRESH_LOST && word[2] == 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_new_header_passes_and_is_not_formatted, fresh_header),
		cmocka_unit_test_setup(a_wrong_field_is_refused, fresh_header),
		cmocka_unit_test_setup(each_attach_takes_an_epoch_until_none_is_left, fresh_header),
		cmocka_unit_test_setup(progress_is_another_generation, fresh_header),
		cmocka_unit_test_setup(what_is_authenticated_has_a_zero_tag, fresh_header),
		cmocka_unit_test(the_higher_generation_of_valid_headers_counts),
		cmocka_unit_test(every_error_has_its_own_text),
		cmocka_unit_test(a_seals_plain_fields_are_checked),
		cmocka_unit_test(block_and_header_nonces_never_meet),
		cmocka_unit_test(only_the_last_seal_is_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
