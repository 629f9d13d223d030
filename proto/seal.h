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

/* nonce = counter (8 bytes LE) || purpose (4 bytes LE). purpose: TSR_NONCE_*. */
void tsr_seal_nonce(uint8_t nonce[TSR_NONCE_SIZE], uint64_t counter, uint32_t purpose);

/* Starts a seal: all fields but the tag, which is zeroed. */
void tsr_seal_init(struct tsr_seal *seal, uint64_t counter, uint32_t epoch, uint32_t flags);

/* Associated data of seal for one block. Takes epoch, counter and flags from the seal: call tsr_seal_check on it first. */
void tsr_seal_aad(struct tsr_seal_aad *aad, const struct tsr_seal_disk *disk, uint64_t block, const struct tsr_seal *seal);

/*
 * Checks a private copy of a seal that came from the backend; epochs = the header's. Only with TSR_SEAL_OK is epoch an index
 * (minus 1) into the header's salts. It says nothing about the tag.
 */
enum tsr_seal_error tsr_seal_check(const struct tsr_seal *seal, uint32_t epochs);

/* Bytes of text under the seal: TSR_BLOCK_SIZE, or 0 for a zero block. */
uint32_t tsr_seal_text_size(const struct tsr_seal *seal);

#endif
