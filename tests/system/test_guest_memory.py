# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The host's kernel against a running guest's memory (THREAT-1)."""

import hashlib
import os
import random
import struct

import attack
from attack import order, refused
from guest import Guest, shared
from machine import ROOT, Machine

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


# What the guest keeps is the checksum's text, over and over, so that the host was never told it.
SEED = "what the host must not read"
PATTERN = hashlib.sha256(SEED.encode() + b"\n").hexdigest().encode()
COPIES = 16384


def search(m, guest):
    """The host's kernel looks for the guest's pattern in all RAM: frames it could not read, copies it found."""
    guest.run(f"p=$(echo {SEED} | sha256sum | cut -c1-64); yes $p | tr -d '\\n' | head -c {COPIES * len(PATTERN)} >/tmp/pattern")
    assert guest.run("wc -c </tmp/pattern").strip() == str(COPIES * len(PATTERN))
    runs, _, found = attack.everywhere(m, "find", ~int.from_bytes(PATTERN[:8], "little") & 0xFFFFFFFFFFFFFFFF)
    return sum(end - first for first, end in runs), found


def test_pattern_is_not_found(m):
    """the host's kernel, searching all RAM, finds nothing of 16,384 copies of a pattern that a guest holds"""
    attack.load(m)
    hidden, found = search(m, shared(m))
    assert hidden > 0 and found == 0, (hidden, found)


def hypervisor_code():
    """Some of what the hypervisor's file puts at fixed places: {address: 8 bytes as a number}."""
    with open(os.path.join(ROOT, "build/noprotect/hv/tessera.elf32"), "rb") as f:
        elf = f.read()
    offset, = struct.unpack_from("<I", elf, 28)
    kind, at, _, where, size = struct.unpack_from("<5I", elf, offset)
    assert kind == 1 and size > 8192
    return {where + n: struct.unpack_from("<Q", elf, at + n)[0] for n in range(4096, 8192, 256)}


def test_readable_without_protection():
    """control: in a build that leaves all memory in the host's table, the same tries read the hypervisor and the guest; programs make hypercalls [HC-2]"""
    with Machine(smp=2, mem=1024, hv_variant="noprotect", name="noprotect") as m:
        m.wait_ready()
        attack.load(m)
        for address, value in hypervisor_code().items():
            done = order(m, "read", address, 1)
            assert done.faults == 0 and done.value == value, f"{address:#x}: {done.words}, expected {value:#x}"
        before = attack.info(m)["hypercalls_host"]
        assert "vmmcall tries=50 sigill=0 sigsegv=0" in m.run("host_ring3 50")
        assert attack.info(m)["hypercalls_host"] - before >= 50
        with Guest(m) as guest:
            hidden, found = search(m, guest)
            assert hidden == 0 and found >= COPIES, (hidden, found)
