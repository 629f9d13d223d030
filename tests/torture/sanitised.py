# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Our modules on a kernel that looks for uses after free, leaks, locks in two orders and sleeping in the wrong place (make debug-kernel): in guests, on the
bare machine with a back-end that lies, and in the host.

	make torture T="kasan-guest kasan-host"
"""

import functools
import random
import re

import kcheck
import test_host
import test_host_life
import test_hostile
import test_kill
import test_life
from fleet import Fleet, Member
from machine import Machine
from torture import segment

DECK = ["detach", "kill", "unbind", "unbind", "replug", "renew"]
MODES = ("pooled", "copy", "strict")
BARE = (("lies", 2), ("queues", 10))  # script and processors


class Debugged(Member):
    """A guest with that kernel. Its second disk is sealed with the other suite."""

    def __init__(self, mode, m, *args):
        super().__init__(m, *args, mib=kcheck.MEMORY, kernel=kcheck.KERNEL, initrd=kcheck.INITRD, words=kcheck.WORDS)
        self.options += ["--suite", "aes-256-gcm"]
        self.mode = mode


def rounds(run, fleet, deck):
    chance = random.Random(f"{run.segment.name} {run.piece}")
    for what in chance.sample(deck, len(deck)):
        fleet.round(what, chance)


# ------------------------------------------------------------------ the guest

def guest_controls(run):
    with kcheck.stock(run) as m:
        m.wait_ready(kcheck.LIMIT)
        with kcheck.guest(m) as guest:
            return kcheck.controls(guest)


def switch_modes(guest):
    """While its disks are used."""
    for mode in MODES + (guest.mode,):
        for disk in guest.disks:
            guest.run(f"n=$(cat {disk.state}/counters/sessions); [ $(cat {disk.state}/mode) = {mode} ] || {{ echo {mode} >{disk.state}/mode; "
                      f"until [ $(cat {disk.state}/counters/sessions) -gt $n ]; do usleep 20000; done; }}", 400)
            guest.wait(disk, "attached")
    guest.look(True)


def one_guest(run, mode):
    with kcheck.stock(run) as m:
        m.wait_ready(kcheck.LIMIT)
        fleet = Fleet(m, run.count, members=1, kind=functools.partial(Debugged, mode))
        fleet.start()
        guest = fleet.alive[0]
        kcheck.begin(guest)
        fleet.settle()
        rounds(run, fleet, DECK)
        switch_modes(fleet.alive[0])
        kcheck.clean(fleet.alive[0])
        fleet.end()


def bare(run, word, smp):
    """The block driver on a stand-in for bus and back-end, on the bare machine: rootfs/*/run.d/."""
    image = f"{kcheck.ROOT}/build/{run.variant}/debug/guest.img"
    with Machine(variant=run.variant, name=run.log, smp=smp, mem=1024, hv=None, linux=kcheck.LINUX, initrd=image,
                 cmdline=f"tsr.run={word} {kcheck.WORDS}", console="console=ttyS0,115200 loglevel=4") as m:
        m.wait_for("end of checks", 1500, fatal=re.compile(rb"Kernel panic[^\n]*|guest: run [^\n]*"))
        text = m.console.text.decode(errors="replace").replace("\r", "")
    failed = re.findall(r"^fail: .*$", text, re.M)
    assert not failed, "\n".join(failed)
    run.count("checks on the bare machine", len(re.findall(r"^pass: .*$", text, re.M)))


@segment("kasan-guest", "THREAT-3 BLK-11 BLK-40 RING-11", tries=len(MODES) + len(BARE), control=guest_controls)
def kasan_guest(run):
    """a guest's kernel that looks for errors in tessera and tessera_blk finds none: each mode, disks and back-ends coming and going, a back-end that lies"""
    if run.done < len(MODES):
        one_guest(run, MODES[run.done])
    else:
        bare(run, *BARE[run.done - len(MODES)])
    return 1


# ------------------------------------------------------------------ the host

def host_controls(run):
    with kcheck.host(run, mem=1024) as m:
        m.wait_ready(kcheck.LIMIT)
        return kcheck.controls(m)


def two_guests(m, run):
    fleet = Fleet(m, run.count, members=2)
    fleet.start()
    fleet.settle()
    rounds(run, fleet, DECK + ["exchange", "same"])
    fleet.end()


# Files of the short form whose machine has nothing that this one has not; what is left out takes too long here or reads what is nobody's.
TESTS = {
    test_host: {"test_kept_pages", "test_bare_machine_has_no_tessera"},
    test_life: {"test_no_such_call", "test_oracle_halts"},
    test_kill: set(),
    test_host_life: {"test_starved_thread"},
    test_hostile: set(),
}


def tests_of(module):
    return [f for name, f in vars(module).items() if name.startswith("test_") and callable(f) and f.__module__ == module.__name__
            and name not in TESTS[module]]


@segment("kasan-host", "THREAT-1 HOST-5 HOST-24 HC-10", tries=len(TESTS) + 1, control=host_controls)
def kasan_host(run):
    """a host's kernel that looks for errors in tessera_host finds none: calls that are wrong, guests that come and go, hostile calls beside them"""
    with kcheck.host(run, media=True) as m:
        m.wait_ready(kcheck.LIMIT)
        kcheck.begin(m)
        if run.done < len(TESTS):
            for test in tests_of(list(TESTS)[run.done]):
                test(m)
                run.count("tests", 1)
                run.say(test.__name__)
                kcheck.quiet(m)
        else:
            two_guests(m, run)
        kcheck.clean(m)
    return 1
