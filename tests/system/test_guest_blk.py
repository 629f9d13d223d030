# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The guest's block driver against a stand-in for bus and backend, on a bare kernel: tests/system/rootfs/guest/run.d/blk.sh."""

import os
import re

from machine import Machine, ROOT


def test_block_driver_and_a_backend_that_lies():
    """the guest's block driver keeps its promises against every lie of a backend, and over sessions"""
    image = os.path.join(ROOT, "build/default/guest.img")
    with Machine(smp=2, mem=1024, hv=None, initrd=image, cmdline="tsr.run=blk slub_debug=FZPU", console="console=ttyS0,115200 loglevel=4",
                 name="guest-blk") as m:
        _, why = m.console.wait("end of checks", 300, fatal=re.compile(rb"Kernel panic[^\n]*|run blk ended[^\n]*"))
        text = m.console.text.decode(errors="replace")
    failed = re.findall(r"^fail: .*$", text, re.M)
    passed = re.findall(r"^pass: .*$", text, re.M)
    assert not why, why
    assert not failed, "\n".join(failed)
    assert len(passed) > 80, f"only {len(passed)} checks were made"
