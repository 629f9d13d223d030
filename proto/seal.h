/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Seals of blocks: spec/storage.md. Builds what goes into the AEAD besides key and text, and checks a seal's plain fields. The
 * AEAD itself is its caller's: the kernel's in the guest driver, libsodium's in tests and offline tools.
 */
#ifndef PROTO_SEAL_H
#define PROTO_SEAL_H

#include <tessera/seal.h>
#include "proto/port.h"

/* What a guest expects of a disk. suite and label come from its measured configuration, disk_id from the authenticated header. */
struct tsr_seal_disk {
	uint32_t suite; /* enum tsr_suite */
	uint8_t label[32];
	uint8_t disk_id[16];
};

enum tsr_seal_error {
	TSR_SEAL_OK = 0,
	TSR_SEAL_NEVER_WRITTEN, /* 32 zero bytes: the backend has no pair for this block */
	TSR_SEAL_BAD_FLAGS,     /* a flag this version does not know */
	TSR_SEAL_BAD_COUNTER,   /* 0 */
	TSR_SEAL_BAD_EPOCH,     /* 0 or later than the header's last */
};

bool tsr_suite_known(uint32_t suite);

/* Its name. */
const char *tsr_suite_text(uint32_t suite);

/* What follows is done for each block, hence inline. */

/* nonce = counter (8 bytes LE) || purpose (4 bytes LE). purpose: TSR_NONCE_*. */
static inline void tsr_seal_nonce(uint8_t nonce[TSR_NONCE_SIZE], uint64_t counter, uint32_t purpose)
{
	memcpy(nonce, &counter, sizeof(counter));
	memcpy(nonce + sizeof(counter), &purpose, sizeof(purpose));
}

/* Starts a seal: all fields but the tag, which is zeroed. */
static inline void tsr_seal_init(struct tsr_seal *seal, uint64_t counter, uint32_t epoch, uint32_t flags)
{
	*seal = (struct tsr_seal){ .counter = counter, .epoch = epoch, .flags = flags };
}

/* Associated data: what is the same for all blocks of a disk ... */
static inline void tsr_seal_aad_disk(struct tsr_seal_aad *aad, const struct tsr_seal_disk *disk)
{
	memcpy(aad->format, TSR_FORMAT_BLOCK, sizeof(aad->format));
	aad->suite = disk->suite;
	memcpy(aad->label, disk->label, sizeof(aad->label));
	memcpy(aad->disk_id, disk->disk_id, sizeof(aad->disk_id));
	aad->reserved = 0;
}

/* ... and what a block and its seal add. Takes epoch, counter and flags from the seal: call tsr_seal_check on it first. */
static inline void tsr_seal_aad_block(struct tsr_seal_aad *aad, uint64_t block, const struct tsr_seal *seal)
{
	aad->flags = seal->flags;
	aad->block = block;
	aad->counter = seal->counter;
	aad->epoch = seal->epoch;
}

/*
 * Checks a private copy of a seal that came from the backend; epochs = the header's. Only with TSR_SEAL_OK is epoch an index
 * (minus 1) into the header's salts. It says nothing about the tag.
 */
static inline enum tsr_seal_error tsr_seal_check(const struct tsr_seal *seal, uint32_t epochs)
{
	if (seal->counter == 0 && tsr_is_zero(seal, sizeof(*seal)))
		return TSR_SEAL_NEVER_WRITTEN;
	if (seal->flags & ~TSR_SEAL_ZERO)
		return TSR_SEAL_BAD_FLAGS;
	if (seal->counter == 0)
		return TSR_SEAL_BAD_COUNTER;
	if (seal->epoch == 0 || seal->epoch > epochs)
		return TSR_SEAL_BAD_EPOCH;
	return TSR_SEAL_OK;
}

/* Bytes of text under the seal: TSR_BLOCK_SIZE, or 0 for a zero block. */
static inline uint32_t tsr_seal_text_size(const struct tsr_seal *seal)
{
	return seal->flags & TSR_SEAL_ZERO ? 0 : TSR_BLOCK_SIZE;
}

#endif
