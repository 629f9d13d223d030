# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The revoke race (THREAT-1): a thread of the host's reads and writes a mapped page without pause while the guest revokes it and
then puts secrets there."""

import re

from guest import Guest
from machine import THREADS, Machine

# The two sides have to run at the same time, not by turns.
MACHINE = dict(smp=2, mem=2048, media=True, accel=THREADS)


def race(m, rounds, name="race"):
    """Runs the race; returns what the guest and the host's thread have counted."""
    guest = Guest(m, name=name, run="revoke", words=f"guest_revoke.rounds={rounds}")
    guest.options += ["--disk", "data"]
    with guest:
        # The guest's virtual CPU keeps off the thread's CPU, or each would wait for the other.
        m.run(f"taskset -p 1 $(ps | sed -n 's|^ *\\([0-9]*\\) .*\\[tsr{guest.info['guest']}/0\\]$|\\1|p')")
        # Ends when the guest does.
        text = m.run(f"host_racer {guest.info['guest']} 1", limit=600)
        console = guest.console()
    told = dict(word.split("=") for word in re.search(r"revoke: (error=.*)", console).group(1).split())
    told = {f"guest_{name}": int(value) for name, value in told.items()}
    told.update({name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", text)})
    return told


def check_ran(told, rounds):
    """The race was one: every round took place, with enough accesses before each revoke."""
    assert told["guest_error"] == 0 and told["guest_rounds"] == rounds, told
    # A token that the host's program is too slow for is overtaken by the next one.
    assert told["rounds"] >= 0.5 * rounds, told
    assert told["guest_accesses"] >= 1000 * rounds, told
    assert told["own"] > 0, told


def test_nothing_after_revoke(m):
    """1,000 revokes of a page that a thread on another CPU uses, 10^6 accesses before: nothing is seen, nothing changed after"""
    told = race(m, 1000)
    print(told)
    check_ran(told, 1000)
    assert told["rounds"] == 1000 and told["accesses"] >= max(10**6, 2 * told["guest_accesses"]), told
    assert told["sighted"] == 0 and told["guest_changed"] == 0, told


def test_seen_without_acknowledgement():
    """control: in a build whose revoke does not wait for the other CPUs, the same race sees secrets or changes them"""
    with Machine(smp=2, mem=1024, hv_variant="noack", accel=THREADS, name="noack") as m:
        m.wait_ready()
        told = race(m, 300)
    print(told)
    check_ran(told, 300)
    assert told["sighted"] > 0 and told["guest_changed"] > 0, told
