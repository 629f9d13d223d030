/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The parts of the stand-in for /dev/tessera that move data of strict and copied sessions: in the daemon's process. */
#include "unit.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include "fake_backend.h"

int fake_maps(void *context, struct tsr_ioc_map *map, uint32_t count)
{
	int mapped = 0;

	for (uint32_t i = 0; i < count; i++) {
		map[i].result = fake_map(context, &map[i]);
		mapped += map[i].result == 0;
	}
	return mapped;
}

uint32_t fake_starves;

/* From or to the guest's memory itself: nothing is mapped. */
int fake_copy(void *context, const struct tsr_ioc_copy *copy)
{
	static atomic_uint copies;
	uint8_t *run = guest.memory + (size_t)copy->token.slot * 4096 + copy->offset;
	void *own = (void *)(uintptr_t)copy->addr;

	(void)context;
	/* Each so-many-th finds memory. */
	if (fake_starves && atomic_fetch_add(&copies, 1) % fake_starves != fake_starves - 1)
		return -ENOMEM;
	if (copy->token.generation != copy->session || copy->len > TSR_IOC_COPY_MAX)
		return -ESTALE;
	if (copy->dir == TSR_DIR_READ)
		memcpy(own, run, copy->len);
	else
		memcpy(run, own, copy->len);
	return 0;
}
