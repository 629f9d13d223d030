# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The power goes while a guest writes (STORE-1, STORE-2): of each block the old or the new pair is there, everything flushed is, and so are files
that were synced, on three file systems that their checkers find whole. The long form, in each mode and with lost writes, is tests/torture/block.py."""

import os

from machine import Machine, ROOT
from power import RUN, SECRET, Victim

TAKES_LONG = True


def test_power_cuts():
    """the machine is killed under load: each block is its old or new pair, all that was flushed is there, ext4, xfs and btrfs are whole"""
    disk = os.path.join(ROOT, "build/default/power-cut.img")
    options = dict(smp=2, mem=2048, media=True, hv=f"iommu=off root_secret={SECRET.hex()}", disks=[disk])
    with open(disk, "wb") as image:
        image.truncate(256 << 20)
    try:
        with Machine(name="power-cut", **options) as m:
            m.wait_ready()
            m.run("tessera image create /dev/vda --size 160M")
            guest = Victim(m, "/dev/vda").begin()
            guest.prepare()
            flushed, synced = guest.work(0, 30)
            m.stop()
        with Machine(name="power-cut-after", **options) as m:
            m.wait_ready()
            m.run("tessera image check /dev/vda")
            newer = Victim(m, "/dev/vda").begin().check(0, flushed, synced)
            print(f"flushed {[n % RUN for n in flushed]} operations, {newer} blocks are newer; files synced: {synced}")
            m.stop()
    finally:
        os.unlink(disk)
