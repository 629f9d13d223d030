/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* sources: proto/aegis.c proto/seal.c */
/* libs: -lsodium */
/*
 * AEGIS-128L: the draft's answers, and that it may work on memory which somebody else changes. For the latter a page is taken away, so that each
 * access to it faults, is noted, and is then let through alone.
 */
#include "unit.h"
#include <signal.h>
#include <sodium.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "proto/aegis.h"
#include "proto/seal.h"

#define TRAP 0x100 /* RFLAGS.TF */

static const uint8_t key[16] = { 0x10, 0x01 }, nonce[16] = { 0x10, 0x00, 0x02 };
static const uint8_t ad8[32] = { 0, 1, 2, 3, 4, 5, 6, 7 };
static uint8_t counting[4096], ad88[96];

static int setup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(counting); i++)
		counting[i] = i;
	return sodium_init() < 0;
}

static void same(const uint8_t *data, size_t size, const char *hex)
{
	char text[256];

	assert_string_equal(sodium_bin2hex(text, sizeof(text), data, size), hex);
}

/* Vectors 2 and 3 of draft-irtf-cfrg-aegis-aead; the others have texts that are not whole steps. */
static void the_answers_are_those_of_the_draft(void **state)
{
	uint8_t tag[16], cipher[32];

	(void)state;
	tsr_aegis_seal(tag, cipher, counting, 0, counting, 0, nonce, key);
	same(tag, 16, "c2b879a67def9d74e6c14f708bbcc9b4");
	tsr_aegis_seal(tag, cipher, counting, 32, ad8, 8, nonce, key);
	same(tag, 16, "cc6f3372f6aa1bb82388d695c3962d9a");
	same(cipher, 32, "79d94593d8c2119d7e8fd9b8fc77845c5c077a05b2528b6ac54b563aed8efe84");
}

/* [SEAL-2] [SEAL-3] [SEAL-4] Computed by proto_vectors.py. */
static void a_block_is_sealed_as_another_implementation_does(void **state)
{
	static const uint8_t attach[16] = { 0x09, 0xb2, 0x67, 0xd1, 0xae, 0xa5, 0xdd, 0x45, 0x29, 0x4b, 0xfd, 0x5c, 0x06, 0xd8, 0xb5, 0x63 };
	struct tsr_seal_disk disk = { .suite = TSR_SUITE_AEGIS_128L, .label = "root" };
	uint8_t text[TSR_BLOCK_SIZE], cipher[TSR_BLOCK_SIZE], full[TSR_AEGIS_NONCE] = { 0 }, tag[16];
	struct tsr_seal_aad aad[2] = { 0 };
	struct tsr_seal seal;

	(void)state;
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = i * 7;
	for (unsigned i = 0; i < 16; i++)
		disk.disk_id[i] = 0x50 + i;
	tsr_seal_init(&seal, 9, 3, 0);
	tsr_seal_aad_disk(aad, &disk);
	tsr_seal_aad_block(aad, 7, &seal);
	tsr_seal_nonce(full, 9, TSR_NONCE_BLOCK);
	tsr_aegis_seal(tag, cipher, text, sizeof(text), aad, sizeof(aad[0]), full, attach);
	same(tag, 16, "294d1f615423c1565af1758c994a3dce");
	same(cipher, 16, "f7fbb6a46e77799b4a0537491b9785f2");
}

static void what_is_sealed_opens_and_what_is_changed_does_not(void **state)
{
	uint8_t tag[16], other[16], ad[64] = { 0 }, cipher[4096] __attribute__((aligned(16))), text[4096 + 1];

	(void)state;
	for (size_t size = 0; size <= sizeof(cipher); size += 32) {
		memcpy(ad, counting, size / 64);
		tsr_aegis_seal(tag, cipher, counting, size, ad, size / 64, nonce, key);
		tsr_aegis_open(other, text + 1, cipher, size, ad, size / 64, nonce, key);
		assert_true(tsr_aegis_same(tag, other));
		assert_memory_equal(text + 1, counting, size);
		if (!size)
			continue;
		cipher[size - 1] ^= 0x80;
		tsr_aegis_open(other, text, cipher, size, ad, size / 64, nonce, key);
		assert_false(tsr_aegis_same(tag, other));
	}
	for (unsigned bit = 0; bit < 128; bit++) {
		memcpy(other, tag, 16);
		other[bit / 8] ^= 1 << bit % 8;
		assert_false(tsr_aegis_same(tag, other));
	}
}

/* ------------------------------------------------------------------ every access */

#define UNITS (TSR_BLOCK_SIZE / 16)

static uint8_t *page;
static unsigned loads[UNITS], stores[UNITS];
static int change_at_second_load = -1; /* of this unit */

static void accessed(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	size_t unit = ((uint8_t *)info->si_addr - page) / 16;

	(void)signal;
	if (unit >= UNITS)
		_exit(1);
	mprotect(page, TSR_BLOCK_SIZE, PROT_READ | PROT_WRITE);
	at->uc_mcontext.gregs[REG_EFL] |= TRAP; /* this one instruction */
	if (at->uc_mcontext.gregs[REG_ERR] & 2)
		stores[unit]++;
	else if (++loads[unit] == 2 && (int)unit == change_at_second_load)
		page[unit * 16] ^= 1;
}

static void passed(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)signal;
	(void)info;
	mprotect(page, TSR_BLOCK_SIZE, PROT_NONE);
	at->uc_mcontext.gregs[REG_EFL] &= ~TRAP;
}

static void watch_page(const uint8_t *contents)
{
	struct sigaction action = { .sa_sigaction = accessed, .sa_flags = SA_SIGINFO };

	if (!page)
		page = mmap(NULL, TSR_BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
	action.sa_sigaction = passed;
	assert_int_equal(sigaction(SIGTRAP, &action, NULL), 0);
	memset(loads, 0, sizeof(loads));
	memset(stores, 0, sizeof(stores));
	memcpy(page, contents, TSR_BLOCK_SIZE);
	mprotect(page, TSR_BLOCK_SIZE, PROT_NONE);
}

static void watched(void)
{
	signal(SIGSEGV, SIG_DFL);
	mprotect(page, TSR_BLOCK_SIZE, PROT_READ | PROT_WRITE);
}

static void each_has(const unsigned count[UNITS], unsigned expected)
{
	for (unsigned i = 0; i < UNITS; i++)
		assert_int_equal(count[i], expected);
}

/* [SEAL-8] */
static void each_byte_of_a_ciphertext_is_loaded_once(void **state)
{
	uint8_t tag[16], got[16], cipher[TSR_BLOCK_SIZE], text[TSR_BLOCK_SIZE];

	(void)state;
	tsr_aegis_seal(tag, cipher, counting, TSR_BLOCK_SIZE, ad88, 88, nonce, key);
	watch_page(cipher);
	tsr_aegis_open(got, text, page, TSR_BLOCK_SIZE, ad88, 88, nonce, key);
	watched();
	assert_true(tsr_aegis_same(got, tag));
	assert_memory_equal(text, counting, TSR_BLOCK_SIZE);
	each_has(loads, 1);
	each_has(stores, 0);
}

/* [SEAL-8] */
static void a_ciphertext_is_stored_once_and_never_loaded(void **state)
{
	uint8_t tag[16], cipher[TSR_BLOCK_SIZE];

	(void)state;
	watch_page(counting);
	tsr_aegis_seal(tag, page, counting, TSR_BLOCK_SIZE, ad88, 88, nonce, key);
	watched();
	each_has(loads, 0);
	each_has(stores, 1);
	tsr_aegis_seal(tag, cipher, counting, TSR_BLOCK_SIZE, ad88, 88, nonce, key);
	assert_memory_equal(page, cipher, TSR_BLOCK_SIZE);
}

/* A program may change what it has given to be written: seal and ciphertext still belong together. */
static void each_byte_of_a_text_is_loaded_once(void **state)
{
	uint8_t tag[16], cipher[TSR_BLOCK_SIZE];

	(void)state;
	watch_page(counting);
	tsr_aegis_seal(tag, cipher, page, TSR_BLOCK_SIZE, ad88, 88, nonce, key);
	watched();
	each_has(loads, 1);
	each_has(stores, 0);
}

/* Control: AES-256-GCM loads a ciphertext twice; changed in between, it is another text and authentic. Hence the private copy there. */
static void aes_gcm_opens_a_changed_text(void **state)
{
	uint8_t tag[16], cipher[TSR_BLOCK_SIZE], text[TSR_BLOCK_SIZE], long_key[32] = { 1 };
	int refused;

	(void)state;
	if (!crypto_aead_aes256gcm_is_available())
		skip();
	crypto_aead_aes256gcm_encrypt_detached(cipher, tag, NULL, counting, sizeof(text), ad88, 88, NULL, nonce, long_key);
	change_at_second_load = 5;
	watch_page(cipher);
	refused = crypto_aead_aes256gcm_decrypt_detached(text, NULL, page, sizeof(text), tag, ad88, 88, nonce, long_key);
	watched();
	change_at_second_load = -1;
	each_has(loads, 2);
	assert_int_equal(refused, 0);
	assert_memory_not_equal(text, counting, TSR_BLOCK_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answers_are_those_of_the_draft),
		cmocka_unit_test(a_block_is_sealed_as_another_implementation_does),
		cmocka_unit_test(what_is_sealed_opens_and_what_is_changed_does_not),
		cmocka_unit_test(each_byte_of_a_ciphertext_is_loaded_once),
		cmocka_unit_test(a_ciphertext_is_stored_once_and_never_loaded),
		cmocka_unit_test(each_byte_of_a_text_is_loaded_once),
		cmocka_unit_test(aes_gcm_opens_a_changed_text),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
