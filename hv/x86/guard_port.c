/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/* The host's accesses to guarded I/O ports, by port_table.h and what the firmware's tables add. */
#include <core/core.h>

#include "hv/x86/host.h"
#include "hv/x86/port_table.h"
#include "hv/x86/x86.h"

#define SLP_EN		(1u << 13)
#define SLP_TYP(v)	(((v) >> 10) & 7)
#define RST_CPU		(1u << 2)
#define KBD_WRITE_OUT	0xd1
#define KBD_PULSE	0xf0
#define CF8_ENABLE	(1u << 31)

enum port_rule { DENY, KBD_DATA, KBD_COMMAND, FAST_RESET, PCI_ADDRESS, PCI_DATA, PM1, RESET_REGISTER, FREE };

#define NAMED_MAX	4 /* by the firmware's tables */

static const struct port_range {
	uint16_t first, last;
	uint8_t rule;
} table[] = {
#define X(first, last, rule, text) { first, last, rule },
	HOST_PORTS(X)
#undef X
};

static struct port_range range[sizeof(table) / sizeof(table[0]) + NAMED_MAX]; /* the first that has a port counts */
static uint32_t ranges;

static uint32_t cf8;			/* the configuration address: one for the machine, as in hardware */
static uint32_t kbd_command;
static volatile uint32_t port_lock;	/* inner to nothing, nothing inside */

void conf_lock(void)
{
	while (__atomic_exchange_n(&port_lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

void conf_unlock(void)
{
	__atomic_store_n(&port_lock, 0, __ATOMIC_RELEASE);
}

static void named(uint32_t first, uint32_t count, enum port_rule rule)
{
	uint32_t last = first + count - 1;

	if (first)
		range[ranges++] = (struct port_range){ (uint16_t)first, (uint16_t)(last < 0xffff ? last : 0xffff), (uint8_t)rule };
}

void guard_port_init(void)
{
	memcpy(range, table, sizeof(table));
	ranges = sizeof(table) / sizeof(table[0]);
	named(acpi.pm1a_cnt, 2, PM1);
	named(acpi.pm1b_cnt, 2, PM1);
	named(chipset.smi_block, 0x50, DENY);
	named(acpi.reset_port, 1, RESET_REGISTER);
}

static enum port_rule rule_of(uint16_t port)
{
	for (uint32_t i = 0; i < ranges; i++)
		if (port >= range[i].first && port <= range[i].last)
			return range[i].rule;
	return FREE;
}

void guard_port_map(uint8_t *map)
{
	for (uint32_t i = 0; i < ranges; i++)
		for (uint32_t p = range[i].first; p <= range[i].last; p++)
			map[p / 8] |= (uint8_t)(1u << (p % 8));
}

bool guard_port_traps(uint16_t port)
{
	return rule_of(port) != FREE;
}

static uint32_t port_in(uint16_t port, uint32_t size)
{
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void port_out(uint16_t port, uint32_t size, uint32_t v)
{
	if (size == 1)
		outb(port, (uint8_t)v);
	else if (size == 2)
		outw(port, (uint16_t)v);
	else
		outl(port, v);
}

static enum verdict refused(struct cpu *c, uint16_t port, bool in, uint32_t *v)
{
	core_count(TSR_COUNT_faults_port);
	refuse_log(c, c->rip, in ? "read of port" : "write of port", port);
	if (in)
		*v = ~0u;
	return V_DONE;
}

static enum verdict pci_address(struct cpu *c, uint16_t port, bool in, uint32_t size, uint32_t *v)
{
	if (port == 0xcf8 && size == 4) {
		conf_lock();
		if (in)
			*v = cf8;
		else
			cf8 = *v;
		conf_unlock();
		return V_DONE;
	}
	if (port == 0xcfb && size == 1 && !in)
		return V_DONE;	/* Linux's probe for the oldest mechanism; nothing listens */
	if (port != 0xcf9 || size != 1)
		return refused(c, port, in, v);
	if (in)
		*v = inb(0xcf9);
	else if (*v & RST_CPU)
		machine_reset("the host asked for it (port 0xcf9)");
	return V_DONE;
}

static enum verdict pci_data(struct cpu *c, uint16_t port, bool in, uint32_t size, uint32_t *v)
{
	uint32_t reg, off = port & 3;
	bool ok = true;

	if (off + size > 4)
		return V_GP;
	conf_lock();
	/* Bits 27:24 are the high part of the register on AMD's own bridges. */
	reg = (cf8 & 0xfc) | ((cf8 >> 16) & 0xf00);
	if (!in && (cf8 & CF8_ENABLE))
		ok = guard_pci_write((uint16_t)(cf8 >> 8), reg + off, size, *v);
	if (ok) {
		outl(0xcf8, cf8);
		if (in)
			*v = port_in(port, size);
		else
			port_out(port, size, *v);
	}
	conf_unlock();
	return ok ? V_DONE : refused(c, port, in, v);
}

static enum verdict pm1(struct cpu *c, uint16_t port, bool in, uint32_t size, uint32_t *v)
{
	uint16_t base = port & 1 ? port - 1 : port;
	uint32_t now;

	if (in) {
		*v = port_in(port, size);
		return V_DONE;
	}
	if (size > 2 || (size == 2 && port != base))
		return refused(c, port, in, v);
	now = inw(base);
	if (size == 2)
		now = *v;
	else if (port == base)
		now = (now & 0xff00) | *v;
	else
		now = (now & 0xff) | *v << 8;
	if (now & SLP_EN) {
		if (acpi.s5_known && SLP_TYP(now) == acpi.s5_type)
			machine_off(base, (uint16_t)now);
		return refused(c, port, in, v);	/* S3 and S4 would bring the machine back without us */
	}
	port_out(port, size, *v);
	return V_DONE;
}

static enum verdict kbd(enum port_rule rule, uint32_t v)
{
	bool reset;

	conf_lock();
	reset = rule == KBD_COMMAND ? (v & 0xf0) == KBD_PULSE && !(v & 1) :
				      kbd_command == KBD_WRITE_OUT && !(v & 1);
	kbd_command = rule == KBD_COMMAND ? v : 0;
	conf_unlock();
	if (reset)
		machine_reset("the host asked for it (keyboard controller)");
	outb(rule == KBD_COMMAND ? 0x64 : 0x60, (uint8_t)v);
	return V_DONE;
}

enum verdict guard_port(struct cpu *c, uint16_t port, bool in, uint32_t size, uint32_t *v)
{
	enum port_rule rule = rule_of(port);

	switch (rule) {
	case PCI_ADDRESS:
		return pci_address(c, port, in, size, v);
	case PCI_DATA:
		return pci_data(c, port, in, size, v);
	case PM1:
		return pm1(c, port, in, size, v);
	case KBD_DATA:
	case KBD_COMMAND:
	case FAST_RESET:
	case RESET_REGISTER:
		if (size != 1)
			return refused(c, port, in, v);
		if (in) {
			*v = inb(port);
			return V_DONE;
		}
		if (rule == KBD_DATA || rule == KBD_COMMAND)
			return kbd(rule, *v);
		if (rule == FAST_RESET ? *v & 1 : *v == acpi.reset_value)
			machine_reset("the host asked for it (reset register)");
		outb(port, (uint8_t)*v);
		return V_DONE;
	default:
		/* Denied, or an access that only reaches into a guarded port from below. */
		return refused(c, port, in, v);
	}
}
