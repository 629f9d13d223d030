# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What may be there only once is there twice: two live guests of one identity, with the same keys, and two back-ends on one image. The controls are unit tests:
core_left_out (no lease), daemon_left_out (no lock). Also an image of zeros behind the right headers, a back-end that takes away what another has mapped,
and back-ends that start together."""

import json

from guest import Guest
from test_integrity import EILSEQ, read

MACHINE = dict(smp=2, mem=2048, media=True)
IMAGE, COPY = "/tmp/twin.img", "/tmp/twin.copy"
BLOCKS = 8


def twin(m, name, disk):
    return Guest(m, name=name, disk=disk, size="16M", instance="7717")


def state(guest, wanted, limit=240):
    guest.run(f"until [ \"$(cat /sys/bus/tessera/devices/tessera0/state)\" = {wanted} ]; do usleep 100000; done", limit)


def sums(guest):
    return guest.run(f"for n in $(seq {BLOCKS}); do dd if=/dev/tsr0 bs=4k skip=$n count=1 iflag=direct 2>/dev/null | md5sum; done").split("\n")[:BLOCKS]


def test_two_of_one(m):
    """of two live guests of one identity one has the disk, a copy of its image notwithstanding, and of two back-ends one the image (KEY-3, STORE-7)"""
    first, second = twin(m, "first", IMAGE), twin(m, "second", COPY)
    with first:
        first.ready_disk()
        first.run(f"dd if=/dev/urandom of=/dev/tsr0 bs=4k seek=1 count={BLOCKS} oflag=direct conv=fsync")
        was = sums(first)
        m.run(f"cp {IMAGE} {COPY}")
        second.start()
        try:
            assert second.identity == first.identity
            state(second, "disk-in-use")
            assert second.sh("test -e /dev/tsr0")[0] != 0
            second.detach()
            m.run(f"tessera disk attach second data {IMAGE} --log /run/second.log >/run/second.out 2>&1 & "
                  "until grep -hq 'still locked by another process' /run/second.*; do usleep 50000; done", 60)
            assert sums(first) == was and first.counters()["integrity_errors"] == 0
            first.destroy()
            state(second, "attached")
            assert sums(second) == was and second.counters()["integrity_errors"] == 0
        finally:
            second.destroy()


def test_image_of_zeros(m):
    """behind the right headers an image that holds nothing is no disk of zeros: each block is refused (SEAL-5)"""
    with twin(m, "robbed", IMAGE) as guest:
        guest.ready_disk()
        guest.run(f"dd if=/dev/urandom of=/dev/tsr0 bs=4k seek=1 count={BLOCKS} oflag=direct conv=fsync")
        guest.detach()
        m.run(f"rm -f {COPY}; tessera image create {COPY} --size 16M && dd if={IMAGE} of={COPY} bs=64k skip=1 seek=1 count=2 conv=notrunc && mv {COPY} {IMAGE}")
        guest.attach()
        state(guest, "attached")
        for again in (False, True):
            for block in (1, BLOCKS, 2000):
                status, text = read(guest, block)
                assert status != 0 and EILSEQ in text, f"block {block}: {status} {text}"
            if not again:  # what this attach has written is not the only thing that is missed
                guest.run("cd /sys/bus/tessera/drivers/tessera_blk && echo tessera0 >unbind && echo tessera0 >bind")
                state(guest, "attached")
                guest.run("until dd if=/dev/tsr0 of=/dev/null count=0 2>/dev/null; do usleep 50000; done")


def test_anothers_mapping(m):
    """a back-end cannot unmap what another one has mapped, which that one can (HOST-14)"""
    with twin(m, "served", IMAGE) as guest:
        guest.ready_disk()
        m.run("tessera guest run --name bystander --memory 4M --disk data --raw /guests/spin.bin")
        try:
            shown, number = guest.show(), json.loads(m.run("tessera guest show bystander --json"))["guest"]
            said = m.run(f"host_foreign {shown['devices'][0]['backend']} {number} 0").splitlines()
            assert said == ["another's: Stale file handle", "its own: unmapped", "its own again: Stale file handle"], said
        finally:
            m.run("tessera guest destroy bystander")
        guest.kill_daemon()
        guest.run("dd if=/dev/zero of=/dev/tsr0 bs=4k count=1 oflag=direct")


def test_backends_at_once(m):
    """back-ends whose sessions begin at the same moment get a huge page for each window: six of them, and three beside three whose number was lowered"""
    guest = Guest(m, name="six")
    for n in range(6):
        guest.options += ["--disk", f"d{n}"]
        m.run(f"rm -f /tmp/six.{n} && tessera image create /tmp/six.{n} --size 8M")

    def at_once(disks, sessions):
        # No huge page is free, so that each window has to ask for one.
        m.run(f"echo 0 >/proc/sys/vm/nr_hugepages; for n in {disks}; do tessera disk attach six d$n /tmp/six.$n --log /run/six.$n & done; wait; "
              f"until [ $(cat /run/six.* | grep -c ': session [0-9]*:') = {sessions} ]; do usleep 50000; done")
        said = m.run("grep -h 'huge page' /run/six.* || true")
        assert not said, said

    with guest:
        at_once("0 1 2 3 4 5", 6)
        m.run("for n in 3 4 5; do tessera disk detach six d$n & done; wait")
        at_once("3 4 5", 9)
