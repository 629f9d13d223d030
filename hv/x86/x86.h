/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* What the files of hv/x86 offer each other. */
#ifndef HV_X86_X86_H
#define HV_X86_X86_H

#include "hv/x86/cpu.h"

void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
void *memmove(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* console.c: whole lines on COM1, "tessera: " in front; any context. */
void console_init(void);
extern bool console_shared;	/* the host runs, and uses the UART too */
void con_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* mem.c: physical memory. Regions are sorted, page-aligned outwards for RAM inwards. */
enum mem_type { MEM_RAM = 1, MEM_RESERVED = 2, MEM_ACPI = 3, MEM_NVS = 4, MEM_BAD = 5 };
struct mem_region {
	uint64_t base, size;
	uint32_t type;		/* enum mem_type, E820's numbers */
};
#define MEM_REGIONS_MAX 128u
extern struct mem_region mem_map[MEM_REGIONS_MAX];
extern uint32_t mem_regions;
extern uint64_t mem_top;		/* end of the highest RAM */
extern uint64_t hv_limit;		/* the hypervisor is hv_start..hv_limit, in RAM, 2 MiB-aligned */
struct boot_module;
struct boot_info;
extern char hv_start[], hv_text_end[], hv_end[], hv_bss[];

void mem_add(uint64_t base, uint64_t end, uint32_t type);	/* one region of the boot loader's map */
void mem_reserve(struct boot_module *mods, uint32_t n);	/* takes the hypervisor's share; moves the modules out of it */
void mem_wipe_free(const struct boot_module *mods, uint32_t n);	/* all RAM but the hypervisor's and the modules' */
bool mem_is_ram(uint64_t pa, uint64_t size);	/* all of it is RAM of type 1 */
bool mem_has_ram(uint64_t pa, uint64_t size);	/* any of it is RAM of type 1 */
bool mem_touches_ram(uint64_t pa, uint64_t size);	/* any of it is RAM, ACPI or NVS included */
bool mem_is_hv(uint64_t pa);
extern uint64_t paging_end;	/* our page tables are the first thing behind the image */
void *boot_alloc(uint64_t pages);	/* zeroed, page-aligned, never freed; panics when exhausted */
void *boot_alloc_stack(void);		/* aligned to STACK_SIZE */
void paging_init(void);
extern uint64_t hv_cr3;

/* desc.c */
void desc_init(void);

/* acpi.c: what the tables say; 0 or empty where they do not. */
struct acpi_info {
	uint64_t rsdp;
	uint32_t cpus, apic_id[MAX_CPUS], cpus_ignored;
	uint64_t ioapic[4];
	uint32_t ioapics;
	uint64_t hpet;			/* registers, one page */
	uint64_t ecam_base, ecam_size;	/* MCFG, segment 0 */
	uint16_t pm1a_cnt, pm1b_cnt, smi_cmd, reset_port;
	uint8_t acpi_enable, reset_value, s5_type;
	bool s5_known;
};
extern struct acpi_info acpi;
void acpi_init(const uint8_t *rsdp, uint32_t size);	/* the loader's copy of the root pointer, or size 0 */
uint8_t *acpi_find(const char *sig, uint32_t *len); /* a whole table whose sum is right, or NULL */
void acpi_hide(uint8_t *table, uint32_t len);	/* from the host: its contents are gone */

/* guard_pci.c: is this function QEMU's, by its subsystem vendor? Boot. */
bool pci_made_by_qemu(uint16_t bdf);

/* smp.c */
void cpu_init_self(struct cpu *c, uint32_t index);
void smp_start(void);
void ap_main(void);
_Noreturn void cpu_park(void);

/* reset.c */
extern volatile bool stopping;
_Noreturn void cpu_stop(void);	/* for good */

/* apic.c: the local APIC, both modes. */
void apic_init_cpu(void);
void apic_reset(struct cpu *c);	/* this CPU, as INIT leaves it; GIF is 0 */
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t v);
void apic_ipi(uint32_t apic_id, uint32_t icr_low);
bool apic_host_write(uint32_t reg, uint64_t v);	/* what the host may do; false: refused */
bool apic_host_msr_write(uint32_t msr, uint64_t v);
#define APIC_BASE_PA	0xfee00000ull
#define APIC_ID		0x20
#define APIC_TPR	0x80
#define APIC_EOI	0xb0
#define APIC_LDR	0xd0
#define APIC_DFR	0xe0
#define APIC_SVR	0xf0
#define APIC_ISR	0x100
#define APIC_IRR	0x200
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define ICR_NMI		0x0400
#define ICR_INIT	0x0500
#define ICR_SIPI	0x0600
#define ICR_ASSERT	0x4000
#define ICR_BUSY	0x1000

/* Pages below 1 MiB that the host's start takes: RAM on every PC, and Linux leaves them alone. */
#define BOOT_PARAMS	0x10000ull	/* Linux' zero page */
#define BOOT_GDT	0x11000ull
#define BOOT_CMDLINE	0x12000ull
#define BOOT_RSDP	0x13000ull	/* where the loader had only a copy */
#define BOOT_LOW_END	0x14000ull

/* linux.c: puts the host's kernel in place; more is put behind its command line. */
struct host_entry {
	uint32_t eip, esi, gdt, gdt_limit;
};
void linux_load(const struct boot_info *b, const char *more, struct host_entry *out);

uint64_t tsc_khz(void);

#endif
