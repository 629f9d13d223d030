/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * I/O ports and the host: X(first, last, rule, text). What is not listed is the
 * host's without an exit. Ports that the firmware's tables name (PM1 control, reset
 * register, the chipset's SMI and watchdog block) are added at start, see guard_port.c.
 *   DENY   reads give all ones, writes are dropped; counted
 *   CHECK  decided in guard_port.c
 */
#define HOST_PORTS(X)                                                                                \
	X(0x0060, 0x0060, KBD_DATA, "keyboard controller: its output port can reset the machine")    \
	X(0x0064, 0x0064, KBD_COMMAND, "keyboard controller: pulse of the reset line")               \
	X(0x0092, 0x0092, FAST_RESET, "system control port A: bit 0 resets")                         \
	X(0x00b2, 0x00b3, DENY, "SMI command: would call the firmware")                              \
	X(0x0510, 0x051b, DENY, "fw_cfg: its DMA writes anywhere, its data holds our command line")  \
	X(0x0cf8, 0x0cfb, PCI_ADDRESS, "PCI configuration address; 0xcf9 resets")                    \
	X(0x0cfc, 0x0cff, PCI_DATA, "PCI configuration data, filtered")
