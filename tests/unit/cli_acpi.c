// SPDX-License-Identifier: BSD-2-Clause-Patent
/* The guest's ACPI tables: sums, links, and the registers the hypervisor emulates. [HOST-23] */
/* sources: host-backend/cli/loader_acpi.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <tessera/platform.h>
#include "host-backend/cli/loader.h"

static uint8_t area[LOADER_ACPI_SIZE];

static uint64_t get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static uint8_t sum(const uint8_t *from, size_t len)
{
	uint8_t total = 0;

	while (len--)
		total = (uint8_t)(total + *from++);
	return total;
}

/* A table by its guest address: inside the area, right signature, right sum. */
static const uint8_t *table(uint64_t address, const char *signature)
{
	const uint8_t *t;
	uint64_t len;

	assert_in_range(address, LOADER_ACPI, LOADER_ACPI + LOADER_ACPI_SIZE - 36);
	t = area + (address - LOADER_ACPI);
	assert_memory_equal(t, signature, 4);
	len = get(t + 4, 4);
	assert_in_range(len, 36, LOADER_ACPI_SIZE - (address - LOADER_ACPI));
	assert_int_equal(sum(t, len), 0);
	return t;
}

static const uint8_t *xsdt(void)
{
	assert_memory_equal(area, "RSD PTR ", 8);
	assert_int_equal(area[15], 2);
	assert_int_equal(sum(area, 20), 0);
	assert_int_equal(get(area + 20, 4), 36);
	assert_int_equal(sum(area, 36), 0);
	return table(get(area + 24, 8), "XSDT");
}

static void the_fixed_table_describes_reduced_hardware(void **state)
{
	const uint8_t *fadt;
	static const struct {
		uint32_t at;
		uint16_t port;
	} ports[] = { { 116, TSR_PORT_RESET }, { 244, TSR_PORT_SLEEP_CONTROL }, { 256, TSR_PORT_SLEEP_STATUS } };

	(void)state;
	loader_build_acpi(area, 1);
	fadt = table(get(xsdt() + 36, 8), "FACP");
	assert_int_equal(get(fadt + 4, 4), 276);
	assert_true(get(fadt + 112, 4) & 1u << 20); /* hardware-reduced */
	assert_true(get(fadt + 112, 4) & 1u << 10); /* reset register */
	assert_int_equal(fadt[128], TSR_RESET_VALUE);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fadt[ports[i].at], 1); /* I/O space */
		assert_int_equal(fadt[ports[i].at + 3], 1); /* bytes */
		assert_int_equal(get(fadt + ports[i].at + 4, 8), ports[i].port);
	}
	assert_int_equal(get(fadt + 40, 4), get(fadt + 140, 8));
}

/* The two package lengths are written by hand: they must end where the table ends. */
static void the_definition_block_closes_its_packages(void **state)
{
	const uint8_t *dsdt, *body;
	uint64_t len;

	(void)state;
	loader_build_acpi(area, 1);
	dsdt = table(get(table(get(xsdt() + 36, 8), "FACP") + 140, 8), "DSDT");
	len = get(dsdt + 4, 4);
	body = dsdt + 36;
	assert_memory_equal(body, "\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05", 12);
	assert_int_equal(body[14], 0x10); /* Scope: its length counts from its own byte */
	assert_ptr_equal(body + 15 + body[15], dsdt + len);
	assert_int_equal(body[21], 0x5b); /* Device, the only thing in it */
	assert_int_equal(body[22], 0x82);
	assert_ptr_equal(body + 23 + body[23], dsdt + len);
	/* An I/O descriptor with the UART's ports, then the end tag: no interrupt. */
	assert_memory_equal(dsdt + len - 10, "\x47\x01\xf8\x03\xf8\x03\x01\x08\x79\x00", 10);
}

static void there_is_an_entry_for_each_cpu(void **state)
{
	(void)state;
	for (uint32_t vcpus = 1; vcpus <= 16; vcpus++) {
		const uint8_t *madt, *entry;

		loader_build_acpi(area, vcpus);
		madt = table(get(xsdt() + 44, 8), "APIC");
		assert_int_equal(get(madt + 4, 4), 44 + 8 * vcpus);
		assert_int_equal(get(madt + 40, 4), 0); /* no 8259 */
		for (uint32_t i = 0; i < vcpus; i++) {
			entry = madt + 44 + 8 * i;
			assert_int_equal(get(entry, 2), 0x0800);
			assert_int_equal(entry[3], i);
			assert_int_equal(get(entry + 4, 4), 1);
		}
		/* And the neighbours are whole. */
		the_definition_block_closes_its_packages(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fixed_table_describes_reduced_hardware),
		cmocka_unit_test(the_definition_block_closes_its_packages),
		cmocka_unit_test(there_is_an_entry_for_each_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
