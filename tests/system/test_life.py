# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Guests come and go, and leave nothing behind."""

import attack
from guest import Guest
from machine import Machine

MACHINE = dict(smp=2, mem=2048, media=True)
OWNERS = ("hypervisor", "host", "guests", "tables", "displaced", "windows")


def census(m):
    now = attack.info(m)
    return {owner: now[f"census.{owner}"] for owner in OWNERS}


def settled(m, wanted):
    """The census, once it is what is wanted or no longer comes nearer: what a back-end leaves is unpinned a moment later."""
    for _ in range(100):
        now = census(m)
        if now == wanted:
            break
    return now


def test_twenty_guests(m):
    """20 guests created and destroyed, two of them in the middle of their work: the census by owner is the same, no token lives"""
    attack.load(m)
    before, tokens = census(m), attack.info(m)["tokens"]
    made = 0
    for n in range(2):
        with Guest(m, name=f"full{n}", disk=f"/tmp/life{n}.img", size="16M") as guest:
            guest.ready_disk()
            guest.run("(dd if=/dev/urandom of=/dev/tsr0 bs=64k >/dev/null 2>&1 &)")
            assert attack.info(m)["tokens"] > tokens
        made += 1
        m.run(f"rm /tmp/life{n}.img")
    # In one line of shell: it is the host's commands that take the time.
    m.run("set -e; for n in $(seq 18); do tessera guest run --name tiny --memory 4M --raw /guests/hello.bin >/dev/null; "
          "tessera console tiny --follow >/run/hello; tessera guest destroy tiny >/dev/null; test -s /run/hello; done", limit=300)
    made += 18
    assert made == 20
    after = settled(m, before)
    assert after == before, (after, before)
    assert attack.info(m)["tokens"] == tokens


CORRUPT_A_LEAF = 240  # a hypercall that exists in one test build only


def test_no_such_call(m):
    """the hypercall that the next check uses is refused by this build"""
    attack.load(m)
    assert attack.order(m, "vmmcall", CORRUPT_A_LEAF).value == 2**64 - 1


def test_oracle_halts():
    """control: in a build with a hypercall that corrupts one leaf, the oracle notices and stops the machine"""
    with Machine(smp=2, mem=1024, hv_variant="badleaf", name="badleaf") as m:
        m.wait_ready()
        attack.load(m)
        m.agent.send(f"echo vmmcall {CORRUPT_A_LEAF} >{attack.CMD}\n".encode())
        m.wait_for(r"tessera: oracle: [^\n]*", fatal=None)
        m.wait_for(r"tessera: (?:stopped|halted)[^\n]*", fatal=None)
