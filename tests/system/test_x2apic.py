# SPDX-License-Identifier: BSD-2-Clause-Patent
"""x2APIC mode, which QEMU's emulation offers since version 9 (Debian 13 has 10). A Linux host in the container does not turn it on by itself: that takes
interrupt remapping, or a hypervisor that Linux knows."""

import os
import re
import subprocess

import attack
from attack import order
from machine import ROOT, Machine
from suite import Skip

APIC_BASE = 0x1B
CPU = "EPYC,+svm,+npt,+x2apic"


def offered():
    version = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if int(re.search(r"version (\d+)", version).group(1)) < 9:
        raise Skip("this QEMU emulates no x2APIC")


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
