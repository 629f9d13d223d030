# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The race of revoke in its long form: the same page issued, mapped, used by a thread of the host's without pause, revoked, and issued again.

	make torture T=revoke
"""

from machine import THREADS, Machine
from test_revoke import check_ran, race
from torture import segment

ROUNDS = 1000  # of a piece


def without_acknowledgement(run):
    """A revoke that does not wait for the other processors."""
    with Machine(smp=2, mem=1024, hv_variant="noack", accel=THREADS, name=run.log + "-control") as m:
        m.wait_ready()
        told = race(m, 300)
    check_ran(told, 300)
    assert told["sighted"] > 0 and told["guest_changed"] > 0, told
    return f"without waiting for the other CPUs: {told['sighted']} sightings, {told['guest_changed']} changes in 300 rounds"


@segment("revoke", "TOK-9 SHOOT-1 SHOOT-2 THREAT-1", tries=10000, control=without_acknowledgement)
def revoke(run):
    """a page is revoked under a thread that uses it, holds secrets, and is issued again"""
    rounds = min(run.left, ROUNDS)
    with Machine(variant=run.variant, smp=2, mem=1024, accel=THREADS, name=run.log) as m:
        m.wait_ready()
        told = race(m, rounds)
    check_ran(told, rounds)
    assert told["sighted"] == 0 and told["guest_changed"] == 0, told
    run.count("accesses", told["accesses"])
    run.count("rounds that the host took part in", told["rounds"])
    return rounds
