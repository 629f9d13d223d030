// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* The bus: hypercalls, tokens and events, all within this kernel. */
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include "fake.h"
#include "kernel.h"

#define LABEL "fake"
#define GRANTS 512 /* of two queues, with a token for each request */

DEFINE_MUTEX(fake_lock);
static struct tsr_device *device;
static u32 backend_change;
static bool backend;

static struct {
	irq_handler_t handler;
	void *arg;
} handlers[TSR_MAX_EVENTS];
static DEFINE_SPINLOCK(handlers_lock);

/* Live runs by slot. */
static struct {
	struct tsr_run *run;
	struct tsr_token token;
	u32 session;
} grants[GRANTS];
static u32 generation;
static unsigned int limit = UINT_MAX; /* tokens at once in one call */
module_param(limit, uint, 0600);
static unsigned int complaints;
module_param(complaints, uint, 0400);

void fake_complain(const char *about)
{
	complaints++;
	pr_err("guest_fake: %s\n", about);
}

/* ------------------------------------------------------------------ the driver's side */

static int match(struct device *dev, match_driver *drv)
{
	return true;
}

static int probe(struct device *dev)
{
	return container_of(dev->driver, struct tsr_driver, driver)->probe(to_tsr_device(dev));
}

static void remove(struct device *dev)
{
	container_of(dev->driver, struct tsr_driver, driver)->remove(to_tsr_device(dev));
}

static struct bus_type bus = { .name = "tessera", .match = match, .probe = probe, .remove = remove };

int __tsr_driver_register(struct tsr_driver *drv, struct module *owner)
{
	drv->driver.bus = &bus;
	drv->driver.owner = owner;
	return driver_register(&drv->driver);
}
EXPORT_SYMBOL_GPL(__tsr_driver_register);

void tsr_driver_unregister(struct tsr_driver *drv)
{
	driver_unregister(&drv->driver);
}
EXPORT_SYMBOL_GPL(tsr_driver_unregister);

int tsr_device_info(struct tsr_device *tdev, struct tsr_device_info *info)
{
	*info = (struct tsr_device_info){
		.desc = tdev->desc, .backend = READ_ONCE(backend), .backend_change = READ_ONCE(backend_change)
	};
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_device_info);

u32 tsr_device_next_session(struct tsr_device *tdev)
{
	return ++tdev->session;
}
EXPORT_SYMBOL_GPL(tsr_device_next_session);

int tsr_call(u32 nr, u64 a0, u64 a1, u64 a2, u64 *value)
{
	return -ENOSYS;
}
EXPORT_SYMBOL_GPL(tsr_call);

int tsr_call_data(u32 nr, u64 a0, u64 a1, u64 a2, void *data, size_t in, size_t out, u64 *value)
{
	return -ENOSYS;
}
EXPORT_SYMBOL_GPL(tsr_call_data);

int tsr_notify(struct tsr_device *tdev, u32 queue)
{
	fake_doorbell();
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_notify);

int tsr_connect(struct tsr_device *tdev, u32 session, const struct tsr_token *token)
{
	if (!backend)
		return -EBADFD;
	fake_connect(session, token);
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_connect);

int tsr_key_derive(const u8 label[TSR_LABEL_SIZE], u32 purpose, const u8 salt[16], u8 key[TSR_KEY_SIZE])
{
	memcpy(key, salt, 16);
	memset(key + 16, (u8)purpose, 16);
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_key_derive);

int tsr_limits(struct tsr_info *info)
{
	*info = (struct tsr_info){ .max_granted = UINT_MAX };
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_limits);

int tsr_random(void *bytes, size_t len)
{
	get_random_bytes(bytes, len);
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_random);

int tsr_run_alloc(struct tsr_device *tdev, struct tsr_run *run, u32 pages)
{
	void *addr = alloc_pages_exact((size_t)pages * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);

	if (!addr)
		return -ENOMEM;
	*run = (struct tsr_run){ .tdev = tdev, .addr = addr, .pages = pages, .dir = TSR_DIR_BOTH };
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_run_alloc);

void tsr_run_free(struct tsr_run *run)
{
	if (run->addr && tsr_run_issued(run))
		fake_complain("a run is freed before its revoke has succeeded");
	if (run->addr)
		free_pages_exact(run->addr, (size_t)run->pages * PAGE_SIZE);
	memset(run, 0, sizeof(*run));
}
EXPORT_SYMBOL_GPL(tsr_run_free);

/* The first run of a page that is issued twice would be two domains' at once: its pages are in no other live one. */
static bool overlaps(const struct tsr_run *run)
{
	u32 i;

	for (i = 0; i < GRANTS; i++)
		if (grants[i].run && grants[i].run->addr < run->addr + run->pages * PAGE_SIZE &&
		    run->addr < grants[i].run->addr + grants[i].run->pages * PAGE_SIZE)
			return true;
	return false;
}

int tsr_runs_issue(struct tsr_run *const runs[], u32 nr, u32 session, u32 *fit)
{
	u32 i, slot = 0;

	if (fit)
		*fit = nr;
	mutex_lock(&fake_lock);
	if (nr > limit) {
		if (fit)
			*fit = limit;
		mutex_unlock(&fake_lock);
		return -EDQUOT;
	}
	for (i = 0; i < nr; i++) {
		while (slot < GRANTS && grants[slot].run)
			slot++;
		if (slot == GRANTS || tsr_run_issued(runs[i]) || overlaps(runs[i])) {
			fake_complain("a run is issued before its revoke has succeeded");
			break;
		}
		runs[i]->token = (struct tsr_token){ .slot = slot, .generation = ++generation, .random = get_random_u64() };
		grants[slot].run = runs[i];
		grants[slot].token = runs[i]->token;
		grants[slot].session = session;
	}
	mutex_unlock(&fake_lock);
	return i == nr ? 0 : -EDQUOT;
}
EXPORT_SYMBOL_GPL(tsr_runs_issue);

int tsr_runs_revoke(struct tsr_run *const runs[], u32 nr)
{
	u32 i;

	mutex_lock(&fake_lock);
	if (fake_do_now(FAKE_REVOKE_LATE)) { /* BLK-9: fake_main's issue complains if they are used all the same */
		mutex_unlock(&fake_lock);
		return -ETIMEDOUT;
	}
	for (i = 0; i < nr; i++) {
		if (!tsr_run_issued(runs[i]))
			continue;
		fake_revoked(runs[i]);
		grants[runs[i]->token.slot].run = NULL;
		memset(&runs[i]->token, 0, sizeof(runs[i]->token));
	}
	mutex_unlock(&fake_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(tsr_runs_revoke);

int tsr_event_request(int event, int cpu, irq_handler_t handler, const char *name, void *arg)
{
	unsigned long flags;

	spin_lock_irqsave(&handlers_lock, flags);
	if (event == TSR_EVENT_ANY)
		for (event = 0; handlers[event].handler; event++)
			;
	handlers[event].arg = arg;
	handlers[event].handler = handler;
	spin_unlock_irqrestore(&handlers_lock, flags);
	return event;
}
EXPORT_SYMBOL_GPL(tsr_event_request);

void tsr_event_free(int event, void *arg)
{
	unsigned long flags;

	spin_lock_irqsave(&handlers_lock, flags);
	handlers[event].handler = NULL;
	spin_unlock_irqrestore(&handlers_lock, flags);
}
EXPORT_SYMBOL_GPL(tsr_event_free);

/* ------------------------------------------------------------------ the backend's side */

static void call_handler(void *arg)
{
	u32 event = *(u32 *)arg;
	unsigned long flags;

	spin_lock_irqsave(&handlers_lock, flags);
	if (handlers[event].handler)
		handlers[event].handler(0, handlers[event].arg);
	spin_unlock_irqrestore(&handlers_lock, flags);
}

/* On another CPU if there is one, so that the driver's work and the backend's overlap. */
void fake_raise(u32 event)
{
	if (event < TSR_MAX_EVENTS)
		smp_call_function_single(cpumask_any_but(cpu_online_mask, raw_smp_processor_id()) % nr_cpu_ids, call_handler, &event, 1);
}

/* With fake_lock held: the granted pages, if the token is live and is what it is said to be. */
struct tsr_run *fake_run(const struct tsr_token *token, u32 session, u32 pages)
{
	struct tsr_run *run;

	if (token->slot >= GRANTS)
		return NULL;
	run = grants[token->slot].run;
	if (!run || memcmp(&grants[token->slot].token, token, sizeof(*token)))
		return NULL;
	return grants[token->slot].session == session && run->pages == pages ? run : NULL;
}

static int backend_set(const char *text, const struct kernel_param *param)
{
	bool was = backend;
	int err = param_set_bool(text, param);

	if (err || was == backend)
		return err;
	backend_change++;
	if (!backend) {
		mutex_lock(&fake_lock);
		fake_disconnect();
		mutex_unlock(&fake_lock);
	}
	fake_raise(TSR_EVENT_BACKEND(0));
	return 0;
}
static const struct kernel_param_ops backend_ops = { .set = backend_set, .get = param_get_bool };
module_param_cb(backend, &backend_ops, &backend, 0600);

static int misbehave_set(const char *text, const struct kernel_param *param)
{
	int what, err = kstrtoint(text, 0, &what);

	return err ? err : fake_misbehave(what);
}
static const struct kernel_param_ops misbehave_ops = { .set = misbehave_set };
module_param_cb(misbehave, &misbehave_ops, NULL, 0200);

static void release(struct device *dev)
{
	kfree(to_tsr_device(dev));
}

static int __init fake_init(void)
{
	int err = fake_backend_init();

	if (err)
		return err;
	err = bus_register(&bus);
	if (err)
		return err;
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	device->desc.type = TSR_DEVICE_BLOCK;
	device->desc.suite = TSR_SUITE_AES_256_GCM;
	memcpy(device->desc.label, LABEL, sizeof(LABEL));
	device->dev.bus = &bus;
	device->dev.release = release;
	dev_set_name(&device->dev, "tessera0");
	return device_register(&device->dev);
}

static void __exit fake_exit(void)
{
	device_unregister(&device->dev);
	bus_unregister(&bus);
	fake_backend_exit();
}

module_init(fake_init);
module_exit(fake_exit);
MODULE_DESCRIPTION("Stand-in for Tessera's bus and backend, for tests of the guest's block driver");
MODULE_LICENSE("Dual BSD/GPL");
