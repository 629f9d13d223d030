// SPDX-License-Identifier: BSD-2-Clause-Patent
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "host-backend/cli/top.h"

#define BLOCKS_A_MIB 256.0

/* A second's part of what was added; counters that fell belong to somebody new. */
static double rate(uint64_t before, uint64_t now, double seconds)
{
	return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

/* The same guest in an earlier sample, or NULL: numbers are given away again. */
static const struct top_guest *earlier(const struct top_sample *before, const struct top_guest *now)
{
	for (unsigned i = 0; i < before->guests; i++) {
		const struct top_guest *then = &before->guest[i];

		if (then->guest.guest == now->guest.guest && !strncmp(then->guest.name, now->guest.name, sizeof(then->guest.name)) &&
		    then->guest.info.exits <= now->guest.info.exits)
			return then;
	}
	return now;
}

struct disk_rates {
	double reads, writes, flushes, in, out, queue[TSR_BACKEND_QUEUES];
	unsigned queues;
};

static double counter_rate(const struct tsr_ioc_backend *before, const struct tsr_ioc_backend *now, enum tsr_backend_counter which,
			   double seconds)
{
	return rate(before->counter[which], now->counter[which], seconds);
}

static struct disk_rates disk_rates(const struct tsr_ioc_backend *before, const struct tsr_ioc_backend *now, double seconds)
{
	struct disk_rates rates = {
		.reads = counter_rate(before, now, TSR_BACKEND_COUNT_reads, seconds),
		.writes = counter_rate(before, now, TSR_BACKEND_COUNT_writes, seconds),
		.flushes = counter_rate(before, now, TSR_BACKEND_COUNT_flushes, seconds),
		.in = counter_rate(before, now, TSR_BACKEND_COUNT_blocks_written, seconds) / BLOCKS_A_MIB,
		.out = counter_rate(before, now, TSR_BACKEND_COUNT_blocks_read, seconds) / BLOCKS_A_MIB,
	};

	for (unsigned q = 0; q < TSR_BACKEND_QUEUES; q++) {
		rates.queue[q] = rate(before->requests[q], now->requests[q], seconds);
		rates.queues += now->requests[q] != 0;
	}
	return rates;
}

static void print_machine(FILE *out, const struct tsr_info *before, const struct tsr_info *now, double seconds)
{
#define RATE(name) rate(before->counters[TSR_COUNT_##name], now->counters[TSR_COUNT_##name], seconds)
	fprintf(out, "Tessera: %u CPUs, %u of %u guests, %u of %u tokens, %" PRIu64 " MiB of guests' memory, %" PRIu64 " MiB of windows\n",
		now->cpus, now->guests, now->max_guests, now->tokens, now->max_tokens, now->census.guests >> 8, now->census.windows >> 8);
	fprintf(out, "a second: exits %.0f of the host, %.0f of guests; hypercalls %.0f and %.0f; shoot-downs %.0f; IOMMU flushes %.0f\n",
		RATE(exits_host), RATE(exits_guest), RATE(hypercalls_host), RATE(hypercalls_guest), RATE(shootdowns), RATE(iotlb_flushes));
	fprintf(out, "          tokens issued %.0f, mapped %.0f, revoked %.0f; accesses refused in all: %" PRIu64 " of the host, %" PRIu64
		" of guests, %" PRIu64 " of devices\n",
		RATE(tokens_issued), RATE(tokens_mapped), RATE(tokens_revoked),
		now->counters[TSR_COUNT_faults_memory] + now->counters[TSR_COUNT_faults_port] + now->counters[TSR_COUNT_faults_msr],
		now->counters[TSR_COUNT_faults_guest], now->counters[TSR_COUNT_dma_faults]);
#undef RATE
}

static void print_disk(FILE *out, const struct top_guest *then, const struct top_guest *now, uint32_t device, double seconds)
{
	const struct tsr_ioc_backend *report = &now->backend[device];
	struct disk_rates rates = disk_rates(&then->backend[device], report, seconds);
	const char *mode = backend_mode(report);

	fprintf(out, "       %-20.*s %-7s %6u %9.0f %9.0f %8.0f %9.1f %9.1f %8" PRIu64 "\n", (int)TSR_LABEL_SIZE,
		(const char *)now->config.config.device[device].label, mode ? mode : "away", rates.queues, rates.reads, rates.writes,
		rates.flushes, rates.in, rates.out, report->counter[TSR_BACKEND_COUNT_failed]);
}

void top_print(FILE *out, const struct top_sample *before, const struct top_sample *now)
{
	double seconds = now->seconds - before->seconds;

	print_machine(out, &before->info, &now->info, seconds);
	fputs("\n  ID   NAME                 STATE                    CPUS   EXITS/s   CALLS/s  EVENTS/s  TOKENS\n"
	      "       DISK                 MODE    QUEUES   READS/s  WRITES/s  FLUSH/s  MiB/s IN MiB/s OUT   FAILED\n", out);
	for (unsigned i = 0; i < now->guests; i++) {
		const struct top_guest *guest = &now->guest[i], *then = earlier(before, guest);
		const struct tsr_guest_info *info = &guest->guest.info, *was = &then->guest.info;

		fprintf(out, "%4u   %-20.*s %-24s %4u %9.0f %9.0f %9.0f %7u\n", guest->guest.guest, (int)TSR_NAME_SIZE, guest->guest.name,
			guest_state_text(&guest->guest), info->vcpus, rate(was->exits, info->exits, seconds),
			rate(was->hypercalls, info->hypercalls, seconds), rate(was->events, info->events, seconds), info->tokens);
		for (uint32_t d = 0; d < TSR_MAX_DEVICES; d++)
			if (guest->config.config.device[d].type)
				print_disk(out, then, guest, d, seconds);
	}
}

/* ------------------------------------------------------------------ JSON */

static json_t *disk_json(const struct top_guest *then, const struct top_guest *now, uint32_t device, double seconds)
{
	const struct tsr_ioc_backend *report = &now->backend[device];
	struct disk_rates rates = disk_rates(&then->backend[device], report, seconds);
	const char *label = (const char *)now->config.config.device[device].label;
	json_t *queues = json_array();

	for (unsigned q = 0; q < TSR_BACKEND_QUEUES; q++)
		if (report->requests[q])
			json_array_append_new(queues, json_pack("{s:i, s:f}", "queue", q, "requests", rates.queue[q]));
	return json_pack("{s:i, s:o, s:s?, s:f, s:f, s:f, s:f, s:f, s:I, s:o}", "device", device, "label", json_bytes(label, TSR_LABEL_SIZE), "mode", backend_mode(report), "reads", rates.reads, "writes", rates.writes,
			 "flushes", rates.flushes, "mib_in", rates.in, "mib_out", rates.out, "failed",
			 (json_int_t)report->counter[TSR_BACKEND_COUNT_failed], "queues", queues);
}

static json_t *guest_json(const struct top_sample *before, const struct top_guest *guest, double seconds)
{
	const struct top_guest *then = earlier(before, guest);
	const struct tsr_guest_info *info = &guest->guest.info, *was = &then->guest.info;
	json_t *disks = json_array();

	for (uint32_t d = 0; d < TSR_MAX_DEVICES; d++)
		if (guest->config.config.device[d].type)
			json_array_append_new(disks, disk_json(then, guest, d, seconds));
	return json_pack("{s:i, s:o, s:s, s:i, s:f, s:f, s:f, s:i, s:o}", "guest", guest->guest.guest, "name",
			 json_bytes(guest->guest.name, TSR_NAME_SIZE), "state", guest_state_text(&guest->guest), "vcpus", info->vcpus, "exits",
			 rate(was->exits, info->exits, seconds), "hypercalls", rate(was->hypercalls, info->hypercalls, seconds), "events",
			 rate(was->events, info->events, seconds), "tokens", info->tokens, "disks", disks);
}

struct json_t *top_json(const struct top_sample *before, const struct top_sample *now)
{
	double seconds = now->seconds - before->seconds;
	json_t *guests = json_array(), *rates = json_object();

	for (unsigned i = 0; i < now->guests; i++)
		json_array_append_new(guests, guest_json(before, &now->guest[i], seconds));
#define RATE(name, text) \
	json_object_set_new(rates, #name, json_real(rate(before->info.counters[TSR_COUNT_##name], now->info.counters[TSR_COUNT_##name], seconds)));
	TSR_COUNTERS(RATE)
#undef RATE
	return json_pack("{s:f, s:i, s:o, s:o}", "seconds", seconds, "tokens", now->info.tokens, "counters", rates, "guests", guests);
}
