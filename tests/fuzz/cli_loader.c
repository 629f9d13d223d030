// SPDX-License-Identifier: BSD-2-Clause-Patent
/* Any file as a kernel: the loader refuses it or builds contents that keep their own rules. */
/* sources: host-backend/cli/loader.c host-backend/cli/loader_bzimage.c host-backend/cli/loader_acpi.c */
#include <stdlib.h>
#include <string.h>

#include "host-backend/cli/loader.h"
#include "require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct loader_contents *c, uint64_t mem)
{
	volatile uint8_t touched;
	uint64_t end = 0;

	for (unsigned i = 0; i < c->segments; i++) {
		const struct loader_segment *s = &c->segment[i];

		require(s->gpa % TSR_PAGE_SIZE == 0 && s->gpa >= end && s->gpa < mem && s->size && s->size <= mem - s->gpa);
		end = (s->gpa + s->size + TSR_PAGE_SIZE - 1) / TSR_PAGE_SIZE * TSR_PAGE_SIZE;
		touched = s->data[0];
		touched = s->data[s->size - 1];
	}
	(void)touched;
	require(c->eip < mem && c->esi < mem);
}

/* The same bytes as a flat file, at an address that they name. */
static void raw(const uint8_t *data, size_t size, uint64_t pages)
{
	struct loader_contents contents;
	struct loader_error error = { "" };
	uint64_t address = 0;
	uint32_t entry = 0;

	memcpy(&address, data, size < sizeof(address) ? size : sizeof(address));
	memcpy(&entry, data, size < sizeof(entry) ? size : sizeof(entry));
	if (size > 8 && data[8] % 2)
		address = (uint64_t)data[8] << 12;
	if (size > 9 && data[9] % 2)
		entry = (uint32_t)address + data[9];
	if (!loader_build_raw(&contents, (struct loader_file){ data, size }, address, entry, pages, &error)) {
		require(error.text[0]);
		return;
	}
	check(&contents, pages * TSR_PAGE_SIZE);
	loader_free(&contents);
}

/* The first two bytes choose memory (0 to 2 GiB) and the initrd's size; the rest is the kernel. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t initrd[256 * 64];
	struct loader_contents contents;
	struct loader_error error;
	struct loader_linux in = { .command_line = "console=ttyS0", .vcpus = 1 };

	if (size < 2)
		return 0;
	in.mem_pages = ((uint64_t)data[0] + 1) << 11;
	in.initrd = (struct loader_file){ data[1] ? initrd : NULL, data[1] * 64u };
	in.kernel = (struct loader_file){ data + 2, size - 2 };
	if (loader_build_linux(&contents, &in, &error)) {
		check(&contents, in.mem_pages * TSR_PAGE_SIZE);
		loader_free(&contents);
	}
	raw(data + 2, size - 2, in.mem_pages);
	return 0;
}
