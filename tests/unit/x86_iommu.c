/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The ACPI tables of both vendors, and AMD-Vi against a unit made of ordinary memory: that a silent unit is not taken for a working one, commands
 * and events. QEMU's model writes no event, so here is the only place where they are read.
 */
/* sources: hv/x86/amdvi.c hv/x86/vtd.c hv/x86/iommu_table.c */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hv/x86/iommu.h"
#include "hv/x86/x86.h"

#define REG(at) (*(volatile uint64_t *)(regs + (at)))

bool iommu_noncoherent;
static uint8_t *regs;
static volatile bool answers, stop;
static pthread_t model;
static unsigned said;
static struct tsr_dma_fault seen[300];
static unsigned nr_seen;
enum iommu_messages iommu_messages;
bool iommu_messages_free;
static bool qemu;
static uint64_t khz;

void con_printf(const char *fmt, ...)
{
	(void)fmt;
	said++;
}

bool mem_has_ram(uint64_t pa, uint64_t size)
{
	return pa < 0x10000 && size;
}

void *boot_alloc(uint64_t pages)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
}

uint64_t tsc_khz(void)
{
	return khz;
}

bool pci_made_by_qemu(uint16_t bdf)
{
	(void)bdf;
	return qemu;
}

bool mem_touches_ram(uint64_t pa, uint64_t size)
{
	return mem_has_ram(pa, size);
}

uint64_t iommu_root(uint32_t levels)
{
	assert_int_equal(levels, 4);
	return 0x123456000;
}

void iommu_fault(uint16_t device, uint64_t address, bool write, uint8_t reason)
{
	if (nr_seen < 300)
		seen[nr_seen] = (struct tsr_dma_fault){ .address = address, .device = device, .write = write, .reason = reason };
	nr_seen++;
}

/* The unit: takes commands one after the other, and stores what a COMPLETION_WAIT says. */
static void *unit(void *arg)
{
	while (!stop) {
		/* What is written before the unit is turned on is looked at only then. */
		bool on = answers && (REG(0x18) & 1);
		uint64_t head = REG(0x2000), base = REG(8) & 0x000ffffffffff000ull;

		if (!on || head == REG(0x2008))
			continue;
		const uint64_t *cmd = (const uint64_t *)(base + head);

		if (cmd[0] >> 60 == 1 && (cmd[0] & 1))
			*(volatile uint64_t *)(cmd[0] & 0x000ffffffffffff8ull) = cmd[1];
		REG(0x2000) = (head + 16) & (PAGE - 16);
	}
	return arg;
}

static int setup(void **state)
{
	(void)state;
	regs = boot_alloc(4);
	REG(0x30) = 1 << 6;
	iommu_units = said = nr_seen = 0;
	answers = true;
	stop = qemu = false;
	khz = 100000000; /* the model answers, however busy this machine is */
	return pthread_create(&model, NULL, unit, NULL);
}

static int teardown(void **state)
{
	(void)state;
	stop = true;
	return pthread_join(model, NULL);
}

/* A table with one unit, then a region of the firmware's; returns its length. */
static uint32_t table(uint8_t *t, uint64_t region)
{
	uint64_t base = (uint64_t)regs, size = PAGE;

	memset(t, 0, 256);
	t[48] = 0x10;
	t[50] = 24;
	t[52] = 0x18;
	memcpy(t + 56, &base, 8);
	t[72] = 0x20;
	t[74] = 32;
	memcpy(t + 88, &region, 8);
	memcpy(t + 96, &size, 8);
	return 104;
}

/* [DMA-6] */
static void a_table_is_taken_whole_or_not_at_all(void **state)
{
	uint8_t t[256];
	uint32_t len = table(t, 0xfe000000);

	(void)state;
	assert_true(iommu_parse(&amdvi, t, len));
	assert_int_equal(iommu_units, 1);
	assert_int_equal(iommu_unit[0].base, (uint64_t)regs);
	assert_int_equal(iommu_unit[0].bdf, 0x18);
	len = table(t, 0x8000);
	assert_false(iommu_parse(&amdvi, t, len));
	for (unsigned bad = 0; bad < 8; bad++) {
		len = table(t, 0xfe000000);
		t[50] = (uint8_t)bad;
		assert_false(iommu_parse(&amdvi, t, len));
	}
	len = table(t, 0xfe000000);
	t[75] = 1;
	assert_false(iommu_parse(&amdvi, t, len));
	len = table(t, 0xfe000000);
	t[57] = 1; /* not a page's address */
	t[56] = 1;
	assert_false(iommu_parse(&amdvi, t, len));
	len = table(t, 0xfe000000);
	t[64] = 1; /* another segment */
	assert_false(iommu_parse(&amdvi, t, len));
	len = table(t, 0xfe000000);
	t[60] = 1; /* beyond 4 GiB */
	assert_false(iommu_parse(&amdvi, t, len));
}

/* [DMA-6] The same walk for DMAR, so here only what is its own. */
static void a_dmar_table_gives_units_and_regions(void **state)
{
	uint64_t base = (uint64_t)regs, region[2] = { 0xfe000000, 0xfe000fff };
	uint8_t t[256] = { 0 };

	(void)state;
	t[50] = 16;
	memcpy(t + 56, &base, 8);
	t[64] = 1;
	t[66] = 24;
	memcpy(t + 72, region, sizeof(region));
	assert_true(iommu_parse(&vtd, t, 88));
	assert_int_equal(iommu_units, 1);
	assert_int_equal(iommu_unit[0].bdf, IOMMU_NO_BDF);
	t[53] = 4; /* 16 pages of registers: found again, not added again */
	assert_true(iommu_parse(&vtd, t, 88));
	assert_int_equal(iommu_units, 1);
	region[0] = 0x8000;
	memcpy(t + 72, region, sizeof(region));
	assert_false(iommu_parse(&vtd, t, 88));
	t[66] = 16;
	assert_false(iommu_parse(&vtd, t, 80));
}

/* [DMA-6] */
static void a_unit_that_does_not_answer_is_not_used(void **state)
{
	(void)state;
	iommu_add(&amdvi, (uint64_t)regs, 4 * PAGE, 0);
	answers = false;
	khz = 100000; /* a second of the code's is a fraction of ours */
	assert_false(amdvi.start());
	assert_true(said);
	assert_int_equal(REG(0x18), 0);
	answers = true;
	REG(0x30) = 0; /* cannot forget everything at once */
	assert_false(amdvi.start());
}

/* [DMA-1] [DMA-3] */
static void every_requester_id_translates_and_flushes_are_carried_out(void **state)
{
	const uint64_t *devtab;
	uint64_t serial;

	(void)state;
	iommu_add(&amdvi, (uint64_t)regs, 4 * PAGE, 0);
	assert_true(amdvi.start());
	assert_int_equal(REG(0) & 0xfff, 511);
	devtab = (const uint64_t *)(REG(0) & ~0xfffull);
	for (unsigned id = 0; id < 65536; id++) {
		assert_int_equal(devtab[4 * id], 0x123456000ull | 3 | 4 << 9 | 3ull << 61);
		assert_int_equal(devtab[4 * id + 1], IOMMU_DOMAIN);
		assert_int_equal(devtab[4 * id + 2] | devtab[4 * id + 3], 0);
	}
	/* More than the ring holds, so that it wraps. */
	for (serial = 2; serial < 1000; serial++) {
		while (!amdvi.flush(0, serial))
			;
		while (iommu_unit[0].done != serial)
			;
	}
	/* A unit that stops: the ring fills, nothing is overwritten, nothing is taken for done. */
	answers = false;
	for (unsigned n = 0; amdvi.flush(0, serial + n); n++)
		assert_true(n < 128);
	assert_int_equal(iommu_unit[0].done, serial - 1);
}

#define IV	1ull
#define PASS	(1ull << 60)
#define SMI_FILTER (1ull << 16)

static void expect_messages(uint64_t features, bool made_by_qemu, enum iommu_messages mode, uint64_t third)
{
	const uint64_t *devtab;

	assert_int_equal(teardown(NULL) | setup(NULL), 0);
	iommu_add(&amdvi, (uint64_t)regs, 4 * PAGE, 0);
	REG(0x30) |= features;
	qemu = made_by_qemu;
	assert_true(amdvi.start());
	assert_int_equal(iommu_messages, mode);
	devtab = (const uint64_t *)(REG(0) & ~0xfffull);
	for (unsigned id = 0; id < 65536; id++) {
		assert_int_equal(devtab[4 * id + 2], third);
		assert_int_equal(devtab[4 * id + 3], 0);
	}
	assert_int_equal(!!(REG(0x18) & 1 << 22), mode == MESSAGES_FIXED);
}

/* [DMA-7] */
static void messages_are_stopped_where_the_unit_can(void **state)
{
	(void)state;
	expect_messages(0, false, MESSAGES_OPEN, 0);
	expect_messages(SMI_FILTER, false, MESSAGES_FIXED, IV | PASS);
	expect_messages(SMI_FILTER, true, MESSAGES_CLOSED, IV);
	iommu_messages_free = true;
	expect_messages(SMI_FILTER, true, MESSAGES_OPEN, 0);
	iommu_messages_free = false;
}

/* [DMA-5] */
static void events_are_read_once_and_in_order(void **state)
{
	uint64_t *events;

	(void)state;
	iommu_add(&amdvi, (uint64_t)regs, 4 * PAGE, 0);
	assert_true(amdvi.start());
	events = (uint64_t *)(REG(0x10) & 0x000ffffffffff000ull);
	events[0] = 2ull << 60 | 1ull << 53 | 0x18;
	events[1] = 0xdeadb000;
	events[2] = 2ull << 60 | 0x20;
	events[3] = 0x1000;
	REG(0x2018) = 32;
	amdvi.poll(0);
	amdvi.poll(0);
	assert_int_equal(nr_seen, 2);
	assert_true(seen[0].device == 0x18 && seen[0].address == 0xdeadb000 && seen[0].write && seen[0].reason == 2);
	assert_true(seen[1].device == 0x20 && seen[1].address == 0x1000 && !seen[1].write);
	/* Whatever the tail says, no more than the ring is read. */
	REG(0x2018) = ~0ull;
	amdvi.poll(0);
	assert_true(nr_seen <= 2 + 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_table_is_taken_whole_or_not_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dmar_table_gives_units_and_regions, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unit_that_does_not_answer_is_not_used, setup, teardown),
		cmocka_unit_test_setup_teardown(every_requester_id_translates_and_flushes_are_carried_out, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_are_stopped_where_the_unit_can, setup, teardown),
		cmocka_unit_test_setup_teardown(events_are_read_once_and_in_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
