#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Figures of a build, counted rather than timed where that can be: prints a table.

  tests/bench/figures.py [lines] [io] [boot]

lines	source lines of the hypervisor
io	exits, hypercalls, invalidations and copied pages for each 4 KiB read or written by a guest, at queue depth 1 and 32; a guest's boot in seconds
boot	instructions of the host's boot on one CPU, with and without the hypervisor, counted by the emulator

Needs `make all`. Exits and hypercalls are slopes: the difference of two runs of fio of different length, so that fio's own start and
what it prints count for nothing; the guest's timer ticks and the daemon's wake-ups are in them. Wall-clock rates of an emulated
machine say nothing and are not shown.
"""

import argparse
import glob
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))
sys.dont_write_bytecode = True

from direct import COPIED, DIRECT, costs, disks, raw  # noqa: E402
from guest import fio_guest  # noqa: E402
from machine import Machine  # noqa: E402

REQUESTS = 1024
COUNTED = ("exits_host", "exits_guest", "hypercalls_host", "hypercalls_guest", "doorbells", "events_raised", "shootdowns",
           "iotlb_flushes") + COPIED + DIRECT


def lines():
    total = 0
    for path in glob.glob(os.path.join(ROOT, "hv/**/*"), recursive=True):
        if path.endswith((".c", ".h", ".S")):
            with open(path, encoding="utf-8") as f:
                total += sum(1 for _ in f)
    print(f"lines of the hypervisor (C, headers, assembly): {total}")


def io(variant):
    with Machine(smp=2, mem=2048, media=True, variant=variant, hv="messages=open", iommu="amd", devices=disks(), name="figures-io") as m:
        m.wait_ready()
        m.run("modprobe tessera_host")
        start = time.monotonic()
        with fio_guest(m, disk=raw(m, "tsr-nvme")) as guest:
            print(f"a guest's boot, from `tessera guest run` to its first command (62 MB of initramfs): {time.monotonic() - start:.1f} s")
            guest.ready_disk()
            print(f"for each 4 KiB request through an NVMe disk behind AMD-Vi ({REQUESTS} of them):")
            print("  " + "".ljust(22) + "".join(name.rjust(18) for name in COUNTED))
            for mode, depth, each in costs(guest, REQUESTS):
                print("  " + f"{mode}, depth {depth}".ljust(22) + "".join(f"{each[name]:18.2f}" for name in COUNTED), flush=True)


def boot_once(variant, hv, plugin, top):
    out = os.path.join(top, "count")
    with Machine(smp=1, mem=1024, hv=hv, variant=variant, name="figures-boot", cmdline="nokaslr", accel="tcg,thread=single",
                 devices=["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1",
                          "-plugin", f"file={plugin},out={out}"]) as m:
        m.wait_ready(limit=900)
        # Ended at once, since what a waiting host does is not its boot; in order, since the plugin writes at the end.
        m.qmp.command("quit")
        m.process.wait(60)
    with open(out, encoding="ascii") as f:
        return int(f.read())


def boot(variant):
    with tempfile.TemporaryDirectory(prefix="tsr-") as top:
        plugin = os.path.join(top, "insns.so")
        subprocess.check_call(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, os.path.join(ROOT, "tests/bench/insns.c")])
        bare = boot_once(variant, None, plugin, top)
        contained = boot_once(variant, "iommu=off", plugin, top)
    print(f"instructions from reset to the host's first command, 1 CPU, 1 GiB: {bare / 1e6:.0f} million without the hypervisor, "
          f"{contained / 1e6:.0f} million with it ({(contained / bare - 1) * 100:+.1f} %)")


def main():
    parser = argparse.ArgumentParser(description="figures of a build", epilog="see the head of this file")
    parser.add_argument("parts", nargs="*", help="lines, io, boot; all of them if none is named")
    parser.add_argument("--variant", default="default", help="release leaves the oracle out")
    args = parser.parse_args()
    parts = args.parts or ["lines", "io", "boot"]
    if set(parts) - {"lines", "io", "boot"}:
        parser.error("parts are lines, io and boot")
    print(f"figures of the {args.variant} build")
    if "lines" in parts:
        lines()
    if "io" in parts:
        io(args.variant)
    if "boot" in parts:
        boot(args.variant)


main()
