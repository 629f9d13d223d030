# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Four stock guests at once, each with a disk of its own."""

from guest import Guest
from machine import Machine

COUNT = 4


def test_four_guests():
    """on 2 CPUs with 4 GiB four Debian guests run at once, with four identities, and each keeps its own disk"""
    with Machine(smp=2, mem=4096, name="four-guests") as m:
        m.wait_ready()
        guests = [Guest(m, name=f"g{n}", disk=f"/tmp/{n}.img", size="16M", instance=f"{n:02x}") for n in range(COUNT)]
        # All are started before the first is waited for.
        for guest in guests:
            guest.start(wait=False)
        for guest in guests:
            guest.wait_ready()
        assert len({guest.identity for guest in guests}) == COUNT
        for guest in guests:
            guest.ready_disk()
            guest.run(f"yes {guest.name} | head -c 4194304 >/tmp/f; dd if=/tmp/f of=/dev/tsr0 bs=64k oflag=direct conv=fsync")
        assert [guest.show()["state"] for guest in guests] == ["running"] * COUNT
        for guest in guests:
            guest.run("dd if=/dev/tsr0 of=/tmp/g bs=64k count=64 iflag=direct; cmp /tmp/f /tmp/g")
            assert guest.counters()["integrity_errors"] == 0
        for guest in guests:
            guest.destroy()
        m.power_off()
