// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera top. What it prints: top_text.c. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "host-backend/cli/top.h"

static bool take_sample(int fd, struct top_sample *sample)
{
	struct timespec now;
	uint32_t next = 0;

	sample->guests = 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	if (host_call(fd, TSR_IOC_INFO, &sample->info) < 0)
		return false;
	while (sample->guests < TSR_MAX_GUESTS) {
		struct top_guest *top = &sample->guest[sample->guests];

		*top = (struct top_guest){};
		if (!host_next(fd, &next, &top->guest))
			return errno == 0;
		top->config.guest = top->guest.guest;
		if (host_call(fd, TSR_IOC_CONFIG, &top->config) < 0)
			continue; /* destroyed meanwhile */
		for (uint32_t d = 0; d < TSR_MAX_DEVICES; d++)
			if (top->config.config.device[d].type)
				host_backend(fd, top->guest.guest, d, &top->backend[d]);
		sample->guests++;
	}
	return true;
}

static int show(int fd, uint64_t count, int interval, bool json)
{
	struct top_sample *sample = calloc(2, sizeof(*sample));
	bool clear = !json && isatty(STDOUT_FILENO) && count != 1;
	int ret = CLI_OK;

	if (!sample)
		return cli_fail("there is no memory for it");
	if (!take_sample(fd, &sample[0]))
		ret = cli_fail("the guests cannot be listed: %s", host_error(errno));
	for (uint64_t n = 1; !ret && (!count || n <= count); n++) {
		poll(NULL, 0, interval);
		if (!take_sample(fd, &sample[n & 1])) {
			ret = cli_fail("the guests cannot be listed: %s", host_error(errno));
		} else if (json) {
			ret = print_json(top_json(&sample[~n & 1], &sample[n & 1]));
		} else {
			fputs(clear ? "\033[H\033[J" : n > 1 ? "\n" : "", stdout);
			top_print(stdout, &sample[~n & 1], &sample[n & 1]);
		}
		fflush(stdout);
	}
	free(sample);
	return ret;
}

static int run_top(const struct cli_command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'n' }, { "interval", required_argument, NULL, 'i' }, { "json", no_argument, NULL, 'j' }, {},
	};
	uint64_t count = 0, interval = 1;
	bool json = false;
	int fd, c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'n' && (!text_number(optarg, UINT32_MAX, &count) || !count))
			return cli_usage(self, "--count %s: give how often, from 1", optarg);
		else if (c == 'i' && (!text_number(optarg, 3600, &interval) || !interval))
			return cli_usage(self, "--interval %s: give seconds, from 1 to 3600", optarg);
		else if (c == '?')
			return cli_usage(self, "an option is not known or its argument is missing");
	}
	if (optind != argc)
		return cli_usage(self, "too many arguments");
	fd = host_open();
	return fd < 0 ? CLI_FAILED : show(fd, count, (int)interval * 1000, json);
}

const struct cli_command cli_top = {
	.name = "top",
	.summary = "guests and their disks at work, each second",
	.help = "Usage: tessera top [--interval SECONDS] [--count N] [--json]\n\n"
		"Shows what the machine and each guest do a second: exits, hypercalls, tokens; and of each disk how it moves data\n"
		"(see tesserad --help), its queues in use, reads, writes and flushes a second, MiB to and from the guest, and\n"
		"requests that failed since it was attached. Ends when interrupted.\n\n"
		"  --interval SECONDS  between two looks (default 1)\n"
		"  --count N           end after N of them\n"
		"  --json              one line of JSON each, with each queue's requests a second\n\n"
		"Examples:\n  tessera top\n  tessera top --json --count 1\n",
	.run = run_top,
};
