# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The main job's test on each kind of storage: written by one guest, which is destroyed, and found whole by another (BLK-27, STORE-1)."""

from integrations import KINDS, SMALL, Storage, run

TAKES_LONG = True

# How data is moved to each: those that compute over what they send get a copy, those nothing is known of everything as a copy.
MODES = {"raw": "direct", "sparse": "direct", "partition": "direct", "nvme": "direct", "dm": "direct", "loop": "copy",
         "nbd": "bounce", "nvme-tcp": "bounce"}


def test_eight_kinds():
    """files whole and sparse, a partition, NVMe, device-mapper, loop, NBD and NVMe over TCP each keep a guest's files for the next guest"""
    with Storage("integrations") as storage:
        done = run(storage, SMALL)
    assert {kind: io["mode"] for kind, io in done.items()} == MODES
    for kind in KINDS:
        moved = done[kind]["direct_in"] if MODES[kind] == "direct" else done[kind]["copied_in"]
        assert moved > 500, (kind, done[kind])
