# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A hostile kernel that changes things while the hypervisor looks at them, on processors that run at the same time."""

import attack
from attack import order
from machine import THREADS
from test_hostile import counts
from test_revoke import check_ran, race

MACHINE = dict(smp=2, mem=2048, media=True, accel=THREADS)
APIC_ID, APIC_ESR = 0x20, 0x280


def test_code_changed_under_the_decoder(m):
    """stores to the local APIC by an instruction that another CPU keeps changing: the identifier stays, others are done or refused [GUARD-3] [MEM-5]"""
    attack.load(m)
    was = order(m, "mmread", 0xFEE00000 + APIC_ID, cpu=1).value
    done = order(m, "apicrace", 2000, 0, APIC_ID, cpu=1)
    assert done.tries == done.gp == 2000, done.words + done.text
    assert order(m, "mmread", 0xFEE00000 + APIC_ID, cpu=1).value == was
    # The same stores to a register that may be written: the listed forms come through, the others do not.
    done = order(m, "apicrace", 2000, 0, APIC_ESR, cpu=1)
    assert done.tries == done.gp + counts(done)["done"] == 2000 and done.gp and counts(done)["done"], done.words + done.text


def test_revoke_in_a_storm_of_nmis(m):
    """300 revokes of a page in use while each CPU gets one NMI after the other: nothing is seen or changed after, and the NMIs are the host's [GUARD-4] [TOK-9]"""
    attack.load(m)
    order(m, "nmistorm", 2)
    try:
        told = race(m, 300, name="storm")
    finally:
        stopped = order(m, "nmistorm", 0)
    taken = int(stopped.text)
    check_ran(told, 300)
    assert told["sighted"] == 0 and told["guest_changed"] == 0, told
    assert stopped.value > 1000 and taken > 100, (stopped.value, taken)
