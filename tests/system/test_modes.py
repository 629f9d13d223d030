# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The three ways of moving a page, one after the other on one disk of one guest: the same load and the same checks in each (BLK-40, BLK-41,
BLK-42), what they cost (with TSR_LONG=1), and a back-end that is killed while requests' tokens are being mapped and revoked."""

import os

import attack
import test_zero_copy
from direct import device, io, measure, raw
from guest import fio_guest
from test_zero_copy import ready, run_fio

MACHINE = dict(test_zero_copy.MACHINE, iommu="intel", name="modes")
# The next one's reads are of what the one before has written.
MODES = ("strict", "copy", "pooled")
STATE = "D=/sys/bus/tessera/devices/tessera0; "
COST = ("exits_host", "exits_guest", "hypercalls_host", "hypercalls_guest", "shootdowns", "iotlb_flushes", "copies_host", "tokens_mapped",
        "tokens_revoked", "direct_in", "direct_out")
PAGES = 512
SIZE, KILLED_SIZE = f"--size={PAGES << 2}K", "--size=8M"
SHORT, LONG = 32, 160  # requests of fio's two runs, whose difference is counted


def set_mode(guest, mode):
    """Returns when a session in this mode serves."""
    guest.run(STATE + f"[ $(cat $D/mode) = {mode} ] || {{ n=$(cat $D/counters/sessions); echo {mode} >$D/mode; "
              "until [ $(cat $D/counters/sessions) -gt $n ]; do usleep 20000; done; }; until grep -q attached $D/state; do usleep 20000; done", 240)


def used(guest, before=None):
    """What hypervisor, back-end and driver have counted, or how far it has risen since."""
    now = dict(attack.info(guest.m), **{"guest." + k: v for k, v in guest.counters().items()}, **{"io." + k: v for k, v in io(guest).items()})
    now = {k: v for k, v in now.items() if isinstance(v, int)}
    return {k: v - before[k] for k, v in now.items()} if before else now


def check_use(mode, done):
    """How the disk's blocks went, from what was counted while they did."""
    assert done["io.copied_in"] == done["io.copied_out"] == 0, done
    assert done["guest.integrity_errors"] == 0, done
    if mode == "copy":
        assert done["io.hv_in"] >= PAGES and done["io.hv_out"] >= PAGES, done
        assert done["io.direct_in"] == done["io.direct_out"] == done["guest.granted"] == 0, done
        assert done["tokens_mapped"] == done["shootdowns"] == 0, f"something was mapped: {done}"
        assert done["copies_host"] >= 2 * PAGES, done
        return
    assert done["io.hv_in"] == done["io.hv_out"] == done["copies_host"] == 0, done
    assert done["io.direct_in"] >= PAGES and done["io.direct_out"] >= PAGES, done
    if mode == "strict":
        requests = done["guest.reads"] + done["guest.writes"]
        assert done["guest.granted"] >= requests and done["tokens_revoked"] >= requests, done
        assert done["tokens_mapped"] >= requests, done
    else:
        assert done["guest.granted"] == done["tokens_mapped"] == done["tokens_revoked"] == 0, done


def test_each_mode_carries_the_same_load(m):
    """2 MiB are written and verified in each way of moving pages, after random operations; each reads what the one before has written, and only
    it moves pages so"""
    ready(m)
    with fio_guest(m, name="modes", disk=raw(m, "tsr-nvme")) as guest:
        guest.ready_disk()
        run_fio(guest, SIZE)
        for mode in MODES:
            set_mode(guest, mode)
            assert io(guest)["asked"] == mode, io(guest)
            run_fio(guest, SIZE, "--verify_only")
            guest.run("guest_fsx -s 5 -n 60 -l 524288 /dev/tsr0")
            before = used(guest)
            run_fio(guest, SIZE)
            check_use(mode, used(guest, before))
            if mode == "strict":
                # At rest nothing of the disk's data is granted: control page, ring and seals of each queue.
                assert used(guest)["guest.in_flight"] == 0
                tokens = [t for t in guest.tokens() if t["pages"] >= 64]
                assert not tokens, tokens
            for depth in (1, 32) if os.environ.get("TSR_LONG") else ():
                short, long = (measure(guest, "randread", depth, n) for n in (SHORT, LONG))
                each = {name: (long[name] - short[name]) / (LONG - SHORT) for name in COST}
                print(f"4 KiB read, {mode}, depth {depth}: " + ", ".join(f"{name} {each[name]:.2f}" for name in COST))
        guest.detach()
        assert "does not match: 0" in m.run("tessera image check /dev/" + device(m, "tsr-nvme"))


def test_killed_while_pages_come_and_go(m):
    """strict mode, the back-end killed three times under fio verify: every token is revoked without it, every window page comes back, nothing is
    lost"""
    ready(m)
    m.run("dmesg -c >/dev/null")
    start = attack.info(m)
    with fio_guest(m, name="strict", disk=raw(m, "tsr-nvme")) as guest:
        guest.ready_disk()
        set_mode(guest, "strict")
        before = used(guest)
        guest.run(f"({test_zero_copy.FIO} {KILLED_SIZE} --loops=3 >/dev/null 2>&1; echo $? >/tmp/fio.rc) &")
        for _ in range(3):
            done = used(guest)["guest.writes"] + 150
            guest.run(f"cd /sys/bus/tessera/devices/tessera0/counters; until [ -e /tmp/fio.rc ] || [ $(cat writes) -ge {done} ]; do usleep 20000; done")
            guest.kill_daemon()
            guest.run(STATE + "until grep -q attached $D/state; do usleep 20000; done", 240)
        assert guest.run("until [ -s /tmp/fio.rc ]; do usleep 100000; done; cat /tmp/fio.rc", 400).strip() == "0", guest.run("cat /tmp/fio.log")
        done = used(guest, before)
        assert done["guest.resubmitted"] > 0 and done["guest.sessions"] >= 3 and done["guest.integrity_errors"] == 0, done
        guest.detach()
        assert attack.info(m)["census.displaced"] == 0
    end = attack.info(m)
    assert [end[n] for n in ("census.windows", "census.displaced", "census.host", "tokens")] == \
        [start[n] for n in ("census.windows", "census.displaced", "census.host", "tokens")], (start, end)
    m.run("dmesg | grep -qE 'I/O error|BUG:|WARNING: CPU|Oops' && dmesg | tail -30 && exit 1 || true")
