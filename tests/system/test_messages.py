# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Interrupts that a device forges, as messages of its own and by plain DMA. That they work on the bare machine is in test_levers.py."""

import contextlib
import re

import dma
from attack import info, load, order, refused
from machine import Machine
from test_levers import KEEP_OFF, SPARE

DEVELOPMENT_INTERRUPTS = 1 << 4
LAPIC, CPU1 = 0xFEE00000, 0xFEE01000
# Linux's vector of a machine check threshold: it is counted, and nothing else comes of it.
THRESHOLD_VECTOR = 0xF9
SMI, NMI, INIT, SIPI = 0x200, 0x400, 0x500, 0x600
IOAPIC_NMI = 4


@contextlib.contextmanager
def started(name, hv):
    with Machine(smp=2, mem=1024, iommu="amd", hv=hv, cmdline=KEEP_OFF.format(2), devices=["-device", dma.EDU], name=name) as m:
        m.wait_ready()
        load(m)
        yield m


def send(m, address, data):
    """By the device's message capability, and by its DMA."""
    order(m, "edumsi", 0, address, data)
    order(m, "eduwrite", 0, address, 4, data)


def counted(m, name):
    """How often each CPU took it, once both have run again."""
    m.run("taskset 1 true && taskset 2 true")
    return [int(n) for n in re.search(rf"{name}:\s+(\d+)\s+(\d+)", m.run("cat /proc/interrupts")).groups()]


def test_none_arrives():
    """behind AMD-Vi no INIT, start-up, NMI, SMI or vector of a device's own arrives, and the host works on with its PIC [DMA-7] [DMA-8]"""
    with started("messages", "") as m:
        assert not info(m)["development"] & DEVELOPMENT_INTERRUPTS
        assert m.run("cat /proc/cmdline").split()[-2:] == ["pci=nomsi", "noapic"]
        before = counted(m, "NMI"), counted(m, "THR")
        for data in (NMI, SMI, INIT, SIPI | 0x10, THRESHOLD_VECTOR):
            send(m, LAPIC, data)
            send(m, CPU1, data)
        assert (counted(m, "NMI"), counted(m, "THR")) == before
        # The device is well: its message reaches the host's memory, as any store does.
        order(m, "write", SPARE, 1, 0)
        order(m, "edumsi", 0, SPARE, 0x1234)
        assert order(m, "read", SPARE, 1).value & 0xFFFFFFFF == 0x1234
        refused(m, "faults_memory", "ioapicset", 20, 0x10000 | IOAPIC_NMI << 8, 1)


def test_open_where_they_cannot_be_stopped():
    """control: with messages=open they arrive, and the hypervisor says that they can [DMA-7]"""
    with started("messages-open", "messages=open") as m:
        assert info(m)["development"] & DEVELOPMENT_INTERRUPTS
        assert "pci=nomsi" not in m.run("cat /proc/cmdline").split()
        for name, data in (("NMI", NMI), ("THR", THRESHOLD_VECTOR)):
            before = counted(m, name)
            send(m, CPU1, data)
            now = counted(m, name)
            assert now == [before[0], before[1] + 2], f"{name}: {before}, then {now}"
