# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Pages that a guest has lent to the host and takes back: what devices do to them over the revoke, and frames to aim at after it."""

import json
import re

import attack
from dma import PAGE, own_page
from guest import Guest

LATE = b"too late"


class Pages:
    """The last pages of a guest's pool, which it does not use while idle: `window`, their addresses in the host while they are lent, and
    `frames`, those of the guest's memory. Each begins with a mark, and is zero otherwise."""

    def __init__(self, m, count):
        self.m = m
        self.guest = Guest(m, name="lender", disk="/run/lender.img", size="16M").start()
        self.guest.ready_disk()
        pool = max((t for t in self.tokens() if t["state"] == "mapped"), key=lambda t: t["pages"])
        end = (pool["window_pfn"] + pool["pages"]) * PAGE
        self.window = [end - (n + 1) * PAGE for n in range(count)]
        for n, address in enumerate(self.window):
            attack.order(m, "write", address, 1, int.from_bytes(self.mark(n), "little"))
        self.frames = []

    @staticmethod
    def mark(n):
        return b"lent%04d" % n

    def tokens(self):
        return json.loads(self.m.run("tessera token list --json"))

    def find(self, runs):
        """Finds the frames, which are in these runs of hidden ones."""
        found = {}
        for first, end in runs:
            data = self.m.peek(first * PAGE, (end - first) * PAGE)
            for at in re.finditer(rb"lent(\d{4})", data):
                if at.start() % PAGE == 0:
                    found.setdefault(int(at[1]), []).append(first * PAGE + at.start())
        assert sorted(found) == list(range(len(self.window))) and all(len(f) == 1 for f in found.values()), found
        self.frames = [found[n][0] for n in sorted(found)]
        for n, frame in enumerate(self.frames):
            assert self.m.peek(frame, PAGE) == self.mark(n).ljust(PAGE, b"\0"), "the guest uses this page"

    def revoke(self):
        """Has the guest take all back."""
        self.guest.detach()
        self.m.run("timeout 200 sh -c 'while tessera token list --json | grep -q slot; do :; done'")


def throttle(m, disk, bytes_per_second):
    said = m.qmp.human(f"block_set_io_throttle {disk.kind} {bytes_per_second} 0 0 0 0 0")
    assert not said, said


def over_revoke(m, disks, pages):
    """Has each disk take a request in each direction on a lent page, revokes, and only then lets the emulator's disks move data.
    Returns {kind: (whose frame the read of the disk came to, whose frame went to the disk)}, each "guest" or "host"."""
    for n, disk in enumerate(disks):
        throttle(m, disk, 1)
        # The first request passes, and uses up what is allowed for the next hour.
        disk.read(m, own_page(m))
        disk.start_write(m, pages.window[2 * n], LATE)
        disk.start_read(m, pages.window[2 * n + 1])
    many = 2 * len(disks)
    # Each answer takes a turn of the emulator's main loop, in which the devices look at their queues, too.
    for _ in range(20):
        m.qmp.command("query-status")
        assert attack.order(m, "diskbusy").value == many, "a request has ended early"
    pages.revoke()
    assert attack.order(m, "diskbusy").value == many, "a request has ended before the revoke did"
    for n in range(many):
        assert m.peek(pages.frames[n], PAGE) == pages.mark(n).ljust(PAGE, b"\0"), n
    hosts = [m.peek(pages.window[n], PAGE) for n in range(many)]
    for disk in disks:
        throttle(m, disk, 0)
    m.run(f"timeout 200 sh -c 'until echo diskbusy >{attack.CMD} && grep -q value=0x0 {attack.CMD}; do usleep 10000; done'")
    return {disk.kind: (landed(m, pages, 2 * n), taken(disk, pages, 2 * n + 1, hosts)) for n, disk in enumerate(disks)}


def landed(m, pages, n):
    late = LATE * (PAGE // len(LATE))
    there = {"guest": m.peek(pages.frames[n], PAGE) == late, "host": m.peek(pages.window[n], PAGE) == late}
    assert sum(there.values()) == 1, there
    return "guest" if there["guest"] else "host"


def taken(disk, pages, n, hosts):
    got = disk.late()
    assert hosts[n] != pages.mark(n).ljust(PAGE, b"\0")
    if got == pages.mark(n).ljust(PAGE, b"\0"):
        return "guest"
    assert got == hosts[n], got[:64]
    return "host"
