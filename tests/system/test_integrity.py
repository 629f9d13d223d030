# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A host that changes what a guest has stored (THREAT-3): every block but what the guest itself wrote last, in that place, is an
I/O error, and its neighbours still read."""

from guest import shared

MACHINE = dict(smp=2, mem=2048, media=True)
FIRST, COUNT = 4096, 16  # blocks of 4 KiB on the shared disk
# What glibc calls EILSEQ; busybox prints the text.
EILSEQ = "Invalid or incomplete multibyte or wide character"


def read(guest, block):
    """Reads one block past all caches: (status, output)."""
    return guest.sh(f"dd if=/dev/tsr0 of=/tmp/block bs=4k skip={block} count=1 iflag=direct && md5sum </tmp/block")


def sums(guest, blocks):
    """The checksums of blocks that must all read."""
    text = guest.run(f"for b in {' '.join(map(str, blocks))}; do dd if=/dev/tsr0 of=/tmp/block bs=4k skip=$b count=1 iflag=direct "
                     "2>/dev/null && md5sum </tmp/block || echo bad $b; done")
    found = [line.split()[0] for line in text.splitlines()]
    assert "bad" not in found, text
    return found


def fill(guest, block=FIRST, count=COUNT):
    guest.run(f"dd if=/dev/urandom of=/dev/tsr0 bs=4k seek={block} count={count} oflag=direct conv=fsync")


def damage(m, guest, *commands):
    """Takes the back-end away, does what a hostile host would to the image, and brings the back-end back."""
    guest.detach()
    for command in commands:
        m.run(f"host_damage {guest.disk} {command}")
    guest.attach()


def check_refused(guest, bad, before):
    """Each block of bad is refused once for each read, and counted; all others are as before."""
    for block in bad:
        errors = guest.counters()["integrity_errors"]
        status, text = read(guest, block)
        assert status != 0 and EILSEQ in text, f"block {block}: {status} {text}"
        assert guest.counters()["integrity_errors"] == errors + 1
    good = [b for b in range(FIRST, FIRST + COUNT) if b not in bad]
    assert len(good) == COUNT - len(bad)
    errors = guest.counters()["integrity_errors"]
    assert sums(guest, good) == [before[b - FIRST] for b in good]
    assert guest.counters()["integrity_errors"] == errors
    # The guest may write such a block anew.
    for block in bad:
        fill(guest, block, 1)
        assert read(guest, block)[0] == 0


def test_flipped_bit_in_data(m):
    """one bit flipped in a block's data: the guest gets EILSEQ, the counter rises by one, the neighbours read"""
    guest = shared(m)
    fill(guest)
    before = sums(guest, range(FIRST, FIRST + COUNT))
    damage(m, guest, f"flip-data {FIRST + 5}")
    check_refused(guest, [FIRST + 5], before)


def test_flipped_bit_in_seal(m):
    """one bit flipped in a block's seal: the same"""
    guest = shared(m)
    fill(guest)
    before = sums(guest, range(FIRST, FIRST + COUNT))
    damage(m, guest, f"flip-seal {FIRST + 7}")
    check_refused(guest, [FIRST + 7], before)


def test_swapped_blocks(m):
    """two blocks that changed places, each with its own valid seal, are both refused"""
    guest = shared(m)
    fill(guest)
    before = sums(guest, range(FIRST, FIRST + COUNT))
    damage(m, guest, f"swap {FIRST + 2} {FIRST + 11}")
    check_refused(guest, [FIRST + 2, FIRST + 11], before)


def test_older_pair(m):
    """an older block with the seal of that time, put back while the guest is attached, is refused"""
    guest = shared(m)
    fill(guest)
    damage(m, guest, f"save {FIRST + 9} /tmp/old")
    first = sums(guest, [FIRST + 9])
    fill(guest)
    before = sums(guest, range(FIRST, FIRST + COUNT))
    assert before[9] != first[0]
    damage(m, guest, f"restore {FIRST + 9} /tmp/old")
    check_refused(guest, [FIRST + 9], before)


def test_quiet_waiting(m):
    """while the back-end is away a guest's read waits, without an error, and ends when it is back"""
    guest = shared(m)
    fill(guest)
    before = sums(guest, [FIRST])
    guest.detach()
    guest.run(f"rm -f /tmp/done; (dd if=/dev/tsr0 of=/tmp/late bs=4k skip={FIRST} count=1 iflag=direct; echo $? >/tmp/done) "
              ">/dev/null 2>&1 &")
    guest.run("until [ \"$(cat /sys/bus/tessera/devices/tessera0/state)\" = backend-away ]; do usleep 50000; done")
    assert guest.run("ls /tmp/done || true").strip() != "/tmp/done"
    guest.attach()
    assert guest.run("until [ -s /tmp/done ]; do usleep 50000; done; cat /tmp/done").strip() == "0"
    assert guest.run("md5sum </tmp/late").split()[0] == before[0]
