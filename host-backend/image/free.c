/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "host-backend/image/free.h"
#include <string.h>

bool free_init(struct free_slots *slots, uint64_t count)
{
	memset(slots, 0, sizeof(*slots));
	slots->count = count;
	if (bits_init(&slots->slot, count) && bits_init(&slots->group, count / FREE_GROUP))
		return true;
	free_fini(slots);
	return false;
}

void free_fini(struct free_slots *slots)
{
	bits_fini(&slots->slot);
	bits_fini(&slots->group);
}

static bool whole_group(const struct free_slots *slots, uint64_t slot)
{
	return (uint8_t)(slots->slot.level[0][slot / 64] >> slot % 64 / FREE_GROUP * FREE_GROUP) == UINT8_MAX;
}
_Static_assert(FREE_GROUP == 8, "a group is a byte");

void free_put(struct free_slots *slots, uint32_t slot)
{
	bits_set(&slots->slot, slot);
	slots->count++;
	if (whole_group(slots, slot))
		bits_set(&slots->group, slot / FREE_GROUP);
}

void free_remove(struct free_slots *slots, uint32_t slot)
{
	if (whole_group(slots, slot))
		bits_clear(&slots->group, slot / FREE_GROUP);
	bits_clear(&slots->slot, slot);
	slots->count--;
}

static uint32_t take_from(struct free_slots *slots, uint64_t from, uint32_t *taken, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		taken[i] = (uint32_t)from + i;
		free_remove(slots, taken[i]);
	}
	slots->cursor = from + count;
	return count;
}

/* Runs of so many groups. */
static uint32_t take_runs(struct free_slots *slots, uint32_t groups, uint32_t *taken, uint32_t count, uint32_t *look)
{
	uint32_t done = 0;

	while (count - done > (groups - 1) * FREE_GROUP) {
		uint64_t at = bits_run(&slots->group, slots->cursor / FREE_GROUP, groups, look);

		if (at == BITS_NONE)
			at = bits_run(&slots->group, 0, groups, look);
		if (at == BITS_NONE)
			break;
		done += take_from(slots, at * FREE_GROUP, taken + done, count - done < groups * FREE_GROUP ? count - done : groups * FREE_GROUP);
	}
	return done;
}

void free_take(struct free_slots *slots, uint32_t *taken, uint32_t count)
{
	uint32_t done = 0, look = FREE_LOOK;

	if (bits_count(&slots->slot, slots->cursor, count) < count)
		for (uint32_t groups = (count + FREE_GROUP - 1) / FREE_GROUP; groups && count - done >= FREE_GROUP; groups /= 2)
			done += take_runs(slots, groups, taken + done, count - done, &look);
	while (done < count) {
		uint64_t at = bits_next(&slots->slot, slots->cursor);

		if (at == BITS_NONE)
			at = bits_next(&slots->slot, 0);
		done += take_from(slots, at, taken + done, (uint32_t)bits_count(&slots->slot, at, count - done));
	}
}
