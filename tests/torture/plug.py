# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Four guests with two disks each under load that verifies what it wrote, while disks and guests come and go (tests/system/fleet.py). A piece is one
machine from its start until all guests are gone, and 27 rounds on it.

	make torture T=plug
"""

import random

from fleet import Amiss, Fleet, NEVER, REGION, RUN
from machine import Machine
from torture import segment

# Of each piece, in an order of its own. Guests that come anew cost the most.
DECK = ["detach"] * 4 + ["kill"] * 4 + ["unbind"] * 5 + ["replug"] * 5 + ["renew"] * 4 + ["exchange"] * 2 + ["same"] * 2 + ["other"]


def machine(run):
    """Every other one has a unit: what is strict is mapped there, and copied elsewhere (TOK-16)."""
    unit = dict(iommu="amd", hv="") if run.piece % 2 else {}
    return Machine(variant=run.variant, name=run.log, smp=2, mem=2048, **unit)


def amiss(what, look):
    try:
        look()
    except Amiss as found:
        return str(found)
    raise AssertionError(f"not noticed: {what}")


def controls(run):
    """Each thing that the checks are to notice is done behind their back."""
    with machine(run) as m:
        m.wait_ready()
        fleet = Fleet(m, run.count, members=1, settles=10)
        fleet.start()
        fleet.settle()
        guest, (disk, other) = fleet.alive[0], fleet.alive[0].disks
        m.run("tessera guest run --name leak --memory 4M --raw /guests/spin.bin")
        found = amiss("a guest more", fleet.expect)
        assert all(f"{what} is" in found for what in ("host", "guests", "tables", "numbers", "references", "threads")), found
        m.run("tessera guest destroy leak")
        fleet.settle()
        guest.leave(other)
        other.served = True
        found = amiss("windows and tokens less", fleet.expect)
        assert all(f"{what} is" in found for what in ("windows", "displaced", "numbers", "token", "daemons", "references")), found
        guest.serve(other)
        guest.wait(other, "attached")
        fleet.settle()
        guest.run(f"dd if=/dev/urandom of={other.device} bs=4k seek={REGION >> 12} count=1024 oflag=direct; plug beyond {other.number} {NEVER * RUN}", 400)
        assert "neither flushed nor newer" in amiss("somebody else's blocks", lambda: guest.look(False))
        guest.load(other)
        guest.rest(disk)
        amiss("operations that were never made", lambda: guest.check(disk, disk.flushed + NEVER))
        guest.load(disk)
        guest.leave(disk)
        m.run(f"cp {disk.image} /tmp/earlier")
        fleet.another(guest, disk)
        guest.hurry(disk)
        guest.plug("beyond", disk.number, disk.flushed + 100)
        found = amiss("an earlier state of the disk", lambda: fleet.same(guest, disk, random.Random(0), lambda: m.run(f"mv /tmp/earlier {disk.image}")))
        assert "neither flushed nor newer" in found, found
    return "seen: a guest more, windows and tokens less, blocks of somebody else's, operations never made, an image put back"


@segment("plug", "HC-16 HOST-5 BLK-10 BLK-11 STORE-2", tries=200, control=controls)
def plug(run):
    """four guests with two disks each under load while disks and guests come and go: the census is exact after each round, contents are what was written"""
    chance = random.Random(f"plug {run.piece}")
    deck = chance.sample(DECK, min(len(DECK), run.left))
    with machine(run) as m:
        m.wait_ready()
        fleet = Fleet(m, run.count)
        fleet.start()
        fleet.settle()
        for number, what in enumerate(deck, 1):
            fleet.round(what, chance)
            run.say(f"{number} of {len(deck)}: {what}")
        fleet.end()
    return len(deck)
