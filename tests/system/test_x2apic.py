# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A host whose local APICs are in x2APIC mode, which QEMU's emulation offers since version 9 (Debian 13 has 10)."""

import os
import re
import subprocess

import attack
from attack import order, refused
from machine import ROOT, Machine
from suite import Skip

# A kernel without interrupt remapping uses the mode only on hypervisors that it knows. QEMU's own answers to VMware's port; the serial number makes the
# kernel ask there.
KNOWN = ["-smbios", "type=1,serial=VMware-0"]
ID, ICR, LVT_TIMER, APIC_BASE = 0x802, 0x830, 0x832, 0x1B
CPU = "EPYC,+svm,+npt,+x2apic"


def offered():
    version = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if int(re.search(r"version (\d+)", version).group(1)) < 9:
        raise Skip("this QEMU emulates no x2APIC")


def test_x2apic():
    """in x2APIC mode the host starts, stops and interrupts its CPUs, revokes reach all of them, and neither id, mode, SMI nor INIT get through [GUARD-1] [GUARD-2] [GUARD-3]"""
    offered()
    with Machine(smp=4, mem=1024, cpu=CPU, devices=KNOWN, name="x2apic") as m:
        m.wait_ready()
        log = m.run("dmesg")
        assert "x2apic enabled" in log and "APIC: Switch to physical" not in log, log
        assert m.run("nproc").strip() == "4"
        attack.load(m)
        for cpu in range(4):
            assert order(m, "rdmsr", APIC_BASE, cpu=cpu).value & 0xC00 == 0xC00, f"CPU {cpu} is in another mode"
            assert order(m, "rdmsr", ID, cpu=cpu).value == cpu
        refused(m, "faults_msr", "wrmsr", ID, 5, 3, cpu=1)
        refused(m, "faults_msr", "wrmsr", APIC_BASE, order(m, "rdmsr", APIC_BASE, cpu=1).value & ~0x400, 3, cpu=1)
        for mode in (2, 5):
            was = order(m, "rdmsr", LVT_TIMER, cpu=1).value
            refused(m, "faults_msr", "wrmsr", LVT_TIMER, 0x10000 | mode << 8, 3, cpu=1)
            assert order(m, "rdmsr", LVT_TIMER, cpu=1).value == was
        refused(m, "faults_msr", "wrmsr", ICR, 0x4200, 3, cpu=1)
        # INIT and start-up, CPU by CPU; the kernel's own interrupts between them all the while.
        for cpu in (1, 3, 2):
            m.run(f"echo 0 >/sys/devices/system/cpu/cpu{cpu}/online && echo 1 >/sys/devices/system/cpu/cpu{cpu}/online")
            assert order(m, "rdmsr", APIC_BASE, cpu=cpu).value & 0xC00 == 0xC00
        before = attack.info(m)
        m.run("tessera guest run --name talks --memory 4M --raw /guests/hello.bin --load-address 0x100000 --entry 0x100000")
        assert "hello from a guest" in m.run("tessera console talks --follow 2>&1")
        m.run("tessera guest destroy talks")
        assert attack.info(m)["shootdown_ipis"] > before["shootdown_ipis"], "no shoot-down sent an NMI: nothing was tried"
        assert attack.info(m)["census.guests"] == 0
        m.power_off()


def test_x2apic_by_firmware():
    """where the firmware (here GRUB) has turned x2APIC on, the host begins without it, and with all its CPUs [BOOT-8]"""
    offered()
    build = os.path.join(ROOT, "build/default")
    config, disk = os.path.join(build, "x2apic.cfg"), os.path.join(build, "x2apic.disk")
    with open(config, "w", encoding="ascii") as f:
        f.write("wrmsr 0x1b 0xfee00d00\nmultiboot2 /tessera iommu=off\nmodule2 /vmlinuz console=ttyS0,115200 panic=-1\nmodule2 /host.img\nboot\n")
    subprocess.run([os.path.join(ROOT, "scripts/mkdisk.py"), "--out", disk, "--config", config, "--file", f"{build}/hv/tessera.elf32:tessera",
                    "--file", f"{ROOT}/build/deps/vmlinuz:vmlinuz", "--file", f"{build}/host.img:host.img"], check=True)
    try:
        with Machine(start=disk, smp=2, mem=1024, cpu=CPU, name="x2apic-firmware") as m:
            m.wait_ready()
            assert m.run("nproc").strip() == "2"
            attack.load(m)
            for cpu in range(2):
                assert order(m, "rdmsr", APIC_BASE, cpu=cpu).value & 0xC00 == 0x800, f"CPU {cpu} is in another mode"
            m.power_off()
    finally:
        os.unlink(disk)
