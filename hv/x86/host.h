/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The host's container without a vendor in it: a CPU's exits come here decoded
 * (svm_host.c), the guards of the machine decide.
 */
#ifndef HV_X86_HOST_H
#define HV_X86_HOST_H

#include <core/core.h>

#include "hv/x86/cpu.h"

/* The answer to an access of the host. */
enum verdict {
	V_DONE,		/* carried out, or swallowed on purpose: step over the instruction */
	V_RETRY,	/* allowed now: let the CPU repeat it */
	V_GP,		/* refused: #GP(0) */
};

/* What the decoder and the log need of a CPU's state; a copy, never what the host can change meanwhile. */
struct host_state {
	uint64_t rip, cr0, cr3, cr4, efer, cs_base;
	bool code64, code32;	/* neither: 16 bit */
	uint8_t cpl;
};

/* guard_msr.c. On V_DONE of a read *v is the result. */
enum verdict guard_rdmsr(struct cpu *c, uint32_t msr, uint64_t *v);
enum verdict guard_wrmsr(struct cpu *c, uint32_t msr, uint64_t v);
enum msr_rule { MSR_REFUSE, MSR_PASS, MSR_IGNORE, MSR_SAME, MSR_CHECK };
struct msr_rules {
	enum msr_rule read, write;
	uint32_t last; /* up to here they are the same */
};
struct msr_rules guard_msr_rules(uint32_t msr);

/* guard_cpuid.c: what the host sees. cr4 is the host's own. */
struct cpuid_regs guard_cpuid(uint32_t leaf, uint32_t sub, uint64_t cr4);

/* guard_port.c. One access of 1, 2 or 4 bytes; string forms come as V_GP from the caller. */
void guard_port_init(void); /* what the firmware's tables name is known, and guard_pci_init was called */
bool guard_port_traps(uint16_t port);
void guard_port_map(uint8_t *map); /* sets the bits of those that trap */
enum verdict guard_port(struct cpu *c, uint16_t port, bool in, uint32_t size, uint32_t *v);

/* guard_mmio.c: a fault outside RAM. */
void guard_mmio_init(void);
enum verdict guard_mmio(struct cpu *c, const struct host_state *s, uint64_t gpa, bool write, uint32_t *len);

/* decode.c: the one store of a listed MOV or XCHG form. */
struct store {
	uint32_t len;		/* of the instruction, bytes */
	uint32_t size;		/* of the store: 1, 2, 4; 8 by MOV r64 */
	uint64_t value;
	int xchg;		/* register that gets the old value, or -1 */
};
bool decode_store(const struct vcpu_regs *r, const struct host_state *s, struct store *out);

/* guard_pci.c: may the host write this configuration register? offset and size inside one dword. */
void guard_pci_init(void);
void guard_smram(void); /* once the host's tables are there */
bool guard_pci_write(uint16_t bdf, uint32_t reg, uint32_t size, uint32_t value);

/* What was found out about the board at start. */
struct chipset {
	bool smram_locked;
	bool smram_shows;	/* locked or not, processors see it */
	uint16_t smi_block;	/* ICH9: first port of SMI_EN up to the TCO watchdog, 0x50 ports; 0: none */
};
extern struct chipset chipset;

/* guard_port.c: one lock for configuration space, whichever way it is reached. */
void conf_lock(void);
void conf_unlock(void);

/* reset.c */
void reset_init(void);
_Noreturn void machine_reset(const char *why);
_Noreturn void machine_off(uint16_t port, uint16_t value);

/* log.c: one rate-limited line about a refused access. */
void dma_refuse_log(uint16_t bdf, uint64_t address, bool write);
void refuse_log(const struct cpu *c, uint64_t rip, const char *what, uint64_t address);

#endif
