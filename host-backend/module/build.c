// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Creating, loading and launching a guest. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

/* One guest is created at a time, so that of two of the same name the second fails before it has taken memory. */
static DEFINE_MUTEX(create_lock);
static bool closed;

void tsr_guest_close_door(void)
{
	mutex_lock(&create_lock);
	closed = true;
	mutex_unlock(&create_lock);
}

static int check_create(const struct tsr_ioc_create *create)
{
	size_t i, len = strnlen(create->name, TSR_NAME_SIZE);

	if (!len || len == TSR_NAME_SIZE || create->reserved)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!isalnum(create->name[i]) && !strchr("-_.", create->name[i]))
			return -EINVAL;
	}
	for (; i < TSR_NAME_SIZE; i++) {
		if (create->name[i])
			return -EINVAL;
	}
	if (!create->config.vcpus || create->config.vcpus > TSR_MAX_VCPUS || !create->config.mem_pages)
		return -EINVAL;
	return create->config.mem_pages < totalram_pages() ? 0 : -ENOMEM;
}

static int create_guest(struct tsr_guest *guest)
{
	struct tsr_hypercall call = {
		.nr = TSR_CALL_GUEST_CREATE,
		.in = &guest->config,
		.in_len = sizeof(guest->config),
	};
	int status, err;

	status = tsr_hypercall(&call);
	if (status) {
		pr_warn("guest %s is refused: %s\n", guest->name, tsr_error_text(status));
		return tsr_errno(status);
	}
	guest->id = call.value;
	err = tsr_memory_donate(&guest->mem, guest->id);
	if (!err)
		err = tsr_registry_add(guest);
	if (!err)
		return 0;
	status = tsr_call_batch(TSR_CALL_GUEST_DESTROY, guest->id, NULL, 0, 0, NULL);
	if (status)
		pr_err("guest %s cannot be destroyed: %s\n", guest->name, tsr_error_text(status));
	tsr_memory_reclaim(&guest->mem, guest->id, guest->name);
	return err;
}

int tsr_guest_create(struct tsr_ioc_create *create)
{
	struct tsr_guest *guest;
	int err = check_create(create);

	if (err)
		return err;
	guest = tsr_guest_alloc(create);
	if (!guest)
		return -ENOMEM;
	if (mutex_lock_killable(&create_lock)) {
		tsr_guest_put(guest);
		return -EINTR;
	}
	err = closed ? -ESHUTDOWN : tsr_registry_has(create->name) ? -EEXIST : 0;
	if (!err)
		err = tsr_memory_alloc(&guest->mem, create->config.mem_pages, create->config.vcpus);
	if (!err) {
		/* Before the guest can be found, and so destroyed: that drops it again. */
		__module_get(THIS_MODULE);
		err = create_guest(guest);
		if (err) {
			tsr_memory_free(&guest->mem, guest->name);
			module_put(THIS_MODULE);
		}
	}
	create->guest = guest->id;
	mutex_unlock(&create_lock);
	tsr_guest_put(guest);
	return err;
}

/* Up to a batch of pages of the host's own, from which the hypervisor copies. */
struct staging {
	struct page *page[TSR_MAX_BATCH];
	struct tsr_load element[TSR_MAX_BATCH];
	u32 nr;
};

static void staging_free(struct staging *s)
{
	u32 i;

	for (i = 0; i < s->nr; i++)
		__free_page(s->page[i]);
	kfree(s);
}

static struct staging *staging_alloc(u64 pages)
{
	struct staging *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	for (; s->nr < min_t(u64, pages, TSR_MAX_BATCH); s->nr++) {
		s->page[s->nr] = alloc_page(GFP_KERNEL);
		if (!s->page[s->nr]) {
			staging_free(s);
			return NULL;
		}
	}
	return s;
}

static int load_batch(struct tsr_guest *guest, struct staging *s, u64 gfn, const char __user *from, u64 len)
{
	u32 n = 0;
	int status;

	for (; n < s->nr && len; n++) {
		void *page = page_address(s->page[n]);
		size_t part = min_t(u64, len, PAGE_SIZE);

		if (copy_from_user(page, from, part))
			return -EFAULT;
		memset(page + part, 0, PAGE_SIZE - part);
		s->element[n] = (struct tsr_load){ .gfn = gfn + n, .host_pfn = page_to_pfn(s->page[n]) };
		from += part;
		len -= part;
	}
	status = tsr_call_batch(TSR_CALL_GUEST_LOAD, guest->id, s->element, sizeof(s->element[0]), n, NULL);
	return tsr_errno(status);
}

int tsr_guest_load(struct tsr_guest *guest, const struct tsr_ioc_load *load)
{
	u64 size = guest->config.mem_pages << PAGE_SHIFT, done = 0;
	struct staging *s;
	int err = 0;

	if (load->reserved || !PAGE_ALIGNED(load->gpa) || !load->len || load->gpa >= size || load->len > size - load->gpa)
		return -EINVAL;
	s = staging_alloc(DIV_ROUND_UP(load->len, PAGE_SIZE));
	if (!s)
		return -ENOMEM;
	if (mutex_lock_killable(&guest->lock)) {
		staging_free(s);
		return -EINTR;
	}
	while (!err && done < load->len) {
		u64 part = min_t(u64, load->len - done, (u64)s->nr << PAGE_SHIFT);

		if (guest->dead)
			err = -ESRCH;
		else if (fatal_signal_pending(current))
			err = -EINTR;
		else
			err = load_batch(guest, s, (load->gpa + done) >> PAGE_SHIFT, u64_to_user_ptr(load->addr) + done, part);
		done += part;
		cond_resched();
	}
	mutex_unlock(&guest->lock);
	staging_free(s);
	return err;
}

int tsr_guest_launch(struct tsr_guest *guest, struct tsr_guest_launch *launch)
{
	struct tsr_hypercall call = {
		.nr = TSR_CALL_GUEST_LAUNCH,
		.a1 = guest->id,
		.in = launch,
		.in_len = sizeof(*launch),
		.out = launch,
		.out_len = sizeof(*launch),
	};
	int status, err;

	if (mutex_lock_killable(&guest->lock))
		return -EINTR;
	err = guest->dead ? -ESRCH : guest->launched ? -EBADFD : tsr_vcpus_create(guest);
	if (err)
		goto out;
	status = tsr_hypercall(&call);
	if (status) {
		tsr_vcpus_join(guest);
		err = tsr_errno(status);
		goto out;
	}
	guest->launched = true;
	tsr_vcpus_start(guest);
out:
	mutex_unlock(&guest->lock);
	return err;
}
