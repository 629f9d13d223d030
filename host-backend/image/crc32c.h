/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * CRC-32C (Castagnoli), as in RFC 3720. Finds torn and rotten bytes; it keeps nobody out, the seals do that.
 */
#ifndef IMAGE_CRC32C_H
#define IMAGE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from crc, which is 0 at the start: crc32c(crc32c(0, a), b) is that of a || b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The portable way that crc32c() takes on processors without SSE 4.2. */
uint32_t crc32c_table(uint32_t crc, const void *data, size_t size);

#endif
