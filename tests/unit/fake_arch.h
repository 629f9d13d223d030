/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * A machine for the core in user space: RAM is an array, nested tables are arrays, CPUs are entries with the one translation
 * buffer that matters: what they have read since their last flush.
 */
#ifndef FAKE_ARCH_H
#define FAKE_ARCH_H

#include <setjmp.h>
#include <stdio.h>
#include <core/arch.h>
#include <core/frame.h>
#include <core/grant.h>
#include <core/guest.h>
#include <core/oracle.h>

#define FAKE_CPUS      4u
#define FAKE_HV_FIRST  512u /* the hypervisor's region */
#define FAKE_HV_PAGES  64u
#define FAKE_HOLE      160u /* frames FAKE_HOLE..255 are firmware's: FRAME_NONE */
#define FAKE_TSC_KHZ   1000000u

struct arch_tables {
	struct leaf *leaf;
	struct leaf *dma; /* host: what its devices may do */
	uint64_t nr;
	bool *prepared; /* guests: per 512 leaves */
};

struct arch_vcpu {
	mfn_t page;
	uint32_t eip, esi;
};

struct fake_cpu {
	struct domain *inside;
	uint64_t seen;       /* generation */
	bool refuses;        /* does not answer shoot-downs */
	struct leaf *buffer; /* translations remembered, by gfn of the host */
	bool *buffered;
	uint32_t *order;     /* what is remembered, in the order in which it was looked up */
	unsigned remembered;
};

struct fake {
	uint64_t nr_frames;
	struct fake_cpu cpu[FAKE_CPUS];
	bool locked;
	bool no_iommu;
	bool expect_halt; /* arch_halt jumps to halted */
	jmp_buf halted;
	char halt_why[128];
	char log[256];    /* last line */
	/* what the core asked for */
	struct tsr_run_exit exit;
	unsigned exits, kicks, flushes;
	struct vcpu *kicked;
	bool idle;        /* every virtual CPU is */
	uint32_t woken;   /* by arch_vcpu_wake */
	uint32_t console_room, console_out;
	uint64_t recorded, refused; /* by the units, of devices: before arch_dma_poll took it over, and after */
	uint8_t console[64];
	void (*run)(struct vcpu *v, struct tsr_run_exit *exit);
	void (*on_wait)(void); /* called by arch_flush_wait */
	uint64_t random;
};
extern struct fake fake;

struct fake_config {
	uint64_t frames;
	bool no_guests;
	uint32_t development;
	const uint8_t *root_secret;
	struct core_limits limit;
	bool no_iommu;
};

/* Starts the machine anew: core_init has run. frames 0: 8192. */
void fake_start(const struct fake_config *config);
void fake_stop(void);

/* The frame that a CPU inside the host reaches at gfn, as its translation buffer remembers it; NULL: a fault. */
uint8_t *fake_host_access(unsigned cpu, uint64_t gfn, uint8_t perm);
/* CPU enters the host's container (flushes), or leaves all. */
void fake_enter(unsigned cpu);
void fake_leave(unsigned cpu);
/* Writes a leaf behind the core's back. */
void fake_corrupt(struct domain *d, uint64_t gfn, struct leaf l);

#endif
