/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * What the processor is told to let the host do without an exit is what the tables say of each register and port, one by one [GUARD-6] [GUARD-8].
 * Nothing that a rule leads to is called.
 */
/* sources: hv/x86/guard_msr.c hv/x86/guard_port.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <core/core.h>

#include "hv/x86/host.h"
#include "hv/x86/msr_table.h"
#include "hv/x86/port_table.h"
#include "hv/x86/x86.h"

struct acpi_info acpi = { .pm1a_cnt = 0x604, .pm1b_cnt = 0xffff, .reset_port = 0xcf9 };
struct chipset chipset = { .smi_block = 0x630 };

bool guard_pci_write(uint16_t bdf, uint32_t reg, uint32_t size, uint32_t value)
{
	(void)bdf;
	(void)reg;
	(void)size;
	(void)value;
	fail();
	return false;
}

bool apic_host_msr_write(uint32_t msr, uint64_t v)
{
	(void)msr;
	(void)v;
	fail();
	return false;
}

void core_count(enum tsr_counter which)
{
	(void)which;
	fail();
}

void refuse_log(const struct cpu *c, uint64_t rip, const char *what, uint64_t address)
{
	(void)c;
	(void)rip;
	(void)what;
	(void)address;
	fail();
}

_Noreturn void machine_reset(const char *why)
{
	fail_msg("%s", why);
	abort();
}

_Noreturn void machine_off(uint16_t port, uint16_t value)
{
	fail_msg("%x to port %x", value, port);
	abort();
}

static const struct {
	uint32_t first, last;
	enum msr_rule read, write;
} msrs[] = {
#define X(first, last, read, write, text) { first, last, MSR_##read, MSR_##write },
	HOST_MSRS(X)
#undef X
};

static const struct {
	uint32_t first, last;
} ports[] = {
#define X(first, last, rule, text) { first, last },
	HOST_PORTS(X)
#undef X
	{ 0x604, 0x605 }, { 0xffff, 0xffff }, { 0x630, 0x67f }, { 0xcf9, 0xcf9 },
};

static void each_msr_by_the_first_entry_that_has_it(void **state)
{
	static const uint32_t base[] = { 0, 0xc0000000, 0xc0010000, 0xffffe000 };
	uint32_t entries = 0;

	(void)state;
	for (uint32_t r = 0; r < sizeof(base) / sizeof(base[0]); r++)
		for (uint32_t i = 0, last = 0; i < 8192; i++) {
			uint32_t msr = base[r] + i, e = 0;
			struct msr_rules rules = guard_msr_rules(msr);

			while (e < sizeof(msrs) / sizeof(msrs[0]) && (msr < msrs[e].first || msr > msrs[e].last))
				e++;
			assert_int_equal(rules.read, e < sizeof(msrs) / sizeof(msrs[0]) ? msrs[e].read : MSR_PASS);
			assert_int_equal(rules.write, e < sizeof(msrs) / sizeof(msrs[0]) ? msrs[e].write : MSR_REFUSE);
			assert_true(rules.last >= msr);
			/* A run is told of by each of its registers in the same way. */
			assert_true(!i || msr > last || rules.last == last);
			last = rules.last;
			entries += e < sizeof(msrs) / sizeof(msrs[0]) && msr == msrs[e].last;
		}
	assert_int_equal(entries, sizeof(msrs) / sizeof(msrs[0]));
}

static void each_guarded_port_traps_and_no_other(void **state)
{
	static uint8_t map[8192];
	uint32_t guarded = 0;

	(void)state;
	guard_port_init();
	guard_port_map(map);
	for (uint32_t p = 0; p < 65536; p++) {
		bool wanted = false;

		for (uint32_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
			wanted |= p >= ports[i].first && p <= ports[i].last;
		assert_int_equal(guard_port_traps((uint16_t)p), wanted);
		assert_int_equal(map[p / 8] >> p % 8 & 1, wanted);
		guarded += wanted;
	}
	assert_true(guarded > 0x50 && guarded < 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_msr_by_the_first_entry_that_has_it),
		cmocka_unit_test(each_guarded_port_traps_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
