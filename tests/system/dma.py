# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Devices as attackers: the QEMU devices, the frames they are aimed at, and orders to host_attack's part for them.

No device's word is taken for what it did: what counts is the machine's memory, and the disks' files, both read from outside.
"""

import os
import random

from attack import info, order
from machine import ROOT

PAGE = 4096
SECTOR = 512
DISK_SIZE = 1 << 20
EDU = "edu,dma_mask=0xffffffffffffffff"
# By the name of the disk in the host; "bypass" is virtio as QEMU makes it unless told otherwise: past the IOMMU.
DISKS = {"nvme": "nvme0n1", "ahci": "sda", "virtio": "vda", "bypass": "vdb"}


class Disk:
    """A disk's file, filled with noise."""

    def __init__(self, kind, name):
        self.kind = kind
        self.path = os.path.join(ROOT, f"build/dma-{name}-{kind}.img")
        with open(self.path, "wb") as f:
            f.write(random.Random(kind).randbytes(DISK_SIZE))

    def read(self, sector, size):
        with open(self.path, "rb") as f:
            f.seek(sector * SECTOR)
            return f.read(size)


def attackers(name, iommu, bridge=False):
    """QEMU's arguments for one device of each kind, and their disks; behind a bridge each if asked for."""
    disks = [Disk(kind, name) for kind in DISKS if kind != "bypass" or iommu]
    args, ports = [], 0

    def where():
        nonlocal ports, args
        if not bridge:
            return ""
        ports += 1
        args += ["-device", f"pcie-root-port,id=port{ports},chassis={ports},slot={ports}"]
        return f",bus=port{ports}"

    args += ["-device", EDU + where()]
    for disk in disks:
        args += ["-drive", f"if=none,id={disk.kind},file={disk.path},format=raw,cache=writeback"]
        if disk.kind == "nvme":
            args += ["-device", "nvme,drive=nvme,serial=tsr" + where()]
        elif disk.kind == "ahci":
            args += ["-device", "ahci,id=sata" + where(), "-device", "ide-hd,drive=ahci,bus=sata.0"]
        else:
            on = ",disable-legacy=on,iommu_platform=on" if iommu and disk.kind == "virtio" else ""
            args += ["-device", f"virtio-blk-pci,drive={disk.kind}{on}" + where()]
    return args, disks


class Edu:
    """The edu device as an attacker."""

    kind, size = "edu", 512

    def read(self, m, address):
        """What the device gets when it reads there; its own filling where nothing came."""
        return bytes.fromhex(order(m, "eduread", 0, address, self.size).text.strip())

    def write(self, m, address, pattern):
        """Has the device write there."""
        order(m, "eduwrite", 0, address, self.size, int.from_bytes(pattern[:8], "little"))


class DiskAttacker:
    """A disk's controller as an attacker."""

    size = PAGE

    def __init__(self, disk):
        self.disk, self.kind, self.next = disk, disk.kind, 0
        self.number = self.late_sector = None

    def order(self, m, op, address, write, pattern=None):
        """Has the controller move a page to or from the next place of the disk, which is returned; the pattern is laid there first."""
        sector, self.next = self.next, self.next + PAGE // SECTOR
        if not self.number:
            self.number = [int(x) for x in m.run(f"cat /sys/block/{DISKS[self.kind]}/dev").split(":")]
        if pattern:
            with open(self.disk.path, "r+b") as f:
                f.seek(sector * SECTOR)
                f.write(pattern * (self.size // len(pattern)))
        order(m, op, *self.number, sector, address, self.size, write)
        return sector

    def read(self, m, address):
        """What comes to the disk when the controller fetches from there."""
        return self.disk.read(self.order(m, "disk", address, 1), self.size)

    def write(self, m, address, pattern):
        """Has the controller store the pattern there, which is laid on its disk first."""
        self.order(m, "disk", address, 0, pattern)

    def start_read(self, m, address):
        """The same as read(), without waiting; late() tells what came."""
        self.late_sector = self.order(m, "diskstart", address, 1)

    def late(self):
        return self.disk.read(self.late_sector, self.size)

    def start_write(self, m, address, pattern):
        """The same as write(), without waiting."""
        self.order(m, "diskstart", address, 0, pattern)


def passes(m, attacker, full, empty):
    """Which of a read and a write of hidden memory came through, by what is in memory and on the disk."""
    secret = m.peek(full, attacker.size)
    got = attacker.read(m, full)
    assert m.peek(full, attacker.size) == secret, "the frame changed by itself"
    pattern = (b"hit by " + attacker.kind.encode()).ljust(16, b"!")[:8] * 2
    attacker.write(m, empty, pattern)
    hit = m.peek(empty, PAGE)
    if hit.strip(b"\0"):
        attacker.write(m, empty, bytes(16))
    assert not m.peek(empty, PAGE).strip(b"\0"), "what the attack wrote could not be taken back"
    assert hit in (bytes(PAGE), (pattern * 256)[:attacker.size].ljust(PAGE, b"\0")), "something else was written"
    return got == secret, bool(hit.strip(b"\0")), any(word in got for word in words(secret))


def words(secret):
    """Pieces of a frame by which a part of it would be known again."""
    return [secret[at:at + 16] for at in range(0, len(secret), 16) if len(set(secret[at:at + 16])) > 2]


def own_page(m):
    """A page of the host's own."""
    return int(m.run("grep -m1 'System RAM' /proc/iomem | cut -d- -f1"), 16) + 0x10000


def own_memory(m, attacker):
    """The same on a page of the host's: the attacker can do what it is asked to."""
    page = own_page(m)
    was = m.peek(page, attacker.size)
    return attacker.read(m, page) == was


def hypervisor_targets(m):
    """A frame of the hypervisor's that holds something, the same whenever it is looked at, and one that holds nothing."""
    now = info(m)
    base, size = now["hv_base_pfn"] * PAGE, now["hv_pages"] * PAGE
    return pick(base, m.peek(base, size), m.peek(base, size))


def guest_targets(m, runs):
    """The same of a guest, whose frames are in these runs."""
    first, end = max(runs, key=lambda run: run[1] - run[0])
    data = m.peek(first * PAGE, (end - first) * PAGE)
    return pick(first * PAGE, data, m.peek(first * PAGE, (end - first) * PAGE))


# By vendor: the unit's registers; which of them lead to memory, by name.
UNITS = {"amd": (0xFED80000, {"device table": 0x00, "commands": 0x08, "events": 0x10}),
         "intel": (0xFED90000, {"root table": 0x20, "commands": 0x90})}
TABLE = 0x000FFFFFFFFFF000


def unit_memory(m, iommu):
    """The frames that the unit itself reads and writes, found as it finds them: {name: address}; "unused" is a table of 4 KiB leaves that no
    entry names yet."""
    def word(address):
        return int.from_bytes(m.peek(address, 8), "little")

    base, registers = UNITS[iommu]
    frames = {name: word(base + at) & TABLE for name, at in registers.items()}
    if iommu == "amd":
        entry = word(frames["device table"])
        levels = entry >> 9 & 7
    else:
        frames["context table"] = word(frames["root table"]) & TABLE
        entry = word(frames["context table"])
        levels = (word(frames["context table"] + 8) & 7) + 2
    for level in range(levels, 1, -1):
        frames[f"table {level}"] = entry & TABLE
        entry = word(entry & TABLE)
    # The tables of leaves lie in a row, one for each 2 MiB, whether they are used or not.
    slots = [word(frames["table 2"] + 8 * n) for n in range(512)]
    used = [bool(slot >> 9 & 7 if iommu == "amd" else slot and not slot & 0x80) for slot in slots]
    frames["leaves"] = slots[used.index(True)] & TABLE
    unused = max(n for n in range(512) if slots[n] and not used[n])
    frames["unused"] = frames["leaves"] + (unused - used.index(True)) * PAGE
    return frames


def pick(base, data, again):
    full = [n for n in range(0, len(data), PAGE) if len(set(data[n:n + 64])) > 8 and data[n:n + PAGE] == again[n:n + PAGE]]
    best = start = length = 0
    for n in range(0, len(data), PAGE):
        if data[n:n + PAGE].strip(b"\0"):
            start = n + PAGE
        elif n - start >= length:
            length, best = n - start, (start + n) // 2
    assert full and length >= 8 * PAGE, (hex(base), len(full), length)
    return base + full[0], base + best // PAGE * PAGE
