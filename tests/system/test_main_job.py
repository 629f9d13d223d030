# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The main job, as `make run` tells it: a tree written to a sealed disk by one guest, read by another after the machine was off."""

import os
import subprocess
import sys

from machine import ROOT

LIMIT = 900
TAKES_LONG = True


def test_main_job():
    """make run: 80 MB in 10,000 files go onto a sealed disk, and after a restart of the machine all checksums are right"""
    with open(os.path.join(ROOT, "build/payload/tree.facts"), encoding="ascii") as f:
        files, size = map(int, f.read().split())
    assert files >= 10000 and size >= 80e6, (files, size)
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tests/system/run.py")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=LIMIT, check=False, text=True)
    assert done.returncode == 0, done.stdout
    assert f"verified: {files} of {files} files have the right checksum" in done.stdout, done.stdout
