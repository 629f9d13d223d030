/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Multiboot 2's boot information (Multiboot2 Specification 2.0, 3.6): a list of tags. Whatever a length says, nothing outside
 * the list is read.
 */
#include "hv/x86/multiboot.h"
#include "hv/x86/x86.h"

#define TAG_END		0u
#define TAG_CMDLINE	1u
#define TAG_MODULE	3u
#define TAG_MMAP	6u
#define TAG_SCREEN	8u
#define TAG_RSDP_OLD	14u
#define TAG_RSDP	15u
#define SCREEN_RGB	1u
#define SCREEN_TEXT	2u
#define LINUX_VGA	0x01	/* VIDEO_TYPE_VGAC */
#define LINUX_LFB	0x23	/* VIDEO_TYPE_VLFB */
#define LINUX_BASE64	2u	/* VIDEO_CAPABILITY_64BIT_BASE */

struct tag {
	uint32_t type, size;
};

struct mmap {
	uint64_t base, len;
	uint32_t type, reserved;
};

struct screen {
	uint64_t base;
	uint32_t pitch, width, height;
	uint8_t depth, type;
	uint16_t reserved;
	uint8_t colours[6];	/* position and size, of red, green, blue */
} __attribute__((packed));

static const char *text(char *to, size_t max, const uint8_t *from, uint32_t size)
{
	uint32_t n = 0;

	while (n < size && from[n])
		n++;
	if (n == size)
		return "a boot command line has no end";
	if (n >= max)
		return "a boot command line is too long";
	memcpy(to, from, n + 1);
	return NULL;
}

static const char *module(const uint8_t *p, uint32_t size, struct boot_info *b)
{
	struct boot_module *m = &b->module[b->modules];
	uint32_t range[2];

	if (size < sizeof(range))
		return "a module's tag is cut short";
	if (b->modules == BOOT_MODULES_MAX)
		return "there are more boot modules than the host's kernel and its initramfs";
	memcpy(range, p, sizeof(range));
	if (range[1] < range[0])
		return "a boot module ends before it starts";
	m->base = range[0];
	m->size = range[1] - range[0];
	b->modules++;
	return text(m->cmdline, sizeof(m->cmdline), p + sizeof(range), size - (uint32_t)sizeof(range));
}

static const char *mmap(const uint8_t *p, uint32_t size)
{
	uint32_t head[2];
	struct mmap m;

	if (size < sizeof(head))
		return "the memory map is cut short";
	memcpy(head, p, sizeof(head));
	if (head[0] < sizeof(m) || head[0] > size)
		return "the memory map has entries of an impossible size";
	for (uint32_t at = sizeof(head); at <= size - head[0]; at += head[0]) {
		memcpy(&m, p + at, sizeof(m));
		if (m.base + m.len < m.base)
			return "the memory map has a region without an end";
		mem_add(m.base, m.base + m.len, m.type);
	}
	return NULL;
}

/* A screen of another kind, or one that makes no sense, is left out: the host then has its serial console. */
static void screen(const uint8_t *p, uint32_t size, struct boot_screen *out)
{
	struct screen s = { 0 };
	uint64_t bytes;

	memcpy(&s, p, size < sizeof(s) ? size : sizeof(s));
	if (s.width > UINT16_MAX || s.height > UINT16_MAX || s.pitch > UINT16_MAX)
		return;
	if (s.type == SCREEN_TEXT && s.width <= UINT8_MAX && s.height <= UINT8_MAX) {
		*out = (struct boot_screen){ .type = LINUX_VGA, .mode = 3, .ega_bx = 3, .points = 16 };
		out->cols = (uint8_t)s.width;
		out->lines = (uint8_t)s.height;
	} else if (s.type == SCREEN_RGB && size >= sizeof(s)) {
		bytes = (uint64_t)s.pitch * s.height;
		*out = (struct boot_screen){ .type = LINUX_LFB, .depth = s.depth, .pages = 1, .capabilities = LINUX_BASE64 };
		out->width = (uint16_t)s.width;
		out->height = (uint16_t)s.height;
		out->pitch = (uint16_t)s.pitch;
		out->base = (uint32_t)s.base;
		out->base_high = (uint32_t)(s.base >> 32);
		out->size = (uint32_t)((bytes + 0xffff) >> 16);
		for (uint32_t i = 0; i < sizeof(s.colours); i++)
			out->colours[i] = s.colours[i ^ 1];
	}
}

static const char *take(uint32_t type, const uint8_t *p, uint32_t size, struct boot_info *b)
{
	switch (type) {
	case TAG_CMDLINE:
		return text(b->cmdline, sizeof(b->cmdline), p, size);
	case TAG_MODULE:
		return module(p, size, b);
	case TAG_MMAP:
		return mmap(p, size);
	case TAG_SCREEN:
		screen(p, size, &b->screen);
		return NULL;
	case TAG_RSDP_OLD:
		if (b->rsdp_size)
			return NULL;
		/* fall through */
	case TAG_RSDP:
		b->rsdp_size = size < sizeof(b->rsdp) ? size : (uint32_t)sizeof(b->rsdp);
		memcpy(b->rsdp, p, b->rsdp_size);
		return NULL;
	default:
		return NULL;
	}
}

const char *mb2_parse(const uint8_t *info, uint32_t size, struct boot_info *b)
{
	struct tag t;
	const char *bad;

	memset(b, 0, sizeof(*b));
	for (uint32_t at = 8; at <= size && size - at >= sizeof(t);) {
		memcpy(&t, info + at, sizeof(t));
		if (t.type == TAG_END)
			return NULL;
		if (t.size < sizeof(t) || t.size > size - at)
			return "a tag is longer than the list";
		bad = take(t.type, info + at + sizeof(t), t.size - (uint32_t)sizeof(t), b);
		if (bad)
			return bad;
		/* Tags start at multiples of 8; size is at most 1 MiB, so this cannot wrap. */
		at += (t.size + 7) & ~7u;
	}
	return "the list of tags has no end";
}
