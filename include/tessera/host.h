/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * /dev/tessera, the host module's user-space interface (Linux): spec/host.md. Not part of the ABI between host and guest; another
 * host may have another. All calls return 0 or more, or -1 with errno; errno of a refused hypercall is that of TSR_ERRORS.
 */
#ifndef TESSERA_HOST_H
#define TESSERA_HOST_H

#include <linux/ioctl.h>
#include <tessera/hypercall.h>

#define TSR_HOST_DEVICE "/dev/tessera"
#define TSR_NAME_SIZE   32u

struct tsr_ioc_create {
	char name[TSR_NAME_SIZE]; /* unique among live guests, terminated; for people only */
	struct tsr_guest_create config;
	uint32_t eip, esi; /* entry state meant for LAUNCH; only kept, for TSR_IOC_CONFIG to return */
	uint32_t guest; /* out: id */
	uint32_t reserved;
};

struct tsr_ioc_load {
	uint32_t guest;
	uint32_t reserved;
	uint64_t gpa;  /* page-aligned, ascending over calls */
	uint64_t addr; /* user address */
	uint64_t len;  /* bytes; the last page is padded with zeros */
};

struct tsr_ioc_launch {
	uint32_t guest;
	uint32_t reserved;
	struct tsr_guest_launch launch;
};

struct tsr_ioc_guest {
	uint32_t guest; /* LIST: in: start from this id, out: the guest found */
	uint32_t flags; /* TSR_IOC_GUEST_* */
	char name[TSR_NAME_SIZE];
	struct tsr_guest_info info;
};

#define TSR_IOC_GUEST_PAUSED  (1u << 0)
#define TSR_IOC_GUEST_STALLED (1u << 1) /* a virtual CPU that should run is kept from it: the kernel's log says which */

/* What the host itself noted about a guest. */
struct tsr_ioc_config {
	uint32_t guest; /* in */
	uint32_t reserved;
	char name[TSR_NAME_SIZE];
	uint32_t eip, esi;
	int32_t backend[TSR_MAX_DEVICES]; /* process that attached to the device; 0: no backend; -1: one whose process has ended */
	struct tsr_guest_create config;
};

struct tsr_ioc_console_input {
	uint32_t guest;
	struct tsr_console_input input;
};

struct tsr_ioc_attach {
	uint32_t guest;
	uint32_t device;
};

/* How a backend moves a guest's data. */
enum tsr_backend_mode {
	TSR_BACKEND_COPY = 1,   /* by CPU, over private buffers and the host's page cache */
	TSR_BACKEND_BOUNCE = 2, /* reads by DMA to the guest's pages, writes by DMA from a private copy */
	TSR_BACKEND_DIRECT = 3, /* both by DMA, from and to the guest's pages */
};

/* X(NAME, text): why not TSR_BACKEND_DIRECT. */
#define TSR_BACKEND_REASONS(X)                                                                                         \
	X(NONE, "")                                                                                                    \
	X(NO_IOMMU, "the hypervisor uses no IOMMU, so a disk's DMA would miss the guest's pages")                      \
	X(MEDIUM, "direct I/O is known to be direct on disks and on files of ext4 and XFS only, loop devices left out") \
	X(REFUSED, "its file system or disk refuses direct I/O")                                                       \
	X(REGISTER, "the kernel refuses to register the guest's pages for I/O")                                        \
	X(STABLE, "its disk, one below it, or its file system checksums what it writes (stable_writes, btrfs, networks)")        \
	X(FORCED, "told so with --bounce always")                                                                      \
	X(ENGINE, "its storage engine takes private copies only")
#define TSR_BACKEND_REASON_ENUM(name, text) TSR_BACKEND_WHY_##name,
enum tsr_backend_reason { TSR_BACKEND_REASONS(TSR_BACKEND_REASON_ENUM) TSR_BACKEND_REASON_NR };
#undef TSR_BACKEND_REASON_ENUM

/* X(name, text): a backend's counters, over all its sessions. A page is 4 KiB of a block's data; in: to the disk, out: to the guest. */
#define TSR_BACKEND_COUNTERS(X)                                     \
	X(direct_in, "pages written from the guest's memory by DMA") \
	X(direct_out, "pages read into the guest's memory by DMA")   \
	X(copied_in, "pages copied from the guest by CPU")           \
	X(hv_in, "pages copied from the guest by the hypervisor")    \
	X(hv_out, "pages copied to the guest by the hypervisor")     \
	X(granted, "tokens mapped for single requests")              \
	X(copied_out, "pages copied to the guest by CPU")            \
	X(reads, "read requests")                                    \
	X(writes, "write requests")                                  \
	X(zeroes, "write-zeroes requests")                           \
	X(flushes, "flush requests")                                 \
	X(headers, "header requests")                                \
	X(failed, "requests completed with an error")                \
	X(blocks_read, "blocks read")                                \
	X(blocks_written, "blocks written")                          \
	X(bytes_in, "bytes copied from the guest, seals and headers too") \
	X(bytes_out, "bytes copied to the guest, seals and headers too") \
	X(syncs, "syncs of the image")                               \
	X(starved, "writes that waited for a free slot")             \
	X(doorbells, "doorbells taken")                              \
	X(raised, "events raised")                                   \
	X(quiet, "completions for which no event was due")
#define TSR_BACKEND_COUNTER_ENUM(name, text) TSR_BACKEND_COUNT_##name,
enum tsr_backend_counter { TSR_BACKEND_COUNTERS(TSR_BACKEND_COUNTER_ENUM) TSR_BACKEND_COUNTER_NR };
#undef TSR_BACKEND_COUNTER_ENUM

/* The page that mmap(2) of a backend descriptor gives: its program writes it, TSR_IOC_BACKEND reads it. Each queue has its own counters. */
#define TSR_BACKEND_QUEUES 16u
struct tsr_backend_page {
	uint32_t mode;   /* enum tsr_backend_mode; 0: the program says nothing */
	uint32_t reason; /* enum tsr_backend_reason */
	uint32_t asked;  /* enum tsr_blk_mode + 1: what the guest's session asked for; 0: no session yet */
	uint32_t reserved;
	uint64_t sessions;
	uint64_t counter[TSR_BACKEND_QUEUES][TSR_BACKEND_COUNTER_NR];
};
_Static_assert(sizeof(struct tsr_backend_page) <= TSR_PAGE_SIZE, "a backend's counters fill more than a page");

struct tsr_ioc_backend {
	uint32_t guest;  /* in */
	uint32_t device; /* in */
	uint32_t mode, reason; /* 0: nobody serves the device, or nothing is said */
	uint32_t asked, reserved;
	uint64_t sessions;
	uint64_t counter[TSR_BACKEND_COUNTER_NR]; /* sums over the queues */
	uint64_t requests[TSR_BACKEND_QUEUES];    /* of each queue, of every kind */
};

#define TSR_IOC_MAGIC 0xB5
#define TSR_IOC_INFO          _IOR(TSR_IOC_MAGIC, 0, struct tsr_info)
#define TSR_IOC_CREATE        _IOWR(TSR_IOC_MAGIC, 1, struct tsr_ioc_create) /* allocates and donates the memory */
#define TSR_IOC_LOAD          _IOW(TSR_IOC_MAGIC, 2, struct tsr_ioc_load)
#define TSR_IOC_LAUNCH        _IOWR(TSR_IOC_MAGIC, 3, struct tsr_ioc_launch) /* starts its virtual CPU threads */
#define TSR_IOC_STOP          _IOW(TSR_IOC_MAGIC, 4, uint32_t)
#define TSR_IOC_DESTROY       _IOW(TSR_IOC_MAGIC, 5, uint32_t) /* stops if need be; returns when all memory is back */
#define TSR_IOC_LIST          _IOWR(TSR_IOC_MAGIC, 6, struct tsr_ioc_guest) /* ENOENT after the last */
#define TSR_IOC_CONSOLE       _IOW(TSR_IOC_MAGIC, 7, uint32_t) /* returns a descriptor: read and poll; a 64 KiB history first; EOF when ended */
#define TSR_IOC_CONSOLE_INPUT _IOW(TSR_IOC_MAGIC, 8, struct tsr_ioc_console_input) /* returns bytes taken */
#define TSR_IOC_TOKENS        _IOWR(TSR_IOC_MAGIC, 9, struct tsr_ioc_tokens)
#define TSR_IOC_ATTACH        _IOW(TSR_IOC_MAGIC, 10, struct tsr_ioc_attach) /* returns a backend descriptor; EBUSY while another lives */
#define TSR_IOC_CONFIG        _IOWR(TSR_IOC_MAGIC, 11, struct tsr_ioc_config)
#define TSR_IOC_BACKEND       _IOWR(TSR_IOC_MAGIC, 12, struct tsr_ioc_backend) /* what a device's backend counts */
#define TSR_IOC_DMA_FAULTS    _IOR(TSR_IOC_MAGIC, 13, struct tsr_dma_faults) /* the latest, oldest first; counts stay */
#define TSR_IOC_PAUSE         _IOW(TSR_IOC_MAGIC, 14, uint32_t) /* returns when none of its virtual CPUs runs */
#define TSR_IOC_RESUME        _IOW(TSR_IOC_MAGIC, 15, uint32_t)

struct tsr_ioc_tokens {
	uint32_t start; /* in: first slot; out: next, 0 at the end */
	uint32_t reserved;
	struct tsr_token_list list;
};

/*
 * A backend descriptor serves one device of one guest. read(2) gives struct tsr_backend_event, one at a time; poll(2) works.
 * When its last reference goes, all it mapped is unmapped, the guest is told that the backend is away, windows are unpinned.
 */
enum tsr_backend_event_type {
	TSR_BACKEND_CONNECT = 1, /* a session begins: earlier sessions' tokens are gone or going */
	TSR_BACKEND_ENDED = 2,   /* the guest has ended */
};

struct tsr_backend_event {
	uint32_t type;    /* enum tsr_backend_event_type */
	uint32_t session;
	struct tsr_token token;
};

/* Pins own memory as a window: addr and len page-aligned, best a sealed 2 MiB hugetlb memfd. Returns a window number. */
struct tsr_ioc_window {
	uint64_t addr;
	uint64_t len;
};

/* Maps a token's pages over window pages; also the 80-byte payload's start of TSR_CMD_MAP (SQE128). */
struct tsr_ioc_map {
	struct tsr_token token;
	uint64_t offset;  /* bytes from the window's start, page-aligned; the run must not cross physically discontiguous pages */
	uint32_t window;
	uint32_t pages;
	uint32_t session;
	uint32_t dir;
	uint32_t how;    /* enum tsr_token_how, as the token is bound to: HOW_COPY only names a place, HOW_EITHER may */
	int32_t result;  /* out, TSR_IOC_MAPS: 0 or a negative errno */
};

/* Maps several tokens with one shoot-down; each has a result of its own. Returns how many succeeded. */
struct tsr_ioc_maps {
	uint64_t maps;   /* address of struct tsr_ioc_map[count] */
	uint32_t count;  /* 1..TSR_MAX_BATCH */
	uint32_t reserved; /* 0 */
};

/* Has the hypervisor copy between bytes of a HOW_COPY token's range and own memory. Also the payload of TSR_CMD_COPY (SQE128). */
struct tsr_ioc_copy {
	struct tsr_token token;
	uint64_t addr;   /* user address */
	uint32_t offset; /* from the start of the token's range */
	uint32_t len;    /* bytes, 1..TSR_IOC_COPY_MAX */
	uint32_t session;
	uint32_t dir;    /* TSR_DIR_READ: to own memory; TSR_DIR_WRITE: from it */
};
#define TSR_IOC_COPY_MAX (TSR_MAX_BATCH * TSR_PAGE_SIZE)

struct tsr_ioc_doorbell {
	uint32_t queue;
	int32_t eventfd; /* signalled when the guest rings the queue; -1 unbinds */
};

#define TSR_IOC_WINDOW   _IOW(TSR_IOC_MAGIC, 32, struct tsr_ioc_window)
#define TSR_IOC_MAP      _IOW(TSR_IOC_MAGIC, 33, struct tsr_ioc_map)
#define TSR_IOC_UNMAP    _IOW(TSR_IOC_MAGIC, 34, struct tsr_token)
#define TSR_IOC_DOORBELL _IOW(TSR_IOC_MAGIC, 35, struct tsr_ioc_doorbell)
#define TSR_IOC_RAISE    _IOW(TSR_IOC_MAGIC, 36, uint32_t) /* raise this guest event */
#define TSR_IOC_MAPS     _IOW(TSR_IOC_MAGIC, 37, struct tsr_ioc_maps)
#define TSR_IOC_COPY     _IOW(TSR_IOC_MAGIC, 38, struct tsr_ioc_copy)

/* io_uring commands (IORING_OP_URING_CMD) on a backend descriptor; the payload is the ioctl's structure. */
#define TSR_CMD_RAISE TSR_IOC_RAISE /* fits a normal SQE */
#define TSR_CMD_MAP   TSR_IOC_MAP   /* needs SQE128 */
#define TSR_CMD_UNMAP TSR_IOC_UNMAP
#define TSR_CMD_COPY  TSR_IOC_COPY  /* needs SQE128 */

#endif
