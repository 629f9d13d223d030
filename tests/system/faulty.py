# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Media under a sealed disk that fail, fill up or are slow, and what a guest may find afterwards: for test_faults.py and tests/torture/faults.py."""

import re

from guest import Guest

FIRST, COUNT = 64, 16  # the blocks looked at
LOOP = "/dev/loop6"


class Faulty:
    """A block device of the host's, /dev/dm-0, of so many MiB, whose behaviour can be changed while it is used."""

    place = "/dev/dm-0"

    def __init__(self, m, mib=24):
        self.m, self.sectors = m, mib * 2048
        m.run("[ -x /bin/dmsetup ] || (cd / && cpio -idu </media/tools.cpio 2>/dev/null); for k in loop dm_mod dm_flakey dm_delay; do modprobe $k; done")
        m.run(f"truncate -s {mib}M /run/faulty.raw && losetup {LOOP} /run/faulty.raw && echo '{self._table('linear')}' | "
              "dmsetup create --noudevsync faulty && mdev -s && [ -b /dev/dm-0 ]")

    def _table(self, kind):
        return f"0 {self.sectors} " + {
            "linear": f"linear {LOOP} 0",
            "failing": f"flakey {LOOP} 0 0 100000 1 error_writes",       # each write fails, reads do not
            "dead": f"flakey {LOOP} 0 0 100000",                         # everything fails
            "flakey": f"flakey {LOOP} 0 1 1 1 error_writes",             # a second well, a second failing
            "lying": f"flakey {LOOP} 0 0 100000 1 drop_writes",          # each write succeeds and is lost
            "slow": f"delay {LOOP} 0 60 {LOOP} 0 120",                   # ms for reads and for writes
        }[kind]

    def become(self, kind):
        self.m.run(f"echo '{self._table(kind)}' | dmsetup reload faulty && dmsetup resume --noudevsync faulty")

    def end(self):
        self.m.run(f"dmsetup remove --noudevsync faulty; losetup -d {LOOP}; rm -f /run/faulty.raw")


class Full:
    """A file system that has room for a part of the image only, until make_room."""

    place = "/run/full/data.img"

    def __init__(self, m, mib=20):
        self.m = m
        m.run(f"modprobe loop; modprobe ext4; truncate -s {mib}M /run/full.raw && losetup {LOOP} /run/full.raw && mkfs.ext4 -q -m 0 {LOOP} && "
              f"mkdir -p /run/full && mount -t ext4 {LOOP} /run/full && dd if=/dev/zero of=/run/full/ballast bs=1M count={mib // 2} 2>/dev/null")

    def make_room(self):
        self.m.run("rm /run/full/ballast; sync")

    def end(self):
        self.m.run(f"umount /run/full; losetup -d {LOOP}; rm -f /run/full.raw")


class Witness(Guest):
    """A guest that writes versions of some blocks and says what it reads."""

    def __init__(self, m, place, size="16M", **options):
        super().__init__(m, name="witness", disk=place, size=size, memory="160M", **options)

    def start(self, wait=True):
        if self.disk.startswith("/dev/"):
            self.m.run(f"tessera image create {self.disk} --size {self.size}")
        super().start(wait)
        self.ready_disk()
        self.run("say() { for n in $(seq 0 $(($2 - 1))); do yes \"version $1 of block $n, $1 \" | head -c 4096; done >/tmp/v$1; }; "
                 f"for v in $(seq 3); do say $v {COUNT}; done; for v in $(seq 3); do for n in $(seq 0 {COUNT - 1}); do "
                 "echo $(dd if=/tmp/v$v bs=4k skip=$n count=1 2>/dev/null | md5sum | cut -c1-32) v$v.$n; done; done >/tmp/sums", 300)
        return self

    def write(self, version, count=COUNT):
        """Status of dd, which ends at the first error, and what it says."""
        return self.sh(f"dd if=/tmp/v{version} of=/dev/tsr0 bs=4k seek={FIRST} count={count} oflag=direct conv=fsync", 300)

    def read(self):
        """Of each block the version it holds, 0 for one that cannot be read. None other than a version may show."""
        text = self.run(f"for n in $(seq 0 {COUNT - 1}); do if dd if=/dev/tsr0 of=/tmp/b bs=4k skip=$(({FIRST} + n)) count=1 iflag=direct 2>/dev/null; "
                        "then grep -F \"$(md5sum </tmp/b | cut -c1-32) \" /tmp/sums || echo other.$n; else echo v0.$n; fi; done", 300)
        # What the kernel says of errors is between.
        found = [(version, int(block)) for version, block in re.findall(r"\b(v\d|other)\.(\d+)\b", text)]
        assert [block for _, block in found] == list(range(COUNT)) and "other" not in text, text
        return [int(version[1:]) for version, _ in found]

    def expect(self, versions):
        found = self.read()
        assert all(version in versions for version in found), (found, versions)
        return found

    def renew(self, version):
        """Everything works again: a new back-end serves what is there, and what is written then is kept."""
        self.kill_daemon()
        status, text = self.write(version)
        assert status == 0, text
        self.kill_daemon()
        self.expect([version])


def disk_full(m):
    """The medium is full: the guest is told so, keeps what it had, and goes on when there is room."""
    full = Full(m)
    with Witness(m, full.place, size="48M") as guest:
        assert guest.write(1)[0] == 0
        status, text = guest.sh("dd if=/dev/zero of=/dev/tsr0 bs=64k seek=32 count=400 oflag=direct", 600)
        assert status != 0 and "No space left" in text, (status, text)
        guest.expect([1])
        assert guest.counters()["integrity_errors"] == 0
        full.make_room()
        guest.renew(2)
        assert guest.counters()["integrity_errors"] == 0
    full.end()


def failing_medium(m, kind):
    """A medium that fails while the guest writes: every block is one of its versions or an error, and all is well with a new back-end. Returns how
    many blocks were refused."""
    faulty = Faulty(m)
    with Witness(m, faulty.place) as guest:
        assert guest.write(1)[0] == 0
        faulty.become(kind)
        statuses = [guest.write(2)[0] for _ in range(3)]
        assert kind == "flakey" or any(statuses), statuses
        faulty.become("linear")
        guest.kill_daemon()
        refused = guest.expect([0, 1, 2]).count(0)
        guest.renew(3)
    faulty.end()
    return refused


def slow_medium(m):
    """A medium that takes its time: nothing fails."""
    faulty = Faulty(m)
    with Witness(m, faulty.place) as guest:
        faulty.become("slow")
        assert guest.write(1)[0] == 0
        guest.expect([1])
        guest.kill_daemon()
        guest.expect([1])
        assert guest.counters()["integrity_errors"] == 0
        faulty.become("linear")
    faulty.end()


def lying_medium(m):
    """Control: a medium that loses what it has flushed. Returns how many blocks the guest refuses."""
    faulty = Faulty(m)
    with Witness(m, faulty.place) as guest:
        assert guest.write(1)[0] == 0
        faulty.become("lying")
        assert guest.write(2)[0] == 0
        faulty.become("linear")
        guest.kill_daemon()
        refused = guest.expect([0]).count(0)
    faulty.end()
    return refused
