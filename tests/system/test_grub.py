# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Started by GRUB from a disk, from BIOS and from UEFI, as on a real machine."""

import mmap
import os
import re

from machine import ROOT, Machine

DISK = os.path.join(ROOT, "build/default/grub.disk")


DUMP = os.path.join(ROOT, "build/grub-memory")


def no_text_left(m):
    """Looks through the machine's memory before its host has used any."""
    with open(os.path.join(ROOT, "tests/system/grub.cfg"), encoding="ascii") as f:
        secret = re.search("secret=([0-9a-f]{64})", f.read()).group(1)
    m.wait_for("WARNING: root_secret= was given")
    try:
        m.dump_memory(DUMP)
        m.qmp.command("cont")
        with open(DUMP, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            found = [hex(hit.start()) for hit in re.finditer(secret.encode(), memory)]
            assert memory.find(bytes.fromhex(secret)) >= 0, "the secret itself is to be in the hypervisor's memory"
        assert not found, f"the command line's text is at {found}"
    finally:
        if os.path.exists(DUMP):
            os.unlink(DUMP)


def started(m):
    no_text_left(m)
    m.wait_ready()
    assert int(m.run("nproc")) == 2
    assert "tsr.words=a b" in m.run("cat /proc/cmdline").replace('"', "")
    # The host has the screen that GRUB found.
    assert "fb0: VESA VGA frame buffer device" in m.run("dmesg")
    m.run("modprobe tessera_host && test -c /dev/tessera")
    return m.run("dmesg")


def test_bios():
    """GRUB starts the hypervisor from BIOS, and its command line is nowhere in the memory that the host sees [BOOT-1] [BOOT-6]"""
    with Machine(start=DISK, smp=2, mem=1024, devices=["-vga", "std"], name="grub-bios") as m:
        assert "DMI: QEMU" in started(m)
        m.power_off()


def test_uefi():
    """GRUB starts the hypervisor from UEFI, the same holds, and the host gets no way to the firmware's services [BOOT-1] [BOOT-6] [BOOT-7]"""
    with Machine(start=DISK, firmware="uefi", smp=2, mem=1024, iommu="amd", devices=["-vga", "std"], name="grub-uefi") as m:
        log = started(m)
        assert "efi: EFI" not in log and "DMI not present" in log, log
        m.run("! test -e /sys/firmware/efi")
        m.run("tessera guest run --name talks --memory 4M --raw /guests/hello.bin --load-address 0x100000 --entry 0x100000")
        assert "hello from a guest" in m.run("tessera console talks --follow 2>&1")
        m.power_off()
