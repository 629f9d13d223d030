/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * The machine a guest sees: spec/guests.md. Numbers that the hypervisor, which emulates them, and the loader, which writes them
 * into the guest's ACPI tables, must share. Everything else on the ports reads as all ones and ignores writes.
 */
#ifndef TESSERA_PLATFORM_H
#define TESSERA_PLATFORM_H

#include <tessera/types.h>

/* A 16550A UART at eight ports, to be polled: it has no interrupt. */
#define TSR_PORT_UART 0x3f8u

/* Hardware-reduced ACPI: FADT's sleep control, sleep status and reset registers, one byte each in I/O space. */
#define TSR_PORT_SLEEP_CONTROL 0x604u
#define TSR_PORT_SLEEP_STATUS  0x605u
#define TSR_PORT_RESET         0x606u
#define TSR_SLEEP_TYPE_S5      5u   /* \_S5 in the DSDT */
#define TSR_SLEEP_OFF          (TSR_SLEEP_TYPE_S5 << 2 | 0x20u) /* SLP_TYP | SLP_EN: power off */
#define TSR_RESET_VALUE        1u   /* FADT reset value */

#endif
