/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * What a guest's memory holds when it starts, built from files: spec/host.md. The same inputs give the same bytes at the same
 * addresses, always; a guest's identity and with it its keys depend on that.
 *
 * Nothing in here is trusted by a guest: whatever it builds is measured before the guest runs.
 */
#ifndef CLI_LOADER_H
#define CLI_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tessera/types.h>

/* The layout below 1 MiB. Everything else is RAM, zero. */
#define LOADER_BOOT_PARAMS  0x00007000u /* one page */
#define LOADER_COMMAND_LINE 0x00020000u
#define LOADER_COMMAND_MAX  0x00001000u /* with its terminating zero */
#define LOADER_LOW_END      0x000a0000u /* RAM again from 1 MiB on: kernels expect no RAM in between */
#define LOADER_ACPI         0x000e0000u
#define LOADER_ACPI_SIZE    0x00002000u
#define LOADER_HIGH         0x00100000u

#define LOADER_MAX_SEGMENTS 8u
/* Linux is entered in 32-bit mode, so kernel and initrd lie below. */
#define LOADER_MAX_MEMORY   (1ull << 40)

struct loader_segment {
	uint64_t gpa;        /* page-aligned; ascending, without overlaps */
	const uint8_t *data; /* owned by the contents or by the inputs: see own */
	uint64_t size;       /* bytes; the rest of the last page is zeros */
	uint8_t *own;        /* to be freed, or NULL */
};

struct loader_contents {
	struct loader_segment segment[LOADER_MAX_SEGMENTS];
	unsigned segments;
	uint32_t eip, esi;
};

struct loader_error {
	char text[256]; /* what is wrong with the inputs and what to do */
};

struct loader_file {
	const uint8_t *data;
	uint64_t size;
};

struct loader_linux {
	struct loader_file kernel; /* a bzImage */
	struct loader_file initrd; /* data NULL: none */
	const char *command_line;
	uint64_t mem_pages;
	uint32_t vcpus;
};

/* All return false with error filled and contents empty, or true. The inputs' data must outlive the contents. */
bool loader_build_linux(struct loader_contents *contents, const struct loader_linux *in, struct loader_error *error);
/* A flat file at an address, entered with esi = 0. */
bool loader_build_raw(struct loader_contents *contents, struct loader_file file, uint64_t address, uint32_t entry,
		      uint64_t mem_pages, struct loader_error *error);
void loader_free(struct loader_contents *contents);

/* Where inside the bzImage the kernel proper is and where it wants to be. */
struct loader_kernel {
	uint64_t offset, size;  /* of the protected-mode part in the file */
	uint64_t load;          /* address */
	uint64_t init_size;     /* bytes it needs from load on before it has looked at the memory map */
	uint64_t initrd_max;    /* highest address the initrd may touch */
	uint32_t command_max;   /* longest command line without its zero */
	uint8_t header_len;     /* of the setup header at LOADER_SETUP_HEADER */
};
#define LOADER_SETUP_HEADER 0x1f1u

/* Checks everything that is used later. */
bool loader_parse_kernel(struct loader_kernel *kernel, struct loader_file file, struct loader_error *error);

/* Builds the ACPI tables for memory at LOADER_ACPI into out, LOADER_ACPI_SIZE bytes; the RSDP is at the start. vcpus: 1..16. */
void loader_build_acpi(uint8_t *out, uint32_t vcpus);

#endif
