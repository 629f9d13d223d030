/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The hypercall interface: spec/hypercalls.md. Dispatch, the spec's table and the tests are made from TSR_CALLS below.
 *
 * VMMCALL (AMD) or VMCALL (Intel) from ring 0; from any other ring it raises #UD.
 *   in:  RAX = call number, RDI, RSI, RDX = arguments a0, a1, a2 (unused ones 0)
 *   out: RAX = 0 or a negated enum tsr_error, RDX = value; all other registers are kept.
 * Structures travel in the mailbox of the calling virtual CPU: one page that the hypervisor copies once.
 * A batch call has a0 elements (1..its limit) laid out as an array at the mailbox's start. All are validated, then all are
 * committed. On error nothing was done and RDX is the index of the first element refused, except with TSR_E_AGAIN,
 * where RDX says how many elements are finished and the same call is to be repeated for the rest.
 */
#ifndef TESSERA_HYPERCALL_H
#define TESSERA_HYPERCALL_H

#include <tessera/errors.h>
#include <tessera/token.h>
#include <tessera/types.h>

/* Discovery: CPUID leaf TSR_CPUID_BASE gives EAX = highest leaf of ours, EBX,ECX,EDX = "TesseraHV1.0" (12 bytes);
 * leaf +1 gives EAX = TSR_ABI_VERSION, EBX = feature bits, ECX = 1 host or 2 guest, EDX = VMMCALL (0) or VMCALL (1). */
#define TSR_CPUID_BASE      0x40000100u
#define TSR_CPUID_FEATURES  0x40000101u
#define TSR_CPUID_EBX       0x73736554u /* "Tess" */
#define TSR_CPUID_ECX       0x48617265u /* "eraH" */
#define TSR_CPUID_EDX       0x302e3156u /* "V1.0" */
#define TSR_CPUID_ROLE_HOST  1u
#define TSR_CPUID_ROLE_GUEST 2u

/* Major in the high half (incompatible), minor in the low half (additions). */
#define TSR_ABI_VERSION 0x00010000u

#define TSR_FEATURES(X)                                                        \
	X(0, TOKEN_MAP, "tokens can be mapped into windows")                   \
	X(1, TOKEN_COPY, "tokens can be copied through")                       \
	X(2, IOMMU, "devices are kept out by an IOMMU")                        \
	X(3, SEALED_LAUNCH, "the root secret is bound to a measured launch")   \
	X(4, ORACLE, "debug build: every leaf is re-derived after each call")
#define TSR_FEATURE_ENUM(bit, name, text) TSR_FEATURE_##name = 1 << (bit),
enum tsr_feature { TSR_FEATURES(TSR_FEATURE_ENUM) };
#undef TSR_FEATURE_ENUM

#define TSR_MAX_BATCH   64u
#define TSR_MAX_GUESTS  16u
#define TSR_MAX_VCPUS   16u  /* of one guest, and CPUs of the machine */
#define TSR_MAX_DEVICES 8u   /* of one guest */
#define TSR_MAX_EVENTS  256u /* of one guest */
/* The event that the hypervisor itself raises when BACKEND_STATE has changed this device's backend. */
#define TSR_EVENT_BACKEND(device) (TSR_MAX_EVENTS - 1u - (device))
#define TSR_MAX_TOKENS  16385u /* of the machine: 1,024 for each guest, and one of the hypervisor's own */
#define TSR_COPY_PAGES  1024u  /* that the hypervisor copies or scrubs in one call at most */
#define TSR_LABEL_SIZE  32u  /* bytes, zero-padded, need not be terminated */
#define TSR_KEY_SIZE    32u
#define TSR_ID_SIZE     32u  /* a guest's identity: BLAKE2b-256 */

#define TSR_BY_HOST  1u
#define TSR_BY_GUEST 2u
#define TSR_BY_BOTH  3u

/*
 * X(number, NAME, callers, batch limit or 0, mailbox structure or void, text)
 * With batch limit 0 and a structure, the mailbox holds one structure (argument, result or both, as its comments say).
 */
#define TSR_CALLS(X)                                                                                                       \
	X(0, VERSION, TSR_BY_BOTH, 0, void, "value = TSR_ABI_VERSION; does nothing else")                                  \
	X(1, MAILBOX, TSR_BY_BOTH, 0, void, "register page a0 (gfn) as this virtual CPU's mailbox; ~0 unregisters")        \
	X(2, INFO, TSR_BY_BOTH, 0, struct tsr_info, "what the machine has, its limits and counters")                       \
	X(3, HOST_RESET, TSR_BY_HOST, 0, void, "end all mailboxes and window pages of a host before; a0, value: as GUEST_FRAMES") \
	X(16, GUEST_CREATE, TSR_BY_HOST, 0, struct tsr_guest_create, "make an empty guest; value = guest id")              \
	X(17, GUEST_DONATE, TSR_BY_HOST, 64, struct tsr_donate, "a1 = guest: give pages to it, scrubbed on arrival")       \
	X(18, GUEST_LOAD, TSR_BY_HOST, 64, struct tsr_load, "a1 = guest: copy pages in and measure the copy")              \
	X(19, GUEST_LAUNCH, TSR_BY_HOST, 0, struct tsr_guest_launch, "a1 = guest: close its identity, allow it to run")    \
	X(20, VCPU_RUN, TSR_BY_HOST, 0, struct tsr_run_exit, "run virtual CPU a1 of guest a0 until it needs the host")     \
	X(21, GUEST_STOP, TSR_BY_HOST, 0, void, "a1 = guest: it stops and never runs again; kicks its virtual CPUs")       \
	X(22, GUEST_DESTROY, TSR_BY_HOST, 0, void, "a1 = guest: revoke its tokens and begin the return of its memory")     \
	X(23, GUEST_RECLAIM, TSR_BY_HOST, 64, struct tsr_donate, "a1 = guest: take pages back, scrubbed; last frees the id") \
	X(24, GUEST_INFO, TSR_BY_HOST, 0, struct tsr_guest_info, "a1 = guest: its state, identity and counters")           \
	X(25, EVENT_RAISE, TSR_BY_HOST, 0, void, "a1 = guest: raise its event a2; value = virtual CPUs to wake")           \
	X(26, CONSOLE_INPUT, TSR_BY_HOST, 0, struct tsr_console_input, "a1 = guest: bytes for its UART, if policy allows") \
	X(27, BACKEND_STATE, TSR_BY_HOST, 0, void, "a1 = guest: its device a0 has a backend (a2 = 1) or not (0); value = as above") \
	X(28, GUEST_FRAMES, TSR_BY_HOST, 0, struct tsr_guest_frames, "a1 = guest: its frames from frame a0 on; value = next frame, 0 at the end") \
	X(32, WINDOW_ADD, TSR_BY_HOST, 64, struct tsr_window, "register own pages as window pages")                        \
	X(33, WINDOW_REMOVE, TSR_BY_HOST, 64, struct tsr_window, "the reverse; refused while a page is displaced")         \
	X(34, TOKEN_MAP, TSR_BY_HOST, 64, struct tsr_token_map, "swap the tokens' pages into window pages")                \
	X(35, TOKEN_UNMAP, TSR_BY_HOST, 64, struct tsr_token_ref, "swap them out; returns when every CPU has let go")      \
	X(36, TOKEN_LIST, TSR_BY_HOST, 0, struct tsr_token_list, "up to 63 live tokens from slot a0 on; value = next slot, 0 at the end") \
	X(37, DMA_FAULTS, TSR_BY_HOST, 0, struct tsr_dma_faults, "the latest accesses by devices that the IOMMU refused")   \
	X(38, TOKEN_OWN, TSR_BY_HOST, 0, struct tsr_token_issue, "a token of the hypervisor's own page a0 (enum tsr_own_page), how = a1") \
	X(39, TOKEN_COPY, TSR_BY_BOTH, 64, struct tsr_token_copy, "copy bytes of tokens' ranges from or to the recipient's memory") \
	X(48, TOKEN_ISSUE, TSR_BY_GUEST, 64, struct tsr_token_issue, "let the host use runs of own pages")                 \
	X(49, TOKEN_REVOKE, TSR_BY_GUEST, 64, struct tsr_token_ref, "end tokens; returns when every CPU has let go")       \
	X(50, TOKEN_QUERY, TSR_BY_BOTH, 0, struct tsr_token_query, "what a live token is bound to, and its state")         \
	X(51, CONNECT, TSR_BY_GUEST, 0, struct tsr_connect, "hand a device's control token to its backend")                \
	X(52, NOTIFY, TSR_BY_GUEST, 0, void, "ring the doorbell of queue a1 of device a0")                                 \
	X(53, EVENT_BIND, TSR_BY_GUEST, 0, void, "deliver event a0 to virtual CPU a1 as vector a2 (32..255 but 0x80); 0 unbinds") \
	X(54, DEVICE_INFO, TSR_BY_GUEST, 0, struct tsr_device_info, "device a0: its measured description, its backend's state") \
	X(55, KEY_DERIVE, TSR_BY_GUEST, 0, struct tsr_key_derive, "a key of this identity and a label")                    \
	X(56, RANDOM, TSR_BY_GUEST, 0, struct tsr_random, "random bytes from the hypervisor's generator")                  \
	X(57, REPORT, TSR_BY_GUEST, 0, void, "this guest has panicked (a0 = 1); a1, a2 are its own codes, shown to the host")

#define TSR_CALL_ENUM(number, name, callers, batch, type, text) TSR_CALL_##name = (number),
enum tsr_call { TSR_CALLS(TSR_CALL_ENUM) };
#undef TSR_CALL_ENUM

/* ------------------------------------------------------------------ both */

/* X(name, text): the hypervisor's own counters, in the order of tsr_info.counters. */
#define TSR_COUNTERS(X)                                                        \
	X(exits_host, "exits from the host's container")                       \
	X(exits_guest, "exits from guests")                                    \
	X(hypercalls_host, "hypercalls by the host")                           \
	X(hypercalls_guest, "hypercalls by guests")                            \
	X(faults_memory, "forbidden memory accesses by the host")              \
	X(faults_port, "forbidden port or PCI configuration accesses by the host") \
	X(faults_msr, "forbidden MSR accesses by the host")                    \
	X(faults_guest, "forbidden accesses by guests")                        \
	X(shootdowns, "shoot-downs")                                           \
	X(shootdown_ipis, "interrupts sent for shoot-downs")                   \
	X(tokens_issued, "tokens issued")                                      \
	X(tokens_mapped, "tokens mapped")                                      \
	X(tokens_unmapped, "tokens unmapped by the host")                      \
	X(tokens_revoked, "tokens revoked")                                    \
	X(events_raised, "events raised")                                      \
	X(doorbells, "doorbells rung by guests")                               \
	X(nmis_forwarded, "NMIs that were the host's own")                     \
	X(oracle_runs, "checks of every leaf against the frame table (debug builds)") \
	X(iotlb_flushes, "invalidations of the devices' translations")         \
	X(dma_faults, "accesses by devices that the IOMMU refused and recorded") \
	X(tokens_placed, "tokens for which the host has named a place")        \
	X(copies_host, "copies through tokens that the host asked for")        \
	X(copies_issuer, "copies through tokens that their issuers asked for") \
	X(copies_own, "pages copied because the hypervisor chose so")

#define TSR_COUNTER_ENUM(name, text) TSR_COUNT_##name,
enum tsr_counter { TSR_COUNTERS(TSR_COUNTER_ENUM) TSR_COUNTER_NR };
#undef TSR_COUNTER_ENUM

/* Frames by owner; the sum is the machine's RAM. */
struct tsr_census {
	uint64_t hypervisor; /* private to the hypervisor */
	uint64_t host;       /* the host's, windows, displaced and mailbox pages included */
	uint64_t guests;     /* guests' memory */
	uint64_t tables;     /* donated for guests' tables */
	uint64_t displaced;  /* of the host's: set aside while a token is mapped */
	uint64_t windows;    /* of the host's: registered as window pages */
};

/* TSR_CALL_INFO. A guest gets version, features and limits only; the rest reads as 0. */
struct tsr_info {
	uint32_t abi_version;
	uint32_t features;
	uint32_t max_guests, max_vcpus, max_devices, max_events, max_tokens, max_batch;
	uint32_t cpus;          /* in the host's container */
	uint32_t guests;        /* live */
	uint32_t tokens;        /* live */
	uint32_t development;   /* bit set of why this is a development platform; 0 on a protected one */
	uint64_t tsc_khz;
	struct tsr_census census;
	uint64_t hv_base_pfn, hv_pages; /* the hypervisor's reserved region, for diagnostics */
	uint64_t counters[64];  /* enum tsr_counter; the rest 0 */
	/* What there is at most; a call that would go beyond gets TSR_E_LIMIT, with nothing done, until something is given back. */
	uint32_t max_granted;   /* pages of one guest in live tokens */
	uint32_t max_windows;   /* window pages of the host; told to the host only */
	uint32_t max_queues;    /* of one block device */
	uint32_t max_window_run; /* pages in one element of WINDOW_ADD, and in one token */
	uint32_t guest_tokens;  /* of one guest: its max_tokens */
	uint32_t reserved;
};

#define TSR_DEVELOPMENT_NO_IOMMU    (1u << 0)
#define TSR_DEVELOPMENT_ROOT_SECRET (1u << 1) /* root secret came from the command line */
#define TSR_DEVELOPMENT_SMRAM       (1u << 2) /* SMRAM could not be locked */
#define TSR_DEVELOPMENT_INIT        (1u << 3) /* INIT cannot be held by this CPU */
#define TSR_DEVELOPMENT_INTERRUPTS  (1u << 4) /* devices can send INIT, NMI or SMI as messages */

/* The hypervisor's own pages that it issues tokens for: issuer 0, device 0, session 1, direction READ. */
enum tsr_own_page { TSR_OWN_STATS = 0 };

/* TSR_OWN_STATS: mapped, it shows the counters as they run; copied, as they were. */
struct tsr_stats {
	uint64_t counters[64]; /* enum tsr_counter; the rest 0 */
	uint64_t reserved[448];
};
TSR_ASSERT_SIZE(struct tsr_stats, 4096);

struct tsr_token_query {
	struct tsr_token token;     /* in */
	struct tsr_token_info info; /* out */
};

/* ------------------------------------------------------------------ host: guests */

enum tsr_device_type { TSR_DEVICE_NONE = 0, TSR_DEVICE_BLOCK = 1 };

/* A device of a guest's measured configuration. */
struct tsr_device_desc {
	uint8_t type;      /* enum tsr_device_type */
	uint8_t suite;     /* block: enum tsr_suite (seal.h) */
	uint16_t flags;    /* 0 */
	uint32_t reserved; /* 0 */
	uint8_t label[TSR_LABEL_SIZE]; /* block: names the key and the disk */
};
TSR_ASSERT_SIZE(struct tsr_device_desc, 40);

#define TSR_GUEST_CONSOLE_INPUT (1u << 0) /* the host may type into the guest's UART */
#define TSR_GUEST_FLAGS         TSR_GUEST_CONSOLE_INPUT

/* Everything here is measured, in this layout. */
struct tsr_guest_create {
	uint64_t mem_pages; /* guest RAM is gfn 0..mem_pages-1 */
	uint32_t vcpus;     /* 1..TSR_MAX_VCPUS */
	uint32_t flags;     /* TSR_GUEST_* */
	uint8_t instance[64]; /* tells apart tenants that launch the same image */
	struct tsr_device_desc device[TSR_MAX_DEVICES];
};
TSR_ASSERT_SIZE(struct tsr_guest_create, 400);

/* One element of GUEST_DONATE and GUEST_RECLAIM: count pages from host_pfn on. */
struct tsr_donate {
	uint64_t host_pfn;
	uint64_t gfn;   /* DONATE: where they appear, ascending; 0 for TSR_DONATE_TABLES; RECLAIM: 0 */
	uint32_t count; /* 1..TSR_DONATE_MAX */
	uint32_t flags; /* DONATE: 0 or TSR_DONATE_TABLES; RECLAIM: 0 */
};
TSR_ASSERT_SIZE(struct tsr_donate, 24);
#define TSR_DONATE_TABLES (1u << 0) /* for the guest's nested tables and CPU state, not its RAM */
#define TSR_DONATE_MAX    512u

/* Table pages a guest needs: donate at least so many before its RAM. */
#define TSR_GUEST_TABLE_PAGES(mem_pages, vcpus) \
	((mem_pages) / 512u + (mem_pages) / 262144u + 4u + 8u * (vcpus))

/* A run of a guest's frames: RAM, or with TSR_DONATE_TABLES table pages. */
struct tsr_frame_run {
	uint64_t pfn;
	uint32_t count;
	uint32_t flags;
};
TSR_ASSERT_SIZE(struct tsr_frame_run, 16);

/* Result of GUEST_FRAMES, ascending. The list may be empty and yet go on. */
struct tsr_guest_frames {
	uint32_t count;
	uint32_t reserved[3];
	struct tsr_frame_run run[255];
};
TSR_ASSERT_SIZE(struct tsr_guest_frames, 4096);
#define TSR_FRAMES_LOOK 262144u /* frames that one call of GUEST_FRAMES or HOST_RESET looks at, at most */

/* One element of GUEST_LOAD. gfn must be higher than any loaded before: order is part of the identity. */
struct tsr_load {
	uint64_t gfn;
	uint64_t host_pfn; /* a page of the host's; read once */
};
TSR_ASSERT_SIZE(struct tsr_load, 16);

/* Entry state: 32-bit protected mode, paging off, flat 4 GiB segments (CS 0x10, others 0x18), IF=0. Measured. */
struct tsr_guest_launch {
	uint32_t eip;
	uint32_t esi;      /* Linux: address of boot_params */
	uint64_t reserved; /* 0 */
	uint8_t identity[TSR_ID_SIZE]; /* out */
};
TSR_ASSERT_SIZE(struct tsr_guest_launch, 48);

enum tsr_guest_state {
	TSR_GUEST_NONE = 0,
	TSR_GUEST_BUILDING = 1, /* between create and launch */
	TSR_GUEST_RUNNING = 2,
	TSR_GUEST_STOPPED = 3,  /* by the host, power-off, panic or failure: see end */
	TSR_GUEST_DYING = 4,    /* destroyed; memory not all returned */
};

/* Why a guest ended. */
enum tsr_guest_end {
	TSR_END_NONE = 0,
	TSR_END_HOST = 1,     /* GUEST_STOP or GUEST_DESTROY */
	TSR_END_POWEROFF = 2, /* ACPI sleep register */
	TSR_END_RESET = 3,    /* asked for a reset: guests are not restarted in place */
	TSR_END_PANIC = 4,    /* TSR_CALL_REPORT; its codes are in end_code */
	TSR_END_TRIPLE = 5,   /* triple fault */
	TSR_END_INVALID = 6,  /* CPU state the processor refuses */
};

struct tsr_guest_info {
	uint32_t state;    /* enum tsr_guest_state */
	uint32_t end;      /* enum tsr_guest_end */
	uint64_t end_code[2];
	uint8_t identity[TSR_ID_SIZE]; /* zero before launch */
	uint64_t mem_pages, table_pages, ram_pages; /* asked for; donated and not yet reclaimed */
	uint32_t vcpus, flags, tokens, granted; /* granted: pages in its live tokens */
	uint64_t exits, hypercalls, faults, doorbells, events;
};

enum tsr_run_reason {
	TSR_RUN_INTR = 0,     /* the host has an interrupt to take; run again */
	TSR_RUN_HALT = 1,     /* idle until an event or until deadline */
	TSR_RUN_TIMER = 2,    /* deadline was set or changed; run again after noting it */
	TSR_RUN_CONSOLE = 3,  /* only console bytes */
	TSR_RUN_DOORBELL = 4, /* device and queue */
	TSR_RUN_CONNECT = 5,  /* device, session and token */
	TSR_RUN_ENDED = 6,    /* the guest has stopped: see GUEST_INFO */
	TSR_RUN_WAKE = 7,     /* only virtual CPUs to wake */
};

#define TSR_RUN_CONSOLE_MAX 1024u

/* Result of VCPU_RUN. deadline, wake and console are filled whatever the reason. */
struct tsr_run_exit {
	uint32_t reason;       /* enum tsr_run_reason */
	uint32_t console_len;  /* bytes in console */
	uint64_t deadline;     /* of the guest's timer, in host TSC; 0 = none armed */
	uint32_t device, queue;
	uint32_t session;
	uint32_t wake;         /* bit set: virtual CPUs that were idle and have something to do now */
	struct tsr_token token;
	uint64_t console_at;   /* how many bytes the guest's console had been told before these */
	uint8_t console[TSR_RUN_CONSOLE_MAX];
};

struct tsr_console_input {
	uint32_t len; /* 1..sizeof(bytes); value = how many were taken */
	uint8_t bytes[60];
};
TSR_ASSERT_SIZE(struct tsr_console_input, 64);

/* ------------------------------------------------------------------ host: windows and tokens */

struct tsr_window {
	uint64_t pfn;
	uint32_t count; /* 1..512 */
	uint32_t reserved; /* 0 */
};
TSR_ASSERT_SIZE(struct tsr_window, 16);

struct tsr_token_list {
	uint32_t count;    /* out: entries filled */
	uint32_t reserved[15];
	struct tsr_token_info token[63];
};
TSR_ASSERT_SIZE(struct tsr_token_list, 4096);

#define TSR_DMA_FAULTS_MAX 63u

/* One access by a device of the host that the IOMMU refused. */
struct tsr_dma_fault {
	uint64_t address;   /* as the device gave it; to the byte where the unit records it so, else to the page */
	uint16_t device;    /* requester id: bus << 8 | device << 3 | function */
	uint8_t write;      /* 1: write, 0: read */
	uint8_t reason;     /* the unit's own number: AMD event code, VT-d fault reason */
	uint32_t reserved;
};
TSR_ASSERT_SIZE(struct tsr_dma_fault, 16);

/* Result of DMA_FAULTS: the latest ones, oldest first. A unit may record fewer than happened; QEMU's AMD model records none. */
struct tsr_dma_faults {
	uint64_t total;     /* recorded since start; those before the listed ones are forgotten */
	uint32_t count;     /* entries filled */
	uint32_t reserved;
	struct tsr_dma_fault fault[TSR_DMA_FAULTS_MAX];
};
TSR_ASSERT_SIZE(struct tsr_dma_faults, 1024);

/* ------------------------------------------------------------------ guest */

struct tsr_connect {
	uint32_t device;
	uint32_t session;
	struct tsr_token token; /* of the device's control page */
};
TSR_ASSERT_SIZE(struct tsr_connect, 24);

struct tsr_device_info {
	struct tsr_device_desc desc;
	uint32_t backend;        /* 1: present, 0: away */
	uint32_t backend_change; /* counts changes of backend, so that a quick away-and-back is seen */
};
TSR_ASSERT_SIZE(struct tsr_device_info, 48);

enum tsr_key_purpose {
	TSR_KEY_DISK_HEADER = 1, /* authenticates the sealed disk's header; takes the disk's lease */
	TSR_KEY_DISK_ATTACH = 2, /* seals blocks of one attach, named by its salt; takes the disk's lease */
	TSR_KEY_APPLICATION = 3, /* for the guest's user space; no lease */
};

/* key = BLAKE2b-256(key = K, purpose (4 bytes LE) || salt), K = BLAKE2b-256(key = root secret,
 * "tessera key v1" zero-padded to 32 || identity || label): spec/storage.md, SEAL-KDF. */
struct tsr_key_derive {
	uint8_t label[TSR_LABEL_SIZE];
	uint8_t salt[16];  /* zero for DISK_HEADER */
	uint32_t purpose;  /* enum tsr_key_purpose */
	uint32_t reserved; /* 0 */
	uint8_t key[TSR_KEY_SIZE]; /* out: the caller wipes it from the mailbox */
};
TSR_ASSERT_SIZE(struct tsr_key_derive, 88);

struct tsr_random {
	uint32_t len; /* 1..64 */
	uint32_t reserved; /* 0 */
	uint8_t bytes[64]; /* out */
};
TSR_ASSERT_SIZE(struct tsr_random, 72);

#endif
