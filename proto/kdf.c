/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/kdf.h"

static const uint8_t domain[32] = "tessera key v1";

void tsr_kdf(uint8_t key[TSR_KEY_SIZE], const uint8_t root[TSR_KEY_SIZE], const uint8_t identity[TSR_ID_SIZE],
	     const uint8_t label[TSR_LABEL_SIZE], uint32_t purpose, const uint8_t salt[16])
{
	struct tsr_hash hash;
	uint8_t middle[TSR_HASH_SIZE];

	tsr_hash_init(&hash, root);
	tsr_hash_update(&hash, domain, sizeof(domain));
	tsr_hash_update(&hash, identity, TSR_ID_SIZE);
	tsr_hash_update(&hash, label, TSR_LABEL_SIZE);
	tsr_hash_final(&hash, middle);

	tsr_hash_init(&hash, middle);
	tsr_hash_update(&hash, &purpose, sizeof(purpose));
	tsr_hash_update(&hash, salt, 16);
	tsr_hash_final(&hash, key);
	tsr_wipe(middle, sizeof(middle));
}
