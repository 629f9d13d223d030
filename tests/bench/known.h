/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* How often the loops of known.S run; tests/system/test_bench.py reads them here. */
#define KNOWN_LOOP 1000000
#define KNOWN_STRING 1000
#define KNOWN_RUNS 100
#define KNOWN_FIRST 3000
#define KNOWN_SECOND 500
