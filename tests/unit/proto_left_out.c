/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: proto/disk.c proto/hash.c proto/kdf.c proto/measure.c proto/seal.c */
/* libs: -lsodium -Wl,--wrap=tsr_measure_create */
/*
 * Negative controls of the disk's format: each lie of a host is told to a guest with what stops it and to one without, which believes it. Its sources
 * are what they are everywhere: what is left out is emptied after they made it.
 */
#include "unit.h"
#include <sodium.h>
#include "proto/disk.h"
#include "proto/kdf.h"
#include "proto/measure.h"
#include "proto/seal.h"

static enum { NOTHING, SUITE, LABEL, DISK, BLOCK } left_out;

void __real_tsr_measure_create(struct tsr_measure *measure, const struct tsr_guest_create *config);
void __wrap_tsr_measure_create(struct tsr_measure *measure, const struct tsr_guest_create *config);

static void associated(struct tsr_seal_aad *aad, const struct tsr_seal_disk *disk, uint64_t block, const struct tsr_seal *seal)
{
	tsr_seal_aad_disk(aad, disk);
	tsr_seal_aad_block(aad, block, seal);
	if (left_out == SUITE)
		aad->suite = 0;
	if (left_out == LABEL)
		memset(aad->label, 0, sizeof(aad->label));
	if (left_out == DISK)
		memset(aad->disk_id, 0, sizeof(aad->disk_id));
	if (left_out == BLOCK)
		aad->block = 0;
}

void __wrap_tsr_measure_create(struct tsr_measure *measure, const struct tsr_guest_create *config)
{
	struct tsr_guest_create c = *config;

	if (left_out == SUITE)
		c.device[0].suite = 0;
	__real_tsr_measure_create(measure, &c);
}

static const uint8_t id[16] = { 1, 2, 3 }, salt[16] = { 9, 8, 7 }, root[TSR_KEY_SIZE] = { 5 };
static const char label[TSR_LABEL_SIZE] = "data";

static int setup(void **state)
{
	(void)state;
	left_out = NOTHING;
	return 0;
}

/* What a guest whose disk is configured with this suite is given for it. */
static void guest_key(uint8_t key[TSR_KEY_SIZE], uint8_t suite, uint32_t purpose)
{
	struct tsr_guest_create c = { .mem_pages = 16384, .vcpus = 1 };
	struct tsr_measure m;
	uint8_t identity[TSR_ID_SIZE];

	c.device[0] = (struct tsr_device_desc){ .type = TSR_DEVICE_BLOCK, .suite = suite };
	memcpy(c.device[0].label, label, sizeof(label));
	tsr_measure_create(&m, &c);
	tsr_measure_launch(&m, 0x100000, 0x90000, identity);
	tsr_kdf(key, root, identity, (const uint8_t *)label, purpose, salt);
}

static void header_aad(uint8_t *aad, const struct tsr_disk_header *header)
{
	memcpy(aad, label, TSR_LABEL_SIZE);
	memcpy(aad + TSR_LABEL_SIZE, header, sizeof(*header));
}

static uint8_t aad[TSR_LABEL_SIZE + TSR_HEADER_SIZE], none[1];

static void seal_header(struct tsr_disk_header *header, const uint8_t *key)
{
	uint8_t tag[TSR_TAG_SIZE], nonce[TSR_NONCE_SIZE];

	tsr_disk_open(header, tag, nonce);
	header_aad(aad, header);
	crypto_aead_aes256gcm_encrypt_detached(none, tag, NULL, none, 0, aad, sizeof(aad), NULL, nonce, key);
	tsr_disk_close(header, tag);
}

static bool authentic(const struct tsr_disk_header *header, const uint8_t *key)
{
	static struct tsr_disk_header copy;
	uint8_t tag[TSR_TAG_SIZE], nonce[TSR_NONCE_SIZE];

	copy = *header;
	tsr_disk_open(&copy, tag, nonce);
	header_aad(aad, &copy);
	return !crypto_aead_aes256gcm_decrypt_detached(none, NULL, none, 0, tag, aad, sizeof(aad), nonce, key);
}

static struct tsr_disk_header header;

static void a_disk(const uint8_t *key)
{
	tsr_disk_init(&header, TSR_SUITE_AES_256_GCM, id, 1000);
	tsr_disk_attach(&header, salt, 0x1122334455667788);
	tsr_disk_progress(&header, TSR_DISK_FORMATTED, 0x8877665544332211);
	seal_header(&header, key);
}

/*
 * [SEAL-2] [SEAL-4] The guest's disk is to be of one suite, the host has one of another. The AEAD is the one that the header names: a guest that learnt its
 * suite from there would use just that.
 */
static void a_guest_is_talked_into_another_suite(void **state)
{
	uint8_t theirs[TSR_KEY_SIZE], mine[TSR_KEY_SIZE];

	(void)state;
	if (!crypto_aead_aes256gcm_is_available())
		skip();
	guest_key(theirs, TSR_SUITE_AES_256_GCM, TSR_KEY_DISK_HEADER);
	guest_key(mine, TSR_SUITE_AEGIS_128L, TSR_KEY_DISK_HEADER);
	a_disk(theirs);
	assert_int_equal(tsr_disk_check(&header, TSR_SUITE_AEGIS_128L), TSR_DISK_BAD_SUITE);
	assert_false(authentic(&header, mine));

	left_out = SUITE; /* not measured, and what the disk says is believed */
	guest_key(theirs, TSR_SUITE_AES_256_GCM, TSR_KEY_DISK_HEADER);
	guest_key(mine, TSR_SUITE_AEGIS_128L, TSR_KEY_DISK_HEADER);
	a_disk(theirs);
	assert_int_equal(tsr_disk_check(&header, header.suite), TSR_DISK_OK);
	assert_true(authentic(&header, mine));
}

/* [DISK-1] [DISK-2] */
static void a_header_is_altered(void **state)
{
	static const size_t at[] = {
		offsetof(struct tsr_disk_header, disk_id), offsetof(struct tsr_disk_header, blocks), offsetof(struct tsr_disk_header, generation),
		offsetof(struct tsr_disk_header, salt), offsetof(struct tsr_disk_header, counter), offsetof(struct tsr_disk_header, tag),
	};
	uint8_t key[TSR_KEY_SIZE];

	(void)state;
	if (!crypto_aead_aes256gcm_is_available())
		skip();
	guest_key(key, TSR_SUITE_AES_256_GCM, TSR_KEY_DISK_HEADER);
	a_disk(key);
	assert_true(authentic(&header, key));
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		((uint8_t *)&header)[at[i]] ^= 0x10;
		assert_false(authentic(&header, key));
		/* Its fields alone do not tell. */
		assert_int_equal(tsr_disk_check(&header, TSR_SUITE_AES_256_GCM), TSR_DISK_OK);
		((uint8_t *)&header)[at[i]] ^= 0x10;
	}
}

static uint8_t cipher[TSR_BLOCK_SIZE];

static struct tsr_seal seal_block(const struct tsr_seal_disk *disk, uint64_t block, const uint8_t *key)
{
	uint8_t nonce[TSR_NONCE_SIZE];
	struct tsr_seal_aad with;
	struct tsr_seal seal;

	tsr_seal_init(&seal, 9, 1, 0);
	associated(&with, disk, block, &seal);
	tsr_seal_nonce(nonce, seal.counter, TSR_NONCE_BLOCK);
	memset(cipher, 0x5e, sizeof(cipher));
	crypto_aead_aes256gcm_encrypt_detached(cipher, seal.tag, NULL, cipher, sizeof(cipher), (const uint8_t *)&with, sizeof(with), NULL, nonce, key);
	return seal;
}

static bool opens(const struct tsr_seal_disk *disk, uint64_t block, const struct tsr_seal *seal, const uint8_t *key)
{
	uint8_t nonce[TSR_NONCE_SIZE], text[TSR_BLOCK_SIZE];
	struct tsr_seal_aad with;

	associated(&with, disk, block, seal);
	tsr_seal_nonce(nonce, seal->counter, TSR_NONCE_BLOCK);
	return !crypto_aead_aes256gcm_decrypt_detached(text, NULL, cipher, sizeof(cipher), seal->tag, (const uint8_t *)&with, sizeof(with), nonce, key);
}

/* [SEAL-4] [SEAL-9] Whatever says where a block belongs: without it the block is good in another place. */
static void a_block_is_moved(void **state)
{
	struct tsr_seal_disk here = { .suite = TSR_SUITE_AES_256_GCM }, there;
	uint8_t key[TSR_KEY_SIZE];

	(void)state;
	if (!crypto_aead_aes256gcm_is_available())
		skip();
	memcpy(here.label, label, sizeof(label));
	memcpy(here.disk_id, id, sizeof(id));
	guest_key(key, TSR_SUITE_AES_256_GCM, TSR_KEY_DISK_ATTACH);
	for (unsigned what = SUITE; what <= BLOCK; what++) {
		for (unsigned without = 0; without < 2; without++) {
			struct tsr_seal seal;

			left_out = without ? what : NOTHING;
			seal = seal_block(&here, 7, key);
			assert_true(opens(&here, 7, &seal, key));
			there = here;
			there.suite += what == SUITE;
			there.label[0] ^= what == LABEL;
			there.disk_id[0] ^= what == DISK;
			assert_int_equal(opens(&there, 7 + (what == BLOCK), &seal, key), without);
		}
	}
}

static int start(void **state)
{
	(void)state;
	return sodium_init() < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_guest_is_talked_into_another_suite, setup),
		cmocka_unit_test_setup(a_header_is_altered, setup),
		cmocka_unit_test_setup(a_block_is_moved, setup),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
