// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Sealing and opening with the kernel's AES-256-GCM, in private memory only: a text that the backend can write while it is read
 * could be authentic when it is checked and another when it is used.
 */
#include <linux/crypto.h>
#include <linux/slab.h>
#include "blk.h"
#include "proto/disk.h"

struct crypto_aead *blk_tfm_alloc(void)
{
	/* Asynchronous implementations are allowed: without them Linux picks a slow one. blk_crypt waits where it must. */
	struct crypto_aead *tfm = crypto_alloc_aead("gcm(aes)", 0, 0);
	int err;

	if (IS_ERR(tfm))
		return tfm;
	err = crypto_aead_setauthsize(tfm, TSR_TAG_SIZE);
	if (!err && crypto_aead_ivsize(tfm) != TSR_NONCE_SIZE)
		err = -EINVAL;
	if (!err)
		return tfm;
	crypto_free_aead(tfm);
	return ERR_PTR(err);
}

struct blk_aead *blk_aead_alloc(struct crypto_aead *tfm)
{
	struct blk_aead *aead = kzalloc(sizeof(*aead), GFP_KERNEL);

	if (!aead)
		return NULL;
	aead->req = aead_request_alloc(tfm, GFP_KERNEL);
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
	aead_request_free(aead->req);
	kfree(aead);
}

/* aead->nonce is set; aead->tag goes in when opening and comes out when sealing. size 0: there is no text. */
static int blk_crypt(struct blk_aead *aead, struct crypto_aead *tfm, const void *assoc, u32 assoc_size, void *text, u32 size, bool seal)
{
	unsigned int n = 0;

	sg_init_table(aead->sg, size ? 3 : 2);
	sg_set_buf(&aead->sg[n++], assoc, assoc_size);
	if (size)
		sg_set_buf(&aead->sg[n++], text, size);
	sg_set_buf(&aead->sg[n], aead->tag, TSR_TAG_SIZE);
	aead_request_set_tfm(aead->req, tfm);
	aead_request_set_callback(aead->req, CRYPTO_TFM_REQ_MAY_SLEEP | CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, &aead->wait);
	aead_request_set_ad(aead->req, assoc_size);
	aead_request_set_crypt(aead->req, aead->sg, aead->sg, seal ? size : size + TSR_TAG_SIZE, aead->nonce);
	return crypto_wait_req(seal ? crypto_aead_encrypt(aead->req) : crypto_aead_decrypt(aead->req), &aead->wait);
}

/* ------------------------------------------------------------------ blocks */

void blk_keys_forget(struct blk_queue *q)
{
	u32 i;

	for (i = 0; i < BLK_KEYS; i++)
		q->key[i].epoch = 0;
}

/* The key of an epoch of the header, from the queue's few or from the hypervisor. */
static struct crypto_aead *key_of(struct blk_queue *q, u32 epoch)
{
	struct blk *b = q->blk;
	struct blk_key *key = &q->key[0];
	u8 bytes[TSR_KEY_SIZE];
	u32 i;
	int err;

	for (i = 0; i < BLK_KEYS; i++) {
		if (q->key[i].epoch == epoch) {
			q->key[i].used = ++q->key_clock;
			return q->key[i].tfm;
		}
		if (q->key[i].used < key->used)
			key = &q->key[i];
	}
	key->epoch = 0;
	err = tsr_key_derive(b->disk.label, TSR_KEY_DISK_ATTACH, b->header->disk.salt[epoch - 1], bytes);
	if (!err)
		err = crypto_aead_setkey(key->tfm, bytes, sizeof(bytes));
	memzero_explicit(bytes, sizeof(bytes));
	if (err)
		return ERR_PTR(err);
	key->epoch = epoch;
	key->used = ++q->key_clock;
	return key->tfm;
}

#ifndef TSR_TEST_NO_SEAL

int blk_seal(struct blk_queue *q, u64 block, void *text, struct tsr_seal *seal)
{
	struct blk *b = q->blk;
	struct blk_aead *aead = q->aead;
	struct crypto_aead *tfm = key_of(q, b->epoch);
	u32 size = text ? TSR_BLOCK_SIZE : 0;
	int err;

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	/* A counter is never used twice under this epoch's key, whatever becomes of the write. */
	tsr_seal_init(seal, atomic64_inc_return(&b->counter), b->epoch, text ? 0 : TSR_SEAL_ZERO);
	tsr_seal_aad(&aead->aad, &b->disk, block, seal);
	tsr_seal_nonce(aead->nonce, seal->counter, TSR_NONCE_BLOCK);
	err = blk_crypt(aead, tfm, &aead->aad, sizeof(aead->aad), text, size, true);
	if (err)
		return err;
	memcpy(seal->tag, aead->tag, TSR_TAG_SIZE);
	q->count.sealed_bytes += size;
	return 0;
}

int blk_open(struct blk_queue *q, u64 block, void *text, const struct tsr_seal *seal)
{
	struct blk *b = q->blk;
	struct blk_aead *aead = q->aead;
	u32 size = tsr_seal_text_size(seal);
	struct crypto_aead *tfm;
	int err;

	if (tsr_seal_check(seal, b->header->disk.epochs) != TSR_SEAL_OK)
		return -EBADMSG;
	tfm = key_of(q, seal->epoch);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	tsr_seal_aad(&aead->aad, &b->disk, block, seal);
	tsr_seal_nonce(aead->nonce, seal->counter, TSR_NONCE_BLOCK);
	memcpy(aead->tag, seal->tag, TSR_TAG_SIZE);
	err = blk_crypt(aead, tfm, &aead->aad, sizeof(aead->aad), text, size, false);
	if (err || size == 0)
		memset(text, 0, TSR_BLOCK_SIZE);
	if (!err)
		q->count.opened_bytes += size;
	return err;
}

#else /* TSR_TEST_NO_SEAL: the negative control of the tests. Blocks leave in the clear and come back unchecked. */

int blk_seal(struct blk_queue *q, u64 block, void *text, struct tsr_seal *seal)
{
	u64 counter = atomic64_inc_return(&q->blk->counter);

	tsr_seal_init(seal, counter, q->blk->epoch, text ? 0 : TSR_SEAL_ZERO);
	memcpy(seal->tag, &counter, sizeof(counter));
	return PTR_ERR_OR_ZERO(key_of(q, q->blk->epoch)); /* so that keys are in memory as they are otherwise */
}

int blk_open(struct blk_queue *q, u64 block, void *text, const struct tsr_seal *seal)
{
	if (tsr_seal_check(seal, q->blk->header->disk.epochs) != TSR_SEAL_OK)
		return -EBADMSG;
	if (tsr_seal_text_size(seal) == 0)
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

	if (b->have_header_key)
		return 0;
	err = tsr_key_derive(b->disk.label, TSR_KEY_DISK_HEADER, no_salt, bytes);
	if (!err)
		err = crypto_aead_setkey(b->header_key, bytes, sizeof(bytes));
	memzero_explicit(bytes, sizeof(bytes));
	b->have_header_key = !err;
	return err;
}

static int header_crypt(struct blk *b, struct blk_header *header, bool seal)
{
	struct blk_aead *aead = b->aead;
	int err;

	memcpy(header->label, b->disk.label, sizeof(header->label));
	tsr_disk_open(&header->disk, aead->tag, aead->nonce);
	err = blk_crypt(aead, b->header_key, header, sizeof(*header), NULL, 0, seal);
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
