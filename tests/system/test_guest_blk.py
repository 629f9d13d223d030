# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The guest's block driver against a stand-in for bus and backend, on a bare kernel: tests/system/rootfs/guest/run.d/blk*.sh."""

import os
import re

from machine import Machine, ROOT


def run(name, words="", smp=2, guest_variant="default"):
    """What a script found: the checks that passed. None may have failed."""
    image = os.path.join(ROOT, "build", guest_variant, "guest.img")
    with Machine(smp=smp, mem=1024, hv=None, initrd=image, cmdline=f"tsr.run={name} {words}", console="console=ttyS0,115200 loglevel=4",
                 name="guest-" + name.replace("_", "-")) as m:
        _, why = m.console.wait("end of checks", 300, fatal=re.compile(rb"Kernel panic[^\n]*|run [a-z_]+ ended[^\n]*"))
        text = m.console.text.decode(errors="replace")
    failed = re.findall(r"^fail: .*$", text, re.M)
    assert not why, why
    assert not failed, "\n".join(failed)
    return re.findall(r"^pass: (.*?)\r?$", text, re.M)


def test_block_driver_and_a_backend_that_lies():
    """the guest's block driver keeps its promises against every lie of a backend, and over sessions"""
    passed = run("blk", "slub_debug=FZPU")
    assert len(passed) > 80, f"only {len(passed)} checks were made"


def test_checks_left_out():
    """control: with one of its checks left out the driver reads what it must not, or falls: a lie of the backend for each"""
    for crash in ("sent", "tail"):
        passed = run("blk_left_out", f"tsr.crash={crash}", smp=1, guest_variant="unchecked")
        assert sum("control" in text for text in passed) == 6, passed
