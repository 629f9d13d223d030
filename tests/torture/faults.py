# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Components that fail: the daemon killed, media full, failing, flaky and slow, guests destroyed at any moment of their lives.

	make torture T="daemon-killed medium-full medium-failing medium-dead medium-flakey medium-slow guest-killed"
"""

import random

import attack
import faulty
import test_kill
from guest import Guest
from machine import Machine, MachineError
from test_life import census, settled
from torture import segment

SHAPE = dict(smp=2, mem=2048, media=True)


def machine(run):
    return Machine(variant=run.variant, name=run.log, **SHAPE)


@segment("daemon-killed", "STORE-1 STORE-7 STORE-10 THREAT-3", tries=50,
         control="no lock on the image: daemon_left_out; a disk that forgets what was flushed: block-pooled-1")
def daemon_killed(run):
    """the daemon killed under fio verify, with requests in flight"""
    with machine(run) as m:
        m.wait_ready()
        test_kill.test_kill_under_load(m)
    return test_kill.KILLS


def lying(run):
    with machine(run) as m:
        m.wait_ready()
        refused = faulty.lying_medium(m)
    assert refused == faulty.COUNT, refused
    return f"a medium that loses what it has flushed: {refused} of {refused} blocks refused by the guest"


@segment("medium-full", "BLK-36 STORE-5", tries=5, control="test_faults: the same blocks read as before, and are written anew")
def full(run):
    """the image's file system is full, and then has room again"""
    with machine(run) as m:
        m.wait_ready()
        faulty.disk_full(m)
    return 1


def failing(kind):
    def piece(run):
        with machine(run) as m:
            m.wait_ready()
            run.count("blocks refused", faulty.failing_medium(m, kind))
        return 1
    return piece


for which, text in (("failing", "each write of the medium fails, for a while"), ("dead", "each access to the medium fails, for a while"),
                    ("flakey", "the medium fails every other second")):
    one = failing(which)
    one.__doc__ = text + ", while the guest writes"
    segment(f"medium-{which}", "STORE-1 STORE-5 BLK-36 THREAT-3", tries=5,
            control=lying if which == "failing" else "as medium-failing")(one)


@segment("medium-slow", "STORE-1 BLK-36", tries=3, control="as medium-failing")
def slow(run):
    """the medium takes 60 ms for a read and 120 ms for a write"""
    with machine(run) as m:
        m.wait_ready()
        faulty.slow_medium(m)
    return 1


# ------------------------------------------------------------------ a guest's end

KILLS = 8  # of a piece


def made_and_not_started(m, guest, chance):
    words = " ".join(f"'{word}'" for word in guest.options if word not in ("--console-input",))
    m.run(f"tessera guest create --name {guest.name} {words}", 240)
    if chance.random() < 0.5:
        m.sh(f"tessera disk attach {guest.name} data {guest.disk}")  # it may have to wait for the start


def killed_while_made(m, guest, chance):
    """The command that builds it is killed; the module destroys what it has left, or the next command can."""
    words = " ".join(f"'{word}'" for word in guest.options)
    m.run(f"tessera guest run --name {guest.name} {words} >/run/out 2>&1 & p=$!; until tessera guest show {guest.name} >/dev/null 2>&1 || ! kill -0 $p "
          f"2>/dev/null; do :; done; usleep {chance.randrange(400000)}; kill -9 $p; wait $p || true", 240)


def while_it_boots(m, guest, chance):
    guest.start(wait=False)
    exits = chance.randrange(guest.boot)
    m.run(f"until [ $(tessera guest show {guest.name} --json | sed 's/.*\"exits\":\\([0-9]*\\).*/\\1/') -ge {exits} ]; do usleep 50000; done", 300)


def while_it_formats(m, guest, _):
    guest.start()
    guest.run("D=/sys/bus/tessera/devices/tessera0; until grep -q blank $D/state; do usleep 50000; done; echo yes >$D/format &")


def while_it_writes(m, guest, chance):
    guest.start()
    guest.ready_disk()
    # Past the page cache, which would make a few large requests of all that the disk takes.
    guest.run("(while :; do dd if=/dev/urandom of=/dev/tsr0 bs=64k oflag=direct; done >/dev/null 2>&1 &)")
    guest.run(f"until [ $(cat /sys/bus/tessera/devices/tessera0/counters/writes) -ge {chance.randrange(1, 200)} ]; do usleep 20000; done")


def without_its_back_end(m, guest, chance):
    while_it_writes(m, guest, chance)
    guest.detach()


def after_its_back_end_was_killed(m, guest, chance):
    while_it_writes(m, guest, chance)
    m.run(f"kill -9 {guest.show()['devices'][0]['backend']}")


def while_it_pauses(m, guest, chance):
    while_it_writes(m, guest, chance)
    m.run(f"tessera guest pause {guest.name}")


STEPS = (made_and_not_started, killed_while_made, while_it_boots, while_it_formats, while_it_writes, without_its_back_end, after_its_back_end_was_killed,
         while_it_pauses)


def kept(run):
    """A guest that is not destroyed is in the census."""
    with machine(run) as m:
        m.wait_ready()
        attack.load(m)
        before = census(m)
        with Guest(m):
            now = census(m)
    assert now != before and now["guests"] > before["guests"], (before, now)
    return f"a guest that lives: {now['guests'] - before['guests']} pages of guests more in the census"


@segment("guest-killed", "HOST-5 GST-7 MEM-3", tries=5 * len(STEPS), control=kept)
def guest_killed(run):
    """a guest destroyed at each step of its life leaves nothing: census, tokens and windows are what they were"""
    chance = random.Random(run.piece)
    with machine(run) as m:
        m.wait_ready()
        attack.load(m)
        m.run("modprobe tessera_host; tessera image create /tmp/life.img --size 16M")
        before, tokens = census(m), attack.info(m)["tokens"]
        if "boot" not in run.saved:
            # A start has as many exits as the builds of kernel and hypervisor need for it, and a guest that idles has hardly any more.
            with Guest(m, name="whole") as guest:
                run.saved["boot"] = guest.show()["exits"]
            assert settled(m, before) == before
        for number, step in enumerate(STEPS):
            guest = Guest(m, name=f"life{number}", disk="/tmp/life.img", size="16M")
            guest.boot = run.saved["boot"]
            step(m, guest, chance)
            m.sh(f"tessera guest destroy {guest.name}")
            after = settled(m, before)
            if after != before or attack.info(m)["tokens"] != tokens:
                raise MachineError(f"{step.__name__}: {after} for {before}, tokens {attack.info(m)['tokens']} for {tokens}")
            run.count(step.__name__.replace("_", " "), 1)
            m.run("rm -f /tmp/life.img; tessera image create /tmp/life.img --size 16M")
    return len(STEPS)
