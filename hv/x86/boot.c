/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* From the boot loader to the host's first instruction. */
#include <core/core.h>

#include "hv/x86/guest.h"
#include "hv/x86/host.h"
#include "hv/x86/iommu.h"
#include "hv/x86/multiboot.h"
#include "hv/x86/svm.h"
#include "hv/x86/x86.h"

void boot_main(uint32_t magic, uint32_t info);

static struct boot_info boot;
static uint8_t root_secret[TSR_KEY_SIZE];
static bool have_secret, iommu_off, iommu_on;
static struct core_limits limits;

static bool starts(const char *s, const char *word, const char **rest)
{
	while (*word)
		if (*s++ != *word++)
			return false;
	*rest = s;
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void parse_secret(const char *s)
{
	for (uint32_t i = 0; i < TSR_KEY_SIZE; i++) {
		int a = hex(s[2 * i]), b = a < 0 ? -1 : hex(s[2 * i + 1]);

		if (b < 0)
			panic("root_secret= wants %u hex digits", 2 * TSR_KEY_SIZE);
		root_secret[i] = (uint8_t)(a << 4 | b);
	}
	have_secret = true;
}

static uint64_t decimal(const char *s)
{
	uint64_t n = 0;

	while (*s >= '0' && *s <= '9' && n < UINT32_MAX)
		n = n * 10 + (uint64_t)(*s++ - '0');
	return n;
}

static void parse_cmdline(void)
{
	const char *rest;

	for (const char *s = boot.cmdline; *s;) {
		if (starts(s, "iommu=off", &rest))
			iommu_off = true;
		else if (starts(s, "messages=open", &rest))
			iommu_messages_free = true;
		else if (starts(s, "root_secret=", &rest))
			parse_secret(rest);
		else if (starts(s, "limit_guests=", &rest))
			limits.guests = decimal(rest);
		else if (starts(s, "limit_tokens=", &rest))
			limits.tokens = decimal(rest);
		else if (starts(s, "limit_pages=", &rest))
			limits.pages = decimal(rest);
		else if (starts(s, "limit_windows=", &rest))
			limits.windows = decimal(rest);
		while (*s && *s != ' ')
			s++;
		while (*s == ' ')
			s++;
	}
	memset(boot.cmdline, 0, sizeof(boot.cmdline));
}

/* What the host's kernel must be told so that its devices work. */
static const char *host_option(void)
{
	return iommu_on && iommu_messages == MESSAGES_CLOSED ? " pci=nomsi noapic" : "";
}

static uint32_t development(void)
{
	uint32_t d = 0;

	if (!iommu_on)
		d |= TSR_DEVELOPMENT_NO_IOMMU;
	if (!iommu_on || iommu_messages == MESSAGES_OPEN)
		d |= TSR_DEVELOPMENT_INTERRUPTS;
	if (have_secret)
		d |= TSR_DEVELOPMENT_ROOT_SECRET;
	if (!svm_features.r_init)
		d |= TSR_DEVELOPMENT_INIT;
	if (!chipset.smram_locked)
		d |= TSR_DEVELOPMENT_SMRAM;
	return d;
}

static void start_core(void)
{
	struct ram_range ram[MEM_REGIONS_MAX];
	struct core_boot start = {
		.ram = ram,
		.hv = { virt_to_phys(hv_start) / PAGE, (hv_limit - virt_to_phys(hv_start)) / PAGE },
		.nr_frames = mem_top / PAGE,
		.nr_cpus = cpu_count,
		.guests_allowed = (iommu_on || iommu_off) && chipset.smram_locked,
		.development = development(),
		.root_secret = have_secret ? root_secret : NULL,
		.stats = { virt_to_phys(boot_alloc(1)) / PAGE },
		.limit = limits,
	};

	for (uint32_t i = 0; i < mem_regions; i++)
		if (mem_map[i].type == MEM_RAM)
			ram[start.nr_ram++] = (struct ram_range){ mem_map[i].base / PAGE, mem_map[i].size / PAGE };
	start.frames = boot_alloc((start.nr_frames * sizeof(struct frame) + PAGE - 1) / PAGE);
	core_init(&start);
	memset(root_secret, 0, sizeof(root_secret));
}

static void say(void)
{
	uint64_t ram = 0;

	for (uint32_t i = 0; i < mem_regions; i++)
		if (mem_map[i].type == MEM_RAM)
			ram += mem_map[i].size;
	con_printf("Tessera on %u CPUs, %lu MiB of RAM; hypervisor %lx..%lx (%lu MiB)", cpu_count, ram >> 20,
		   virt_to_phys(hv_start), hv_limit, (hv_limit - virt_to_phys(hv_start)) >> 20);
	if (iommu_off)
		con_printf("WARNING: iommu=off: devices can read and write all memory; a development platform, keep no secrets here");
	else if (!iommu_on)
		con_printf("no IOMMU keeps devices out, so no guests will run; iommu=off on this command line allows them");
	else if (iommu_messages == MESSAGES_OPEN)
		con_printf("devices can send INIT, NMI and SMI as messages: a development platform");
	else if (iommu_messages == MESSAGES_CLOSED)
		con_printf("interrupt messages are refused here; the host gets pci=nomsi noapic, and interrupts by the PIC");
	if (have_secret)
		con_printf("WARNING: root_secret= was given: whoever saw it can open every disk sealed here");
	else
		con_printf("the root secret was drawn now: sealed disks will not open after a restart");
	if (!chipset.smram_locked)
		con_printf("SMRAM cannot be locked on this board, so no guests will run");
}

void boot_main(uint32_t magic, uint32_t info)
{
	struct host_entry entry;
	struct cpu *c = this_cpu();

	console_init();
	desc_init();
	multiboot_read(magic, info, &boot);
	parse_cmdline();
	mem_reserve(boot.module, boot.modules);
	/* The loader read our command line from a file, and may have left it anywhere. */
	if (have_secret && magic == MB2_LOADED)
		mem_wipe_free(boot.module, boot.modules);
	paging_init();
	cpu_init_self(c, 0);
	acpi_init(boot.rsdp, boot.rsdp_size);
	guard_pci_init();
	guard_port_init();
	smp_start();
	npt_init();
	guard_mmio_init();
	guard_smram();
	iommu_find();
	iommu_on = !iommu_off && iommu_start();
	start_core();
	guest_init();
	say();
	linux_load(&boot, host_option(), &entry);
	memset(&boot, 0, sizeof(boot));
	console_shared = true;
	svm_host_start_boot(c, entry.eip, entry.esi, entry.gdt, entry.gdt_limit);
}
