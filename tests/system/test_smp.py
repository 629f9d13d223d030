# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Guests with several virtual CPUs, spec/guests.md."""

import json
import re

from guest import Guest, fio_guest

MACHINE = dict(smp=2, mem=2048, media=True)
VCPUS = 4


def guest(m):
    """The Debian guest that these tests share."""
    if not getattr(m, "smp_guest", None):
        m.smp_guest = fio_guest(m, name="smp", vcpus=VCPUS, disk="/tmp/smp.img").start()
    return m.smp_guest


def interrupts(g, name):
    """A line of the guest's /proc/interrupts: one number a CPU."""
    line = re.search(rf"^ *{name}:((?: +\d+)+)", g.run("cat /proc/interrupts"), re.M)
    return [int(n) for n in line[1].split()]


def test_smp_boots(m):
    """Debian starts four virtual CPUs by INIT and SIPI, each with its own timer and clock (GUEST-28, GUEST-13, GUEST-15)"""
    g = guest(m)
    assert g.run("nproc").strip() == str(VCPUS), g.console()
    cpus = re.findall(r"^(?:processor|apicid)\s*: (\d+)$", g.run("cat /proc/cpuinfo"), re.M)
    assert cpus == [str(n) for n in range(VCPUS) for _ in range(2)], cpus
    assert g.run("cat /sys/devices/system/clocksource/clocksource0/current_clocksource").strip() == "kvm-clock"
    assert all(interrupts(g, "LOC")), "a virtual CPU has no timer"


def smp_contract(m):
    """What the tiny guest of four virtual CPUs says, and how it ended."""
    if getattr(m, "smp_said", None):
        return m.smp_said
    m.run("modprobe tessera_host")
    m.run(f"tessera guest run --name tiny --vcpus {VCPUS} --memory 4M --raw /guests/smp.bin")
    text = m.run("tessera console tiny --follow 2>&1").replace("\r", "")
    state = json.loads(m.run("tessera guest show tiny --json"))["state"]
    m.run("tessera guest destroy tiny")
    m.smp_said = text, state
    return m.smp_said


def test_smp_contract(m):
    """virtual CPUs start, restart, and send each other interrupts and NMIs as the contract says; one ends all (GUEST-28 to GUEST-30)"""
    text, state = smp_contract(m)
    lines = re.findall(r"^(GUEST-\d+) (ok|FAILED): ", text, re.M)
    assert lines == [(f"GUEST-{n}", "ok") for n in (28, 13, 29, 17)] and "smp: passed" in text, text
    assert state == "stopped: power-off"
    # Nothing that they sent at the same time was lost on the way (GUEST-18, RUN-6).
    sent = re.search(r"letters: ([\s\S]*) :letters", text)[1]
    assert all(sent.count(c) == 600 for c in "ABCD"), {c: sent.count(c) for c in "ABCD"}


def test_smp_tlb(m):
    """a translation that one virtual CPU changes is gone from the others' TLBs when its shoot-down is done, and only then (GUEST-13)"""
    with_it, without = map(int, re.search(r"tlb: .* with shoot-down (\d+), without (\d+)", smp_contract(m)[0]).groups())
    assert with_it == 0, f"{with_it} old translations were used after the shoot-down"
    assert 0 < without < 2**32 - 1, "no old translation was seen without a shoot-down either: this test proves nothing"


def test_smp_linux_tlb(m):
    """what one thread's mprotect and mmap have done, threads on the other virtual CPUs see at once; counted as IPIs (GUEST-13)"""
    g = guest(m)
    before = interrupts(g, "TLB")
    rounds, looks, faults, stale = map(int, re.findall(r"\d+", g.run("guest_tlb 40")))
    assert rounds == 40 and looks >= rounds * 3 * (VCPUS - 1) and faults >= rounds * (VCPUS - 1)
    assert stale == 0, f"{stale} of {looks} looks saw what was gone"
    after = interrupts(g, "TLB")
    assert all(now - was >= rounds for was, now in zip(before[1:], after[1:])), f"{before} {after}"


def test_smp_hotplug(m):
    """the guest takes virtual CPUs out and brings them back, with its disk in use (GUEST-28, RUN-5)"""
    g = guest(m)
    disk = g.ready_disk()
    g.run(f"sh -c 'while [ ! -e /tmp/enough ]; do dd if=/dev/urandom of={disk} bs=64k count=16 oflag=direct; done; touch /tmp/ended' >/tmp/load 2>&1 &")
    for _ in range(3):
        for cpu in (3, 1, 2):
            g.run(f"echo 0 >/sys/devices/system/cpu/cpu{cpu}/online")
        assert g.run("nproc").strip() == "1"
        for cpu in (1, 2, 3):
            g.run(f"echo 1 >/sys/devices/system/cpu/cpu{cpu}/online")
        assert g.run("nproc").strip() == str(VCPUS)
    g.run("touch /tmp/enough; until [ -e /tmp/ended ]; do usleep 100000; done; ! grep -i error /tmp/load")
    assert g.counters()["integrity_errors"] == 0
    g.run("for cpu in 0 1 2 3; do taskset $((1 << cpu)) sh -c 'sleep 0.1; true' || exit 1; done")


def test_smp_ends(m):
    """a power-off by one of four virtual CPUs, and a destroy while all are busy, end them all (GUEST-30, GST-6)"""
    g = guest(m)
    g.run("for n in 1 2 3 4; do sh -c 'while :; do :; done' & done")
    census = json.loads(m.run("tessera info --json"))["census"]
    m.run(f"tessera guest destroy {g.name}")
    m.smp_guest = None
    assert json.loads(m.run("tessera info --json"))["census"]["guests"] < census["guests"]
    with Guest(m, name="off", vcpus=VCPUS) as other:
        other.run("for n in 1 2 3 4; do sh -c 'while :; do :; done' & done")
        m.sh("gsh run off 60 'taskset 4 poweroff -f' >/dev/null", limit=90)	# what it says of the end has an answer's mark in it
        assert other.wait_end() == "stopped: power-off"
