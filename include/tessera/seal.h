/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Sealed storage: spec/storage.md. A disk is an array of 4 KiB blocks; each has a 32-byte seal that travels and is stored
 * with it. Only the guest can make or check a seal; the backend keeps block and seal together.
 */
#ifndef TESSERA_SEAL_H
#define TESSERA_SEAL_H

#include <tessera/types.h>

#define TSR_BLOCK_SIZE 4096u
#define TSR_TAG_SIZE   16u
#define TSR_SALT_SIZE  16u
#define TSR_NONCE_SIZE 12u

/* X(NAME, number, name for people). NONE, 0, is never valid on a disk. */
#define TSR_SUITES(X)                      \
	X(AES_256_GCM, 1, "aes-256-gcm")   \
	X(AEGIS_128L, 2, "aegis-128l")

#define TSR_SUITE_ENUM(name, number, text) TSR_SUITE_##name = number,
enum tsr_suite { TSR_SUITE_NONE = 0, TSR_SUITES(TSR_SUITE_ENUM) TSR_SUITE_NR };
#undef TSR_SUITE_ENUM

#define TSR_SEAL_ZERO (1u << 0) /* the block is all zeros: sealed over an empty text, no data stored or sent */

struct tsr_seal {
	uint8_t tag[TSR_TAG_SIZE];
	uint64_t counter; /* LE; from 1, unique within the epoch */
	uint32_t epoch;   /* LE; names the attach, hence its salt and key; from 1 */
	uint32_t flags;   /* LE; TSR_SEAL_ZERO */
};
TSR_ASSERT_SIZE(struct tsr_seal, 32);

/*
 * The 12-byte nonce: counter (8 bytes LE) then purpose (4 bytes LE), so that block seals and header seals never meet. AEGIS_128L takes 16
 * bytes, the last four of which are zero, and the first 16 bytes of each key.
 */
#define TSR_NONCE_BLOCK  0u
#define TSR_NONCE_HEADER 1u

/* Associated data of a block's seal. label is the one expected from the measured configuration. */
struct tsr_seal_aad {
	uint8_t format[8]; /* TSR_FORMAT_BLOCK */
	uint32_t suite;
	uint32_t flags;    /* seal's */
	uint8_t label[32];
	uint8_t disk_id[16];
	uint64_t block;
	uint64_t counter;
	uint32_t epoch;
	uint32_t reserved; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_seal_aad, 88);
#define TSR_FORMAT_BLOCK "TSRBLK1" /* and its terminating zero */

/*
 * The disk header, TSR_HEADER_SIZE bytes, kept in two slots written in turn. The public part is plain but authenticated:
 * tag = AEAD(key DISK_HEADER, nonce = {random 8 bytes stored as counter, TSR_NONCE_HEADER}, aad = label[32] then the header's bytes
 * with tag zeroed, empty text). The valid slot with the highest generation counts. salt[e - 1] belongs to epoch e.
 */
#define TSR_HEADER_SIZE   65536u
#define TSR_HEADER_BLOCKS (TSR_HEADER_SIZE / TSR_BLOCK_SIZE)
#define TSR_HEADER_SLOTS  2u
#define TSR_HEADER_EPOCHS 4088u
#define TSR_HEADER_MAGIC  "TSRDISK1"

struct tsr_disk_header {
	uint8_t magic[8];
	uint32_t version; /* 1 */
	uint32_t suite;   /* enum tsr_suite */
	uint8_t disk_id[16]; /* drawn at formatting */
	uint64_t blocks;  /* capacity */
	uint64_t generation; /* of the header, +1 at each write */
	uint32_t epochs;  /* salts in use; the last one is the latest attach */
	uint32_t formatted; /* blocks hold seals up to here if < 2^32 - 1; 0xffffffff: formatting is complete */
	uint64_t counter; /* random, part of the header's own nonce */
	uint8_t tag[TSR_TAG_SIZE];
	uint8_t reserved[48]; /* 0 */
	uint8_t salt[TSR_HEADER_EPOCHS][TSR_SALT_SIZE];
};
TSR_ASSERT_SIZE(struct tsr_disk_header, TSR_HEADER_SIZE);

#endif
