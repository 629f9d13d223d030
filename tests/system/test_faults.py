# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Media that fail under a sealed disk: the short form of tests/torture/faults.py."""

import faulty

MACHINE = dict(smp=2, mem=2048, media=True)


def test_disk_full(m):
    """the image's file system is full: the guest gets ENOSPC, keeps what it had, and goes on when there is room [BLK-36]"""
    faulty.disk_full(m)


def test_failing_writes(m):
    """every write of the medium fails: each block is one of the guest's versions or an error, and a new back-end serves them [STORE-5]"""
    faulty.failing_medium(m, "failing")
