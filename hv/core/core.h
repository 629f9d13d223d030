/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The core's objects, and what the architecture may call.
 *
 * Lock order: core_lock, then the console's lock. Everything below is protected by core_lock unless marked otherwise. It is
 * never held while a container runs; a CPU that waits for it is outside every container, so a shoot-down never waits for it.
 */
#ifndef HV_CORE_CORE_H
#define HV_CORE_CORE_H

#include <core/types.h>
#include <tessera/hypercall.h>

/* The frame table: one entry for every 4 KiB frame of RAM, the only truth about who may use it and how. */
enum frame_state {
	FRAME_NONE = 0,  /* not RAM, or firmware's: nobody's here */
	FRAME_HV,        /* the hypervisor's own */
	FRAME_OWNED,     /* at gfn of its owner (host: gfn == mfn) */
	FRAME_MAILBOX,   /* as OWNED, and registered as a mailbox: can be nothing else */
	FRAME_WINDOW,    /* host: as OWNED, and registered as a window page */
	FRAME_DISPLACED, /* host: a window page set aside; partner is shown in its place */
	FRAME_ISSUED,    /* guest or hypervisor: as OWNED or HV, and in a live token that is not mapped */
	FRAME_MAPPED,    /* guest or hypervisor: as ISSUED, and shown at the window page partner */
	FRAME_TABLE,     /* donated to a guest for its tables; no container sees it */
	FRAME_DIRTY,     /* left its owner and not yet scrubbed and flushed: no container sees it */
	FRAME_STATE_NR
};

struct frame {
	uint8_t state;   /* enum frame_state */
	uint8_t owner;   /* domain id */
	uint16_t slot;   /* ISSUED, MAPPED, DISPLACED: the token's slot */
	uint32_t gfn;    /* where its owner sees it; GFN_NONE for TABLE, and for DIRTY on the way to or from it */
	uint32_t partner; /* MAPPED: the window frame; DISPLACED: the guest frame; TABLE: next in the free list, if in it */
	uint32_t batch;  /* the element that named it last in a batch of runs, for frame_named */
};
_Static_assert(sizeof(struct frame) == 16, "sized for 1/256 of RAM");

#define DOMAIN_HV    0u
#define DOMAIN_HOST  1u
#define DOMAIN_GUEST 2u /* first guest; the ABI's guest id is the domain id */
#define DOMAIN_NR    (DOMAIN_GUEST + TSR_MAX_GUESTS)

struct domain;
struct arch_vcpu; /* the architecture's part of a virtual CPU */
struct arch_tables; /* the architecture's nested tables of a domain */

struct vcpu {
	struct domain *dom;
	uint32_t index;       /* host: the CPU's number */
	int32_t running_on;   /* CPU number or -1; guests only; atomic */
	uint32_t mailbox;     /* gfn or GFN_NONE */
	struct arch_vcpu *arch;
};

struct event_binding { /* atomic, as a whole */
	uint8_t vcpu;
	uint8_t vector; /* 0: unbound; a raised event then waits */
} __attribute__((aligned(2)));

struct device {
	struct tsr_device_desc desc;
	uint32_t backend, backend_change;
	bool lease; /* holds the disk's write lease: see key.c */
};

struct domain {
	uint32_t id;
	uint32_t state; /* enum tsr_guest_state */
	uint32_t end;
	uint64_t end_code[2];
	uint32_t nr_vcpus;
	struct vcpu vcpu[TSR_MAX_VCPUS];
	struct arch_tables *tables;
	uint64_t generation; /* of its nested tables; atomic: see arch_flush */
	/* guests only */
	uint32_t flags;
	uint64_t mem_pages, ram_pages, table_pages;
	uint64_t moving_ram, moving_tables; /* FRAME_DIRTY, on their way in or out */
	uint64_t moving_generation; /* of the host's tables: what the last donation waits for */
	uint64_t donated_next; /* lowest gfn that may be donated next */
	uint32_t table_free; /* first frame of the free list of table pages, or GFN_NONE */
	uint32_t tokens, granted; /* live tokens and their pages */
	uint64_t loaded_next; /* lowest gfn that may be loaded next */
	uint8_t identity[TSR_ID_SIZE];
	uint8_t measure[512] __attribute__((aligned(64))); /* proto/measure.h state while building */
	struct device device[TSR_MAX_DEVICES];
	struct event_binding event[TSR_MAX_EVENTS];
	uint64_t pending[TSR_MAX_EVENTS / 64]; /* raised events; atomic, without the lock */
	uint64_t exits, hypercalls, faults, doorbells, events; /* atomic */
};

/* ---------------------------------------------------------------- for the architecture */

/* What the machine's owner allows; 0: as much as there is. */
struct core_limits {
	uint64_t guests, tokens, pages, windows; /* tokens, pages: of one guest */
};

struct core_boot {
	struct frame *frames;      /* zeroed, one per frame below nr_frames */
	uint64_t nr_frames;
	const struct ram_range *ram; /* usable RAM, firmware's memory left out */
	unsigned nr_ram;
	struct ram_range hv;       /* the hypervisor's reserved region, inside RAM */
	uint32_t nr_cpus;
	bool guests_allowed;       /* an IOMMU, or iommu=off given */
	uint32_t development;      /* TSR_DEVELOPMENT_* */
	const uint8_t *root_secret; /* 32 bytes, or NULL: drawn with arch_random */
	mfn_t stats;               /* a zeroed page of the hypervisor's region: struct tsr_stats */
	struct core_limits limit;
};

/* Called once on the boot CPU, before any container runs; calls arch_tables_create for the host and fills its leaves. */
void core_init(const struct core_boot *boot);

struct domain *core_host(void);

/* A hypercall's registers: in RAX, RDI, RSI, RDX; out RAX, RDX. */
struct hypercall {
	uint64_t nr, a0, a1, a2;
	int64_t status;
	uint64_t value;
};

/* Runs one hypercall for v on this CPU, lock not held. May run a guest (VCPU_RUN). CPL has been checked by the caller. */
void core_hypercall(struct vcpu *v, struct hypercall *call);

/* A domain's running virtual CPU must leave for good as soon as dom->state is not TSR_GUEST_RUNNING (atomic read). */

/* A container touched gfn without permission. Lock not held. Decided under the lock against the frame table. */
enum fault_verdict {
	FAULT_RETRY,     /* the leaf allows it now (a change was in progress) */
	FAULT_FORBIDDEN, /* inject #GP(0); already counted */
};
enum fault_verdict core_nested_fault(struct vcpu *v, gfn_t g, uint8_t wanted_perm);

/* Takes one pending event bound to v, which runs on this CPU: returns its vector, or 0. No lock needed. */
uint8_t core_take_event(struct vcpu *v);
bool core_event_pending(const struct vcpu *v);

/* The guest v belongs to has ended (power-off, triple fault, ...). Lock not held; the guest's other virtual CPUs are kicked. */
void core_guest_ended(struct vcpu *v, enum tsr_guest_end why, uint64_t code0, uint64_t code1);

/* The leaf the frame table prescribes for RAM gfn of d; perm 0 if none. */
struct leaf core_leaf_expected(const struct domain *d, gfn_t g);

/* Is frame m RAM that the host may reach at its own address now? (for the instruction fetch of the APIC decoder) Lock held. */
bool core_host_frame(mfn_t m);

/* enum tsr_feature, for CPUID and INFO. */
uint32_t core_features(void);

/* Atomic; lock held or not. */
void core_count(enum tsr_counter which);
uint64_t core_counter(enum tsr_counter which);

/* Overwrites all guests' memory and the secrets: before a reset or power-off. No CPU is inside a guest. */
void core_scrub_all(void);

#endif
