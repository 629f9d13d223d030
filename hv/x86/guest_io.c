/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Ports of a guest: a polled UART, the ACPI registers to end it, and silence everywhere else, so that a stock kernel's
 * probes for PIC, PIT, RTC, keyboard controller, PCI and VGA find nothing.
 */
#include <tessera/platform.h>

#include "hv/x86/guest_vcpu.h"
#include "hv/x86/x86.h"

enum { R_DATA, R_IER, R_IIR, R_LCR, R_MCR, R_LSR, R_MSR, R_SCR };
#define LCR_DLAB	0x80
#define MCR_LOOP	0x10
#define FCR_ENABLE	0x01
#define FCR_CLEAR_RX	0x02
#define IER_RX		0x01
#define IER_TX		0x02
#define IIR_NONE	0x01
#define IIR_TX		0x02
#define IIR_RX		0x04
#define IIR_FIFO	0xc0
#define LSR_READY	0x01
#define LSR_EMPTY	0x60	/* holding and shift register */
#define MSR_LINE	0xb0	/* CTS, DSR, DCD */

static uint32_t rx_waiting(const struct guest_uart *u)
{
	return u->rx_tail - u->rx_head;
}

static uint8_t rx_take(struct guest_uart *u)
{
	return rx_waiting(u) ? u->rx[u->rx_head++ % UART_FIFO] : 0;
}

uint32_t arch_console_input(struct domain *d, const uint8_t *bytes, uint32_t len)
{
	struct guest_uart *u = &d->vcpu[0].arch->uart;
	uint32_t n = 0;

	while (n < len && rx_waiting(u) < UART_FIFO)
		u->rx[u->rx_tail++ % UART_FIFO] = bytes[n++];
	return n;
}

void arch_console_take(struct domain *d, struct tsr_run_exit *exit)
{
	struct guest_uart *u;

	if (!d->vcpu[0].arch)
		return;
	u = &d->vcpu[0].arch->uart;
	exit->console_len = u->out_len;
	exit->console_at = u->out_at;
	memcpy(exit->console, u->out, u->out_len);
	u->out_at += u->out_len;
	u->out_len = 0;
}

/* Full only where another virtual CPU has filled it and is just on its way to the host. */
static enum guest_verdict transmit(struct arch_vcpu *a, struct guest_uart *u, uint8_t byte)
{
	bool full = u->out_len == sizeof(u->out);

	if (!full)
		u->out[u->out_len++] = byte;
	if (byte == '\n' || u->out_len == sizeof(u->out))
		guest_leave(a, TSR_RUN_CONSOLE);
	return full ? G_AGAIN : G_DONE;
}

/* What would interrupt, if there were an interrupt: Linux asks this when it polls. The transmitter is always empty. */
static uint8_t pending(const struct guest_uart *u)
{
	uint8_t iir = IIR_NONE;

	if ((u->ier & IER_RX) && rx_waiting(u))
		iir = IIR_RX;
	else if (u->ier & IER_TX)
		iir = IIR_TX;
	return iir | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t uart_read(struct guest_uart *u, uint32_t reg)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case R_DATA:
		return dlab ? (uint8_t)u->divisor : rx_take(u);
	case R_IER:
		return dlab ? (uint8_t)(u->divisor >> 8) : u->ier;
	case R_IIR:
		return pending(u);
	case R_LCR:
		return u->lcr;
	case R_MCR:
		return u->mcr;
	case R_LSR:
		return LSR_EMPTY | (rx_waiting(u) ? LSR_READY : 0);
	case R_MSR:
		/* In loop-back the outputs come in: RTS as CTS, DTR as DSR, OUT1 as RI, OUT2 as DCD. */
		if (u->mcr & MCR_LOOP)
			return (uint8_t)((u->mcr & 2) << 3 | (u->mcr & 1) << 5 | (u->mcr & 0xc) << 4);
		return MSR_LINE;
	default:
		return u->scr;
	}
}

static enum guest_verdict uart_write(struct arch_vcpu *a, struct guest_uart *u, uint32_t reg, uint8_t val)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case R_DATA:
		if (dlab)
			u->divisor = (uint16_t)((u->divisor & 0xff00) | val);
		else if (!(u->mcr & MCR_LOOP))
			return transmit(a, u, val);
		break;
	case R_IER:
		if (dlab)
			u->divisor = (uint16_t)((u->divisor & 0xff) | val << 8);
		else
			u->ier = val & 0xf;
		break;
	case R_IIR:
		if (val & FCR_CLEAR_RX)
			u->rx_head = u->rx_tail;
		u->fcr = val & FCR_ENABLE;
		break;
	case R_LCR:
		u->lcr = val;
		break;
	case R_MCR:
		u->mcr = val & 0x1f;
		break;
	case R_SCR:
		u->scr = val;
		break;
	}
	return G_DONE;
}

void guest_in(struct vcpu *v, uint16_t port, uint32_t size, uint32_t *val)
{
	*val = ~0u;
	if (port >= TSR_PORT_UART && port < TSR_PORT_UART + 8 && size == 1) {
		arch_lock();
		*val = uart_read(&v->dom->vcpu[0].arch->uart, port - TSR_PORT_UART);
		arch_unlock();
	} else if (port == TSR_PORT_SLEEP_CONTROL || port == TSR_PORT_SLEEP_STATUS || port == TSR_PORT_RESET) {
		*val = 0;
	}
}

enum guest_verdict guest_out(struct vcpu *v, uint16_t port, uint32_t size, uint32_t val)
{
	enum guest_verdict verdict = G_DONE;

	if (size != 1)
		return G_DONE;
	if (port >= TSR_PORT_UART && port < TSR_PORT_UART + 8) {
		arch_lock();
		verdict = uart_write(v->arch, &v->dom->vcpu[0].arch->uart, port - TSR_PORT_UART, (uint8_t)val);
		arch_unlock();
	} else if (port == TSR_PORT_SLEEP_CONTROL && val == TSR_SLEEP_OFF) {
		core_guest_ended(v, TSR_END_POWEROFF, 0, 0);
	} else if (port == TSR_PORT_RESET && val == TSR_RESET_VALUE) {
		core_guest_ended(v, TSR_END_RESET, 0, 0);
	}
	return verdict;
}
