/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * The host module's own objects: spec/host.md says what they do together.
 *
 * A guest is counted: one reference for the list of live guests, one for each descriptor (console, backend), one for each
 * ioctl while it runs. What keeps a *hypercall* from naming a guest whose id the hypervisor may have given away again is not
 * the count but the gate: every call with a guest's id is made between tsr_guest_enter() and tsr_guest_leave(), or in a
 * virtual CPU's thread, or by the one that destroys the guest.
 *
 * Lock order: create_lock, guest.lock, backend.lock, guest.gate, then the spin locks (list, slot, console), of which no two
 * are held together. The threads of virtual CPUs take spin locks only, so they can be joined under any mutex.
 */
#ifndef TESSERA_HOST_INTERNAL_H
#define TESSERA_HOST_INTERNAL_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <tessera/host.h>

#define TSR_HOST_QUEUES TSR_BACKEND_QUEUES /* doorbells of one device */

/* ------------------------------------------------------------------ hypercall.c */

/* Finds the hypervisor and registers a mailbox on every CPU. -ENODEV when there is none. */
int tsr_hv_init(void);
void tsr_hv_exit(void);

struct tsr_hypercall {
	u64 nr, a0, a1, a2;
	const void *in; /* copied to the mailbox before, if not NULL */
	size_t in_len;
	void *out;      /* copied from the mailbox after success, if not NULL */
	size_t out_len;
	u64 value;      /* result */
};

/* All return 0 or a negated enum tsr_error. Process context; may be called with preemption or interrupts disabled. */
int tsr_hypercall(struct tsr_hypercall *call);
int tsr_call_regs(u64 nr, u64 a0, u64 a1, u64 a2, u64 *value);
/* VCPU_RUN: copies no more of the console bytes than there are. */
int tsr_call_run(u32 guest, u32 vcpu, struct tsr_run_exit *exit);

/*
 * A batch of any length: splits it and repeats what the hypervisor has begun and not finished, for as long as that gets on and
 * TSR_AGAIN_SECONDS beyond. *done (if not NULL) says how many leading elements are finished. May sleep.
 * a0 is the count; with NULL elements the call has none and is only repeated.
 */
int tsr_call_batch(u64 nr, u64 a1, const void *elements, size_t size, u32 count, u32 *done);
#define TSR_AGAIN_SECONDS 10

/* The errno for a negated enum tsr_error (or 0). */
int tsr_errno(int status);
const char *tsr_error_text(int status);

/* ------------------------------------------------------------------ memory.c */

enum tsr_chunk_kind { TSR_CHUNK_RAM, TSR_CHUNK_TABLE, TSR_CHUNK_KEPT };

/* Physically contiguous pages, each with its own reference. */
struct tsr_chunk {
	unsigned long pfn;
	u16 count;  /* 1..TSR_DONATE_MAX */
	u8 kind;    /* enum tsr_chunk_kind */
	bool given; /* the guest's: not to be touched or freed */
	bool foreign; /* of a kernel before this one: nothing of ours to free */
};

struct tsr_memory {
	struct tsr_chunk *chunk;
	u32 nr, max;
};

/*
 * Each page of a guest's chunks carries a mark in its struct page from donation to its return: which guest's, and whether it is a
 * kept one. It tells a later module of this kernel what an earlier one has allocated; another kernel has no such marks.
 */
bool tsr_page_marked(unsigned long pfn, u32 guest, bool kept);
/* The guest's memory as the hypervisor has it, and the kept pages before its runs. An errno. */
int tsr_memory_find(struct tsr_memory *mem, u32 guest);
/* Allocates for a guest of this size; -ENOMEM, -EINTR (a fatal signal). */
int tsr_memory_alloc(struct tsr_memory *mem, u64 mem_pages, u32 vcpus);
/* Donates tables, then RAM ascending from gfn 0. An errno; what was given until then is noted. */
int tsr_memory_donate(struct tsr_memory *mem, u32 guest);
/* Takes everything back that can be had. */
void tsr_memory_reclaim(struct tsr_memory *mem, u32 guest, const char *name);
/* Frees what is the host's; leaks what is not, with a message. */
void tsr_memory_free(struct tsr_memory *mem, const char *name);

/* ------------------------------------------------------------------ console.c */

#define TSR_CONSOLE_SIZE 65536u

struct tsr_console {
	spinlock_t lock;
	u64 head;  /* bytes ever written */
	u64 next;  /* place of the bytes that come next in all that the guest has sent */
	bool ended;
	u8 *ring;  /* TSR_CONSOLE_SIZE */
	wait_queue_head_t wait;  /* readers */
	wait_queue_head_t turn;  /* virtual CPUs' threads */
};

int tsr_console_init(struct tsr_console *console);
void tsr_console_free(struct tsr_console *console);
/* The console bytes of a run, in the order in which the guest sent them; may wait for another virtual CPU's thread to write its own. */
void tsr_console_write(struct tsr_console *console, const struct tsr_run_exit *exit);
void tsr_console_end(struct tsr_console *console);

struct tsr_guest;
int tsr_console_open(struct tsr_guest *guest);

/* ------------------------------------------------------------------ guests */

struct tsr_vcpu {
	struct tsr_guest *guest;
	u32 index;
	struct task_struct *thread;
	wait_queue_head_t wait;
	bool kick;          /* look again before sleeping: see vcpu.c */
	struct hrtimer timer;
	int timer_cpu;      /* where timer was started for timer_deadline */
	u64 timer_deadline; /* host TSC */
	unsigned long due;  /* jiffies | 1 when its thread is next to be seen at work; 0: when it is woken */
	bool stalled;       /* watch.c has said so */
	struct tsr_run_exit exit;
};

struct tsr_backend;

/* What the guest told about one of its devices; lives as long as the guest's object, whatever backends come and go. */
struct tsr_slot {
	struct tsr_backend *backend; /* whoever holds the slot, until its release is complete */
	struct pid *pid;             /* of the process that attached */
	bool connected;              /* connect is to be read */
	struct tsr_backend_event connect;
	unsigned long rung;          /* queues rung while no eventfd was bound */
	struct eventfd_ctx *doorbell[TSR_HOST_QUEUES];
	wait_queue_head_t wait;
};

struct tsr_guest {
	struct kref ref;
	struct list_head link; /* in the list of live guests, under its lock */
	u32 id;
	char name[TSR_NAME_SIZE];
	struct tsr_guest_create config;
	u32 eip, esi;

	struct mutex lock;     /* load, launch, destroy */
	bool launched;
	bool paused;           /* its virtual CPUs have no threads, and it holds no reference to the module */
	bool dead;             /* destroyed: the id means nothing any more; also under gate */
	struct rw_semaphore gate;

	bool ended;
	struct tsr_memory mem;
	struct tsr_vcpu *vcpu; /* config.vcpus of them, from launch on */
	struct tsr_console console;
	spinlock_t slot_lock;
	struct tsr_slot slot[TSR_MAX_DEVICES];
};

/* guest.c */
struct tsr_guest *tsr_guest_alloc(const struct tsr_ioc_create *create);
void tsr_guest_put(struct tsr_guest *guest);
/* False, without entering, if the guest is gone or (nonblock) is just going. */
bool tsr_guest_enter(struct tsr_guest *guest, bool nonblock);
void tsr_guest_leave(struct tsr_guest *guest);
/* Calls with the guest's id in a1; -ESRCH if it is gone, else an errno of TSR_ERRORS. */
int tsr_guest_call(struct tsr_guest *guest, struct tsr_hypercall *call);
int tsr_guest_raise(struct tsr_guest *guest, u32 event, bool nonblock);
int tsr_guest_stop(struct tsr_guest *guest);
/* Returns when all memory is back or leaked. -ESRCH if someone else destroyed it. */
int tsr_guest_destroy(struct tsr_guest *guest);
void tsr_guest_set_ended(struct tsr_guest *guest);

/* build.c */
int tsr_guest_create(struct tsr_ioc_create *create); /* fills in create->guest */
int tsr_guest_load(struct tsr_guest *guest, const struct tsr_ioc_load *load);
int tsr_guest_launch(struct tsr_guest *guest, struct tsr_guest_launch *launch);
void tsr_guest_close_door(void); /* none is created from here on */

/* handover.c: pauses, and what outlives this module or has outlived another kernel */
int tsr_guest_pause(struct tsr_guest *guest);
int tsr_guest_resume(struct tsr_guest *guest);
/* At load, before anybody can call: takes over paused guests, destroys those of another kernel. An errno. */
int tsr_adopt_all(void);
void tsr_abandon_all(void); /* at unload: all are paused */

/* registry.c */
int tsr_registry_add(struct tsr_guest *guest); /* takes a reference for the list; -EEXIST if the name is in use */
void tsr_registry_remove(struct tsr_guest *guest); /* drops it */
bool tsr_registry_has(const char *name);
struct tsr_guest *tsr_registry_get(u32 id);  /* counted, or NULL */
struct tsr_guest *tsr_registry_next(u32 id); /* the one with the lowest id >= id, counted, or NULL */

/* vcpu.c */
int tsr_vcpus_create(struct tsr_guest *guest); /* threads that do not run yet */
void tsr_vcpus_start(struct tsr_guest *guest);
/* The set of virtual CPUs that the hypervisor named, or all. */
void tsr_vcpus_wake(struct tsr_guest *guest, u64 set);
#define TSR_VCPUS_ALL (~0ull)
void tsr_vcpus_join(struct tsr_guest *guest);

/* watch.c: says which virtual CPUs are kept from running */
bool tsr_guest_stalled(struct tsr_guest *guest);
int tsr_watch_start(void); /* an errno */
void tsr_watch_stop(void);

/* ------------------------------------------------------------------ backends */

/* Of a page of a window: the token that is mapped there. */
struct tsr_mapping {
	struct tsr_token token; /* in the first page of its run, like pages */
	u32 pages;
	u32 run;                /* page where its run begins, and 1; 0: no token */
};

struct tsr_window_area {
	char owner[TSR_NAME_SIZE + 16]; /* for messages: guest and device */
	struct list_head link; /* of windows that could not be released yet */
	struct page **page;    /* pinned */
	u32 pages;
	struct tsr_window *run; /* physically contiguous runs, as registered */
	u32 runs;
	u32 registered;        /* leading runs that the hypervisor knows */
	struct tsr_mapping *mapping; /* of each page */
	u32 mapped;            /* runs of tokens */
};

#define TSR_HOST_WINDOWS      40u
#define TSR_HOST_WINDOW_PAGES 65536u /* of one window: 256 MiB */

struct tsr_backend {
	struct tsr_guest *guest; /* counted */
	u32 device;
	struct mutex lock;       /* windows and their mappings */
	struct tsr_window_area *window[TSR_HOST_WINDOWS];
	u32 windows;
	bool ended_read;         /* the ENDED event was read; under the slot's lock */
	struct tsr_backend_page *page; /* mapped by its program, which may write there at any time */
};

/* backend.c */
int tsr_backend_attach(struct tsr_guest *guest, u32 device); /* a descriptor */
void tsr_backend_release(struct tsr_backend *backend);
int tsr_backend_mmap(struct tsr_backend *backend, struct vm_area_struct *vma);
/* Fills in what the device's backend says of itself, if it has one. */
void tsr_slot_report(struct tsr_guest *guest, struct tsr_ioc_backend *report);
int tsr_backend_map(struct tsr_backend *backend, const struct tsr_ioc_map *map, bool nonblock);
long tsr_backend_maps(struct tsr_backend *backend, const struct tsr_ioc_maps *arg);
int tsr_backend_unmap(struct tsr_backend *backend, const struct tsr_token *token, bool nonblock);
int tsr_backend_bind(struct tsr_backend *backend, const struct tsr_ioc_doorbell *doorbell);
int tsr_backend_window(struct tsr_backend *backend, const struct tsr_ioc_window *arg);
/* From the threads of virtual CPUs. */
void tsr_slot_connect(struct tsr_guest *guest, const struct tsr_run_exit *exit);
void tsr_slot_doorbell(struct tsr_guest *guest, u32 device, u32 queue);

/* copy.c */
int tsr_backend_copy(struct tsr_backend *backend, const struct tsr_ioc_copy *copy, bool nonblock);

/* backend_file.c */
extern const struct file_operations tsr_backend_fops;

/* window.c */
struct tsr_window_area *tsr_window_create(const struct tsr_backend *backend, u64 addr, u64 len); /* or ERR_PTR */
/* Checks that the run lies inside and is physically contiguous; its first frame in *pfn. */
int tsr_window_run(const struct tsr_window_area *area, u64 offset, u32 pages, u64 *pfn);
/* Lets go of everything now, or later and with a message if a page is still displaced. Never fails; area is gone. */
void tsr_window_release(struct tsr_window_area *area);
int tsr_window_unmap_all(struct tsr_window_area *area);
/* A token was mapped at a run that is inside. */
void tsr_window_mapped(struct tsr_window_area *area, const struct tsr_token *token, u32 first, u32 pages);
/* No token is there any more: page is in its run. */
void tsr_window_unmapped(struct tsr_window_area *area, u32 page);
/* The first page of the first token's run from page on, or area->pages. */
u32 tsr_window_next(const struct tsr_window_area *area, u32 page);
void tsr_window_flush(void); /* at unload: waits for what was put off */

#endif
