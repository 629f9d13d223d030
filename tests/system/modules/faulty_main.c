/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Errors made on purpose, so that a kernel that looks for them is seen to find them: one word is written to
 * /sys/module/faulty/parameters/order.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>

#define SIZE  80
#define MANY  8 /* a stale word on some stack may still point to one */

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(two);

static void use_after_free(void)
{
	char *text = kmalloc(SIZE, GFP_KERNEL), *stale = text;

	OPTIMIZER_HIDE_VAR(stale);
	kfree(text);
	READ_ONCE(stale[SIZE / 2]);
}

static void out_of_bounds(void)
{
	char *text = kmalloc(SIZE, GFP_KERNEL);
	size_t at = SIZE;

	OPTIMIZER_HIDE_VAR(at);
	READ_ONCE(text[at]);
	kfree(text);
}

static noinline void leak(void)
{
	int i;

	for (i = 0; i < MANY; i++) {
		void *lost = kmalloc(SIZE, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
	}
}

/* Wrong only when the second is not to be had. */
static noinline void forgets(void)
{
	void *first = kmalloc(SIZE, GFP_KERNEL), *second = kmalloc(2 * SIZE, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(first);
	if (!second)
		return;
	kfree(first);
	kfree(second);
}

static void lock_in_two_orders(void)
{
	mutex_lock(&one);
	mutex_lock(&two);
	mutex_unlock(&two);
	mutex_unlock(&one);
	mutex_lock(&two);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&two);
}

static void sleep_in_atomic(void)
{
	preempt_disable();
	might_sleep();
	preempt_enable();
}

static const struct {
	const char *word;
	void (*make)(void);
} errors[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "leak", leak },
	{ "forget", forgets },
	{ "locks", lock_in_two_orders },
	{ "sleep", sleep_in_atomic },
};

static int order_set(const char *val, const struct kernel_param *kp)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		if (!sysfs_streq(val, errors[i].word))
			continue;
		errors[i].make();
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops order_ops = { .set = order_set };
module_param_cb(order, &order_ops, NULL, 0200);

static int __init faulty_init(void)
{
	return 0;
}

static void __exit faulty_exit(void)
{
}

module_init(faulty_init);
module_exit(faulty_exit);
MODULE_DESCRIPTION("Tessera test: errors that a debugging kernel has to find");
MODULE_LICENSE("Dual BSD/GPL");
