/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The few facts taken from ACPI (specification 6.4, chapter 5): CPUs and IOAPICs
 * (MADT), configuration space (MCFG), the ports that sleep and reset (FADT), and
 * the sleep type of S5 from the DSDT's _S5 package. Read once, before the host.
 */
#include "hv/x86/x86.h"

struct acpi_info acpi;

struct sdt {
	char sig[4];
	uint32_t len;
	uint8_t rev, sum;
	char oem[18];
	uint32_t creator[2];
} __attribute__((packed));

static uint32_t get32(const void *p, uint32_t off)
{
	uint32_t v;

	memcpy(&v, (const char *)p + off, 4);
	return v;
}

static uint64_t get64(const void *p, uint32_t off)
{
	return get32(p, off) | (uint64_t)get32(p, off + 4) << 32;
}

static uint8_t get8(const void *p, uint32_t off)
{
	return ((const uint8_t *)p)[off];
}

static bool sum_ok(const void *p, uint32_t len)
{
	uint8_t s = 0;

	for (uint32_t i = 0; i < len; i++)
		s = (uint8_t)(s + get8(p, i));
	return s == 0;
}

static uint64_t find_rsdp(uint64_t from, uint64_t to)
{
	for (uint64_t a = from; a + 20 <= to; a += 16)
		if (!memcmp(phys(a), "RSD PTR ", 8) && sum_ok(phys(a), 20))
			return a;
	return 0;
}

static void parse_madt(const struct sdt *t)
{
	for (uint32_t off = 44; off + 2 <= t->len && get8(t, off + 1) >= 2; off += get8(t, off + 1)) {
		uint32_t id, flags;

		switch (get8(t, off)) {
		case 0:		/* local APIC */
			id = get8(t, off + 3);
			flags = get32(t, off + 4);
			break;
		case 9:		/* local x2APIC */
			id = get32(t, off + 4);
			flags = get32(t, off + 8);
			break;
		case 1:
			if (acpi.ioapics < 4)
				acpi.ioapic[acpi.ioapics++] = get32(t, off + 4);
			continue;
		default:
			continue;
		}
		if (!(flags & 1))
			continue;
		if (acpi.cpus < MAX_CPUS)
			acpi.apic_id[acpi.cpus++] = id;
		else
			acpi.cpus_ignored++;
	}
}

/*
 * S3 and S4 are refused: Linux would wait for ever for a wake-up that never comes. Renamed objects make it see that
 * the machine has no such states. Likewise fw_cfg, whose ports are denied: Linux' driver would die of the string read that is
 * refused, and systemd's first process with it. The table's sum is kept.
 */
static void hide_name(struct sdt *t, uint32_t at)
{
	uint8_t *name = (uint8_t *)t + at;

	t->sum = (uint8_t)(t->sum + name[0] - 'X');
	name[0] = 'X';
}

/* NameOp "_S5_" PackageOp length count: first element is SLP_TYPa. */
static void parse_dsdt(struct sdt *t)
{
	for (uint32_t i = sizeof(*t); i + 8 < t->len; i++) {
		if (get8(t, i) == 0x08 && (!memcmp((char *)t + i + 1, "_S3_", 4) || !memcmp((char *)t + i + 1, "_S4_", 4)))
			hide_name(t, i + 1);
		else if (!memcmp((char *)t + i, "QEMU0002", 8))
			hide_name(t, i);
	}
	for (uint32_t i = sizeof(*t); i + 12 < t->len; i++) {
		uint32_t p = i + 4;

		if (memcmp((const char *)t + i, "_S5_", 4) || get8(t, p) != 0x12)
			continue;
		p += 1 + 1 + (get8(t, p + 1) >> 6) + 1;
		if (p + 2 > t->len)
			return;
		acpi.s5_type = get8(t, p) == 0x0a ? get8(t, p + 1) : get8(t, p);
		/* ZeroOp and OneOp stand for themselves; a byte follows its prefix. */
		acpi.s5_known = acpi.s5_type < 8;
		return;
	}
}

static void parse_fadt(const struct sdt *t)
{
	acpi.smi_cmd = (uint16_t)get32(t, 48);
	acpi.acpi_enable = get8(t, 52);
	acpi.pm1a_cnt = (uint16_t)get32(t, 64);
	acpi.pm1b_cnt = (uint16_t)get32(t, 68);
	if (t->len >= 129 && (get32(t, 112) & (1u << 10)) && get8(t, 116) == 1) {
		acpi.reset_port = (uint16_t)get64(t, 120);
		acpi.reset_value = get8(t, 128);
	}
	parse_dsdt(phys(get32(t, 40) || t->len < 148 ? get32(t, 40) : get64(t, 140)));
}

static const struct sdt *root;
static uint32_t root_step = 4;

static struct sdt *table_at(uint32_t i)
{
	uint32_t off = (uint32_t)sizeof(*root) + i * root_step;

	return phys(root_step == 8 ? get64(root, off) : get32(root, off));
}

uint8_t *acpi_find(const char *sig, uint32_t *len)
{
	for (uint32_t i = 0; i < (root->len - sizeof(*root)) / root_step; i++) {
		struct sdt *t = table_at(i);

		if (memcmp(t->sig, sig, 4) || t->len < sizeof(*t) || !sum_ok(t, t->len))
			continue;
		*len = t->len;
		return (uint8_t *)t;
	}
	return NULL;
}

void acpi_hide(uint8_t *table, uint32_t len)
{
	struct sdt *t = (struct sdt *)table;

	memset(t + 1, 0, len - sizeof(*t));
	memcpy(t->sig, "XXXX", 4);
	t->sum = 0;
	for (uint32_t i = 0; i < len; i++)
		t->sum = (uint8_t)(t->sum - (i == offsetof(struct sdt, sum) ? 0 : get8(t, i)));
}

/* From BIOS the root pointer is found by its mark. UEFI has none below 1 MiB, and a boot loader passes a copy. */
static uint64_t root_pointer(const uint8_t *rsdp, uint32_t size)
{
	uint16_t ebda_seg;
	uint64_t a;

	if (size >= 20 && !memcmp(rsdp, "RSD PTR ", 8) && sum_ok(rsdp, 20) && mem_is_ram(BOOT_RSDP, PAGE)) {
		memset(phys(BOOT_RSDP), 0, PAGE);
		memcpy(phys(BOOT_RSDP), rsdp, size);
		return BOOT_RSDP;
	}
	memcpy(&ebda_seg, phys(0x40e), 2);
	a = ebda_seg ? find_rsdp((uint64_t)ebda_seg << 4, ((uint64_t)ebda_seg << 4) + 1024) : 0;
	return a ? a : find_rsdp(0xe0000, 0x100000);
}

void acpi_init(const uint8_t *rsdp, uint32_t size)
{
	uint8_t *table;
	uint32_t n, len;

	acpi.rsdp = root_pointer(rsdp, size);
	if (!acpi.rsdp)
		panic("no ACPI tables: this machine's CPUs and sleep ports cannot be known");
	root = phys(get32(phys(acpi.rsdp), 16));
	if (get8(phys(acpi.rsdp), 15) >= 2 && get64(phys(acpi.rsdp), 24)) {
		root = phys(get64(phys(acpi.rsdp), 24));
		root_step = 8;
	}
	n = (root->len - sizeof(*root)) / root_step;
	for (uint32_t i = 0; i < n; i++) {
		const struct sdt *t = table_at(i);

		if (!sum_ok(t, t->len))
			continue;
		if (!memcmp(t->sig, "APIC", 4)) {
			parse_madt(t);
		} else if (!memcmp(t->sig, "FACP", 4)) {
			parse_fadt(t);
		} else if (!memcmp(t->sig, "MCFG", 4) && t->len >= 60 && !acpi.ecam_size) {
			acpi.ecam_base = get64(t, 44);
			acpi.ecam_size = (uint64_t)(get8(t, 55) - get8(t, 54) + 1) << 20;
		}
	}
	table = acpi_find("HPET", &len);
	acpi.hpet = table && len >= 52 ? get64(table, 44) : 0;
	if (!acpi.cpus)
		panic("the ACPI tables list no CPU");
}
