/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/*
 * Model-specific registers and the host: X(first, last, read, write, text). What is
 * not listed may be read and not written. First match counts.
 *   PASS    no exit       IGNORE  accepted, without effect
 *   SAME    accepted when it changes nothing, else refused
 *   CHECK   decided or emulated by the hypervisor      REFUSE  #GP(0)
 * Not listed for writing, on purpose: TOP_MEM, IORR, SYSCFG, HWCR, MMCONFIG base,
 * SMM base and mask, microcode loader, performance counters, IBS, LBR, SVM's own.
 */
#define HOST_MSRS(X)                                                                                     \
	X(0x00000010, 0x00000010, CHECK, CHECK, "TSC: writes become this CPU's offset")                  \
	X(0x0000001b, 0x0000001b, PASS, CHECK, "APIC base: only x2APIC may be turned on")                \
	X(0x00000048, 0x00000049, PASS, PASS, "speculation control, prediction barrier")                 \
	X(0x00000174, 0x00000176, PASS, PASS, "SYSENTER: switched with the container")                   \
	X(0x0000017a, 0x0000017b, PASS, PASS, "machine check: global status and control")                \
	X(0x000001d9, 0x000001d9, PASS, IGNORE, "debug control: branch records would show the hypervisor") \
	X(0x00000200, 0x0000021f, PASS, IGNORE, "MTRR variable ranges: the firmware's stay")             \
	X(0x00000250, 0x0000026f, PASS, IGNORE, "MTRR fixed ranges: the firmware's stay")                \
	X(0x00000277, 0x00000277, PASS, PASS, "PAT: the container's own")                                \
	X(0x000002ff, 0x000002ff, PASS, IGNORE, "MTRR default type: the firmware's stays")               \
	X(0x00000400, 0x0000047f, PASS, PASS, "machine check banks")                                     \
	X(0x000006e0, 0x000006e0, PASS, PASS, "TSC deadline of the local APIC")                          \
	X(0x00000800, 0x000008ff, PASS, CHECK, "x2APIC registers")                                       \
	X(0x00000da0, 0x00000da0, PASS, PASS, "supervisor extended state")                               \
	X(0xc0000080, 0xc0000080, CHECK, CHECK, "EFER: SVME hidden and kept")                            \
	X(0xc0000081, 0xc0000084, PASS, PASS, "SYSCALL: switched with the container")                    \
	X(0xc0000100, 0xc0000103, PASS, PASS, "FS, GS and kernel GS base, TSC_AUX")                      \
	X(0xc0010015, 0xc0010015, PASS, SAME, "HWCR")                                                    \
	X(0xc001001f, 0xc001001f, PASS, IGNORE, "northbridge: Linux turns on extended 0xcf8 and does not check") \
	X(0xc0010114, 0xc0010114, CHECK, SAME, "VM_CR: shown as disabled and locked")                    \
	X(0xc0010117, 0xc0010117, REFUSE, REFUSE, "VM_HSAVE_PA")                                         \
	X(0xc0011029, 0xc0011029, PASS, SAME, "decode configuration")
