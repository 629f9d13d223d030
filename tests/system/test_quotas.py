# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Limits (TOK-18, BLK-43): guests are driven against them under load. They wait, and no request fails. The long form, four guests for two
minutes, is TSR_LONG=1 tests/run system --only test_quotas."""

import os
import time

import attack
import test_zero_copy
from guest import fio_guest
from machine import Machine
from test_modes import set_mode

LONG = bool(os.environ.get("TSR_LONG"))
GUESTS, SECONDS = (4, 120) if LONG else (2, 12)
PAGES, TOKENS = 160, 12
# Each back-end has a window of 512 pages; the last one finds none.
WINDOWS = 512 * GUESTS + 256
LIMITS = f"limit_guests={GUESTS} limit_tokens={TOKENS} limit_pages={PAGES} limit_windows={WINDOWS}"
FIO = (f"fio --name=q --filename=/dev/tsr0 --direct=1 --rw=randwrite --bs=16k --size=8M --ioengine=libaio --iodepth=32 --time_based "
       f"--runtime={SECONDS} --verify=crc32c --verify_fatal=1 --verify_backlog=128 --output=/tmp/fio.log")


def start(m, n):
    # The first one has a second disk, for which no window is left.
    guest = fio_guest(m, name=f"q{n}", disk=f"/tmp/q{n}.img", size="16M", instance=f"{n:02x}")
    if n == 0:
        guest.options += ["--disk", "extra"]
    guest.start()
    guest.ready_disk()
    return guest


def check_limits_told(m, guest):
    told = attack.info(m)
    assert [told[k] for k in ("max_guests", "guest_tokens", "max_granted", "max_windows", "max_queues")] == [GUESTS, TOKENS, PAGES, WINDOWS, 16], told
    text = m.run("tessera info")
    for number in (GUESTS, TOKENS, PAGES, WINDOWS):
        assert str(number) in text, text
    shown = guest.show()
    assert 0 < shown["tokens"] <= TOKENS and 0 < shown["granted"] <= PAGES, shown
    status, text = m.sh("tessera guest run --name more --memory 16M --raw /guests/spin.bin")
    assert status and "limit" in text, (status, text)


def check_window_waits(m, guests):
    """The second disk of the first guest has to wait for a window; as soon as somebody leaves, it goes on by itself."""
    m.run("tessera image create /tmp/extra.img --size 8M; tessera disk attach q0 extra /tmp/extra.img --log /run/extra.log")
    m.run("timeout 120 sh -c 'until grep -q limit /run/extra.log; do usleep 100000; done'")
    state = "/sys/bus/tessera/devices/tessera1/state"
    assert guests[0].run(f"cat {state}").strip() == "connecting"
    guests[-1].detach()
    guests[0].run(f"until grep -q blank {state}; do usleep 100000; done", 120)
    m.run("tessera disk detach q0 extra")
    guests[-1].attach()


def check_load(m, guests):
    for n, guest in enumerate(guests):
        set_mode(guest, ("strict", "copy", "strict", "pooled")[n])
    # The first one's back-end stands still until requests wait for tokens: a quick one would seldom let them.
    daemon = guests[0].show()["devices"][0]["backend"]
    m.run(f"kill -STOP {daemon}")
    for guest in guests:
        guest.run(f"({FIO}; echo $? >/tmp/fio.rc) >/dev/null 2>&1 &")
    end = time.monotonic() + 20 * SECONDS + 200
    while not guests[0].counters()["limit_waits"]:
        assert time.monotonic() < end, guests[0].counters()
    m.run(f"kill -CONT {daemon}")
    turn = 0
    for guest in guests:
        while not guest.run("cat /tmp/fio.rc 2>/dev/null || true").strip():
            assert time.monotonic() < end, f"{guest.name} is stuck: {guest.counters()}"
            # Not only steady load: from time to time one of them changes over.
            turn += 1
            if LONG and turn % 20 == 0:
                set_mode(guests[turn // 20 % len(guests)], ("copy", "strict", "pooled", "strict")[turn // 20 % 4])
            guest.run("n=0; until [ -e /tmp/fio.rc ] || [ $n -gt 20 ]; do n=$((n + 1)); usleep 100000; done")
        assert guest.run("cat /tmp/fio.rc").strip() == "0", guest.run("cat /tmp/fio.log")
        assert " err= 0" in guest.run("cat /tmp/fio.log")
        assert not guest.run("dmesg | grep -E 'I/O error|hung_task|blocked for more' || true")
    counted = [guest.counters() for guest in guests]
    print(f"waits for a limit: {[c['limit_waits'] for c in counted]}; requests: {[c['reads'] + c['writes'] for c in counted]}")
    assert counted[0]["limit_waits"], counted[0]
    assert sum(c["integrity_errors"] for c in counted) == 0, counted


def test_limits_make_guests_wait():
    """guests at the limits of tokens, of granted pages and of windows wait under fio verify: no I/O error, nobody stuck"""
    with Machine(smp=2, mem=4096 if LONG else 2048, media=True, hv=LIMITS, iommu="intel", name="quotas", devices=test_zero_copy.disks()) as m:
        m.wait_ready()
        guests = [start(m, n) for n in range(GUESTS)]
        check_limits_told(m, guests[0])
        check_window_waits(m, guests)
        check_load(m, guests)
        before = attack.info(m)["tokens"]
        for guest in guests:
            guest.destroy()
        assert before > 0 and attack.info(m)["tokens"] == 0
        m.run("dmesg | grep -qE 'BUG:|WARNING: CPU|Oops' && dmesg | tail -30 && exit 1 || true")
