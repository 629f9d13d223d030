# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A hostile kernel that makes hypercalls itself, while a guest works (THREAT-1, THREAT-3, EVT). What single forbidden accesses come to is in
test_attack.py, what comes of races in test_races.py."""

import contextlib
import re

import attack
from attack import order
from guest import shared
from test_guest_memory import guest_frames
from test_life import census

MACHINE = dict(smp=2, mem=2048, media=True)
PIN = "for t in /proc/[0-9]*/task/*; do taskset -p {} ${{t##*/}} >/dev/null 2>&1; done; taskset -p {} $PPID >/dev/null"


@contextlib.contextmanager
def mailbox(m):
    """CPU 1's mailbox is the attack's, and everybody else keeps to CPU 0."""
    attack.load(m)
    m.run(PIN.format(1, 1))
    assert order(m, "mailbox", cpu=1).value == 0
    try:
        yield
    finally:
        if m.alive:
            m.run("echo 0 >/sys/devices/system/cpu/cpu1/online && echo 1 >/sys/devices/system/cpu/cpu1/online")
            m.run(PIN.format(3, 3))


def counts(outcome):
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", outcome.text)}


def bystander(m):
    """A guest with a disk, on which there is a known file, and what is to be the same afterwards."""
    guest = shared(m)
    guest.ready_disk()
    guest.run("dd if=/dev/urandom of=/tmp/known bs=64k count=16 2>/dev/null; dd if=/tmp/known of=/dev/tsr0 bs=64k count=16 oflag=direct conv=fsync")
    return guest


def check_well(m, guest, before):
    assert guest.run("dd if=/dev/tsr0 bs=64k count=16 iflag=direct 2>/dev/null | cmp - /tmp/known; echo $?").strip() == "0"
    assert guest.counters()["integrity_errors"] == before["errors"]
    assert census(m) == before["census"], (census(m), before)
    assert sorted((t["slot"], t["generation"]) for t in guest.tokens()) == before["tokens"]


def state(m, guest):
    return dict(errors=guest.counters()["integrity_errors"], census=census(m),
                tokens=sorted((t["slot"], t["generation"]) for t in guest.tokens()))


def hostile_frames(m):
    """Frames that are the hypervisor's, a guest's, devices', and nobody's."""
    runs, now = guest_frames(m)
    return [now["hv_base_pfn"], now["hv_base_pfn"] + now["hv_pages"] - 1, runs[0][0], runs[-1][1] - 1, 0xFEE00, 1 << 40]


def edges(m, guest, tries, seed):
    """Calls with arguments at their edges; returns how many were done and refused."""
    number = guest.show()["guest"]
    done = order(m, "edges", tries, seed, number, *hostile_frames(m), cpu=1)
    assert done.value == 0, f"{done.value} calls answered with no error of the table"
    return counts(done)


def test_calls_at_the_edges(m):
    """8,000 hypercalls with arguments and fields at their edges: each is answered as the table says, and a guest beside works on [HC-4] [HC-5] [HC-10]"""
    guest = bystander(m)
    attack.load(m)
    before = state(m, guest)
    with mailbox(m):
        told = edges(m, guest, 8000, 20260727)
    assert told["refused"] > 4000 and told["done"] > 20, told
    after = state(m, guest)
    # It may have registered window pages of its own, which is its right.
    before["census"]["windows"] = after["census"]["windows"]
    check_well(m, guest, before)


def test_guessed_tokens(m):
    """1,000 calls with the slot and generation of a guest's live tokens and a guessed random half are refused [TOK-7]"""
    guest = bystander(m)
    attack.load(m)
    before = state(m, guest)
    with mailbox(m):
        done = order(m, "guess", 1000, 20260728, cpu=1)
    assert done.value == 0 and counts(done)["live"] >= 3 and counts(done)["refused"] == 1000, done.words + done.text
    check_well(m, guest, before)


def test_run_on_two_processors(m):
    """a virtual CPU that one processor runs is refused to another, 500 times, and can be destroyed after [RUN-1] [RUN-4]"""
    attack.load(m)
    m.run("tessera guest run --name twice --memory 4M --raw /guests/spin.bin")
    before = attack.info(m)["census.guests"]
    number = m.run("tessera guest show twice --json | sed -n 's/.*\"guest\": *\\([0-9]*\\).*/\\1/p'").strip()
    # Its thread on the first processor, the attack on the second: on one, they would only take turns.
    m.run(f"taskset -p 1 $(grep -l '^tsr{number}/0$' /proc/[0-9]*/comm | cut -d/ -f3)")
    with mailbox(m):
        done = order(m, "twice", int(number), 500, cpu=1)
        told = counts(done)
        assert done.value == 0 and told["ran"] + told["busy"] == 500 and told["busy"], told
        m.run("tessera guest destroy twice")
    assert attack.info(m)["census.guests"] == before - 1024


def test_event_storm(m):
    """30,000 forged events of all numbers: the guest's disk works on, and its kernel has nothing to say of it [EVT-1] [EVT-2]"""
    guest = bystander(m)
    attack.load(m)
    guest.run("dmesg -c >/dev/null")
    before, raised = state(m, guest), attack.info(m)["events_raised"]
    guest.run("(while [ ! -e /tmp/calm ]; do dd if=/dev/tsr0 bs=64k count=16 iflag=direct 2>/dev/null | cmp - /tmp/known || echo bad; "
              "echo round; done >/tmp/storm 2>&1; touch /tmp/over) &")
    for _ in range(5):
        done = order(m, "events", guest.show()["guest"], 6000)
        assert done.tries == 6000 and done.value == 0
    rounds = guest.run("until [ $(grep -c round /tmp/storm) -gt 3 ]; do usleep 50000; done; touch /tmp/calm; until [ -e /tmp/over ]; do usleep 50000; done; "
                       "cat /tmp/storm; rm /tmp/calm /tmp/over")
    assert "bad" not in rounds and "differ" not in rounds, rounds
    assert attack.info(m)["events_raised"] - raised >= 30000
    said = guest.run("dmesg")
    assert not re.search(r"BUG|WARNING|irq .*nobody cared|Oops|hung_task", said), said
    check_well(m, guest, before)
