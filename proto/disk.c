/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/disk.h"
#include "proto/seal.h"

void tsr_disk_init(struct tsr_disk_header *header, uint32_t suite, const uint8_t disk_id[16], uint64_t blocks)
{
	memset(header, 0, sizeof(*header));
	memcpy(header->magic, TSR_HEADER_MAGIC, sizeof(header->magic));
	header->version = TSR_DISK_VERSION;
	header->suite = suite;
	memcpy(header->disk_id, disk_id, sizeof(header->disk_id));
	header->blocks = blocks;
}

enum tsr_disk_error tsr_disk_check(const struct tsr_disk_header *header, uint32_t suite)
{
	if (tsr_is_zero(header, sizeof(*header)))
		return TSR_DISK_BLANK;
	if (memcmp(header->magic, TSR_HEADER_MAGIC, sizeof(header->magic)))
		return TSR_DISK_BAD_MAGIC;
	if (header->version != TSR_DISK_VERSION)
		return TSR_DISK_BAD_VERSION;
	if (header->suite != suite || !tsr_suite_known(suite))
		return TSR_DISK_BAD_SUITE;
	if (header->blocks == 0 || header->blocks > TSR_DISK_MAX_BLOCKS)
		return TSR_DISK_BAD_BLOCKS;
	if (header->generation == 0)
		return TSR_DISK_BAD_GENERATION;
	if (header->epochs == 0 || header->epochs > TSR_HEADER_EPOCHS)
		return TSR_DISK_BAD_EPOCHS;
	if (header->formatted != TSR_DISK_FORMATTED && header->formatted > header->blocks)
		return TSR_DISK_BAD_FORMATTED;
	if (!tsr_is_zero(header->reserved, sizeof(header->reserved)) ||
	    !tsr_is_zero(header->salt[header->epochs], (TSR_HEADER_EPOCHS - header->epochs) * TSR_SALT_SIZE))
		return TSR_DISK_BAD_RESERVED;
	return TSR_DISK_OK;
}

const char *tsr_disk_error_text(enum tsr_disk_error error)
{
	switch (error) {
	case TSR_DISK_OK:
		return "no error";
	case TSR_DISK_BLANK:
		return "never formatted";
	case TSR_DISK_BAD_MAGIC:
		return "not a sealed disk";
	case TSR_DISK_BAD_VERSION:
		return "made by another version";
	case TSR_DISK_BAD_SUITE:
		return "sealed with another suite than configured";
	case TSR_DISK_BAD_BLOCKS:
		return "impossible capacity";
	case TSR_DISK_BAD_GENERATION:
		return "impossible generation";
	case TSR_DISK_BAD_EPOCHS:
		return "impossible number of epochs";
	case TSR_DISK_BAD_FORMATTED:
		return "formatted beyond its capacity";
	case TSR_DISK_BAD_RESERVED:
		return "reserved bytes are not zero";
	}
	return "unknown error";
}

uint32_t tsr_disk_attach(struct tsr_disk_header *header, const uint8_t salt[TSR_SALT_SIZE], uint64_t random)
{
	if (header->epochs >= TSR_HEADER_EPOCHS)
		return 0;
	memcpy(header->salt[header->epochs], salt, TSR_SALT_SIZE);
	header->epochs++;
	header->generation++;
	header->counter = random;
	return header->epochs;
}

void tsr_disk_progress(struct tsr_disk_header *header, uint32_t formatted, uint64_t random)
{
	header->formatted = formatted;
	header->generation++;
	header->counter = random;
}

void tsr_disk_open(struct tsr_disk_header *header, uint8_t tag[TSR_TAG_SIZE], uint8_t nonce[TSR_NONCE_SIZE])
{
	memcpy(tag, header->tag, TSR_TAG_SIZE);
	memset(header->tag, 0, TSR_TAG_SIZE);
	tsr_seal_nonce(nonce, header->counter, TSR_NONCE_HEADER);
}

void tsr_disk_close(struct tsr_disk_header *header, const uint8_t tag[TSR_TAG_SIZE])
{
	memcpy(header->tag, tag, TSR_TAG_SIZE);
}

uint32_t tsr_disk_slot(const struct tsr_disk_header *header)
{
	return header->generation % TSR_HEADER_SLOTS;
}

int tsr_disk_choose(bool valid0, uint64_t generation0, bool valid1, uint64_t generation1)
{
	if (valid0 && valid1)
		return generation1 > generation0;
	if (valid0)
		return 0;
	return valid1 ? 1 : -1;
}
