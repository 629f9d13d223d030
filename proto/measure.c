/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/measure.h"

static void record(struct tsr_measure *measure, uint32_t type, uint32_t size, uint64_t gfn)
{
	struct tsr_measure_record r = { .type = type, .size = size, .gfn = gfn };

	memcpy(r.magic, TSR_MEASURE_MAGIC, sizeof(r.magic));
	tsr_hash_update(&measure->hash, &r, sizeof(r));
}

void tsr_measure_create(struct tsr_measure *measure, const struct tsr_guest_create *config)
{
	uint32_t version[2] = { TSR_ABI_VERSION, 0 };

	tsr_hash_init(&measure->hash, NULL);
	record(measure, TSR_MEASURE_CREATE, sizeof(version) + sizeof(*config), 0);
	tsr_hash_update(&measure->hash, version, sizeof(version));
	tsr_hash_update(&measure->hash, config, sizeof(*config));
}

void tsr_measure_load(struct tsr_measure *measure, uint64_t gfn, const void *page)
{
	record(measure, TSR_MEASURE_LOAD, TSR_PAGE_SIZE, gfn);
	tsr_hash_update(&measure->hash, page, TSR_PAGE_SIZE);
}

void tsr_measure_launch(struct tsr_measure *measure, uint32_t eip, uint32_t esi, uint8_t identity[TSR_ID_SIZE])
{
	uint32_t entry[2] = { eip, esi };

	record(measure, TSR_MEASURE_LAUNCH, sizeof(entry), 0);
	tsr_hash_update(&measure->hash, entry, sizeof(entry));
	tsr_hash_final(&measure->hash, identity);
}
