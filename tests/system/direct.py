# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Disks whose DMA goes straight to guests' pages, and what 4 KiB through one of them cost, counted rather than timed."""

import os

import attack
from machine import ROOT

# Each disk begins with the contents of a file that is there anyway; what is written goes to a temporary file of QEMU's.
DISK = "if=none,id={},format=raw,snapshot=on,file=" + os.path.join(ROOT, "build/default/media.ext4")
MIB = 12  # of a guest's disk that is used
COPIED, DIRECT = ("copied_in", "copied_out"), ("direct_in", "direct_out")  # pages, as the host's daemon counts them
SHORT = 64


def disks():
    args = []
    for name in ("znvme", "zahci", "zvirtio"):
        args += ["-drive", DISK.format(name)]
    return args + ["-device", "nvme,drive=znvme,serial=tsr-nvme", "-device", "ide-hd,drive=zahci,bus=ide.0,serial=tsr-ahci",
                   "-device", "virtio-blk-pci,drive=zvirtio,serial=tsr-virtio,disable-legacy=on,iommu_platform=on"]


def device(m, serial):
    """The disk that has this serial number, waiting until it is there."""
    return m.run("for n in 1 2 3 4 5 6 7 8 9 10; do for d in /sys/block/*; do for s in $d/serial $d/device/serial $d/device/vpd_pg80; do "
                 f"grep -qsa {serial} $s && basename $d && exit 0; done; done; usleep 500000; done; exit 1").strip()


def io(guest):
    return guest.show()["devices"][0]["io"]


def raw(m, serial, size="64M"):
    path = "/dev/" + device(m, serial)
    m.run(f"tessera image create {path} --size {size}")
    return path


def measure(guest, mode, depth, requests):
    before, moved = attack.info(guest.m), io(guest)
    guest.run(f"fio --name=f --filename=/dev/tsr0 --direct=1 --rw={mode} --bs=4k --size={MIB}M --io_size={requests * 4}k "
              f"--ioengine=libaio --iodepth={depth} --randrepeat=1 >/dev/null", 600)
    after, now = attack.info(guest.m), io(guest)
    counted = {name: after[name] - before[name] for name in after if isinstance(after[name], int)}
    counted.update({name: now[name] - moved[name] for name in COPIED + DIRECT})
    return counted


def costs(guest, requests):
    """Yields (mode, depth, {counter: how much of it a request of 4 KiB costs}), for a guest with fio whose disk is ready. Counted is the difference
    of two runs, the longer one of so many requests more: fio's own start and what it prints are in both."""
    guest.run(f"dd if=/dev/zero of=/dev/tsr0 bs=64k count={MIB * 16} oflag=direct")
    for mode in ("randread", "randwrite"):
        for depth in (1, 32):
            short, long = (measure(guest, mode, depth, n) for n in (SHORT, SHORT + requests))
            yield mode, depth, {name: (long[name] - short[name]) / requests for name in long}
