// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Sealing and opening. AEGIS-128L goes straight from private memory into the pool and back, since it loads each byte once (proto/aegis.h).
 * The kernel's AES-256-GCM does not: of what the backend can write while it is read, it could find one text authentic and leave another. So
 * its ciphertext is in private memory while it works.
 */
#include <asm/fpu/api.h>
#include <linux/crypto.h>
#include <linux/slab.h>
#include "blk.h"
#include "proto/disk.h"

int blk_key_init(struct blk_key *key, u32 suite)
{
	struct crypto_aead *tfm;
	int err;

	if (suite == TSR_SUITE_AEGIS_128L)
		return 0;
	/* Asynchronous implementations are allowed: without them Linux picks a slow one. gcm() waits where it must. */
	tfm = crypto_alloc_aead("gcm(aes)", 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	err = crypto_aead_setauthsize(tfm, TSR_TAG_SIZE);
	if (!err && crypto_aead_ivsize(tfm) != TSR_NONCE_SIZE)
		err = -EINVAL;
	if (err)
		crypto_free_aead(tfm);
	else
		key->tfm = tfm;
	return err;
}

void blk_key_exit(struct blk_key *key)
{
	crypto_free_aead(key->tfm);
	memzero_explicit(key, sizeof(*key));
}

static int set_key(struct blk_key *key, const u8 bytes[TSR_KEY_SIZE])
{
	if (key->tfm)
		return crypto_aead_setkey(key->tfm, bytes, TSR_KEY_SIZE);
	memcpy(key->bytes, bytes, sizeof(key->bytes));
	return 0;
}

struct blk_aead *blk_aead_alloc(const struct blk_key *key)
{
	struct blk_aead *aead = kzalloc(sizeof(*aead), GFP_KERNEL);

	if (!aead || !key->tfm)
		return aead;
	aead->req = aead_request_alloc(key->tfm, GFP_KERNEL);
	if (!aead->req) {
		kfree(aead);
		return NULL;
	}
	crypto_init_wait(&aead->wait);
	return aead;
}

void blk_aead_free(struct blk_aead *aead)
{
	if (!aead)
		return;
	if (aead->req)
		aead_request_free(aead->req);
	kfree(aead);
}

/* With the FPU. */
static __always_inline int aegis(struct blk_aead *aead, const struct blk_key *key, const void *assoc, u32 assoc_size, void *to, const void *from,
				 u32 size, bool seal)
{
	if (seal) {
		tsr_aegis_seal(aead->tag, to, from, size, assoc, assoc_size, aead->nonce, key->bytes);
		return 0;
	}
	tsr_aegis_open(aead->made, to, from, size, assoc, assoc_size, aead->nonce, key->bytes);
	return tsr_aegis_same(aead->made, aead->tag) ? 0 : -EBADMSG;
}

static void set_list(struct scatterlist sg[3], const void *assoc, u32 assoc_size, const void *text, u32 size, const void *tag)
{
	unsigned int n = 0;

	sg_init_table(sg, size ? 3 : 2);
	sg_set_buf(&sg[n++], assoc, assoc_size);
	if (size)
		sg_set_buf(&sg[n++], text, size);
	sg_set_buf(&sg[n], tag, TSR_TAG_SIZE);
}

static int gcm(struct blk_aead *aead, const struct blk_key *key, const void *assoc, u32 assoc_size, void *to, const void *from, u32 size, bool seal)
{
	set_list(aead->from, assoc, assoc_size, from, size, aead->tag);
	set_list(aead->to, assoc, assoc_size, to, size, aead->tag);
	aead_request_set_tfm(aead->req, key->tfm);
	aead_request_set_callback(aead->req, CRYPTO_TFM_REQ_MAY_SLEEP | CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, &aead->wait);
	aead_request_set_ad(aead->req, assoc_size);
	aead_request_set_crypt(aead->req, aead->from, aead->to, seal ? size : size + TSR_TAG_SIZE, aead->nonce);
	return crypto_wait_req(seal ? crypto_aead_encrypt(aead->req) : crypto_aead_decrypt(aead->req), &aead->wait);
}

/* ------------------------------------------------------------------ blocks */

void blk_aead_rest(struct blk_queue *q)
{
	if (q->stretch)
		kernel_fpu_end();
	q->stretch = 0;
}

/* The queue's nonce is set; aead->tag goes in when opening and comes out when sealing. size 0: there is no text. */
static __always_inline int block_crypt(struct blk_queue *q, const struct blk_key *key, void *to, const void *from, u32 size, bool seal)
{
	struct blk_aead *aead = q->aead;
	int err;

	if (key->tfm)
		return gcm(aead, key, &aead->aad, sizeof(aead->aad), to, from, size, seal);
	if (!q->stretch) {
		kernel_fpu_begin();
		q->stretch = BLK_STRETCH;
	}
	err = aegis(aead, key, &aead->aad, sizeof(aead->aad), to, from, size, seal);
	if (!--q->stretch)
		kernel_fpu_end(); /* others may need the processor */
	return err;
}

void blk_aead_renew(struct blk_queue *q)
{
	u32 i;

	tsr_seal_aad_disk(&q->aead->aad, &q->blk->disk);
	for (i = 0; i < BLK_KEYS; i++)
		q->key[i].epoch = 0;
}

static int derive(struct blk_queue *q, struct blk_key *key, u32 epoch)
{
	struct blk *b = q->blk;
	u8 bytes[TSR_KEY_SIZE];
	int err;

	key->epoch = 0;
	err = tsr_key_derive(b->disk.label, TSR_KEY_DISK_ATTACH, b->header->disk.salt[epoch - 1], bytes);
	if (!err)
		err = set_key(key, bytes);
	memzero_explicit(bytes, sizeof(bytes));
	if (!err)
		key->epoch = epoch;
	return err;
}

/* From the queue's few keys, or from the hypervisor, which may take a while. */
static noinline struct blk_key *find_key(struct blk_queue *q, u32 epoch)
{
	struct blk_key *key = &q->key[0];
	u32 i;
	int err = 0;

	for (i = 0; i < BLK_KEYS && key->epoch != epoch; i++)
		if (q->key[i].epoch == epoch || q->key[i].used < key->used)
			key = &q->key[i];
	if (key->epoch != epoch) {
		blk_aead_rest(q);
		err = derive(q, key, epoch);
	}
	if (err)
		return ERR_PTR(err);
	key->used = ++q->key_clock;
	q->key_last = key;
	return key;
}

/* The key of an epoch of the header. */
static inline struct blk_key *key_of(struct blk_queue *q, u32 epoch)
{
	return q->key_last && q->key_last->epoch == epoch ? q->key_last : find_key(q, epoch);
}

#ifndef TSR_TEST_NO_SEAL

int blk_seal(struct blk_queue *q, u64 block, void *to, const void *text)
{
	struct blk *b = q->blk;
	struct blk_aead *aead = q->aead;
	struct blk_key *key = key_of(q, b->epoch);
	u32 size = text ? TSR_BLOCK_SIZE : 0;
	void *cipher;
	int err;

	if (IS_ERR(key))
		return PTR_ERR(key);
	cipher = key->tfm ? q->bounce : to;
	/* A counter is never used twice under this epoch's key, whatever becomes of the write. */
	tsr_seal_init(&aead->seal, atomic64_inc_return(&b->counter), b->epoch, text ? 0 : TSR_SEAL_ZERO);
	tsr_seal_aad_block(&aead->aad, block, &aead->seal);
	tsr_seal_nonce(aead->nonce, aead->seal.counter, TSR_NONCE_BLOCK);
	err = block_crypt(q, key, cipher, text, size, true);
	if (err)
		return err;
	if (size && cipher != to)
		memcpy(to, cipher, size);
	memcpy(aead->seal.tag, aead->tag, TSR_TAG_SIZE);
	q->count.sealed_bytes += size;
	return 0;
}

int blk_open(struct blk_queue *q, u64 block, void *text, const void *from)
{
	struct blk_aead *aead = q->aead;
	u32 size = tsr_seal_text_size(&aead->seal);
	struct blk_key *key;
	int err;

	if (!CHECKED(WRITTEN) && tsr_is_zero(&aead->seal, sizeof(aead->seal))) {
		memset(text, 0, TSR_BLOCK_SIZE);
		return 0;
	}
	if (tsr_seal_check(&aead->seal, q->blk->header->disk.epochs) != TSR_SEAL_OK)
		return -EBADMSG;
	key = key_of(q, aead->seal.epoch);
	if (IS_ERR(key))
		return PTR_ERR(key);
	if (size && key->tfm)
		from = memcpy(q->bounce, from, size);
	tsr_seal_aad_block(&aead->aad, block, &aead->seal);
	tsr_seal_nonce(aead->nonce, aead->seal.counter, TSR_NONCE_BLOCK);
	memcpy(aead->tag, aead->seal.tag, TSR_TAG_SIZE);
	err = block_crypt(q, key, text, from, size, false);
	if (err || size == 0)
		memset(text, 0, TSR_BLOCK_SIZE); /* what does not belong to its seal is nobody's to see */
	if (!err)
		q->count.opened_bytes += size;
	return err;
}

#else /* TSR_TEST_NO_SEAL: the negative control of the tests. Blocks leave in the clear and come back unchecked. */

int blk_seal(struct blk_queue *q, u64 block, void *to, const void *text)
{
	struct tsr_seal *seal = &q->aead->seal;

	tsr_seal_init(seal, atomic64_inc_return(&q->blk->counter), q->blk->epoch, text ? 0 : TSR_SEAL_ZERO);
	memcpy(seal->tag, &seal->counter, sizeof(seal->counter));
	if (text)
		memcpy(to, text, TSR_BLOCK_SIZE);
	return PTR_ERR_OR_ZERO(key_of(q, q->blk->epoch)); /* so that keys are in memory as they are otherwise */
}

int blk_open(struct blk_queue *q, u64 block, void *text, const void *from)
{
	if (tsr_seal_check(&q->aead->seal, q->blk->header->disk.epochs) != TSR_SEAL_OK)
		return -EBADMSG;
	if (tsr_seal_text_size(&q->aead->seal))
		memcpy(text, from, TSR_BLOCK_SIZE);
	else
		memset(text, 0, TSR_BLOCK_SIZE);
	return 0;
}

#endif

/* ------------------------------------------------------------------ the header */

int blk_header_key(struct blk *b)
{
	static const u8 no_salt[TSR_SALT_SIZE];
	u8 bytes[TSR_KEY_SIZE];
	int err;

	if (b->header_key.epoch)
		return 0;
	err = tsr_key_derive(b->disk.label, TSR_KEY_DISK_HEADER, no_salt, bytes);
	if (!err)
		err = set_key(&b->header_key, bytes);
	memzero_explicit(bytes, sizeof(bytes));
	b->header_key.epoch = !err;
	return err;
}

static int header_crypt(struct blk *b, struct blk_header *header, bool seal)
{
	struct blk_aead *aead = b->aead;
	int err;

	memcpy(header->label, b->disk.label, sizeof(header->label));
	tsr_disk_open(&header->disk, aead->tag, aead->nonce);
	if (b->header_key.tfm) {
		err = gcm(aead, &b->header_key, header, sizeof(*header), NULL, NULL, 0, seal);
	} else {
		kernel_fpu_begin();
		err = aegis(aead, &b->header_key, header, sizeof(*header), NULL, NULL, 0, seal);
		kernel_fpu_end();
	}
	if (!err)
		tsr_disk_close(&header->disk, aead->tag);
	return err;
}

int blk_header_seal(struct blk *b, struct blk_header *header)
{
	return header_crypt(b, header, true);
}

int blk_header_verify(struct blk *b, struct blk_header *header)
{
	return header_crypt(b, header, false);
}
