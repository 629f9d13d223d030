// SPDX-License-Identifier: BSD-2-Clause-Patent
/*
 * The guest's ACPI tables (ACPI 6.4, chapter 5): hardware-reduced, virtual CPUs with their local APIC, one UART, power-off and reset.
 *
 * The UART is described without an interrupt. Linux would otherwise take its built-in ttyS0 with interrupt 4, which nothing
 * delivers here, and a console that cannot be opened; 8250_pnp sets what this table says, and no interrupt means polling.
 */
#include <string.h>

#include <tessera/platform.h>

#include "host-backend/cli/loader.h"

#define AT_RSDP 0x000u
#define AT_XSDT 0x040u
#define AT_FADT 0x080u
#define AT_MADT 0x200u
#define AT_DSDT 0x400u

#define HEADER_SIZE 36u
#define FADT_SIZE   276u

#define LOCAL_APIC_ADDRESS 0xfee00000u

enum fadt_flag { FADT_WBINVD = 1u << 0, FADT_RESET_REG_SUP = 1u << 10, FADT_HW_REDUCED = 1u << 20 };
enum fadt_boot { FADT_NO_VGA = 1u << 2, FADT_NO_CMOS_RTC = 1u << 5 };

static const uint8_t dsdt_body[] = {
	/* Name (\_S5, Package () { 5, 5, 0, 0 }) */
	0x08, '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, TSR_SLEEP_TYPE_S5, 0x0a, TSR_SLEEP_TYPE_S5, 0x00, 0x00,
	/* Scope (\_SB) { Device (COM1) { */
	0x10, 0x30, '\\', '_', 'S', 'B', '_', 0x5b, 0x82, 0x28, 'C', 'O', 'M', '1',
	/* Name (_HID, EisaId ("PNP0501")) */
	0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05, 0x01,
	/* Name (_UID, 1) */
	0x08, '_', 'U', 'I', 'D', 0x01,
	/* Name (_CRS, ResourceTemplate () { IO (Decode16, 0x3f8, 0x3f8, 1, 8) }) } } */
	0x08, '_', 'C', 'R', 'S', 0x11, 0x0d, 0x0a, 0x0a,
	0x47, 0x01, TSR_PORT_UART & 0xff, TSR_PORT_UART >> 8, TSR_PORT_UART & 0xff, TSR_PORT_UART >> 8, 0x01, 0x08,
	0x79, 0x00,
};

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static uint8_t checksum(const uint8_t *from, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *from++);
	return (uint8_t)-sum;
}

static void finish(uint8_t *table, const char *signature, uint32_t len, uint8_t revision)
{
	memcpy(table, signature, 4);
	put(table + 4, len, 4);
	table[8] = revision;
	memcpy(table + 10, "TESSER", 6);
	memcpy(table + 16, "TESSERA ", 8);
	put(table + 24, 1, 4);
	memcpy(table + 28, "TSRA", 4);
	put(table + 32, 1, 4);
	table[9] = 0;
	table[9] = checksum(table, len);
}

/* Generic address structure: one byte in I/O space. */
static void put_port(uint8_t *at, uint16_t port)
{
	at[0] = 1; /* system I/O */
	at[1] = 8; /* bits */
	at[2] = 0;
	at[3] = 1; /* byte access */
	put(at + 4, port, 8);
}

static void build_rsdp(uint8_t *rsdp)
{
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "TESSER", 6);
	rsdp[15] = 2; /* revision */
	put(rsdp + 20, 36, 4);
	put(rsdp + 24, LOADER_ACPI + AT_XSDT, 8);
	rsdp[8] = checksum(rsdp, 20);
	rsdp[32] = checksum(rsdp, 36);
}

static void build_fadt(uint8_t *fadt)
{
	put(fadt + 40, LOADER_ACPI + AT_DSDT, 4);
	put(fadt + 109, FADT_NO_VGA | FADT_NO_CMOS_RTC, 2);
	put(fadt + 112, FADT_WBINVD | FADT_RESET_REG_SUP | FADT_HW_REDUCED, 4);
	put_port(fadt + 116, TSR_PORT_RESET);
	fadt[128] = TSR_RESET_VALUE;
	fadt[131] = 4; /* minor version */
	put(fadt + 140, LOADER_ACPI + AT_DSDT, 8);
	put_port(fadt + 244, TSR_PORT_SLEEP_CONTROL);
	put_port(fadt + 256, TSR_PORT_SLEEP_STATUS);
	finish(fadt, "FACP", FADT_SIZE, 6);
}

static void build_madt(uint8_t *madt, uint32_t vcpus)
{
	uint8_t *entry = madt + HEADER_SIZE + 8;

	put(madt + HEADER_SIZE, LOCAL_APIC_ADDRESS, 4);
	for (uint32_t i = 0; i < vcpus; i++, entry += 8) {
		entry[0] = 0; /* processor local APIC */
		entry[1] = 8; /* length */
		entry[2] = (uint8_t)i;
		entry[3] = (uint8_t)i;
		put(entry + 4, 1, 4); /* enabled */
	}
	finish(madt, "APIC", HEADER_SIZE + 8 + 8 * vcpus, 5);
}

void loader_build_acpi(uint8_t *out, uint32_t vcpus)
{
	memset(out, 0, LOADER_ACPI_SIZE);
	build_rsdp(out + AT_RSDP);
	put(out + AT_XSDT + HEADER_SIZE, LOADER_ACPI + AT_FADT, 8);
	put(out + AT_XSDT + HEADER_SIZE + 8, LOADER_ACPI + AT_MADT, 8);
	finish(out + AT_XSDT, "XSDT", HEADER_SIZE + 16, 1);
	build_fadt(out + AT_FADT);
	build_madt(out + AT_MADT, vcpus);
	memcpy(out + AT_DSDT + HEADER_SIZE, dsdt_body, sizeof(dsdt_body));
	finish(out + AT_DSDT, "DSDT", HEADER_SIZE + sizeof(dsdt_body), 2);
}
