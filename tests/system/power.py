# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A guest that writes until the power goes, and what has to be there afterwards: for test_power_cut.py and the long form, tests/torture/block.py.

The sealed disk has four partitions: one that guest_cut (tests/system/tools) writes, and ext4, xfs and btrfs with files that are synced one by one.
"""

import re

from guest import Guest
from test_modes import set_mode

SECRET = bytes(range(32))
REGIONS = 4
REGION = 4  # MiB
RUN = 1000000  # of guest_cut: each cut begins another
NEVER = 5000  # operations further than any that may have been made
SMALL_XFS = "TEST_DIR=/mnt TEST_DEV=/dev/tsr0 QA_CHECK_FS=1"
FILE_SYSTEMS = (("ext4", 2, "mkfs.ext4 -q -F", "e2fsck -fn"),
                ("xfs", 3, f"{SMALL_XFS} mkfs.xfs -q -f", "xfs_repair -n"),
                ("btrfs", 4, "mkfs.btrfs -q -f -M", "btrfs check"))


class Victim(Guest):
    """The guest; `image` is on the host."""

    def __init__(self, m, image, initrd="/media/guest-fs.img", memory="384M", **options):
        super().__init__(m, name="cut", memory=memory, initrd=initrd, words="rootfstype=ramfs", disk=image, **options)

    def begin(self, mode="pooled"):
        self.start()
        self.ready_disk()
        set_mode(self, mode)
        return self

    def prepare(self, raw=24):
        """Makes the partitions, the first of so many MiB, and the file systems."""
        table = "".join(f"n\\np\\n{n}\\n\\n+{size}M\\n" for n, size in ((1, raw), (2, 24), (3, 56)))
        self.run(f"printf 'o\\n{table}n\\np\\n\\n\\nw\\n' | fdisk /dev/tsr0 >/dev/null 2>&1; until (true </dev/tsr0p4) 2>/dev/null; do usleep 50000; done")
        for name, part, make, _ in FILE_SYSTEMS:
            self.run(f"modprobe {name}; {make} /dev/tsr0p{part}", 300)

    def mount(self, name, part):
        # Mounting replays its log; the checkers want that done.
        self.run(f"modprobe {name}; mkdir -p /m/{name}; mount -t {name} /dev/tsr0p{part} /m/{name}", 300)

    def work(self, cut, operations):
        """Starts writers of everything; returns, once each has flushed something and one has made so many operations, what is flushed by then."""
        for region in range(REGIONS):
            self.run(f"rm -f /tmp/flushed.{region}; guest_cut write /dev/tsr0p1 {region} {cut * RUN} >/tmp/cut.{region} 2>&1 &")
        for name, part, _, _ in FILE_SYSTEMS:
            self.mount(name, part)
            self.run(f"rm -f /m/{name}/[0-9]* /tmp/synced.{name}")
            self.run(f"(n=0; while :; do n=$((n + 1)); yes \"{name} {cut} $n\" | head -c $((n * 777)) >/m/{name}/$n; sync /m/{name}/$n /m/{name}; "
                     f"echo $n >/tmp/synced.new.{name}; mv /tmp/synced.new.{name} /tmp/synced.{name}; done) >/dev/null 2>&1 &")
        self.run(f"until [ $(($(cat /tmp/flushed.0) - {cut * RUN})) -ge {operations} ] && [ -s /tmp/synced.ext4 ] && [ -s /tmp/synced.xfs ] && "
                 "[ -s /tmp/synced.btrfs ]; do usleep 50000; done", 600)
        self.run(f"for n in $(seq 0 {REGIONS - 1}); do until [ -s /tmp/flushed.$n ]; do usleep 50000; done; done")
        flushed = [int(n) for n in self.run("cat " + " ".join(f"/tmp/flushed.{r}" for r in range(REGIONS))).split()]
        synced = {name: int(self.run(f"cat /tmp/synced.{name}")) for name, _, _, _ in FILE_SYSTEMS}
        return flushed, synced

    def check_regions(self, flushed):
        """Each block is as flushed or newer: how many are newer. A checker that could not fail would be none, so it is also asked for what was
        never flushed."""
        newer = 0
        for region, number in enumerate(flushed):
            status, text = self.sh(f"guest_cut check /dev/tsr0p1 {region} {number}", 300)
            assert status == 0, text
            newer += int(re.search(r"(\d+) blocks newer", text).group(1))
        status, text = self.sh(f"guest_cut check /dev/tsr0p1 0 {flushed[0] + NEVER}", 300)
        assert status == 1 and "neither flushed nor newer" in text, text
        return newer

    def check_files(self, cut, synced):
        for name, part, _, check in FILE_SYSTEMS:
            self.mount(name, part)
            self.run(f"for n in $(seq {synced[name]}); do yes \"{name} {cut} $n\" | head -c $((n * 777)) | cmp - /m/{name}/$n || exit 1; done", 300)
            status, text = self.sh(f"umount /m/{name} && {check} /dev/tsr0p{part}", 300)
            assert status == 0, f"{name}: {text}"

    def check(self, cut, flushed, synced):
        newer = self.check_regions(flushed)
        self.check_files(cut, synced)
        assert self.counters()["integrity_errors"] == 0
        return newer
