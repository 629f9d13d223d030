# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A guest that keeps hypervisor and host as busy as it can (THREAT-6): another guest and the host keep at least half of the work that they get done
beside a guest which only computes. The machine's clock is the count of its instructions, so it is work for each of them, whatever else this computer does
and however long the emulator takes for an exit; it has one processor, which such a clock needs."""

import attack
from guest import shared

MACHINE = dict(smp=1, mem=2048, media=True, devices=("-icount", "shift=0,sleep=off"))
TAKES_LONG = True
TICKS = 150  # of 10 ms, in which a thousand million instructions are executed a second


def work(m, guest):
    clock, rounds = m.run("tr -d . </proc/uptime | cut -d' ' -f1; wc -l </run/work").split()
    return int(clock), guest.counters()["reads"], int(rounds)


def rates(m, guest):
    """The guest's requests and the host's rounds, for each second of that clock."""
    first = last = work(m, guest)
    while last[0] - first[0] < TICKS:
        last = work(m, guest)
    return tuple(100 * (last[i] - first[i]) / (last[0] - first[0]) for i in (1, 2))


def start_work(m, guest):
    guest.ready_disk()
    # Several at a time, and large: what counts is how much gets done, not how long one waits.
    guest.run("rm -f /tmp/enough; for n in 1 2 3; do (while [ ! -e /tmp/enough ]; do dd if=/dev/tsr0 of=/dev/null bs=128k count=64 iflag=direct 2>/dev/null; done) "
              ">/dev/null 2>&1 & done")
    m.run("rm -f /run/enough; (while [ ! -e /run/enough ]; do md5sum /bin/busybox >/dev/null; echo >>/run/work; done) >/dev/null 2>&1 &")


def end_work(m, guest):
    guest.run("touch /tmp/enough")
    m.run("touch /run/enough")


def competitor(m, name, image):
    disk = f"--disk data; tessera image create /tmp/{name}.img --size 4M; tessera disk attach {name} data /tmp/{name}.img --log /run/{name}.log" \
        if image == "flood" else ""
    m.run(f"tessera guest run --name {name} --memory 4M --raw /guests/{image}.bin {disk}")


def destroy(m, name):
    m.run(f"tessera guest destroy {name}; rm -f /tmp/{name}.img", limit=300)


def beside(m, guest, image, many=1):
    """The rates beside so many guests of that image."""
    for n in range(many):
        competitor(m, f"{image}{n}", image)
    try:
        return rates(m, guest)
    finally:
        for n in range(many):
            destroy(m, f"{image}{n}")


def show(what, now, calm):
    return f"{what}: requests {now[0]:.0f}, beside one that computes {calm[0]:.0f}; rounds of the host {now[1]:.1f}, {calm[1]:.1f}"


def test_flood(m):
    """beside a guest that floods with tokens, sessions, doorbells, console bytes, interrupts and refused calls, a guest and the host keep half of their work"""
    guest = shared(m)
    attack.load(m)
    start_work(m, guest)
    try:
        calm = beside(m, guest, "spin")
        before = attack.info(m)
        flooded = beside(m, guest, "flood")
        after = attack.info(m)
        # The control: what takes work away is seen. Six guests that compute have more than half of the processors, and leave the host
        # less; a guest that mostly waits for its disk may keep its share.
        crowded = beside(m, guest, "spin", many=6)
    finally:
        end_work(m, guest)
    print(show("flooded", flooded, calm), show("crowded", crowded, calm), sep="\n")
    for counter in ("hypercalls_guest", "tokens_issued", "doorbells", "faults_guest"):
        print(counter, after[counter] - before[counter])
        assert after[counter] - before[counter] > 1000, f"{counter}: there was no flood"
    assert flooded[0] >= calm[0] / 2 and flooded[1] >= calm[1] / 2, show("flooded", flooded, calm)
    assert crowded[1] < calm[1] / 2, show("crowded", crowded, calm)
    assert guest.counters()["integrity_errors"] == 0
