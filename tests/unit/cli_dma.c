// SPDX-License-Identifier: BSD-2-Clause-Patent
/* How `tessera dma-faults` shows an access. */
/* sources: host-backend/cli/dma_text.c */
/* libs: -ljansson */
#include "unit.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "host-backend/cli/cli.h"

static void shows(const struct tsr_dma_fault *fault, const char *driver, const char *expected)
{
	char line[128] = "";
	FILE *out = fmemopen(line, sizeof(line), "w");

	assert_non_null(out);
	print_dma_fault(out, fault, driver);
	fclose(out);
	assert_string_equal(line, expected);
}

static void for_people(void **state)
{
	const struct tsr_dma_fault read = { .address = 0x1000, .device = 0x0020, .reason = 6 };
	const struct tsr_dma_fault write = { .address = 0xfffffffffffff000, .device = 0xffff, .write = 1, .reason = 255 };

	(void)state;
	shows(&read, NULL, "00:04.0  read   0x0000000000001000       6  -");
	shows(&write, "nvme", "ff:1f.7  write  0xfffffffffffff000     255  nvme");
}

static void for_programs(void **state)
{
	const struct tsr_dma_fault fault = { .address = 0xfffffffffffff123, .device = 0x01fa, .write = 1, .reason = 5 };
	json_t *value = dma_fault_json(&fault, NULL);
	char *text = json_dumps(value, JSON_COMPACT);

	(void)state;
	assert_string_equal(text, "{\"device\":\"01:1f.2\",\"access\":\"write\",\"address\":\"0xfffffffffffff123\",\"reason\":5,\"driver\":null}");
	free(text);
	json_decref(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(for_people), cmocka_unit_test(for_programs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
