# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The host's kernel against a running guest's memory (THREAT-1)."""

import random

import attack
from attack import refused
from guest import shared

MACHINE = dict(smp=2, mem=2048, media=True)


def guest_frames(m):
    """The guests' frames, as the host finds them by trying: runs, without the hypervisor's own."""
    now = attack.info(m)
    hv = range(now["hv_base_pfn"], now["hv_base_pfn"] + now["hv_pages"])
    runs = [(first, end) for first, end in attack.hidden(m) if first not in hv]
    return runs, now


def test_every_frame_is_hidden(m):
    """the host's kernel can read no frame of a running guest, tables included, and each try is counted"""
    attack.load(m)
    shared(m)
    runs, now = guest_frames(m)
    hidden = sum(end - first for first, end in runs)
    assert now["census.guests"] >= 320 * 256, now["census.guests"]
    # Pages that the guest granted are shown at window pages, and the host's own of those are set aside: as many either way.
    assert hidden == now["census.guests"] + now["census.tables"], (hidden, now)


def test_attacks(m):
    """each read, write, exchange, fetch and table walk of a guest's frames faults and is counted, and the guest goes on"""
    attack.load(m)
    guest = shared(m)
    runs, _ = guest_frames(m)
    before = guest.run("sha256sum /bin/busybox /lib/modules/*/extra/*.ko").splitlines()
    pick = random.Random(7)
    frames = [pick.randrange(*runs[pick.randrange(len(runs))]) for _ in range(20)] + [runs[0][0], runs[-1][1] - 1]
    for frame in frames:
        at = frame << 12
        refused(m, "faults_memory", "read", at + 8 * pick.randrange(512), 1)
        refused(m, "faults_memory", "write", at + 8 * pick.randrange(512), 1, 0x6A6A6A6A6A6A6A6A)
        refused(m, "faults_memory", "xchg", at + 8 * pick.randrange(512), 1, 0x6A6A6A6A6A6A6A6A)
        refused(m, "faults_memory", "exec", at + pick.randrange(4096), 2)
        refused(m, "faults_memory", "walk", at, 2)
    assert len(frames) == 22
    assert guest.run("sha256sum /bin/busybox /lib/modules/*/extra/*.ko").splitlines() == before
    assert guest.show()["state"] == "running"
