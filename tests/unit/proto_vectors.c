/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: proto/[a-z]*.c */
/* libs: -lsodium -lpthread */
/* Known answers for keys, identities and seals: computed by tests/unit/proto_vectors.py. */
#include "unit.h"
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include "proto/kdf.h"
#include "proto/measure.h"
#include "proto/seal.h"

static const uint8_t known_attach[] = {
	0x09, 0xb2, 0x67, 0xd1, 0xae, 0xa5, 0xdd, 0x45, 0x29, 0x4b, 0xfd, 0x5c, 0x06, 0xd8, 0xb5, 0x63,
	0x42, 0x9a, 0x0b, 0xf8, 0xa0, 0x99, 0x9c, 0xad, 0xca, 0x10, 0xe3, 0x75, 0x39, 0x69, 0x09, 0x8d,
};
static const uint8_t known_header[] = {
	0xb2, 0x79, 0xe6, 0x91, 0xcd, 0xa2, 0xb9, 0xb5, 0x63, 0x31, 0x05, 0x67, 0x01, 0x1b, 0x59, 0x8a,
	0x60, 0x3f, 0x3e, 0xf2, 0xba, 0xd7, 0x47, 0x9b, 0xac, 0x15, 0xca, 0xda, 0xae, 0xf6, 0xf8, 0xaa,
};
static const uint8_t known_ident[] = {
	0xb7, 0xea, 0xd5, 0x33, 0x6c, 0xf1, 0x05, 0x94, 0x50, 0x0d, 0x0b, 0xcb, 0xc6, 0xef, 0x2b, 0x33,
	0x55, 0x1a, 0xc4, 0x34, 0x98, 0xb1, 0x0d, 0x81, 0xe9, 0x6c, 0x12, 0x30, 0xab, 0x20, 0x63, 0x53,
};
static const uint8_t known_aad[] = {
	0x54, 0x53, 0x52, 0x42, 0x4c, 0x4b, 0x31, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x72, 0x6f, 0x6f, 0x74, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f,
	0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};
static const uint8_t known_tag[] = {
	0x17, 0xcd, 0xa7, 0xd3, 0x6d, 0x89, 0x50, 0x33, 0x23, 0x1a, 0x75, 0xac, 0xee, 0x68, 0xa5, 0x74,
};
static const uint8_t known_ct0[] = {
	0x18, 0xd1, 0x14, 0x3f, 0x2d, 0x90, 0xa7, 0x53, 0xca, 0x80, 0xe1, 0x42, 0x5f, 0xce, 0xd8, 0xe5,
};

static const uint8_t zero_salt[16];
static uint8_t root[32], identity[32], label[32] = "root", salt[16], disk_id[16];

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < 32; i++) {
		root[i] = i;
		identity[i] = 32 + i;
	}
	for (int i = 0; i < 16; i++) {
		salt[i] = 0xa0 + i;
		disk_id[i] = 0x50 + i;
	}
	return sodium_init() < 0;
}

/* [SEAL-KDF-1] */
static void keys_are_those_that_hashlib_computes(void **state)
{
	uint8_t key[32];

	(void)state;
	tsr_kdf(key, root, identity, label, TSR_KEY_DISK_ATTACH, salt);
	assert_memory_equal(key, known_attach, 32);
	tsr_kdf(key, root, identity, label, TSR_KEY_DISK_HEADER, zero_salt);
	assert_memory_equal(key, known_header, 32);
}

/* [SEAL-KDF-1] [SEAL-KDF-2] [SEAL-KDF-3] */
static void every_input_changes_the_key(void **state)
{
	uint8_t *input[] = { root, identity, label, salt };
	size_t size[] = { sizeof(root), sizeof(identity), sizeof(label), sizeof(salt) };
	uint8_t key[32];

	(void)state;
	for (int i = 0; i < 4; i++) {
		for (size_t at = 0; at < size[i]; at++) {
			input[i][at] ^= 0x80;
			tsr_kdf(key, root, identity, label, TSR_KEY_DISK_ATTACH, salt);
			assert_memory_not_equal(key, known_attach, 32);
			input[i][at] ^= 0x80;
		}
	}
	tsr_kdf(key, root, identity, label, TSR_KEY_APPLICATION, salt);
	assert_memory_not_equal(key, known_attach, 32);
}

static void measure(uint8_t digest[32], const struct tsr_guest_create *config, uint64_t gfn, const uint8_t *second, uint32_t eip, uint32_t esi)
{
	struct tsr_measure m;
	uint8_t first[TSR_PAGE_SIZE];

	memset(first, 0x11, sizeof(first));
	tsr_measure_create(&m, config);
	tsr_measure_load(&m, gfn, first);
	tsr_measure_load(&m, gfn + 1, second);
	tsr_measure_launch(&m, eip, esi, digest);
}

static struct tsr_guest_create config(void)
{
	struct tsr_guest_create c = { .mem_pages = 16384, .vcpus = 1, .flags = 1, .instance = "tenant" };

	c.device[0] = (struct tsr_device_desc){ .type = TSR_DEVICE_BLOCK, .suite = TSR_SUITE_AES_256_GCM, .label = "root" };
	return c;
}

static void an_identity_is_the_one_that_hashlib_computes(void **state)
{
	struct tsr_guest_create c = config();
	uint8_t digest[32], page[TSR_PAGE_SIZE];

	(void)state;
	for (int i = 0; i < 4096; i++)
		page[i] = i;
	measure(digest, &c, 256, page, 0x100000, 0x90000);
	assert_memory_equal(digest, known_ident, 32);
}

static void everything_measured_changes_the_identity(void **state)
{
	struct tsr_guest_create c = config();
	uint8_t digest[32], page[TSR_PAGE_SIZE];

	(void)state;
	for (int i = 0; i < 4096; i++)
		page[i] = i;
	measure(digest, &c, 255, page, 0x100000, 0x90000);
	assert_memory_not_equal(digest, known_ident, 32);
	measure(digest, &c, 256, page, 0x100001, 0x90000);
	assert_memory_not_equal(digest, known_ident, 32);
	measure(digest, &c, 256, page, 0x100000, 0x90001);
	assert_memory_not_equal(digest, known_ident, 32);
	page[4095] ^= 1;
	measure(digest, &c, 256, page, 0x100000, 0x90000);
	assert_memory_not_equal(digest, known_ident, 32);
	page[4095] ^= 1;
	for (size_t at = 0; at < sizeof(c); at++) {
		((uint8_t *)&c)[at] ^= 1;
		measure(digest, &c, 256, page, 0x100000, 0x90000);
		assert_memory_not_equal(digest, known_ident, 32);
		((uint8_t *)&c)[at] ^= 1;
	}
}

static struct tsr_seal_disk disk(void)
{
	struct tsr_seal_disk d = { .suite = TSR_SUITE_AES_256_GCM };

	memcpy(d.label, label, sizeof(d.label));
	memcpy(d.disk_id, disk_id, sizeof(d.disk_id));
	return d;
}

/* [SEAL-4] */
static void associated_data_has_the_octets_of_the_spec(void **state)
{
	struct tsr_seal_disk d = disk();
	struct tsr_seal seal;
	struct tsr_seal_aad aad;

	(void)state;
	tsr_seal_init(&seal, 9, 3, 0);
	tsr_seal_aad_disk(&aad, &d);
	tsr_seal_aad_block(&aad, 7, &seal);
	assert_int_equal(sizeof(aad), sizeof(known_aad));
	assert_memory_equal(&aad, known_aad, sizeof(aad));
}

/* Opens cipher with everything as known but for what the caller changed: 0 if it is authentic. */
static int opens(const struct tsr_seal_disk *d, uint64_t block, const struct tsr_seal *seal, const uint8_t *cipher, const uint8_t *key)
{
	struct tsr_seal_aad aad;
	uint8_t nonce[TSR_NONCE_SIZE], text[TSR_BLOCK_SIZE];

	tsr_seal_aad_disk(&aad, d);
	tsr_seal_aad_block(&aad, block, seal);
	tsr_seal_nonce(nonce, seal->counter, TSR_NONCE_BLOCK);
	return crypto_aead_aes256gcm_decrypt_detached(text, NULL, cipher, tsr_seal_text_size(seal), seal->tag, (const uint8_t *)&aad,
						      sizeof(aad), nonce, key);
}

/* [SEAL-1] [SEAL-2] [SEAL-3] */
static void a_seal_is_the_one_that_another_aes_gcm_computes(void **state)
{
	struct tsr_seal_disk d = disk();
	struct tsr_seal seal, other;
	uint8_t cipher[TSR_BLOCK_SIZE], nonce[TSR_NONCE_SIZE];

	(void)state;
	if (!crypto_aead_aes256gcm_is_available())
		skip();
	tsr_seal_init(&seal, 9, 3, 0);
	tsr_seal_nonce(nonce, 9, TSR_NONCE_BLOCK);
	for (int i = 0; i < 4096; i++)
		cipher[i] = i * 7;
	crypto_aead_aes256gcm_encrypt_detached(cipher, seal.tag, NULL, cipher, sizeof(cipher), known_aad, sizeof(known_aad), NULL, nonce,
					       known_attach);
	assert_memory_equal(seal.tag, known_tag, sizeof(known_tag));
	assert_memory_equal(cipher, known_ct0, sizeof(known_ct0));
	assert_int_equal(opens(&d, 7, &seal, cipher, known_attach), 0);

	/* Another place, disk, label, suite, counter, epoch, kind or key: refused. */
	assert_int_not_equal(opens(&d, 8, &seal, cipher, known_attach), 0);
	assert_int_not_equal(opens(&d, 7, &seal, cipher, known_header), 0);
	d.disk_id[15] ^= 1;
	assert_int_not_equal(opens(&d, 7, &seal, cipher, known_attach), 0);
	d = disk();
	d.label[31] ^= 1;
	assert_int_not_equal(opens(&d, 7, &seal, cipher, known_attach), 0);
	d = disk();
	d.suite++;
	assert_int_not_equal(opens(&d, 7, &seal, cipher, known_attach), 0);
	d = disk();
	for (size_t at = 0; at < sizeof(seal); at++) {
		other = seal;
		((uint8_t *)&other)[at] ^= 1;
		assert_int_not_equal(opens(&d, 7, &other, cipher, known_attach), 0);
	}
	cipher[4095] ^= 1;
	assert_int_not_equal(opens(&d, 7, &seal, cipher, known_attach), 0);
}

/* [SEAL-5] */
static void a_zero_block_is_sealed_over_an_empty_text(void **state)
{
	struct tsr_seal_disk d = disk();
	struct tsr_seal seal;
	struct tsr_seal_aad aad;
	uint8_t nonce[TSR_NONCE_SIZE], none[TSR_BLOCK_SIZE] = { 0 };

	(void)state;
	if (!crypto_aead_aes256gcm_is_available())
		skip();
	tsr_seal_init(&seal, 10, 3, TSR_SEAL_ZERO);
	assert_int_equal(tsr_seal_text_size(&seal), 0);
	tsr_seal_aad_disk(&aad, &d);
	tsr_seal_aad_block(&aad, 7, &seal);
	tsr_seal_nonce(nonce, 10, TSR_NONCE_BLOCK);
	crypto_aead_aes256gcm_encrypt_detached(none, seal.tag, NULL, none, 0, (const uint8_t *)&aad, sizeof(aad), NULL, nonce, known_attach);
	assert_int_equal(opens(&d, 7, &seal, none, known_attach), 0);
	assert_int_not_equal(opens(&d, 6, &seal, none, known_attach), 0);
	seal.flags = 0;
	assert_int_not_equal(opens(&d, 7, &seal, none, known_attach), 0);
}

static uint8_t shared[TSR_BLOCK_SIZE];
static volatile bool stop;

static void *scribble(void *unused)
{
	while (!stop) {
		((volatile uint8_t *)shared)[4000] ^= 0xff;
		sched_yield(); /* on one CPU too */
	}
	return unused;
}

/* [SEAL-8] With a host that changes the ciphertext all the time, what opens from a private copy is what was sealed. */
static void a_private_copy_opens_to_the_truth_or_not_at_all(void **state)
{
	struct tsr_seal seal;
	uint8_t nonce[TSR_NONCE_SIZE], copy[TSR_BLOCK_SIZE], text[TSR_BLOCK_SIZE], zeros[TSR_BLOCK_SIZE] = { 0 };
	pthread_t thread;

	(void)state;
	if (!crypto_aead_aes256gcm_is_available())
		skip();
	tsr_seal_init(&seal, 9, 3, 0);
	tsr_seal_nonce(nonce, 9, TSR_NONCE_BLOCK);
	crypto_aead_aes256gcm_encrypt_detached(shared, seal.tag, NULL, zeros, sizeof(zeros), known_aad, sizeof(known_aad), NULL, nonce,
					       known_attach);
	assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
	for (int i = 0; i < 200; i++) {
		for (int at = 0; at < 4096; at++)
			copy[at] = ((volatile uint8_t *)shared)[at];
		if (crypto_aead_aes256gcm_decrypt_detached(text, NULL, copy, sizeof(copy), seal.tag, known_aad, sizeof(known_aad), nonce,
							   known_attach) == 0)
			assert_memory_equal(text, zeros, sizeof(text));
	}
	stop = true;
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_those_that_hashlib_computes),
		cmocka_unit_test(every_input_changes_the_key),
		cmocka_unit_test(an_identity_is_the_one_that_hashlib_computes),
		cmocka_unit_test(everything_measured_changes_the_identity),
		cmocka_unit_test(associated_data_has_the_octets_of_the_spec),
		cmocka_unit_test(a_seal_is_the_one_that_another_aes_gcm_computes),
		cmocka_unit_test(a_private_copy_opens_to_the_truth_or_not_at_all),
		cmocka_unit_test(a_zero_block_is_sealed_over_an_empty_text),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
