/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The decoder of the host's stores to guarded pages, on page tables and code that a hostile host has made. Frames that are not the host's
 * cannot be read here at all, so that a look at one ends the test.
 */
/* sources: hv/x86/decode.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <core/arch.h>

#include "hv/x86/host.h"
#include "hv/x86/x86.h"

#define VA 0xffffffff81200000ull /* of two pages of code */
#define PRESENT 0x63ull

enum { ROOT, UPPER, DIRECTORY, TABLE, CODE, NEXT, NR };
static uint8_t *page[NR];
static bool theirs[NR];   /* the host's */
static unsigned looked[NR];
static bool locked;
static struct vcpu_regs regs;
static struct host_state state;

bool core_host_frame(mfn_t m)
{
	assert_true(locked); /* else its owner may change before it is read */
	for (unsigned i = 0; i < NR; i++)
		if (m.n == (uintptr_t)page[i] >> 12) {
			looked[i]++;
			return theirs[i];
		}
	return false;
}

void arch_lock(void)
{
	assert_false(locked);
	locked = true;
}

void arch_unlock(void)
{
	assert_true(locked);
	locked = false;
}

static uint64_t *entry(unsigned table, unsigned level)
{
	return (uint64_t *)page[table] + ((VA >> (12 + 9 * level)) & 511);
}

static int setup(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < NR; i++) {
		page[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		theirs[i] = true;
		looked[i] = 0;
	}
	*entry(ROOT, 3) = (uintptr_t)page[UPPER] | PRESENT;
	*entry(UPPER, 2) = (uintptr_t)page[DIRECTORY] | PRESENT;
	*entry(DIRECTORY, 1) = (uintptr_t)page[TABLE] | PRESENT;
	*entry(TABLE, 0) = (uintptr_t)page[CODE] | PRESENT;
	entry(TABLE, 0)[1] = (uintptr_t)page[NEXT] | PRESENT;
	state = (struct host_state){ .cr3 = (uintptr_t)page[ROOT], .code64 = true };
	for (unsigned i = 0; i < 16; i++)
		regs.r[i] = 0x1111111111111111ull * i + 0x8040;
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < NR; i++)
		munmap(page[i], PAGE);
	return 0;
}

static void somebody_elses(unsigned i)
{
	theirs[i] = false;
	mprotect(page[i], PAGE, PROT_NONE);
}

/* The instruction at this place, which may reach over into the next page. */
static bool decode(unsigned at, const uint8_t *insn, size_t n, struct store *out)
{
	for (size_t i = 0; i < n; i++)
		*(at + i < PAGE ? page[CODE] + at + i : page[NEXT] + at + i - PAGE) = insn[i];
	state.rip = VA + at;
	return decode_store(&regs, &state, out);
}

static const struct {
	uint8_t insn[12];
	uint8_t len, size;
	int xchg;
	uint64_t value;
} forms[] = {
	{ { 0x89, 0x01 }, 2, 4, -1, 0x8040 },                                      /* mov %eax, (%rcx) */
	{ { 0x44, 0x89, 0x4c, 0x24, 0x10 }, 5, 4, -1, 0x99999999 + 0x8040 },   /* mov %r9d, 0x10(%rsp) */
	{ { 0x89, 0x04, 0x25, 0x00, 0x03, 0x5f, 0xff }, 7, 4, -1, 0x8040 },        /* mov %eax, absolute */
	{ { 0x89, 0x15, 1, 2, 3, 4 }, 6, 4, -1, 0x22222222 + 0x8040 },             /* mov %edx, (%rip) */
	{ { 0xc7, 0x81, 0, 3, 0, 0, 0x78, 0x56, 0x34, 0x12 }, 10, 4, -1, 0x12345678 },
	{ { 0x66, 0xc7, 0x01, 0x34, 0x12 }, 5, 2, -1, 0x1234 },
	{ { 0xc6, 0x01, 0x7f }, 3, 1, -1, 0x7f },
	{ { 0x88, 0x21 }, 2, 1, -1, 0x80 },                                        /* mov %ah, (%rcx) */
	{ { 0x40, 0x88, 0x21 }, 3, 1, -1, 0x84 },                                  /* mov %spl, (%rcx) */
	{ { 0x66, 0x89, 0x01 }, 3, 2, -1, 0x8040 },
	{ { 0x48, 0x89, 0x09 }, 3, 8, -1, 0x1111111111111111ull + 0x8040 },
	{ { 0x87, 0x19 }, 2, 4, R_BX, 0x33333333 + 0x8040 },
};
#define NR_FORMS (sizeof(forms) / sizeof(forms[0]))

static void check_form(unsigned i, const struct store *st)
{
	assert_int_equal(st->len, forms[i].len);
	assert_int_equal(st->size, forms[i].size);
	assert_int_equal(st->xchg, forms[i].xchg);
	assert_int_equal(st->value, forms[i].value);
}

/* [GUARD-2] */
static void the_listed_forms_are_understood_and_bytes_are_fetched_once(void **unused)
{
	struct store st;

	(void)unused;
	for (unsigned i = 0; i < NR_FORMS; i++) {
		memset(looked, 0, sizeof(looked));
		assert_true(decode(0x100, forms[i].insn, forms[i].len, &st));
		check_form(i, &st);
		assert_int_equal(looked[CODE], 1);
		assert_int_equal(looked[NEXT], 0);
		/* Wherever the page ends in it. */
		for (unsigned k = 1; k < forms[i].len; k++) {
			memset(looked, 0, sizeof(looked));
			assert_true(decode((unsigned)PAGE - k, forms[i].insn, forms[i].len, &st));
			check_form(i, &st);
			assert_int_equal(looked[CODE], 1);
			assert_int_equal(looked[NEXT], 1);
		}
	}
}

/* [GUARD-2] */
static void every_other_instruction_is_refused(void **unused)
{
	static const uint8_t known[] = { 0x87, 0x88, 0x89, 0xc6, 0xc7 };
	struct store st;

	(void)unused;
	for (unsigned op = 0; op < 256; op++) {
		const uint8_t plain[3] = { (uint8_t)op, 0x01, 0 }, wide[4] = { 0x48, (uint8_t)op, 0x01, 0 };

		if (!memchr(known, (int)op, sizeof(known)) && (op & 0xf0) != 0x40 && op != 0x66)
			assert_false(decode(0, plain, 3, &st));
		if (op != 0x89)
			assert_false(decode(0, wide, 4, &st));
	}
	/* Register forms, other members of the group, prefixes that say another size or a lock. */
	assert_false(decode(0, (const uint8_t[]){ 0x89, 0xc1 }, 2, &st));
	assert_false(decode(0, (const uint8_t[]){ 0xc7, 0x09, 0, 0, 0, 0 }, 6, &st));
	assert_false(decode(0, (const uint8_t[]){ 0xf0, 0x87, 0x19 }, 3, &st));
	assert_false(decode(0, (const uint8_t[]){ 0x66, 0x87, 0x19 }, 3, &st));
	assert_false(decode(0, (const uint8_t[]){ 0x66, 0x66, 0x89, 0x01 }, 4, &st));
	state.code64 = false;
	assert_false(decode(0, forms[0].insn, forms[0].len, &st));
}

/* [MEM-1] */
static void nothing_is_read_through_a_frame_that_is_not_the_hosts(void **unused)
{
	struct store st;

	(void)unused;
	/* Only what does not need the other page is understood. */
	assert_true(decode((unsigned)PAGE - 2, forms[0].insn, 2, &st));
	somebody_elses(NEXT);
	assert_true(decode((unsigned)PAGE - 2, forms[0].insn, 2, &st));
	page[CODE][PAGE - 1] = 0x89;
	state.rip = VA + PAGE - 1;
	assert_false(decode_store(&regs, &state, &st));
	state.rip = VA;
	for (unsigned i = CODE; i + 1 > 0; i--) {
		somebody_elses(i);
		assert_false(decode_store(&regs, &state, &st));
	}
	state.cr3 = 0; /* no frame of anybody's */
	assert_false(decode_store(&regs, &state, &st));
}

/* [MEM-1] */
static void tables_that_lead_round_or_nowhere_end(void **unused)
{
	struct store st;

	(void)unused;
	decode(0, forms[0].insn, forms[0].len, &st);
	*entry(TABLE, 0) = 0;
	assert_false(decode_store(&regs, &state, &st));
	*entry(TABLE, 0) = ~0ull;
	assert_false(decode_store(&regs, &state, &st));
	for (unsigned i = 0; i < 512; i++)
		((uint64_t *)page[ROOT])[i] = (uintptr_t)page[ROOT] | PRESENT;
	state.cr4 = 1 << 12;
	state.rip = 0x8000000000000000ull; /* and an address that no CPU would take */
	(void)decode_store(&regs, &state, &st);
	state.rip = UINT64_MAX;
	(void)decode_store(&regs, &state, &st);
}

/* [GUARD-2] */
static void arbitrary_bytes_are_refused_or_make_one_store(void **unused)
{
	uint64_t x = 20260726;
	unsigned understood = 0;
	struct store st;

	(void)unused;
	for (unsigned i = 0; i < 300000; i++) {
		uint8_t insn[15];

		for (unsigned k = 0; k < sizeof(insn); k++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			insn[k] = (uint8_t)(x >> 56);
		}
		if (i % 2)
			insn[i % 4 / 2] = (uint8_t)(0x87 + x % 3);
		if (!decode(i % 3 ? 0x20 : (unsigned)PAGE - 1 - i % 15, insn, sizeof(insn), &st))
			continue;
		understood++;
		assert_true(st.len >= 2 && st.len <= 15 && st.xchg >= -1 && st.xchg < 16);
		assert_true(st.size == 1 || st.size == 2 || st.size == 4 || st.size == 8);
		assert_true(st.xchg < 0 || st.size == 4);
		assert_true(st.size == 8 || !(st.value >> (8 * st.size)));
	}
	assert_true(understood > 10000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_listed_forms_are_understood_and_bytes_are_fetched_once),
		T(every_other_instruction_is_refused),
		T(nothing_is_read_through_a_frame_that_is_not_the_hosts),
		T(tables_that_lead_round_or_nowhere_end),
		T(arbitrary_bytes_are_refused_or_make_one_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
