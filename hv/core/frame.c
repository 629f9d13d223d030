/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The frame table: the only truth about who may use a frame of RAM, and how. */
#include "proto/port.h"
#include <core/frame.h>
#include <core/oracle.h>

static struct frame *frames;
static uint64_t nr_frames;

/* Frames by class of owner and state, kept as the table changes: INFO must not walk all RAM. */
enum { CLASS_HV, CLASS_HOST, CLASS_GUEST, CLASS_NR };
static uint64_t counts[CLASS_NR][FRAME_STATE_NR];

static unsigned class_of(const struct frame *f)
{
	return f->owner >= DOMAIN_GUEST ? CLASS_GUEST : f->owner == DOMAIN_HOST ? CLASS_HOST : CLASS_HV;
}

void frame_init(struct frame *table, uint64_t nr)
{
	frames = table;
	nr_frames = nr < GFN_NONE ? nr : GFN_NONE;
	memset(counts, 0, sizeof(counts));
	counts[CLASS_HV][FRAME_NONE] = nr_frames;
}

uint64_t frame_nr(void)
{
	return nr_frames;
}

const struct frame *frame_of(mfn_t m)
{
	return &frames[m.n];
}

void frame_put(mfn_t m, struct frame to)
{
	struct frame *f = &frames[m.n];

	counts[class_of(f)][f->state]--;
	counts[class_of(&to)][to.state]++;
	*f = to;
	oracle_touched(m);
}

/* All RAM, at the start: what is alike is counted as one. */
void frame_fill(uint64_t first, uint64_t end, struct frame to)
{
	while (first < end) {
		const struct frame was = frames[first];
		uint64_t m = first;

		for (; m < end && frames[m].owner == was.owner && frames[m].state == was.state; m++) {
			frames[m] = to;
			frames[m].gfn = (uint32_t)m;
		}
		counts[class_of(&was)][was.state] -= m - first;
		counts[class_of(&to)][to.state] += m - first;
		first = m;
	}
}

bool frame_run_ok(uint64_t first, uint64_t count)
{
	return first < nr_frames && count <= nr_frames - first;
}

uint64_t frame_look_end(uint64_t m)
{
	return m < nr_frames && nr_frames - m > TSR_FRAMES_LOOK ? m + TSR_FRAMES_LOOK : nr_frames;
}

void frame_census(struct tsr_census *census)
{
	memset(census, 0, sizeof(*census));
	for (unsigned s = FRAME_HV; s < FRAME_STATE_NR; s++) {
		census->hypervisor += counts[CLASS_HV][s];
		census->host += counts[CLASS_HOST][s];
		if (s != FRAME_TABLE)
			census->guests += counts[CLASS_GUEST][s];
	}
	census->tables = counts[CLASS_GUEST][FRAME_TABLE];
	census->displaced = counts[CLASS_HOST][FRAME_DISPLACED];
	census->windows = counts[CLASS_HOST][FRAME_WINDOW] + census->displaced;
}

bool frame_host_own(mfn_t m)
{
	const struct frame *f = &frames[m.n];

	return f->owner == DOMAIN_HOST &&
	       (f->state == FRAME_OWNED || f->state == FRAME_MAILBOX || f->state == FRAME_WINDOW);
}

bool frame_guest_visible(const struct frame *f)
{
	return f->owner >= DOMAIN_GUEST && (f->state == FRAME_OWNED || f->state == FRAME_MAILBOX ||
					    f->state == FRAME_ISSUED || f->state == FRAME_MAPPED);
}

bool frame_named(mfn_t m, uint64_t page, const struct run *run, unsigned n)
{
	uint32_t *batch = &frames[m.n].batch;

	if (*batch < n && page - run[*batch].first < run[*batch].count)
		return true;
	*batch = n;
	return false;
}

bool run_overlaps(const struct run *run, unsigned n)
{
	for (uint64_t m = run[n].first; m < run[n].first + run[n].count; m++)
		if (frame_named(mfn(m), m, run, n))
			return true;
	return false;
}
