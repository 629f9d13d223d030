// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/* Hypercalls and the mailbox of each CPU: spec/hypercalls.md. */
#define pr_fmt(fmt) "tessera: " fmt

#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <asm/io.h>
#include <asm/processor.h>
#include "bus.h"

struct bus_counters bus_counters;

static bool use_vmcall; /* Intel's instruction instead of AMD's */
static DEFINE_PER_CPU(void *, mailbox);
static int mailbox_state; /* of cpuhp */

static s64 hypercall(u32 nr, u64 a0, u64 a1, u64 a2, u64 *value)
{
	s64 status = nr;

	/* "memory": the hypervisor reads and writes the mailbox, and a token's pages change hands. */
	if (use_vmcall)
		asm volatile("vmcall" : "+a"(status), "+d"(a2) : "D"(a0), "S"(a1) : "memory");
	else
		asm volatile("vmmcall" : "+a"(status), "+d"(a2) : "D"(a0), "S"(a1) : "memory");
	if (value)
		*value = a2;
	return status;
}

static int to_errno(s64 status)
{
	switch (-status) {
	case TSR_OK:
		return 0;
#define TO_ERRNO(number, name, errno_name, text) \
	case number:                             \
		return -errno_name;
		TSR_ERRORS(TO_ERRNO)
#undef TO_ERRNO
	}
	return -EIO;
}

int tsr_call(u32 nr, u64 a0, u64 a1, u64 a2, u64 *value)
{
	atomic64_inc(nr == TSR_CALL_NOTIFY ? &bus_counters.doorbells : &bus_counters.hypercalls);
	return to_errno(hypercall(nr, a0, a1, a2, value));
}
EXPORT_SYMBOL_GPL(tsr_call);

int tsr_call_data(u32 nr, u64 a0, u64 a1, u64 a2, void *data, size_t in, size_t out, u64 *value)
{
	void *box;
	int err;

	/* An interrupt that used the mailbox too would overwrite ours. */
	if (WARN_ON_ONCE(in_interrupt() || in > PAGE_SIZE || out > PAGE_SIZE))
		return -EINVAL;
	preempt_disable();
	box = __this_cpu_read(mailbox);
	if (!box) {
		preempt_enable();
		return -ENXIO;
	}
	memcpy(box, data, in);
	err = tsr_call(nr, a0, a1, a2, value);
	memcpy(data, box, out);
	memzero_explicit(box, max(in, out));
	preempt_enable();
	return err;
}
EXPORT_SYMBOL_GPL(tsr_call_data);

int tsr_notify(struct tsr_device *tdev, u32 queue)
{
	return tsr_call(TSR_CALL_NOTIFY, tdev->index, queue, 0, NULL);
}
EXPORT_SYMBOL_GPL(tsr_notify);

int tsr_connect(struct tsr_device *tdev, u32 session, const struct tsr_token *token)
{
	struct tsr_connect connect = { .device = tdev->index, .session = session, .token = *token };

	return tsr_call_data(TSR_CALL_CONNECT, 0, 0, 0, &connect, sizeof(connect), 0, NULL);
}
EXPORT_SYMBOL_GPL(tsr_connect);

int tsr_device_info(struct tsr_device *tdev, struct tsr_device_info *info)
{
	return tsr_call_data(TSR_CALL_DEVICE_INFO, tdev->index, 0, 0, info, 0, sizeof(*info), NULL);
}
EXPORT_SYMBOL_GPL(tsr_device_info);

int tsr_key_derive(const u8 label[TSR_LABEL_SIZE], u32 purpose, const u8 salt[16], u8 key[TSR_KEY_SIZE])
{
	struct tsr_key_derive derive = { .purpose = purpose };
	int err;

	memcpy(derive.label, label, sizeof(derive.label));
	memcpy(derive.salt, salt, sizeof(derive.salt));
	err = tsr_call_data(TSR_CALL_KEY_DERIVE, 0, 0, 0, &derive, sizeof(derive), sizeof(derive), NULL);
	if (!err)
		memcpy(key, derive.key, sizeof(derive.key));
	memzero_explicit(&derive, sizeof(derive));
	return err;
}
EXPORT_SYMBOL_GPL(tsr_key_derive);

int tsr_limits(struct tsr_info *info)
{
	memset(info, 0, sizeof(*info));
	return tsr_call_data(TSR_CALL_INFO, 0, 0, 0, info, 0, sizeof(*info), NULL);
}
EXPORT_SYMBOL_GPL(tsr_limits);

int tsr_random(void *bytes, size_t len)
{
	struct tsr_random random;
	int err = 0;

	while (len && !err) {
		size_t part = min(len, sizeof(random.bytes));

		memset(&random, 0, sizeof(random));
		random.len = part;
		err = tsr_call_data(TSR_CALL_RANDOM, 0, 0, 0, &random, sizeof(random), sizeof(random), NULL);
		if (err)
			break;
		memcpy(bytes, random.bytes, part);
		bytes += part;
		len -= part;
	}
	memzero_explicit(&random, sizeof(random));
	return err;
}
EXPORT_SYMBOL_GPL(tsr_random);

static int mailbox_up(unsigned int cpu)
{
	void *page = (void *)get_zeroed_page(GFP_KERNEL);
	int err;

	if (!page)
		return -ENOMEM;
	err = tsr_call(TSR_CALL_MAILBOX, virt_to_phys(page) >> PAGE_SHIFT, 0, 0, NULL);
	if (err) {
		pr_err("CPU %u cannot register its mailbox (%d)\n", cpu, err);
		free_page((unsigned long)page);
		return err;
	}
	per_cpu(mailbox, cpu) = page;
	return 0;
}

static int mailbox_down(unsigned int cpu)
{
	void *page = per_cpu(mailbox, cpu);

	per_cpu(mailbox, cpu) = NULL;
	if (!page)
		return 0;
	/* A page that the hypervisor still takes for a mailbox must not become anything else. */
	if (tsr_call(TSR_CALL_MAILBOX, ~0ull, 0, 0, NULL))
		pr_warn("CPU %u could not unregister its mailbox; its page is kept\n", cpu);
	else
		free_page((unsigned long)page);
	return 0;
}

static int discover(void)
{
	u32 eax, ebx, ecx, edx;
	u64 version;

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return -ENODEV;
	cpuid(TSR_CPUID_BASE, &eax, &ebx, &ecx, &edx);
	if (ebx != TSR_CPUID_EBX || ecx != TSR_CPUID_ECX || edx != TSR_CPUID_EDX || eax < TSR_CPUID_FEATURES)
		return -ENODEV;
	cpuid(TSR_CPUID_FEATURES, &eax, &ebx, &ecx, &edx);
	if (ecx != TSR_CPUID_ROLE_GUEST)
		return -ENODEV;
	if (eax >> 16 != TSR_ABI_VERSION >> 16) {
		pr_err("the hypervisor speaks version %u.%u, this driver %u.%u: use matching releases\n", eax >> 16,
		       eax & 0xffff, TSR_ABI_VERSION >> 16, TSR_ABI_VERSION & 0xffff);
		return -EPROTO;
	}
	use_vmcall = edx == 1;
	if (tsr_call(TSR_CALL_VERSION, 0, 0, 0, &version) || version != eax) {
		pr_err("the hypervisor announced itself but does not answer\n");
		return -EPROTO;
	}
	return 0;
}

int bus_call_init(void)
{
	int state, err = discover();

	if (err)
		return err;
	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "tessera:mailbox", mailbox_up, mailbox_down);
	if (state < 0)
		return state;
	mailbox_state = state;
	return 0;
}

void bus_call_exit(void)
{
	cpuhp_remove_state(mailbox_state);
}
