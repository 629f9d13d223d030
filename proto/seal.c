/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include "proto/seal.h"

bool tsr_suite_known(uint32_t suite)
{
	return suite != TSR_SUITE_NONE && suite < TSR_SUITE_NR;
}

const char *tsr_suite_text(uint32_t suite)
{
	switch (suite) {
#define SUITE_TEXT(name, number, text) \
	case number:                   \
		return text;
		TSR_SUITES(SUITE_TEXT)
#undef SUITE_TEXT
	}
	return "unknown";
}
