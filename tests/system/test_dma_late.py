# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A device that was told to write to a window while a guest's page was there, and moves the data when it is there no more (DMA-3)."""

import json
import re

import attack
from guest import Guest
from machine import Machine

EARLY, LATE = 0x796C726145796C72, 0x6574614C6574614C
SIZE = 512
EDU = ["-device", "edu,dma_mask=0xffffffffffffffff"]
TRIES = 10


def words(value):
    return value.to_bytes(8, "little") * (SIZE // 8)


def find(m, runs, value):
    """The address of the one frame of these runs that begins with the value, repeated."""
    found = [first * 4096 + at.start() for first, end in runs
             for at in re.finditer(re.escape(words(value)), m.peek(first * 4096, (end - first) * 4096))]
    assert len(found) == 1 and found[0] % 4096 == 0, found
    return found[0]


def once(m, guest):
    """One try. None if the data moved too early; else (the guest's frame, the host's own) after the write."""
    tokens = [t for t in json.loads(m.run("tessera token list --json")) if t["state"] == "mapped"]
    pool = max(tokens, key=lambda t: t["pages"])
    # The last page of the pool: an idle guest does not use it.
    address = (pool["window_pfn"] + pool["pages"] - 1) * 4096
    attack.order(m, "eduwrite", 0, address, SIZE, EARLY)
    frame = find(m, [run for run in attack.hidden(m)], EARLY)
    # Once more, so that the unit has the translation now and not only some seconds ago.
    attack.order(m, "eduwrite", 0, address, SIZE, EARLY)
    backend = guest.show()["devices"][0]["backend"]
    text = m.run(f"echo edustart 0 {address:#x} {SIZE} {LATE:#x} >{attack.CMD}; kill -9 {backend}; "
                 f"while tessera token list --json | grep -q mapped; do :; done; echo edubusy 0 >{attack.CMD}; cat {attack.CMD}")
    busy = attack.Outcome(text).value
    m.run(f"until echo edubusy 0 >{attack.CMD} && grep -q value=0x0 {attack.CMD}; do usleep 10000; done")
    seen = m.peek(frame, SIZE), m.peek(address, SIZE)
    return seen if busy else None


def late(name, **options):
    with Machine(smp=2, mem=1024, hv="", iommu="amd", devices=EDU, name=name, **options) as m:
        m.wait_ready()
        attack.load(m)
        with Guest(m, disk="/run/disk.img", size="16M") as guest:
            guest.ready_disk()
            for _ in range(TRIES):
                seen = once(m, guest)
                if seen:
                    return seen
                m.run(f"timeout 200 sh -c 'until tessera disk attach g data {guest.disk} 2>/run/attach; do usleep 20000; done' || cat /run/attach")
                guest.run("D=/sys/bus/tessera/devices/tessera0; until grep -q attached $D/state; do usleep 100000; done")
    raise AssertionError(f"in {TRIES} tries the device was always done before the token was unmapped")


def test_late_dma():
    """what a device writes after a token was unmapped lands in the host's own page, although it had the guest's in its translations"""
    guests, own = late("dma-late")
    assert guests == words(EARLY), "the late write came to the guest's page"
    assert own == words(LATE), "the late write went nowhere: the test would not have seen it"


def test_late_dma_without_invalidation():
    """control: in a build that does not have the IOMMU forget, the same write hits the guest's page"""
    guests, _ = late("dma-late-noiotlb", hv_variant="noiotlb")
    assert guests == words(LATE)
