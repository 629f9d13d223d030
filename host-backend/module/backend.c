// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Backends: what serves one device of one guest from user space, and what the guest tells it. */
#include <linux/anon_inodes.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "kernel.h"

void tsr_slot_connect(struct tsr_guest *guest, const struct tsr_run_exit *exit)
{
	struct tsr_slot *slot;

	if (exit->device >= TSR_MAX_DEVICES)
		return;
	slot = &guest->slot[exit->device];
	spin_lock(&guest->slot_lock);
	slot->connected = true;
	slot->connect = (struct tsr_backend_event){
		.type = TSR_BACKEND_CONNECT,
		.session = exit->session,
		.token = exit->token,
	};
	slot->rung = 0; /* doorbells of an earlier session mean nothing to this one */
	spin_unlock(&guest->slot_lock);
	wake_up_interruptible(&slot->wait);
}

void tsr_slot_doorbell(struct tsr_guest *guest, u32 device, u32 queue)
{
	struct tsr_slot *slot;

	if (device >= TSR_MAX_DEVICES || queue >= TSR_HOST_QUEUES)
		return;
	slot = &guest->slot[device];
	spin_lock(&guest->slot_lock);
	if (slot->doorbell[queue])
		kernel_ring(slot->doorbell[queue]);
	else
		__set_bit(queue, &slot->rung);
	spin_unlock(&guest->slot_lock);
}

/* Swaps in an eventfd (or NULL) and returns the one before. */
static struct eventfd_ctx *bind(struct tsr_backend *backend, u32 queue, struct eventfd_ctx *ctx)
{
	struct tsr_guest *guest = backend->guest;
	struct tsr_slot *slot = &guest->slot[backend->device];
	struct eventfd_ctx *before;

	spin_lock(&guest->slot_lock);
	before = slot->doorbell[queue];
	slot->doorbell[queue] = ctx;
	if (ctx && __test_and_clear_bit(queue, &slot->rung))
		kernel_ring(ctx);
	spin_unlock(&guest->slot_lock);
	return before;
}

int tsr_backend_bind(struct tsr_backend *backend, const struct tsr_ioc_doorbell *doorbell)
{
	struct eventfd_ctx *ctx = NULL;

	if (doorbell->queue >= TSR_HOST_QUEUES || doorbell->eventfd < -1)
		return -EINVAL;
	if (doorbell->eventfd >= 0) {
		ctx = eventfd_ctx_fdget(doorbell->eventfd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	ctx = bind(backend, doorbell->queue, ctx);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

int tsr_backend_window(struct tsr_backend *backend, const struct tsr_ioc_window *arg)
{
	struct tsr_window_area *area;
	int number = -ENOSPC;

	if (mutex_lock_killable(&backend->lock))
		return -EINTR;
	if (backend->windows < TSR_HOST_WINDOWS) {
		area = tsr_window_create(backend, arg->addr, arg->len);
		number = PTR_ERR_OR_ZERO(area);
		if (!number) {
			number = backend->windows++;
			backend->window[number] = area;
		}
	}
	mutex_unlock(&backend->lock);
	return number;
}

static bool lock_backend(struct tsr_backend *backend, bool nonblock)
{
	if (nonblock)
		return mutex_trylock(&backend->lock);
	mutex_lock(&backend->lock);
	return true;
}

/* What the hypervisor is asked. */
static int prepare_map(struct tsr_backend *backend, const struct tsr_ioc_map *map, struct tsr_token_map *element)
{
	if (map->window >= backend->windows || map->dir > TSR_DIR_BOTH || map->how > TSR_HOW_EITHER)
		return -EINVAL;
	*element = (struct tsr_token_map){
		.token = map->token,
		.pages = map->pages,
		.session = map->session,
		.issuer = backend->guest->id,
		.device = backend->device,
		.dir = map->dir,
		.how = map->how,
	};
	return tsr_window_run(backend->window[map->window], map->offset, map->pages, &element->window_pfn);
}

/* After the answer: an errno. */
static int finish_map(struct tsr_backend *backend, const struct tsr_ioc_map *map, int status)
{
	/* Begun and not finished counts as mapped: the release must undo it. */
	if (!status || status == -TSR_E_AGAIN)
		tsr_window_mapped(backend->window[map->window], &map->token, map->offset >> PAGE_SHIFT, map->pages);
	return tsr_errno(status);
}

static int map_locked(struct tsr_backend *backend, const struct tsr_ioc_map *map)
{
	struct tsr_token_map element;
	int status = prepare_map(backend, map, &element);

	if (status)
		return status;
	if (!tsr_guest_enter(backend->guest, false))
		return -ESRCH;
	status = tsr_call_batch(TSR_CALL_TOKEN_MAP, 0, &element, sizeof(element), 1, NULL);
	tsr_guest_leave(backend->guest);
	return finish_map(backend, map, status);
}

/* Room for a batch, from when it is first needed. */
struct tsr_map_batch {
	struct tsr_ioc_map map[TSR_MAX_BATCH];
	struct tsr_token_map element[TSR_MAX_BATCH];
};

/* All with one call. If one is refused, nothing was done, and each is tried alone: a guest's bad token must not stop its good ones. */
static void maps_locked(struct tsr_backend *backend, struct tsr_map_batch *batch, u32 count)
{
	u32 i, ready = 0, done = 0;
	int status = -TSR_E_ARG;

	while (ready < count) {
		batch->map[ready].result = prepare_map(backend, &batch->map[ready], &batch->element[ready]);
		if (batch->map[ready].result)
			break;
		ready++;
	}
	if (ready == count && tsr_guest_enter(backend->guest, false)) {
		status = tsr_call_batch(TSR_CALL_TOKEN_MAP, 0, batch->element, sizeof(batch->element[0]), count, &done);
		tsr_guest_leave(backend->guest);
	}
	for (i = 0; i < count; i++) {
		struct tsr_ioc_map *map = &batch->map[i];

		if (i < done || status == -TSR_E_AGAIN)
			map->result = finish_map(backend, map, i < done ? 0 : status);
		else
			map->result = map_locked(backend, map);
	}
}

long tsr_backend_maps(struct tsr_backend *backend, const struct tsr_ioc_maps *arg)
{
	struct tsr_ioc_map __user *maps = (void __user *)(unsigned long)arg->maps;
	struct tsr_map_batch *batch;
	long mapped = 0;
	u32 i;

	if (!arg->count || arg->count > TSR_MAX_BATCH || arg->reserved)
		return -EINVAL;
	batch = kvmalloc(sizeof(*batch), GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	if (copy_from_user(batch->map, maps, arg->count * sizeof(*maps))) {
		kvfree(batch);
		return -EFAULT;
	}
	mutex_lock(&backend->lock);
	maps_locked(backend, batch, arg->count);
	mutex_unlock(&backend->lock);
	for (i = 0; i < arg->count; i++)
		mapped += !batch->map[i].result;
	if (copy_to_user(maps, batch->map, arg->count * sizeof(*maps)))
		mapped = -EFAULT; /* what is mapped stays so until it is unmapped, revoked or released */
	kvfree(batch);
	return mapped;
}

int tsr_backend_map(struct tsr_backend *backend, const struct tsr_ioc_map *map, bool nonblock)
{
	int err;

	if (!lock_backend(backend, nonblock))
		return -EAGAIN;
	err = map_locked(backend, map);
	mutex_unlock(&backend->lock);
	return err;
}

/* Where the token is mapped: the window and a page of it, or NULL. */
static struct tsr_window_area *find_mapping(struct tsr_backend *backend, const struct tsr_token *token, u32 *page)
{
	u32 i;

	for (i = 0; i < backend->windows; i++) {
		struct tsr_window_area *area = backend->window[i];

		for (*page = tsr_window_next(area, 0); *page < area->pages; *page = tsr_window_next(area, *page + 1))
			if (!memcmp(&area->mapping[*page].token, token, sizeof(*token)))
				return area;
	}
	return NULL;
}

int tsr_backend_unmap(struct tsr_backend *backend, const struct tsr_token *token, bool nonblock)
{
	struct tsr_token_ref ref = { .token = *token };
	struct tsr_window_area *area;
	int status = -TSR_E_TOKEN;
	u32 page;

	if (!lock_backend(backend, nonblock))
		return -EAGAIN;
	area = find_mapping(backend, token, &page);
	if (area) {
		status = tsr_call_batch(TSR_CALL_TOKEN_UNMAP, 0, &ref, sizeof(ref), 1, NULL);
		if (!status || status == -TSR_E_TOKEN)
			tsr_window_unmapped(area, page);
	}
	mutex_unlock(&backend->lock);
	return tsr_errno(status);
}

static int set_state(struct tsr_backend *backend, bool present)
{
	int status;
	u64 wake;

	if (!tsr_guest_enter(backend->guest, false))
		return -ESRCH;
	status = tsr_call_regs(TSR_CALL_BACKEND_STATE, backend->device, backend->guest->id, present, &wake);
	/* The hypervisor may have raised an event of the guest's to tell it. */
	if (!status)
		tsr_vcpus_wake(backend->guest, wake);
	tsr_guest_leave(backend->guest);
	return tsr_errno(status);
}

static bool take_slot(struct tsr_backend *backend)
{
	struct tsr_guest *guest = backend->guest;
	struct tsr_slot *slot = &guest->slot[backend->device];
	bool taken = false;

	spin_lock(&guest->slot_lock);
	if (!slot->backend) {
		slot->backend = backend;
		slot->pid = get_task_pid(current, PIDTYPE_TGID);
		taken = true;
	}
	spin_unlock(&guest->slot_lock);
	return taken;
}

static void leave_slot(struct tsr_backend *backend)
{
	struct tsr_guest *guest = backend->guest;
	struct tsr_slot *slot = &guest->slot[backend->device];
	struct pid *pid;

	spin_lock(&guest->slot_lock);
	pid = slot->pid;
	slot->pid = NULL;
	slot->connected = false; /* the next backend begins with a session of its own */
	slot->rung = 0;
	slot->backend = NULL;
	spin_unlock(&guest->slot_lock);
	wake_up_all(&slot->wait);
	put_pid(pid);
}

int tsr_backend_mmap(struct tsr_backend *backend, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return vm_insert_page(vma, vma->vm_start, virt_to_page(backend->page));
}

void tsr_slot_report(struct tsr_guest *guest, struct tsr_ioc_backend *report)
{
	const struct tsr_backend_page *page;
	u32 queue, i;

	spin_lock(&guest->slot_lock); /* while the slot is held, so is the page */
	if (guest->slot[report->device].backend) {
		page = guest->slot[report->device].backend->page;
		report->mode = READ_ONCE(page->mode);
		report->reason = READ_ONCE(page->reason);
		report->asked = READ_ONCE(page->asked);
		report->sessions = READ_ONCE(page->sessions);
		for (queue = 0; queue < TSR_BACKEND_QUEUES; queue++) {
			for (i = 0; i < TSR_BACKEND_COUNTER_NR; i++)
				report->counter[i] += READ_ONCE(page->counter[queue][i]);
			for (i = TSR_BACKEND_COUNT_reads; i <= TSR_BACKEND_COUNT_headers; i++)
				report->requests[queue] += READ_ONCE(page->counter[queue][i]);
		}
	}
	spin_unlock(&guest->slot_lock);
}

int tsr_backend_attach(struct tsr_guest *guest, u32 device)
{
	struct tsr_backend *backend;
	int fd;

	if (device >= TSR_MAX_DEVICES || guest->config.device[device].type == TSR_DEVICE_NONE)
		return -ENODEV;
	backend = kzalloc(sizeof(*backend), GFP_KERNEL_ACCOUNT);
	if (!backend)
		return -ENOMEM;
	backend->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!backend->page) {
		kfree(backend);
		return -ENOMEM;
	}
	mutex_init(&backend->lock);
	backend->device = device;
	backend->guest = guest;
	if (!take_slot(backend)) {
		free_page((unsigned long)backend->page);
		kfree(backend);
		return -EBUSY;
	}
	kref_get(&guest->ref);
	fd = set_state(backend, true);
	if (!fd)
		fd = anon_inode_getfd("[tessera-backend]", &tsr_backend_fops, backend, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		tsr_backend_release(backend);
	return fd;
}

/*
 * The order matters. Unmapped first, so that whatever this backend's I/O still does goes to the host's own frames. Then the
 * guest is told, and may open a new session. The slot is free for another backend after that, so the guest never sees
 * a new one present before the old one away. Windows last: they may have to wait.
 */
void tsr_backend_release(struct tsr_backend *backend)
{
	struct tsr_guest *guest = backend->guest;
	u32 i;

	for (i = 0; i < TSR_HOST_QUEUES; i++) {
		struct eventfd_ctx *ctx = bind(backend, i, NULL);

		if (ctx)
			eventfd_ctx_put(ctx);
	}
	for (i = 0; i < backend->windows; i++)
		tsr_window_unmap_all(backend->window[i]); /* what fails here is tried again below and after */
	set_state(backend, false);
	leave_slot(backend);
	for (i = 0; i < backend->windows; i++)
		tsr_window_release(backend->window[i]);
	free_page((unsigned long)backend->page);
	kfree(backend);
	tsr_guest_put(guest);
}
