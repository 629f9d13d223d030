/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/seal.h"

void tsr_seal_nonce(uint8_t nonce[TSR_NONCE_SIZE], uint64_t counter, uint32_t purpose)
{
	memcpy(nonce, &counter, sizeof(counter));
	memcpy(nonce + sizeof(counter), &purpose, sizeof(purpose));
}

void tsr_seal_init(struct tsr_seal *seal, uint64_t counter, uint32_t epoch, uint32_t flags)
{
	memset(seal, 0, sizeof(*seal));
	seal->counter = counter;
	seal->epoch = epoch;
	seal->flags = flags;
}

void tsr_seal_aad(struct tsr_seal_aad *aad, const struct tsr_seal_disk *disk, uint64_t block, const struct tsr_seal *seal)
{
	memcpy(aad->format, TSR_FORMAT_BLOCK, sizeof(aad->format));
	aad->suite = disk->suite;
	aad->flags = seal->flags;
	memcpy(aad->label, disk->label, sizeof(aad->label));
	memcpy(aad->disk_id, disk->disk_id, sizeof(aad->disk_id));
	aad->block = block;
	aad->counter = seal->counter;
	aad->epoch = seal->epoch;
	aad->reserved = 0;
}

bool tsr_suite_known(uint32_t suite)
{
	return suite != TSR_SUITE_NONE && suite < TSR_SUITE_NR;
}

const char *tsr_suite_text(uint32_t suite)
{
	switch (suite) {
#define SUITE_TEXT(name, number, text) \
	case number:                   \
		return text;
		TSR_SUITES(SUITE_TEXT)
#undef SUITE_TEXT
	}
	return "unknown";
}

enum tsr_seal_error tsr_seal_check(const struct tsr_seal *seal, uint32_t epochs)
{
	if (tsr_is_zero(seal, sizeof(*seal)))
		return TSR_SEAL_NEVER_WRITTEN;
	if (seal->flags & ~TSR_SEAL_ZERO)
		return TSR_SEAL_BAD_FLAGS;
	if (seal->counter == 0)
		return TSR_SEAL_BAD_COUNTER;
	if (seal->epoch == 0 || seal->epoch > epochs)
		return TSR_SEAL_BAD_EPOCH;
	return TSR_SEAL_OK;
}

uint32_t tsr_seal_text_size(const struct tsr_seal *seal)
{
	return seal->flags & TSR_SEAL_ZERO ? 0 : TSR_BLOCK_SIZE;
}
