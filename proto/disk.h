/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The sealed disk's header: spec/storage.md. Order of use on attach: read both slots; for each, tsr_disk_check, then the AEAD over
 * tsr_disk_open's result; tsr_disk_choose; tsr_disk_attach; seal; write to tsr_disk_slot; flush; only then seal blocks.
 */
#ifndef PROTO_DISK_H
#define PROTO_DISK_H

#include <tessera/seal.h>
#include "proto/port.h"

#define TSR_DISK_VERSION       1u
#define TSR_DISK_FORMATTED     0xffffffffu /* header.formatted: complete */
#define TSR_DISK_MAX_BLOCKS    0xfffffffeull /* 16 TiB, so that header.formatted can name any block */

enum tsr_disk_error {
	TSR_DISK_OK = 0,
	TSR_DISK_BLANK,          /* all zeros: never formatted */
	TSR_DISK_BAD_MAGIC,
	TSR_DISK_BAD_VERSION,
	TSR_DISK_BAD_SUITE,      /* not the one expected */
	TSR_DISK_BAD_BLOCKS,     /* 0 or above TSR_DISK_MAX_BLOCKS */
	TSR_DISK_BAD_GENERATION, /* 0 */
	TSR_DISK_BAD_EPOCHS,     /* 0 or above TSR_HEADER_EPOCHS */
	TSR_DISK_BAD_FORMATTED,  /* beyond blocks */
	TSR_DISK_BAD_RESERVED,   /* a reserved byte or an unused salt is not zero */
};

/* A header without epochs: generation 0, to be followed by tsr_disk_attach. blocks must be 1..TSR_DISK_MAX_BLOCKS. */
void tsr_disk_init(struct tsr_disk_header *header, uint32_t suite, const uint8_t disk_id[16], uint64_t blocks);

/*
 * Checks the plain fields of a private copy; suite is the expected one. A header that fails must not be used; one that passes must
 * still be authenticated before any of its fields is believed.
 */
enum tsr_disk_error tsr_disk_check(const struct tsr_disk_header *header, uint32_t suite);

/* A short text for people. */
const char *tsr_disk_error_text(enum tsr_disk_error error);

/* Begins a new epoch with the salt drawn by the hypervisor. random: 8 fresh random bytes. Returns the epoch, or 0 if all are used. */
uint32_t tsr_disk_attach(struct tsr_disk_header *header, const uint8_t salt[TSR_SALT_SIZE], uint64_t random);

/* Every other change: sets formatted (blocks sealed so far, or TSR_DISK_FORMATTED). random: 8 fresh random bytes. */
void tsr_disk_progress(struct tsr_disk_header *header, uint32_t formatted, uint64_t random);

/*
 * Prepares the AEAD: moves the tag out and leaves the header as it is authenticated (tag zero), fills the nonce. The associated data is
 * label[32] then the header's TSR_HEADER_SIZE bytes; the text is empty. To seal: ignore tag, then tsr_disk_close with the new one.
 */
void tsr_disk_open(struct tsr_disk_header *header, uint8_t tag[TSR_TAG_SIZE], uint8_t nonce[TSR_NONCE_SIZE]);

/* Puts a tag in place. */
void tsr_disk_close(struct tsr_disk_header *header, const uint8_t tag[TSR_TAG_SIZE]);

/* The slot this generation is written to, so that a torn write never hits the last good one. */
uint32_t tsr_disk_slot(const struct tsr_disk_header *header);

/* Of the slots whose headers are authentic, the one to use: the higher generation. -1: none. */
int tsr_disk_choose(bool valid0, uint64_t generation0, bool valid1, uint64_t generation1);

#endif
