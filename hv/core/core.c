/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The core as a whole: start, domains, counters, end. */
#include <core/arch.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include <core/oracle.h>
#include "proto/hash.h"

static struct core_boot boot;
static uint8_t root_secret[TSR_KEY_SIZE];
static struct domain domains[DOMAIN_NR];
static uint64_t early[TSR_COUNTER_NR];
static uint64_t *counters = early; /* later in a page that the host may see: TOKEN_OWN */

static void give_to_host(uint64_t first, uint64_t end)
{
	if (first >= end)
		return;
	frame_fill(first, end, (struct frame){ .state = FRAME_OWNED, .owner = DOMAIN_HOST });
	arch_leaf_fill(core_host(), (struct ram_range){ first, end - first });
	arch_dma_fill((struct ram_range){ first, end - first });
}

static void fill_frames(void)
{
	uint64_t hv_end = boot.hv.first + boot.hv.count;

	for (unsigned i = 0; i < boot.nr_ram; i++) {
		uint64_t first = boot.ram[i].first, end = first + boot.ram[i].count;

		if (end > frame_nr())
			arch_halt("RAM beyond the frame table");
		give_to_host(first, end < boot.hv.first ? end : boot.hv.first);
		give_to_host(first > hv_end ? first : hv_end, end);
	}
	if (!frame_run_ok(boot.hv.first, boot.hv.count))
		arch_halt("hypervisor beyond the frame table");
	for (uint64_t m = boot.hv.first; m < hv_end; m++)
		if (frame_of(mfn(m))->state != FRAME_NONE)
			arch_halt("RAM ranges overlap the hypervisor");
	frame_fill(boot.hv.first, hv_end, (struct frame){ .state = FRAME_HV, .owner = DOMAIN_HV });
#ifdef TSR_TEST_NO_PROTECT
	arch_leaf_fill(core_host(), boot.hv);
	arch_dma_fill(boot.hv);
#endif
}

static void limit(uint64_t *value, uint64_t most)
{
	if (!*value || *value > most)
		*value = most;
}

void core_init(const struct core_boot *b)
{
	struct domain *host = core_host();

	boot = *b;
	boot.root_secret = NULL;
	limit(&boot.limit.guests, TSR_MAX_GUESTS);
	limit(&boot.limit.tokens, GRANT_PER_GUEST);
	limit(&boot.limit.pages, GRANT_PAGES_PER_GUEST);
	limit(&boot.limit.windows, boot.nr_frames / 2);
	if (b->root_secret)
		memcpy(root_secret, b->root_secret, sizeof(root_secret));
	else
		arch_random(root_secret, sizeof(root_secret));

	memset(domains, 0, sizeof(domains));
	for (uint32_t i = 0; i < DOMAIN_NR; i++)
		domains[i].id = i;
	host->state = TSR_GUEST_RUNNING;
	host->nr_vcpus = boot.nr_cpus;
	for (uint32_t i = 0; i < TSR_MAX_VCPUS; i++)
		host->vcpu[i] = (struct vcpu){ .dom = host, .index = i, .running_on = -1, .mailbox = GFN_NONE };

	grant_init();
	frame_init(boot.frames, boot.nr_frames);
	host->tables = arch_tables_create(host);
	if (!host->tables)
		arch_halt("no nested tables for the host");
	fill_frames();
	counters = ((struct tsr_stats *)arch_frame(boot.stats))->counters;
	oracle_init();
}

struct domain *core_host(void)
{
	return &domains[DOMAIN_HOST];
}

struct domain *domain_by_id(uint32_t id)
{
	oracle_domain(id);
	return &domains[id];
}

const struct core_boot *core_boot_info(void)
{
	return &boot;
}

const uint8_t *core_root_secret(void)
{
	return root_secret;
}

void core_count(enum tsr_counter which)
{
	__atomic_fetch_add(&counters[which], 1, __ATOMIC_RELAXED);
}

uint64_t core_counter(enum tsr_counter which)
{
	return __atomic_load_n(&counters[which], __ATOMIC_RELAXED);
}

bool core_host_frame(mfn_t m)
{
	return m.n < frame_nr() && frame_host_own(m);
}

void core_scrub_all(void)
{
	for (uint64_t m = 0; m < frame_nr(); m++)
		if (frame_of(mfn(m))->owner >= DOMAIN_GUEST)
			tsr_wipe(arch_frame(mfn(m)), TSR_PAGE_SIZE);
	for (uint32_t i = DOMAIN_GUEST; i < DOMAIN_NR; i++)
		tsr_wipe(domains[i].measure, sizeof(domains[i].measure));
	tsr_wipe(root_secret, sizeof(root_secret));
}
