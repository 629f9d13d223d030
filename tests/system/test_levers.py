# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Levers under the memory map, which a host has because it drives the devices. That they move something is shown on the bare machine
first; what is only refused, without more to see, is in test_attack.py and test_container.py."""

import re
import time

import dma
from attack import CMD, info, load, order, refused
from machine import Machine
from test_attack import MSRS_REFUSED

# Memory that Linux leaves alone: the lever's arguments go to its first page, and what it moves to the second.
SPARE, MARK = 0x20000000, 0x6A6A6A6A6A6A6A6A
TARGET = SPARE + 0x1000
KEEP_OFF = "memmap={}M$" + f"{SPARE:#x}"
# As much as mapped configuration space takes.
MACHINE = dict(smp=2, mem=1024, hv=None, cmdline=KEEP_OFF.format(256), devices=["-device", dma.EDU], name="levers-bare")

MCH_PCIEXBAR, MCH_SMRAM = 0x60, 0x9C
HPET, HPET_CONFIG, HPET_COUNTER, HPET_TIMER = 0xFED00000, 0x10, 0xF0, 0x140
MSR_SMI_COUNT, MSR_APIC_BASE, MSR_MTRR_DEFAULT, MSR_EFER = 0x34, 0x1B, 0x2FF, 0xC0000080
SMI_PORT, SMI_NOTHING = 0xB2, 0xEE  # a command that SeaBIOS does not know
SMM_ENTRY = 0xA8000
BAR, COMMAND = 0x10, 4
RESETS = {"port 0xcf9": ("0xcf9 1 6",), "reset register": ("0x92 1 1",), "keyboard controller": ("0x64 1 0xd1", "0x60 1 0xfe")}


def mark(m):
    order(m, "write", TARGET, 1, MARK)


def marked(m):
    return m.peek(TARGET, 8) == MARK.to_bytes(8, "little")


def big(value):
    return int.from_bytes(value.to_bytes(4, "big"), "little")


def fw_cfg_dma(m):
    """Asks fw_cfg to put the first 4 bytes of its first item, "QEMU", to the target."""
    mark(m)
    order(m, "write", SPARE, 1, big(0x0A) | big(4) << 32)
    order(m, "write", SPARE + 8, 1, big(TARGET >> 32) | big(TARGET & 0xFFFFFFFF) << 32)
    order(m, "out", 0x514, 4, big(SPARE >> 32), 1)
    order(m, "out", 0x518, 4, big(SPARE & 0xFFFFFFFF), 1)


def nmis(m):
    return sum(map(int, re.search(r"NMI:\s+(\d+)\s+(\d+)", m.run("cat /proc/interrupts")).groups()))


def wait_for(m, what, true):
    """Counts of what arrives on another CPU need not be there at once."""
    for _ in range(200):
        if true():
            return
        m.run("usleep 20000")
    m.fail(f"nothing was seen of {what}")


def test_fw_cfg(m):
    """control: on the bare machine, fw_cfg's DMA writes the memory it is told to"""
    m.run("modprobe host_attack")
    fw_cfg_dma(m)
    assert m.peek(TARGET, 4) == b"QEMU", m.peek(TARGET, 8)


def test_smram(m):
    """control: on the bare machine SMRAM opens, and the code that the firmware runs there can be changed; without a display even while it is shut"""
    m.run("modprobe host_attack")
    was, code = order(m, "pciread", MCH_SMRAM).value, order(m, "read", SMM_ENTRY, 1).value
    for state in (was, was | 0x4000):
        order(m, "pciwrite", MCH_SMRAM, state, 1)
        assert order(m, "pciread", MCH_SMRAM).value == state
        order(m, "write", SMM_ENTRY, 1, MARK)
        assert order(m, "read", SMM_ENTRY, 1).value == MARK
    order(m, "write", SMM_ENTRY, 1, code)
    order(m, "pciwrite", MCH_SMRAM, was, 1)


def test_smi_port(m):
    """control: on the bare machine, port 0xB2 calls the firmware"""
    m.run("modprobe host_attack")
    before = order(m, "rdmsr", MSR_SMI_COUNT, cpu=0).value
    order(m, "out", SMI_PORT, 1, SMI_NOTHING, 1, cpu=0)
    wait_for(m, "the SMI", lambda: order(m, "rdmsr", MSR_SMI_COUNT, cpu=0).value > before)


def edu_bar(m):
    """Where the device's base address register is, in the form of `pciread`."""
    place = m.run("cd /sys/bus/pci/devices && grep -l 0x11e8 */device").split("/")[0]
    bus, slot, function = int(place[5:7], 16), int(place[8:10], 16), int(place[11:])
    return bus << 16 | slot << 11 | function << 8 | BAR


def test_bar(m):
    """control: on the bare machine, a base address register takes an address of RAM while it decodes"""
    m.run("modprobe host_attack")
    bar = edu_bar(m)
    was, on = order(m, "pciread", bar).value, order(m, "pciread", bar - BAR + COMMAND).value & 0xFFFF
    order(m, "pciwrite", bar - BAR + COMMAND, on | 2, 1)
    mark(m)
    order(m, "pciwrite", bar, SPARE, 1)
    # Nothing moves on this machine: in QEMU memory lies above all BARs. Hardware need not do so.
    assert order(m, "pciread", bar).value & ~15 == SPARE and order(m, "read", TARGET, 1).value == MARK
    order(m, "pciwrite", bar, was, 1)
    order(m, "pciwrite", bar - BAR + COMMAND, on, 1)


def test_pciexbar(m):
    """control: on the bare machine, configuration space is laid over RAM and hides it"""
    m.run("modprobe host_attack")
    was = order(m, "pciread", MCH_PCIEXBAR).value
    order(m, "write", SPARE, 1, MARK)
    order(m, "pciwrite", MCH_PCIEXBAR, SPARE | 1, 1)
    seen = order(m, "read", SPARE, 1).value
    order(m, "pciwrite", MCH_PCIEXBAR, was, 1)
    assert seen & 0xFFFFFFFF == order(m, "pciread", 0).value != MARK & 0xFFFFFFFF, hex(seen)
    assert order(m, "read", SPARE, 1).value == MARK


def keeps(m, msr, bits):
    """Does the register take other bits? Puts it back."""
    was = order(m, "rdmsr", msr, cpu=0)
    if was.faults or order(m, "wrmsr", msr, was.value ^ bits, 1, cpu=0).faults:
        return False
    now = order(m, "rdmsr", msr, cpu=0).value
    order(m, "wrmsr", msr, was.value, 1, cpu=0)
    return now == was.value ^ bits


def test_msrs(m):
    """control: on the bare machine, registers of memory types, the APIC's address, SVM's state area and SVM itself change"""
    m.run("modprobe host_attack")
    for msr, bits in ((0x200, 0x1000), (MSR_MTRR_DEFAULT, 1), (MSR_APIC_BASE, 0x1000), (MSR_EFER, 0x1000)):
        assert keeps(m, msr, bits), hex(msr)
    # Of the others there can be no control here: the emulated CPU does not have them.
    assert [name for name, msr in MSRS_REFUSED.items() if keeps(m, msr, 0x1000)] == ["VM_HSAVE_PA"]


def test_ioapic(m):
    """control: on the bare machine, an IOAPIC entry takes INIT and SMI"""
    m.run("modprobe host_attack")
    entry = 0x10 + 2 * 23
    was = order(m, "ioapic", entry).value
    for mode in (2, 5):
        order(m, "ioapicset", entry, 0x10000 | mode << 8, 1)
        assert order(m, "ioapic", entry).value & 0x700 == mode << 8
    order(m, "ioapicset", entry, was, 1)


def test_hpet(m):
    """control: on the bare machine, a timer of the HPET writes to any memory, past the IOMMU"""
    m.run("modprobe host_attack")
    mark(m)
    hpet_write(m)
    wait_for(m, "the HPET's write", lambda: not marked(m))
    order(m, "mmwrite", HPET + HPET_TIMER, 0, 1)
    assert m.peek(TARGET, 8) == (MARK & ~0xFFFFFFFF | 0x12345678).to_bytes(8, "little")


def hpet_write(m):
    """Has the last timer send its message, 0x12345678, to the target."""
    order(m, "mmwrite", HPET + HPET_TIMER, 0, 1)
    order(m, "mmwrite", HPET + HPET_TIMER + 0x10, 0x12345678, 1)
    order(m, "mmwrite", HPET + HPET_TIMER + 0x14, TARGET, 1)
    order(m, "mmwrite", HPET + HPET_CONFIG, order(m, "mmread", HPET + HPET_CONFIG).value | 1, 1)
    order(m, "mmwrite", HPET + HPET_TIMER, 1 << 14 | 1 << 2 | 1 << 8, 1)
    order(m, "mmwrite", HPET + HPET_TIMER + 8, order(m, "mmread", HPET + HPET_COUNTER).value + 0x100000 & 0xFFFFFFFF, 1)


def test_messages(m):
    """control: on the bare machine, a device's message writes memory and resets a CPU; its message and its DMA raise NMI and SMI"""
    m.run("modprobe host_attack")
    mark(m)
    order(m, "edumsi", 0, TARGET, 0x1234)
    assert m.peek(TARGET, 4) == (0x1234).to_bytes(4, "little")
    for op in ("edumsi", "eduwrite"):
        def send(address, data, op=op):
            order(m, op, 0, address, *([data] if op == "edumsi" else [4, data]))

        before = nmis(m)
        send(0xFEE00000, 0x400)
        wait_for(m, f"the NMI by {op}", lambda before=before: nmis(m) > before)
        before = order(m, "rdmsr", MSR_SMI_COUNT, cpu=0).value
        send(0xFEE00000, 0x200)
        wait_for(m, f"the SMI by {op}", lambda before=before: order(m, "rdmsr", MSR_SMI_COUNT, cpu=0).value > before)
    # The other CPU waits at its reset vector from then on, and the machine is of no more use: there will be no answer.
    m.agent.send(f"taskset 1 sh -c 'echo edumsi 0 0xfee01000 0x500 >{CMD}'\n".encode())
    end = time.monotonic() + 200
    while not re.search(r"[ER]IP=0*fff0\b", m.qmp.command("human-monitor-command", command_line="info registers", cpu_index=1)):
        assert time.monotonic() < end, "INIT did not reach the other CPU"
    m.stop()


def test_fw_cfg_is_dead():
    """the same use of fw_cfg's DMA writes nothing where the hypervisor is, SMRAM stays shut, port 0xB2 calls nobody, and each try is counted
    [GUARD-8] [GUARD-9] [GUARD-10]"""
    with Machine(smp=2, mem=1024, cmdline=KEEP_OFF.format(2), name="levers") as m:
        m.wait_ready()
        load(m)
        before = info(m)["faults_port"]
        fw_cfg_dma(m)
        assert info(m)["faults_port"] == before + 2
        assert marked(m), "fw_cfg wrote to memory"
        # LPC: where its register blocks lie, and the power management's ports.
        for reg in (0xF0, 0x40):
            was = order(m, "pciread", 0x1F << 11 | reg).value
            refused(m, "faults_port", "pciwrite", 0x1F << 11 | reg, SPARE | 1, 3, fault=False)
            assert order(m, "pciread", 0x1F << 11 | reg).value == was
        # SMRAM stays shut and out of sight, and nobody calls the firmware.
        code = m.peek(SMM_ENTRY, 8)
        refused(m, "faults_port", "pciwrite", MCH_SMRAM, order(m, "pciread", MCH_SMRAM).value | 0x4000, 3, fault=False)
        refused(m, "faults_memory", "read", SMM_ENTRY, 1)
        refused(m, "faults_memory", "write", SMM_ENTRY, 1, MARK)
        assert m.peek(SMM_ENTRY, 8) == code
        calls = order(m, "rdmsr", MSR_SMI_COUNT, cpu=0).value
        refused(m, "faults_port", "out", SMI_PORT, 1, SMI_NOTHING, 3, fault=False, cpu=0)
        assert order(m, "rdmsr", MSR_SMI_COUNT, cpu=0).value == calls


def test_hpet_sends_no_messages():
    """where the hypervisor is, no timer of the HPET can be set to write messages, by either size of store, and tries are counted [GUARD-14]"""
    with Machine(smp=2, mem=1024, cmdline=KEEP_OFF.format(2), name="levers-hpet") as m:
        m.wait_ready()
        load(m)
        timer = HPET + HPET_TIMER
        was = order(m, "mmread", timer).value
        refused(m, "faults_memory", "mmwrite", timer, was | 1 << 14, 1)
        assert order(m, "mmread", timer).value == was
        # What does no harm passes, so that the refusal is of the bit and not of the page.
        order(m, "mmwrite", timer, was ^ 1 << 3, 1)
        assert order(m, "mmread", timer).value == was ^ 1 << 3
        order(m, "mmwrite", timer, was, 1)


def pull_reset(m, why):
    m.run("modprobe host_attack")
    m.agent.send("; ".join(f"echo out {words} 1 >{CMD}" for words in RESETS[why]).encode() + b"\n")


def test_resets():
    """control: on the bare machine, port 0xCF9, port 0x92 and the keyboard controller's output port reset at once, and memory keeps its contents"""
    for why in RESETS:
        # It stays for a look at its memory.
        with Machine(smp=1, mem=1024, hv=None, cmdline=KEEP_OFF.format(2), name="levers-reset-bare", devices=["-no-shutdown"]) as m:
            m.wait_ready()
            m.run("modprobe host_attack")
            mark(m)
            pull_reset(m, why)
            end = time.monotonic() + 200
            while m.qmp.command("query-status")["status"] != "shutdown":
                assert time.monotonic() < end, f"{why} did not reset the machine"
                time.sleep(0.1)
            assert marked(m), why


def test_reset_ports():
    """port 0xCF9, port 0x92 and the keyboard controller's output port reset the machine after scrubbing only [GUARD-11]"""
    for why in RESETS:
        with Machine(smp=1, mem=512, name="levers-reset") as m:
            m.wait_ready()
            pull_reset(m, why)
            m.wait_for(rf"tessera: reset: [^\n]*{why}[^\n]*; scrubbing first")
            m.wait_off(240)
