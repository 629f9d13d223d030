// SPDX-License-Identifier: BSD-2-Clause-Patent
/* A device's refused access, as people and programs read it. */
#include <inttypes.h>
#include <jansson.h>

#include "host-backend/cli/cli.h"

#define DEVICE_TEXT 8 /* "bb:dd.f" and its end: as lspci writes it */

static void device_text(char text[DEVICE_TEXT], uint16_t device)
{
	snprintf(text, DEVICE_TEXT, "%02x:%02x.%x", device >> 8, device >> 3 & 31u, device & 7u);
}

void print_dma_fault(FILE *out, const struct tsr_dma_fault *fault, const char *driver)
{
	char device[DEVICE_TEXT];

	device_text(device, fault->device);
	fprintf(out, "%s  %-5s  0x%016" PRIx64 "  %6u  %s", device, fault->write ? "write" : "read", fault->address, fault->reason,
		driver ? driver : "-");
}

struct json_t *dma_fault_json(const struct tsr_dma_fault *fault, const char *driver)
{
	char device[DEVICE_TEXT], address[2 + 16 + 1];

	device_text(device, fault->device);
	/* As text: many programs read a number of JSON as one of floating point, which has 53 bits. */
	snprintf(address, sizeof(address), "0x%" PRIx64, fault->address);
	return json_pack("{s:s, s:s, s:s, s:i, s:s?}", "device", device, "access", fault->write ? "write" : "read", "address", address,
			 "reason", fault->reason, "driver", driver);
}
