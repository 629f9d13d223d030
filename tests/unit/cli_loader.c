// SPDX-License-Identifier: BSD-2-Clause-Patent
/* What the loader puts into a guest's memory. [HOST-20] [HOST-21] [HOST-22] */
/* sources: host-backend/cli/loader.c host-backend/cli/loader_bzimage.c host-backend/cli/loader_acpi.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/cli_kernel.h"

#define MIB (1ull << 20)

static struct test_kernel kernel;
static uint8_t initrd[3 * 4096 + 17];
static struct loader_contents contents;
static struct loader_error error;

static struct loader_linux inputs(void)
{
	good_kernel(&kernel);
	memset(initrd, 0x5a, sizeof(initrd));
	return (struct loader_linux){
		.kernel = kernel_file(&kernel),
		.initrd = { initrd, sizeof(initrd) },
		.command_line = "console=ttyS0",
		.mem_pages = 64 * MIB / 4096,
		.vcpus = 1,
	};
}

static uint64_t get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

/* Ascending, page-aligned, without overlaps, inside memory: what LOAD asks for and what makes the identity definite. */
static void check_segments(uint64_t mem)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < contents.segments; i++) {
		const struct loader_segment *s = &contents.segment[i];

		assert_int_equal(s->gpa % 4096, 0);
		assert_true(s->size > 0);
		assert_true(s->gpa >= end);
		assert_true(s->size <= mem - s->gpa);
		end = (s->gpa + s->size + 4095) / 4096 * 4096;
	}
}

static void linux_is_laid_out(void **state)
{
	struct loader_linux in = inputs();
	const uint8_t *bp;

	(void)state;
	assert_true(loader_build_linux(&contents, &in, &error));
	assert_int_equal(contents.segments, 5);
	check_segments(64 * MIB);
	assert_int_equal(contents.eip, 0x1000000);
	assert_int_equal(contents.esi, LOADER_BOOT_PARAMS);

	bp = contents.segment[0].data;
	assert_int_equal(contents.segment[0].gpa, LOADER_BOOT_PARAMS);
	assert_memory_equal(bp + 0x202, "HdrS", 4);
	assert_int_equal(get(bp + 0x070, 8), LOADER_ACPI);
	assert_int_equal(bp[0x210], 0xff);
	assert_int_equal(get(bp + 0x214, 4), 0x1000000);
	assert_int_equal(get(bp + 0x228, 4), LOADER_COMMAND_LINE);
	assert_int_equal(get(bp + 0x218, 4), contents.segment[4].gpa);
	assert_int_equal(get(bp + 0x21c, 4), sizeof(initrd));
	/* Only the header was copied, not what surrounds it. */
	assert_int_equal(bp[0x1f0], 0);
	assert_int_equal(bp[0x26c], 0);

	assert_string_equal((const char *)contents.segment[1].data, "console=ttyS0");
	assert_int_equal(contents.segment[3].gpa, 0x1000000);
	assert_ptr_equal(contents.segment[3].data, kernel.bytes + KERNEL_OFFSET);
	/* As high as possible. */
	assert_int_equal(contents.segment[4].gpa, 64 * MIB - 4 * 4096);
	loader_free(&contents);
	assert_int_equal(contents.segments, 0);
}

static void the_memory_map_covers_memory_once(void **state)
{
	struct loader_linux in = inputs();
	uint64_t end = 0;
	const uint8_t *bp;

	(void)state;
	assert_true(loader_build_linux(&contents, &in, &error));
	bp = contents.segment[0].data;
	assert_int_equal(bp[0x1e8], 5);
	for (unsigned i = 0; i < bp[0x1e8]; i++) {
		const uint8_t *e = bp + 0x2d0 + 20 * i;

		assert_int_equal(get(e, 8), end);
		end += get(e + 8, 8);
	}
	assert_int_equal(end, 64 * MIB);
	/* The ACPI tables are in ACPI memory, and what has been loaded elsewhere is RAM. */
	assert_int_equal(get(bp + 0x2d0 + 40, 8), LOADER_ACPI);
	assert_int_equal(get(bp + 0x2d0 + 40 + 16, 4), 3);
	loader_free(&contents);
}

static void the_same_inputs_give_the_same_bytes(void **state)
{
	struct loader_linux in = inputs();
	struct loader_contents again;

	(void)state;
	assert_true(loader_build_linux(&contents, &in, &error));
	assert_true(loader_build_linux(&again, &in, &error));
	assert_int_equal(contents.segments, again.segments);
	for (unsigned i = 0; i < contents.segments; i++) {
		assert_int_equal(contents.segment[i].gpa, again.segment[i].gpa);
		assert_int_equal(contents.segment[i].size, again.segment[i].size);
		assert_memory_equal(contents.segment[i].data, again.segment[i].data, again.segment[i].size);
	}
	loader_free(&contents);
	loader_free(&again);
}

static void an_initrd_is_optional(void **state)
{
	struct loader_linux in = inputs();

	(void)state;
	in.initrd = (struct loader_file){};
	assert_true(loader_build_linux(&contents, &in, &error));
	assert_int_equal(contents.segments, 4);
	assert_int_equal(get(contents.segment[0].data + 0x218, 4), 0);
	loader_free(&contents);
}

static void the_initrd_keeps_below_the_kernels_limit(void **state)
{
	struct loader_linux in = inputs();

	(void)state;
	poke(&kernel, 0x22c, 0x17fffff, 4);
	assert_true(loader_build_linux(&contents, &in, &error));
	assert_int_equal(contents.segment[4].gpa, 0x1800000 - 4 * 4096);
	loader_free(&contents);
	poke(&kernel, 0x22c, 0x13fffff, 4); /* inside what the kernel needs */
	assert_false(loader_build_linux(&contents, &in, &error));
	poke(&kernel, 0x22c, 0, 4);
	assert_false(loader_build_linux(&contents, &in, &error));
	poke(&kernel, 0x22c, 0xffffffff, 4);
	in.mem_pages = 8192 * MIB / 4096;
	assert_true(loader_build_linux(&contents, &in, &error));
	assert_int_equal(contents.segment[4].gpa, 0x100000000ull - 4 * 4096);
	check_segments(8192 * MIB);
	loader_free(&contents);
}

static void too_little_memory_is_said(void **state)
{
	struct loader_linux in = inputs();

	(void)state;
	/* Kernel and what it needs end at 20 MiB; the initrd takes four pages. */
	in.mem_pages = (20 * MIB) / 4096 + 4;
	assert_true(loader_build_linux(&contents, &in, &error));
	check_segments(in.mem_pages * 4096);
	loader_free(&contents);
	in.mem_pages--;
	assert_false(loader_build_linux(&contents, &in, &error));
	assert_non_null(strstr(error.text, "--memory"));
	in.mem_pages = 20 * MIB / 4096 - 1;
	assert_false(loader_build_linux(&contents, &in, &error));
	in.mem_pages = 1;
	assert_false(loader_build_linux(&contents, &in, &error));
}

static void a_long_command_line_is_refused(void **state)
{
	struct loader_linux in = inputs();
	static char line[5000];

	(void)state;
	in.command_line = line;
	memset(line, 'x', 2047);
	assert_true(loader_build_linux(&contents, &in, &error));
	loader_free(&contents);
	line[2047] = 'x';
	assert_false(loader_build_linux(&contents, &in, &error));
	poke(&kernel, 0x238, 0xffffffff, 4); /* whatever the kernel says, ours has one page */
	memset(line, 'x', 4095);
	assert_true(loader_build_linux(&contents, &in, &error));
	loader_free(&contents);
	line[4095] = 'x';
	assert_false(loader_build_linux(&contents, &in, &error));
}

static void a_raw_file_goes_where_it_is_told(void **state)
{
	struct loader_file file = { initrd, sizeof(initrd) };

	(void)state;
	assert_true(loader_build_raw(&contents, file, 0x100000, 0x100010, 1024, &error));
	assert_int_equal(contents.segments, 1);
	assert_int_equal(contents.segment[0].gpa, 0x100000);
	assert_int_equal(contents.eip, 0x100010);
	assert_int_equal(contents.esi, 0);
	loader_free(&contents);
	assert_false(loader_build_raw(&contents, file, 0x100001, 0x100001, 1024, &error));
	assert_false(loader_build_raw(&contents, file, 0x400000, 0x400000, 1024, &error));
	assert_false(loader_build_raw(&contents, file, 0x3fd000, 0x3fd000, 1024, &error));
	assert_false(loader_build_raw(&contents, file, 0x100000, 0xfffff, 1024, &error));
	assert_false(loader_build_raw(&contents, file, 0x100000, 0x100000 + sizeof(initrd), 1024, &error));
	file.size = 0;
	assert_false(loader_build_raw(&contents, file, 0x100000, 0x100000, 1024, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_is_laid_out),
		cmocka_unit_test(the_memory_map_covers_memory_once),
		cmocka_unit_test(the_same_inputs_give_the_same_bytes),
		cmocka_unit_test(an_initrd_is_optional),
		cmocka_unit_test(the_initrd_keeps_below_the_kernels_limit),
		cmocka_unit_test(too_little_memory_is_said),
		cmocka_unit_test(a_long_command_line_is_refused),
		cmocka_unit_test(a_raw_file_goes_where_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
