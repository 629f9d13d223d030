/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* GRUB's information: what is taken from it, and that no length in it makes the hypervisor read outside or take what is not whole. */
/* sources: hv/x86/multiboot2.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86/multiboot.h"
#include "hv/x86/x86.h"

static uint8_t list[8192];
static uint32_t end;
static struct boot_info info;
static struct mem_region seen[16];
static unsigned nr_seen;

void mem_add(uint64_t base, uint64_t limit, uint32_t type)
{
	if (nr_seen < 16)
		seen[nr_seen] = (struct mem_region){ base, limit - base, type };
	nr_seen++;
}

static void add(uint32_t type, const void *data, uint32_t size)
{
	uint32_t head[2] = { type, 8 + size };

	end = (end + 7) & ~7u;
	memcpy(list + end, head, 8);
	memcpy(list + end + 8, data, size);
	end += 8 + size;
}

static void add_module(uint32_t from, uint32_t to, const char *line)
{
	uint8_t tag[2600];

	memcpy(tag, &from, 4);
	memcpy(tag + 4, &to, 4);
	memcpy(tag + 8, line, strlen(line) + 1);
	add(3, tag, 8 + (uint32_t)strlen(line) + 1);
}

static void add_screen(uint8_t type, uint32_t width, uint32_t height)
{
	uint8_t tag[30] = { 0 };
	uint64_t base = 0x8c0000000;
	uint32_t size[3] = { width * 4, width, height };

	memcpy(tag, &base, 8);
	memcpy(tag + 8, size, 12);
	tag[20] = 32;
	tag[21] = type;
	memcpy(tag + 24, "\x10\x08\x08\x08\x00\x08", 6);
	add(8, tag, type == 1 ? 30 : 24);
}

static void add_map(uint32_t entry)
{
	struct {
		uint32_t size, version;
		struct { uint64_t base, len; uint32_t type, zero; } e[3];
	} map = { entry, 0, { { 0, 0x9f000, 1, 0 }, { 0x100000, 0x3ff00000, 1, 0 }, { 0xb0000000, 0x10000000, 2, 0 } } };

	add(6, &map, sizeof(map));
}

static void start(void)
{
	memset(list, 0, sizeof(list));
	end = 8;
}

/* From memory of just that size, so that the sanitizer sees a byte too far. */
static const char *parse(uint32_t size)
{
	uint8_t *exact = malloc(size);
	const char *bad;

	memcpy(exact, list, size);
	nr_seen = 0;
	bad = mb2_parse(exact, size, &info);
	free(exact);
	return bad;
}

static const char *finish(void)
{
	add(0, "", 0);
	memcpy(list, &end, 4);
	return parse(end);
}

static void good(void)
{
	uint8_t rsdp[36];

	start();
	memset(rsdp, 0xaa, sizeof(rsdp));
	add(1, "iommu=off", 10);
	add_module(0x1000000, 0x1800000, "console=ttyS0 quiet");
	add_module(0x2000000, 0x2000001, "");
	add_screen(1, 1024, 768);
	add_map(24);
	add(15, rsdp, 36);
	memset(rsdp, 0xbb, sizeof(rsdp));
	add(14, rsdp, 20);
	add(99, "unknown", 7);
}

static void all_is_taken(void **state)
{
	(void)state;
	good();
	assert_null(finish());
	assert_string_equal(info.cmdline, "iommu=off");
	assert_int_equal(info.modules, 2);
	assert_int_equal(info.module[0].base, 0x1000000);
	assert_int_equal(info.module[0].size, 0x800000);
	assert_string_equal(info.module[0].cmdline, "console=ttyS0 quiet");
	assert_int_equal(info.module[1].size, 1);
	assert_int_equal(nr_seen, 3);
	assert_int_equal(seen[1].base, 0x100000);
	assert_int_equal(seen[1].size, 0x3ff00000);
	assert_int_equal(seen[2].type, MEM_RESERVED);
	/* The newer root pointer wins, whichever comes first. */
	assert_int_equal(info.rsdp_size, 36);
	assert_int_equal(info.rsdp[0], 0xaa);
	assert_int_equal(info.screen.type, 0x23);
	assert_int_equal(info.screen.width, 1024);
	assert_int_equal(info.screen.pitch, 4096);
	assert_int_equal(info.screen.base, 0xc0000000);
	assert_int_equal(info.screen.base_high, 8);
	assert_int_equal(info.screen.size, 48);
	assert_memory_equal(info.screen.colours, "\x08\x10\x08\x08\x08\x00\x00\x00", 8);
}

static void a_text_screen(void **state)
{
	(void)state;
	start();
	add_screen(2, 80, 25);
	assert_null(finish());
	assert_int_equal(info.screen.type, 1);
	assert_int_equal(info.screen.cols, 80);
	assert_int_equal(info.screen.lines, 25);
}

static void an_impossible_screen_is_left_out(void **state)
{
	(void)state;
	start();
	add_screen(1, 70000, 25);
	add_screen(2, 300, 25);
	add_screen(7, 80, 25);
	add(8, "", 0);
	assert_null(finish());
	assert_int_equal(info.screen.type, 0);
}

/* [BOOT-6] Cut anywhere, the list is refused, and never read past its end. */
static void a_list_cut_short(void **state)
{
	uint32_t whole;

	(void)state;
	good();
	assert_null(finish());
	whole = end;
	for (uint32_t size = 8; size < whole; size++)
		assert_non_null(parse(size));
}

/* [BOOT-6] Any byte of it may be anything: what is taken stays within its bounds. */
static void every_byte_changed(void **state)
{
	static const uint8_t values[] = { 0, 1, 7, 8, 0x0f, 0x7f, 0x80, 0xf8, 0xff };
	uint32_t whole;

	(void)state;
	good();
	assert_null(finish());
	whole = end;
	for (uint32_t at = 0; at < whole; at++) {
		uint8_t old = list[at];

		for (uint32_t v = 0; v < sizeof(values); v++) {
			list[at] = values[v];
			(void)parse(whole);
			assert_true(info.modules <= BOOT_MODULES_MAX);
			assert_true(info.rsdp_size <= sizeof(info.rsdp));
			assert_non_null(memchr(info.cmdline, 0, sizeof(info.cmdline)));
			assert_non_null(memchr(info.module[0].cmdline, 0, sizeof(info.module[0].cmdline)));
		}
		list[at] = old;
	}
}

/* [BOOT-6] Each with its own words, since somebody has to mend it. */
static void what_is_refused(void **state)
{
	char line[2500];

	(void)state;
	start();
	add(1, "no end", 6);
	assert_string_equal(finish(), "a boot command line has no end");
	memset(line, 'x', sizeof(line));
	line[2499] = 0;
	start();
	add(1, line, 2500);
	assert_string_equal(finish(), "a boot command line is too long");
	start();
	add_module(0x1000, 0x2000, line);
	assert_string_equal(finish(), "a boot command line is too long");
	start();
	add_module(0x2000, 0x1000, "");
	assert_string_equal(finish(), "a boot module ends before it starts");
	start();
	add(3, "1234", 4);
	assert_string_equal(finish(), "a module's tag is cut short");
	good();
	add_module(0x3000000, 0x3000001, "");
	assert_string_equal(finish(), "there are more boot modules than the host's kernel and its initramfs");
	start();
	add_map(0);
	assert_string_equal(finish(), "the memory map has entries of an impossible size");
	start();
	add_map(0xffffffff);
	assert_string_equal(finish(), "the memory map has entries of an impossible size");
	start();
	add(6, "1234", 4);
	assert_string_equal(finish(), "the memory map is cut short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_taken),
		cmocka_unit_test(a_text_screen),
		cmocka_unit_test(an_impossible_screen_is_left_out),
		cmocka_unit_test(a_list_cut_short),
		cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
