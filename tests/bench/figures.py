#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Figures of a build, counted rather than timed where that can be: prints a table.

  tests/bench/figures.py [lines] [io]

lines	source lines of the hypervisor
io	exits, hypercalls, invalidations and copied pages for each 4 KiB read or written by a guest, at queue depth 1 and 32; a guest's boot in seconds

Instructions, of boots as well, are what `make bench` and `make bench-scaling` count.

Needs `make all`. Exits and hypercalls are slopes: the difference of two runs of fio of different length, so that fio's own start and
what it prints count for nothing; the guest's timer ticks and the daemon's wake-ups are in them. Wall-clock rates of an emulated
machine say nothing and are not shown.
"""

import argparse
import glob
import os
import sys
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


def main():
    parser = argparse.ArgumentParser(description="figures of a build", epilog="see the head of this file")
    parser.add_argument("parts", nargs="*", help="lines, io; both if none is named")
    parser.add_argument("--variant", default="default", help="release leaves the oracle out")
    args = parser.parse_args()
    parts = args.parts or ["lines", "io"]
    if set(parts) - {"lines", "io"}:
        parser.error("parts are lines and io")
    print(f"figures of the {args.variant} build")
    if "lines" in parts:
        lines()
    if "io" in parts:
        io(args.variant)


main()
