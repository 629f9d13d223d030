/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent */
/*
 * Commands come through /sys/module/host_attack/parameters/cmd as "OP NUMBER...", and reading it back gives the last one's
 * outcome: "tries=.. faults=.. gp=.. ud=.. pf=.. value=0x..", then lines of its own.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "attack.h"

static DEFINE_MUTEX(lock);
static struct attack last;

#define MAX_ARGS 12

void attack_say(struct attack *a, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	a->used += vscnprintf(a->text + a->used, PAGE_SIZE - ATTACK_HEAD - a->used, fmt, args);
	va_end(args);
}

static int run(char *line)
{
	u64 arg[MAX_ARGS];
	char *op = strsep(&line, " "), *word;
	int nr = 0, err;

	while ((word = strsep(&line, " "))) {
		if (!*word)
			continue;
		if (nr == MAX_ARGS)
			return -E2BIG;
		err = kstrtou64(word, 0, &arg[nr++]);
		if (err)
			return err;
	}
	err = attack_memory(&last, op, arg, nr);
	if (err == -ENOENT)
		err = attack_dma(&last, op, arg, nr);
	if (err == -ENOENT)
		err = attack_calls(&last, op, arg, nr);
	if (err == -ENOENT)
		err = attack_race(&last, op, arg, nr);
	if (err == -ENOENT)
		err = attack_insn(&last, op, arg, nr);
	return err;
}

static int cmd_set(const char *val, const struct kernel_param *kp)
{
	char *copy = kstrdup(val, GFP_KERNEL), *text;
	int err;

	if (!copy)
		return -ENOMEM;
	mutex_lock(&lock);
	text = last.text;
	if (!text)
		text = (char *)get_zeroed_page(GFP_KERNEL);
	memset(&last, 0, sizeof(last));
	last.text = text;
	if (text) {
		*text = '\0';
		err = run(strim(copy));
	} else {
		err = -ENOMEM;
	}
	mutex_unlock(&lock);
	kfree(copy);
	return err;
}

static int cmd_get(char *buffer, const struct kernel_param *kp)
{
	int len;

	mutex_lock(&lock);
	len = sysfs_emit(buffer, "tries=%llu faults=%llu gp=%llu ud=%llu pf=%llu value=0x%llx\n%s", last.tries, last.faults,
			 last.trap[X86_TRAP_GP], last.trap[X86_TRAP_UD], last.trap[X86_TRAP_PF], last.value,
			 last.text ? last.text : "");
	mutex_unlock(&lock);
	return len;
}

static const struct kernel_param_ops cmd_ops = { .set = cmd_set, .get = cmd_get };
module_param_cb(cmd, &cmd_ops, NULL, 0600);

static int __init attack_init(void)
{
	int err = attack_calls_init();

	if (!err)
		err = attack_race_init();
	if (err)
		return err;
	err = attack_dma_init();
	if (err)
		goto race;
	err = attack_mem_init();
	if (!err)
		return 0;
	attack_dma_exit();
race:
	attack_race_exit();
	return err;
}

static void __exit attack_exit(void)
{
	attack_mem_exit();
	attack_dma_exit();
	attack_race_exit();
	free_page((unsigned long)last.text);
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_DESCRIPTION("Tessera test: attacks a hostile host kernel would try");
MODULE_LICENSE("Dual BSD/GPL");
