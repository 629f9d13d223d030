// SPDX-License-Identifier: BSD-2-Clause-Patent
/* tessera measure: a guest's identity, without the hypervisor. */
#include <string.h>

#include "host-backend/cli/config.h"
#include "host-backend/cli/options.h"
#include "proto/measure.h"

/* As the hypervisor will do it: whole pages, the last one padded with zeros. */
static void measure_segment(struct tsr_measure *m, const struct loader_segment *s)
{
	for (uint64_t done = 0; done < s->size; done += TSR_PAGE_SIZE) {
		uint64_t part = s->size - done < TSR_PAGE_SIZE ? s->size - done : TSR_PAGE_SIZE;
		uint8_t page[TSR_PAGE_SIZE] = {};

		memcpy(page, s->data + done, part);
		tsr_measure_load(m, (s->gpa + done) / TSR_PAGE_SIZE, page);
	}
}

static int run_measure(const struct cli_command *self, int argc, char **argv)
{
	uint8_t identity[TSR_ID_SIZE];
	struct guest_options o;
	struct tsr_measure m;
	struct config_error error;
	struct config config = {};
	int ret;

	if (argc == 3 && !strcmp(argv[1], "--config")) {
		if (config_read(&config, argv[2], &error))
			return cli_fail("%s", error.text);
		argc = config.guest.argc;
		argv = config.guest.argv;
	}
	ret = guest_options_parse(&o, self, argc, argv);
	config_free(&config);
	if (ret)
		return ret;
	tsr_measure_create(&m, &o.config);
	for (unsigned i = 0; i < o.contents.segments; i++)
		measure_segment(&m, &o.contents.segment[i]);
	tsr_measure_launch(&m, o.contents.eip, o.contents.esi, identity);
	if (o.json)
		printf("{\"identity\":\"");
	print_hex(stdout, identity, sizeof(identity));
	printf(o.json ? "\"}\n" : "\n");
	guest_options_free(&o);
	return CLI_OK;
}

const struct cli_command cli_measure = {
	.name = "measure",
	.summary = "the identity a guest will have; works anywhere",
	.help = "Usage: tessera measure OPTIONS [--json]\n"
		"       tessera measure --config FILE\n\n"
		"Prints what `tessera guest show` will show as identity. Takes the options of `tessera guest create`\n"
		"(see its --help); --name changes nothing.\n\n"
		"  --config FILE  the guest that FILE describes (see `tessera guest start --help`)\n\n"
		"Example:\n  tessera measure --kernel vmlinuz --initrd initrd.img --memory 512M --disk data\n",
	.run = run_measure,
	.options_of = &cli_guest_create,
};
