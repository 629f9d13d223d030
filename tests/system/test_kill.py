# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The back-end killed with requests in flight, again and again: nothing that was written is lost, nothing is written twice over
something newer."""

import re

from guest import shared

MACHINE = dict(smp=2, mem=2048, media=True)
KILLS = 5
FIO = ("fio --name=kill --filename=/dev/tsr0 --direct=1 --rw=randwrite --bs=16k --size=32M --ioengine=libaio --iodepth=32 "
       "--verify=crc32c --verify_fatal=1 --verify_backlog=512 --output=/tmp/fio.log")


def test_kill_under_load(m):
    """the daemon killed five times under fio verify of 32 MiB, with requests in flight: nothing is lost"""
    guest = shared(m)
    guest.run("dmesg -c >/dev/null")
    start = guest.counters()
    in_flight, rises, last, runs, kills = [], [], start["resubmitted"], 0, 0
    while len(in_flight) < KILLS:
        assert runs < 4, f"{runs} runs of fio were over after {len(in_flight)} kills"
        guest.run(f"rm -f /tmp/fio.rc; ({FIO}; echo $? >/tmp/fio.rc) >/dev/null 2>&1 &")
        runs += 1
        while len(in_flight) < KILLS:
            done = guest.counters()
            # Only when some requests more were served is the next one a new case.
            more = done["reads"] + done["writes"] + 100
            if guest.run("cd /sys/bus/tessera/devices/tessera0/counters; until [ -e /tmp/fio.rc ] || "
                         f"[ $(($(cat reads) + $(cat writes))) -ge {more} ]; do usleep 20000; done; ls /tmp/fio.rc 2>&1 || true"
                         ).strip() == "/tmp/fio.rc":
                break
            guest.kill_daemon()
            kills += 1
            assert kills < 30, f"after {kills} kills only these had requests to send again: {in_flight}"
            text = guest.run("until dmesg | grep -q 'backend went away'; do usleep 20000; done; dmesg -c")
            flying = int(re.search(r"went away; (\d+) requests", text).group(1))
            # Those in flight go first once the next session is open.
            again = int(guest.run("cd /sys/bus/tessera/devices/tessera0; until grep -q attached state; do usleep 20000; done; "
                                  "cat counters/resubmitted"))
            # Those that the daemon had answered before it died, and the guest had not looked at yet, are no case.
            if flying and again > last:
                in_flight.append(flying)
                rises.append(again - last)
            last = again
        assert guest.run("until [ -s /tmp/fio.rc ]; do usleep 100000; done; cat /tmp/fio.rc", 400).strip() == "0", \
            guest.run("cat /tmp/fio.log")
        assert " err= 0" in guest.run("cat /tmp/fio.log")
    print(f"in flight at each kill: {in_flight}; resubmitted: {rises}")
    assert len(in_flight) == KILLS, in_flight
    assert guest.counters()["integrity_errors"] == start["integrity_errors"]
