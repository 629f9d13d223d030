# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Four stock guests at once, each with two disks of its own, some of which go and come: the short form of tests/torture/plug.py."""

import collections
import random

from fleet import Amiss, COUNT, Fleet
from machine import Machine

ROUNDS = ("kill", "replug", "renew", "exchange", "same")


def test_four_guests():
    """four Debian guests run at once on 2 CPUs, with four identities, and verify what they write to two disks each, while disks and a guest go and come and two disks are exchanged: the census is exact each time (HC-16) (BLK-12)"""
    figures = collections.Counter()
    with Machine(smp=2, mem=2048, name="four-guests") as m:
        m.wait_ready()
        fleet = Fleet(m, lambda what, many: figures.update({what: many}))
        fleet.start()
        assert len({guest.identity for guest in fleet.alive}) == COUNT
        fleet.settle()
        for what in ROUNDS:
            fleet.round(what, random.Random(what))
        fleet.end()
        # Control: a guest that nobody knows of.
        m.run("tessera guest run --name leak --memory 4M --raw /guests/spin.bin")
        fleet.settles = 0
        try:
            fleet.expect()
        except Amiss:
            figures["leaks noticed"] += 1
    print(dict(figures))
    assert figures["leaks noticed"] == 1
