/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * tessera.ko's interface to the drivers of Tessera's devices in a Linux guest.
 *
 * Unless said otherwise functions are called from process context with interrupts on, may sleep, and return 0 or a negative
 * errno; a refused hypercall gives the errno that TSR_ERRORS in tessera/errors.h names, an unknown refusal -EIO.
 */
#ifndef TESSERA_BUS_H
#define TESSERA_BUS_H

#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <tessera/hypercall.h>

/* ------------------------------------------------------------------ devices and drivers */

/* A device of this guest's measured configuration. Lives until tessera.ko is unloaded. */
struct tsr_device {
	struct device dev;
	u32 index;                   /* as hypercalls name it; constant */
	struct tsr_device_desc desc; /* constant */
	u32 session;                 /* last one used; for tsr_device_next_session only */
	struct mutex issue_lock;     /* protects issue */
	struct tsr_token_issue *issue; /* TSR_MAX_BATCH of them: issuing needs no memory, since writeback may be what asks for it */
};

struct tsr_driver {
	struct device_driver driver; /* name is the caller's to set */
	u8 type;                     /* enum tsr_device_type it serves */
	const char *label;           /* serves only the device with this label; NULL: all of its type */
	int (*probe)(struct tsr_device *tdev);
	void (*remove)(struct tsr_device *tdev);
};

#define to_tsr_device(device) container_of(device, struct tsr_device, dev)

int __tsr_driver_register(struct tsr_driver *drv, struct module *owner);
#define tsr_driver_register(drv) __tsr_driver_register(drv, THIS_MODULE)
void tsr_driver_unregister(struct tsr_driver *drv);

/* Is the backend there, and how often has that changed. */
int tsr_device_info(struct tsr_device *tdev, struct tsr_device_info *info);

/* A session number that no earlier session of this device had, even if its driver was loaded anew; never 0. Caller serialises. */
u32 tsr_device_next_session(struct tsr_device *tdev);

/* ------------------------------------------------------------------ hypercalls */

/* A call without a structure. Any context. value (may be NULL) is stored whatever the result. */
int tsr_call(u32 nr, u64 a0, u64 a1, u64 a2, u64 *value);

/*
 * A call with a structure: in bytes of data go in by this CPU's mailbox, out bytes come back into it (also on error: a batch may be
 * done in part). At most a page each. The mailbox is wiped afterwards, so keys do not stay in it. Does not sleep.
 */
int tsr_call_data(u32 nr, u64 a0, u64 a1, u64 a2, void *data, size_t in, size_t out, u64 *value);

/* Rings the doorbell of a queue of the device. Any context. */
int tsr_notify(struct tsr_device *tdev, u32 queue);

/* Hands the token of the device's control page to its backend. */
int tsr_connect(struct tsr_device *tdev, u32 session, const struct tsr_token *token);

/* key is the caller's to wipe. -EBUSY for disk keys: another live guest of this identity holds the disk. */
int tsr_key_derive(const u8 label[TSR_LABEL_SIZE], u32 purpose, const u8 salt[16], u8 key[TSR_KEY_SIZE]);

/* What this guest has at most of everything. */
int tsr_limits(struct tsr_info *info);

/* Any number of bytes from the hypervisor's generator. */
int tsr_random(void *bytes, size_t len);

/* ------------------------------------------------------------------ runs of pages and their tokens */

/*
 * Pages that can be granted to the device's backend. Allocated, issued, revoked, issued again ..., freed. The owner serialises
 * calls on a run. While it is issued, the host can read and write the pages at any time.
 */
struct tsr_run {
	struct tsr_device *tdev;
	void *addr;             /* page-aligned, contiguous for the guest */
	u32 pages;
	u8 dir, how;            /* enum tsr_token_dir, enum tsr_token_how; the owner's to set: both directions, to be mapped */
	struct tsr_token token; /* all zero unless issued */
};

static inline bool tsr_run_issued(const struct tsr_run *run)
{
	return run->token.generation != 0;
}

/* pages 1..TSR_TOKEN_MAX_PAGES, zeroed. -ENOMEM without a warning in the log: the caller may try fewer. */
int tsr_run_alloc(struct tsr_device *tdev, struct tsr_run *run, u32 pages);

/* Pages whose revoke has not succeeded are never given back to Linux: they are kept for ever, with a warning. NULL addr: nothing. */
void tsr_run_free(struct tsr_run *run);

/*
 * Issues nr (1..TSR_MAX_BATCH) runs of one device in one call: all or none. -EDQUOT: they would go beyond a limit, which is no
 * failure: revoke some or wait, and ask again; *fit (may be NULL) says how many leading ones would not.
 */
int tsr_runs_issue(struct tsr_run *const runs[], u32 nr, u32 session, u32 *fit);

/*
 * Revokes those of nr (0..TSR_MAX_BATCH) runs that are issued. On 0 every one of them is this guest's alone again: nothing the host
 * kept reaches them. -ETIMEDOUT: some CPU has not let go for half a minute; what is still issued can be revoked again.
 */
int tsr_runs_revoke(struct tsr_run *const runs[], u32 nr);

/* ------------------------------------------------------------------ events */

#define TSR_EVENT_ANY (-1)

/*
 * The hypervisor raises TSR_EVENT_BACKEND(tdev->index) when the device's backend comes or goes; those numbers are never chosen for
 * TSR_EVENT_ANY.
 *
 * Calls handler in interrupt context when the event is raised; cpu >= 0: preferably there. The host can raise any event at any time
 * and as often as it likes. event: TSR_EVENT_ANY or a number. Returns the number, to be given to the backend, or an error.
 */
int tsr_event_request(int event, int cpu, irq_handler_t handler, const char *name, void *arg);

/* After it the handler does not run any more; arg as in the request. */
void tsr_event_free(int event, void *arg);

#endif
