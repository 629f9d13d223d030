/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* TSR_CALL_INFO: what the machine has. */
#include "proto/port.h"
#include <core/arch.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include <tessera/block.h>

uint32_t core_features(void)
{
	uint32_t features = TSR_FEATURE_TOKEN_MAP | TSR_FEATURE_TOKEN_COPY;

	if (!(core_boot_info()->development & TSR_DEVELOPMENT_NO_IOMMU))
		features |= TSR_FEATURE_IOMMU;
#ifdef TSR_ORACLE
	features |= TSR_FEATURE_ORACLE;
#endif
	return features;
}

_Static_assert(TSR_COUNTER_NR <= sizeof(((struct tsr_info *)0)->counters) / sizeof(uint64_t), "more counters than INFO tells");

int call_DMA_FAULTS(struct call *c)
{
	struct tsr_dma_faults *list = c->mail;

	memset(list, 0, sizeof(*list));
	arch_dma_poll();
	arch_dma_faults(list);
	c->reply = true;
	return TSR_OK;
}

int call_INFO(struct call *c)
{
	const struct core_boot *boot = core_boot_info();
	struct tsr_info *info = c->mail;

	memset(info, 0, sizeof(*info));
	info->abi_version = TSR_ABI_VERSION;
	info->features = core_features();
	info->max_guests = (uint32_t)boot->limit.guests;
	info->max_vcpus = TSR_MAX_VCPUS;
	info->max_devices = TSR_MAX_DEVICES;
	info->max_events = TSR_MAX_EVENTS;
	info->max_batch = TSR_MAX_BATCH;
	info->guest_tokens = (uint32_t)boot->limit.tokens;
	info->max_tokens = c->d->id == DOMAIN_HOST ? TSR_MAX_TOKENS : info->guest_tokens;
	info->max_granted = (uint32_t)boot->limit.pages;
	info->max_queues = TSR_BLK_MAX_QUEUES;
	info->max_window_run = TSR_TOKEN_MAX_PAGES;
	c->reply = true;
	if (c->d->id != DOMAIN_HOST)
		return TSR_OK;

	arch_dma_poll();
	info->max_windows = (uint32_t)boot->limit.windows;
	info->cpus = boot->nr_cpus;
	info->guests = guest_count();
	info->tokens = grant_live();
	info->development = boot->development;
	info->tsc_khz = arch_tsc_khz();
	frame_census(&info->census);
	info->hv_base_pfn = boot->hv.first;
	info->hv_pages = boot->hv.count;
	for (unsigned i = 0; i < TSR_COUNTER_NR; i++)
		info->counters[i] = core_counter(i);
	return TSR_OK;
}
