# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What a hostile host kernel can try against the hypervisor, from ring 0 and ring 3 of its container (THREAT-1). Attacks on a
guest's memory are in test_guest_memory.py."""

import re

import attack
from attack import order, refused

MACHINE = dict(smp=2, mem=2048, media=True)


def test_hypervisor_memory(m):
    """each read, write, exchange, fetch and table walk of the hypervisor's memory faults and is counted"""
    attack.load(m)
    now = attack.info(m)
    base, pages = now["hv_base_pfn"] << 12, now["hv_pages"]
    for at in (base, base + (pages // 2 << 12) + 0x7F8, base + (pages - 1 << 12) + 0xFF8):
        left = (base + (pages << 12) - at + 0xFFF) >> 12
        many = min(left, 100)
        refused(m, "faults_memory", "read", at, many)
        refused(m, "faults_memory", "write", at, many, 0x6A6A6A6A6A6A6A6A)
        refused(m, "faults_memory", "xchg", at, many, 0x6A6A6A6A6A6A6A6A)
        refused(m, "faults_memory", "exec", at, 10)
        refused(m, "faults_memory", "walk", at & ~0xFFF, 10)


def test_only_the_hypervisor_is_hidden(m):
    """of all RAM the host can read every frame that the census calls its own, and no other"""
    attack.load(m)
    now = attack.info(m)
    hidden = sum(end - first for first, end in attack.hidden(m))
    assert hidden == now["hv_pages"] + now["census.guests"] + now["census.tables"], (hidden, now)
    assert now["hv_pages"] > 0


def test_svm_instructions(m):
    """the host's kernel has none of SVM's instructions; INVD loses nothing [GUARD-7]"""
    attack.load(m)
    for name, number in attack.INSTRUCTIONS.items():
        done = order(m, "insn", number, 20)
        expected = 0 if name == "invd" else 20
        assert done.tries == 20 and done.faults == expected == done.gp + done.ud, f"{name}: {done.words}"


def test_ring_3(m):
    """a program of the host's can make no hypercall and has none of SVM's instructions [GUARD-7] [HC-2]"""
    attack.load(m)
    before = attack.info(m)["hypercalls_host"]
    lines = m.run("host_ring3 50").splitlines()
    # The two readings of the counters are hypercalls themselves.
    assert attack.info(m)["hypercalls_host"] - before <= 2
    assert len(lines) == 10, lines
    for line in lines:
        match = re.fullmatch(r"(\w+) tries=50 sigill=(\d+) sigsegv=(\d+)", line)
        assert match and int(match.group(2)) + int(match.group(3)) == 50, line
        assert match.group(1) != "vmmcall" or match.group(2) == "50", line


# Registers that move or hide memory, load code, or record what the hypervisor does.
MSRS_REFUSED = {
    "TOP_MEM": 0xC001001A, "TOP_MEM2": 0xC001001D, "IORR base": 0xC0010016, "IORR mask": 0xC0010017, "SYSCFG": 0xC0010010,
    "MMCONFIG base": 0xC0010058, "SMM base": 0xC0010111, "SMM address": 0xC0010112, "SMM mask": 0xC0010113,
    "VM_HSAVE_PA": 0xC0010117, "microcode loader": 0xC0010020, "performance event": 0xC0010000, "IBS": 0xC0011030,
}
MSRS_UNCHANGED = {"MTRR": 0x200, "MTRR default type": 0x2FF, "debug control": 0x1D9}


def test_msrs(m):
    """writing model-specific registers that move memory, load code or watch the hypervisor faults, or changes nothing [GUARD-6]"""
    attack.load(m)
    for msr in MSRS_REFUSED.values():
        refused(m, "faults_msr", "wrmsr", msr, 0x12345678, 5)
    apic_base = order(m, "rdmsr", 0x1B, cpu=0).value
    refused(m, "faults_msr", "wrmsr", 0x1B, apic_base ^ 0x1000, 5, cpu=0)
    assert order(m, "rdmsr", 0x1B, cpu=0).value == apic_base
    for name, msr in MSRS_UNCHANGED.items():
        was = order(m, "rdmsr", msr, cpu=0)
        assert was.faults == 0, name
        order(m, "wrmsr", msr, was.value ^ 1, 5, cpu=0)
        assert order(m, "rdmsr", msr, cpu=0).value == was.value, name
    efer = order(m, "rdmsr", 0xC0000080, cpu=0).value
    assert not efer & 0x1000, "the host sees EFER.SVME"
    order(m, "wrmsr", 0xC0000080, efer | 0x1000, 1, cpu=0)
    assert order(m, "rdmsr", 0xC0000080, cpu=0).value == efer


def test_ports(m):
    """ports of the firmware's that write memory or enter System Management Mode are dead, and each use is counted [GUARD-8]"""
    attack.load(m)
    for port, size in ((0x510, 2), (0x514, 4), (0x518, 4), (0xB2, 1), (0xB3, 1)):
        refused(m, "faults_port", "out", port, size, 0, 10, fault=False)
    for port in (0x511, 0xB2):
        assert refused(m, "faults_port", "in", port, 1, 10, fault=False).value == 0xFF
    # The reset control register without the bit that resets: allowed, and the machine goes on.
    assert order(m, "out", 0xCF9, 1, 0, 3).faults == 0


HOST_BRIDGE_PCIEXBAR, HOST_BRIDGE_SMRAM = 0x60, 0x9C


def test_pci_configuration(m):
    """the host bridge's registers that lay windows over memory stay as they are, by ports and by mapped configuration space [GUARD-9]"""
    attack.load(m)
    now = attack.info(m)
    over_hv = now["hv_base_pfn"] << 12 & 0xF0000000 | 1
    ecam = order(m, "pciread", HOST_BRIDGE_PCIEXBAR).value
    assert ecam & 1, "the mapped configuration space is off"
    for reg in (HOST_BRIDGE_PCIEXBAR, HOST_BRIDGE_SMRAM):
        was = order(m, "pciread", reg).value
        value = over_hv if reg == HOST_BRIDGE_PCIEXBAR else was ^ 0x4A00
        refused(m, "faults_port", "pciwrite", reg, value, 5, fault=False)
        assert order(m, "pciread", reg).value == was
        refused(m, "faults_memory", "mmwrite", (ecam & 0xF0000000) + reg, value, 5)
        assert order(m, "mmread", (ecam & 0xF0000000) + reg).value == was


def test_interrupts_that_stop_processors(m):
    """no IOAPIC entry takes INIT or SMI, and the local APIC's id, by which shoot-downs find their CPU, stays [GUARD-2] [GUARD-3] [GUARD-5]"""
    attack.load(m)
    entry = 0x10 + 2 * 23
    was = order(m, "ioapic", entry).value
    for mode in (2, 5):
        refused(m, "faults_memory", "ioapicset", entry, 0x10000 | mode << 8, 5)
        assert order(m, "ioapic", entry).value == was
    apic_id = order(m, "mmread", 0xFEE00020, cpu=1).value
    refused(m, "faults_memory", "mmwrite", 0xFEE00020, apic_id ^ 0x05000000, 5, cpu=1)
    assert order(m, "mmread", 0xFEE00020, cpu=1).value == apic_id
    # The rest of the interrupt range acts as messages of devices, INIT among them.
    refused(m, "faults_memory", "mmwrite", 0xFEE01000, 0x500, 5, cpu=1)


def test_host_survived(m):
    """after all that, the host works on all its CPUs"""
    for cpu in range(2):
        assert m.run(f"taskset {1 << cpu:x} sh -c 'echo alive'").strip() == "alive"
