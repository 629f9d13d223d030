// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent
/*
 * Events as interrupts. Our irq domain stands on x86's vector domain: Linux picks the CPU and the vector, the hypervisor is told by
 * TSR_CALL_EVENT_BIND. A hardware irq number is an event number. An event raised while unbound waits in the hypervisor.
 */
#define pr_fmt(fmt) "tessera: " fmt

#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/mutex.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>
#include <asm/smp.h>
#include "bus.h"

static struct fwnode_handle *event_fwnode;
static struct irq_domain *event_domain;
static DEFINE_MUTEX(event_lock); /* protects event_virq */
static unsigned int event_virq[TSR_MAX_EVENTS]; /* 0: free */

/* A virtual CPU's number is its APIC id. Called with interrupts off under the irq descriptor's lock: no mailbox. */
static int event_bind(struct irq_data *data)
{
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(data));
	struct irq_cfg *cfg = irqd_cfg(data);
	int err;

	if (cpu >= nr_cpu_ids || !cfg || !cfg->vector)
		return -ENOSPC;
	err = tsr_call(TSR_CALL_EVENT_BIND, data->hwirq, cpu_physical_id(cpu), cfg->vector, NULL);
	if (err)
		pr_err_ratelimited("event %lu cannot be bound to CPU %u (%d)\n", data->hwirq, cpu, err);
	return err;
}

static void event_unmask(struct irq_data *data)
{
	event_bind(data);
}

static void event_mask(struct irq_data *data)
{
	tsr_call(TSR_CALL_EVENT_BIND, data->hwirq, 0, 0, NULL);
}

static int event_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct irq_data *parent = data->parent_data;
	int ret = parent->chip->irq_set_affinity(parent, mask, force);

	/* The hypervisor changes the binding at once; Linux keeps the old vector alive until the new one was seen. */
	if (ret >= 0 && irqd_is_activated(data) && !irqd_irq_masked(data) && event_bind(data))
		return -EIO;
	return ret;
}

static struct irq_chip event_chip = {
	.name = "tessera",
	.irq_ack = irq_chip_ack_parent,
	.irq_mask = event_mask,
	.irq_unmask = event_unmask,
	.irq_set_affinity = event_set_affinity,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.flags = IRQCHIP_SKIP_SET_WAKE | IRQCHIP_AFFINITY_PRE_STARTUP,
};

static int event_domain_alloc(struct irq_domain *domain, unsigned int virq, unsigned int nr, void *arg)
{
	struct irq_alloc_info info = {};
	irq_hw_number_t *event = arg;
	int err;

	if (nr != 1)
		return -EINVAL;
	err = irq_domain_alloc_irqs_parent(domain, virq, nr, &info);
	if (err)
		return err;
	irq_domain_set_info(domain, virq, *event, &event_chip, NULL, handle_edge_irq, NULL, "edge");
	irq_set_status_flags(virq, IRQ_MOVE_PCNTXT);
	return 0;
}

static const struct irq_domain_ops event_domain_ops = {
	.alloc = event_domain_alloc,
	.free = irq_domain_free_irqs_common,
};

/* With event_lock held: a free number, or an error. */
static int event_choose(int event)
{
	if (event == TSR_EVENT_ANY) {
		for (event = 0; event < TSR_MAX_EVENTS - TSR_MAX_DEVICES; event++)
			if (!event_virq[event])
				return event;
		return -ENOSPC;
	}
	if (event < 0 || event >= TSR_MAX_EVENTS)
		return -EINVAL;
	return event_virq[event] ? -EBUSY : event;
}

int tsr_event_request(int event, int cpu, irq_handler_t handler, const char *name, void *arg)
{
	irq_hw_number_t hwirq;
	int virq, err;

	mutex_lock(&event_lock);
	event = event_choose(event);
	if (event < 0) {
		err = event;
		goto unlock;
	}
	hwirq = event;
	virq = irq_domain_alloc_irqs(event_domain, 1, NUMA_NO_NODE, &hwirq);
	if (virq <= 0) {
		err = virq ? virq : -ENOSPC;
		goto unlock;
	}
	err = request_irq(virq, handler, 0, name, arg);
	if (err) {
		irq_dispose_mapping(virq);
		goto unlock;
	}
	if (cpu >= 0 && cpu_online(cpu))
		irq_set_affinity(virq, cpumask_of(cpu)); /* a wish: wherever it stays, it works */
	event_virq[event] = virq;
	err = event;
unlock:
	mutex_unlock(&event_lock);
	return err;
}
EXPORT_SYMBOL_GPL(tsr_event_request);

void tsr_event_free(int event, void *arg)
{
	mutex_lock(&event_lock);
	free_irq(event_virq[event], arg);
	irq_dispose_mapping(event_virq[event]);
	event_virq[event] = 0;
	mutex_unlock(&event_lock);
}
EXPORT_SYMBOL_GPL(tsr_event_free);

int bus_event_init(void)
{
	event_fwnode = irq_domain_alloc_named_fwnode("tessera");
	if (!event_fwnode)
		return -ENOMEM;
	event_domain = irq_domain_create_hierarchy(x86_vector_domain, 0, TSR_MAX_EVENTS, event_fwnode, &event_domain_ops, NULL);
	if (!event_domain) {
		irq_domain_free_fwnode(event_fwnode);
		return -ENOMEM;
	}
	return 0;
}

void bus_event_exit(void)
{
	irq_domain_remove(event_domain);
	irq_domain_free_fwnode(event_fwnode);
}
