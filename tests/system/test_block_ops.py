# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What a guest does with its disks beyond reading and writing: partitions, file systems and their checkers, more than one disk, disks that grow,
are read-only, go and come while they are used."""

import json
import re

from guest import Guest

MACHINE = dict(smp=2, mem=2048, media=True)
IMAGE, LOGS = "/tmp/ops.img", "/tmp/ops-logs.img"
SIZE = 160  # MiB
# fdisk's lines: three primary partitions.
TABLE = "o\\nn\\np\\n1\\n\\n+24M\\nn\\np\\n2\\n\\n+56M\\nn\\np\\n3\\n\\n\\nw\\n"
# What mkfs.xfs asks its own tests to say, who want small file systems.
SMALL_XFS = "TEST_DIR=/mnt TEST_DEV=/dev/tsr0 QA_CHECK_FS=1"
FILE_SYSTEMS = (("ext4", "mkfs.ext4 -q -F", "e2fsck -fn"),
                ("xfs", f"{SMALL_XFS} mkfs.xfs -q -f", "xfs_repair -n"),
                ("btrfs", "mkfs.btrfs -q -f -M", "btrfs check"))


class TwoDisks(Guest):
    """A guest with file systems and a second disk."""

    def start(self, wait=True):
        self.options += ["--disk", "logs", "--suite", "aes-256-gcm"]
        self.m.run(f"rm -f {IMAGE} {LOGS}; tessera image create {LOGS} --size 16M")
        super().start(wait)
        self.m.run(f"tessera disk attach {self.name} logs {LOGS} --log /run/tesserad.logs.log")
        return self


def shared(m):
    """Started when it is first asked for; goes with its machine."""
    if not getattr(m, "ops_guest", None):
        m.ops_guest = TwoDisks(m, name="ops", memory="384M", initrd="/media/guest-fs.img", words="rootfstype=ramfs", disk=IMAGE,
                               size=f"{SIZE}M").start()
        m.ops_guest.ready_disk()
        m.ops_guest.run(f"printf '{TABLE}' | fdisk /dev/tsr0 >/tmp/fdisk 2>&1; until (true </dev/tsr0p3) 2>/dev/null; do usleep 50000; done")
    return m.ops_guest


def sessions(guest, disk=0):
    return int(guest.run(f"cat /sys/bus/tessera/devices/tessera{disk}/counters/sessions"))


def census(m):
    return json.loads(m.run("tessera info --json"))["census"]


def test_partitions(m):
    """a partition table written inside a guest is found again when the disk comes back, and requests have up to 1 MiB"""
    guest = shared(m)
    assert guest.run("ls /sys/block/tsr0 | grep -c tsr0p").strip() == "3"
    assert int(guest.run("cat /sys/block/tsr0/queue/max_sectors_kb")) >= 1024
    guest.run("echo tessera0 >/sys/bus/tessera/drivers/tessera_blk/unbind")
    assert guest.sh("[ -e /sys/block/tsr0 ]")[0] != 0
    guest.run("echo tessera0 >/sys/bus/tessera/drivers/tessera_blk/bind; until (true </dev/tsr0p3) 2>/dev/null; do usleep 50000; done")
    first = guest.run("cat /sys/block/tsr0/tsr0p2/start /sys/block/tsr0/tsr0p2/size").split()
    assert int(first[1]) == 56 << 11, first


def fsx_sees(guest, path):
    """Control: somebody else writes to its file."""
    guest.run(f"rm -f /tmp/quiet; (n=0; until [ -e /tmp/quiet ]; do n=$(((n + 7) % 64)); dd if=/dev/urandom of={path} bs=4k count=1 seek=$n conv=notrunc; "
              "done) >/dev/null 2>&1 &")
    status, text = guest.sh(f"guest_fsx -s 1 -n 5000 -l 262144 {path}")
    guest.run(f"touch /tmp/quiet; rm -f {path}")
    assert status == 1 and "should be" in text, f"fsx did not see that its file was changed: {text}"


def test_file_systems(m):
    """ext4, xfs and btrfs on partitions of a sealed disk: random operations against a model, and each checker finds nothing"""
    guest = shared(m)
    for number, (name, make, check) in enumerate(FILE_SYSTEMS, 1):
        part = f"/dev/tsr0p{number}"
        guest.run(f"modprobe {name}; {make} {part} && mount -t {name} {part} /mnt", 300)
        text = guest.run(f"guest_fsx -s {number} -n 200 -l 2097152 /mnt/one && guest_fsx -s 1{number} -n 100 -l 1048576 -d /mnt/two", 400)
        counts = {op: int(n) for op, n in re.findall(r"(\w+)=(\d+)", text)}
        assert all(counts[op] for op in ("read", "write", "mapread", "mapwrite", "truncate", "punch", "fsync")), text
        if number == 1:
            fsx_sees(guest, "/mnt/three")
        guest.run("fstrim /mnt")
        status, text = guest.sh(f"umount /mnt && {check} {part}", 300)
        assert status == 0, f"{name}: {text}"
    assert guest.counters()["integrity_errors"] == 0


def test_discards_are_sealed(m):
    """what is discarded or zeroed inside a guest is zeros to it by seals of its own, which the host cannot make: its image has them"""
    guest = shared(m)
    before = guest.counters()["sealed_bytes"]
    guest.run("blkdiscard -o 8388608 -l 2097152 /dev/tsr0 && sync")
    assert guest.counters()["sealed_bytes"] - before < 1 << 20
    guest.run("dd if=/dev/tsr0 bs=1M skip=8 count=2 iflag=direct 2>/dev/null | cmp -n 2097152 - /dev/zero")
    text = guest.run("guest_fsx -s 7 -n 300 -l 1048576 /dev/tsr1 || { cat /sys/bus/tessera/devices/tessera1/state; false; }") \
        if guest.run("D=/sys/bus/tessera/devices/tessera1; [ $(cat $D/state) = attached ] || echo yes >$D/format; echo ok") else ""
    counts = {op: int(n) for op, n in re.findall(r"(\w+)=(\d+)", text)}
    assert counts["discard"] and counts["zero"] and counts["punch"], text


def test_grows_under_load(m):
    """a disk is enlarged while a file system on it is used: nothing fails, the guest sees the new size, and uses it"""
    guest = shared(m)
    before = sessions(guest)
    guest.run("mkfs.ext4 -q -F /dev/tsr0p1 && mount -t ext4 /dev/tsr0p1 /mnt")
    guest.run("rm -f /tmp/fsx.rc; (guest_fsx -s 3 -n 1000 -l 2097152 /mnt/load >/tmp/fsx; echo $? >/tmp/fsx.rc) >/dev/null 2>&1 &")
    text = m.run(f"tessera disk resize ops data --size {SIZE + 32}M")
    assert f"has {SIZE + 32} MiB now" in text, text
    guest.run(f"until [ $(cat /sys/block/tsr0/size) = {(SIZE + 32) << 11} ]; do usleep 50000; done")
    assert guest.run("until [ -s /tmp/fsx.rc ]; do usleep 100000; done; cat /tmp/fsx.rc", 400).strip() == "0", guest.run("cat /tmp/fsx")
    assert sessions(guest) == before + 1
    guest.run(f"dd if=/dev/tsr0 bs=1M skip={SIZE} count=32 iflag=direct 2>/dev/null | cmp -n {32 << 20} - /dev/zero")
    guest.run(f"dd if=/dev/urandom of=/tmp/r bs=1M count=1; dd if=/tmp/r of=/dev/tsr0 bs=1M seek={SIZE + 31} oflag=direct")
    status, text = m.sh(f"tessera disk resize ops data --size {SIZE}M 2>&1")
    assert status == 1 and "does not shrink" in text, text
    guest.run(f"dd if=/dev/tsr0 bs=1M skip={SIZE + 31} count=1 iflag=direct 2>/dev/null | cmp -n 1048576 - /tmp/r")
    guest.run("umount /mnt && e2fsck -fn /dev/tsr0p1")


ROUNDS = 10


def test_plugging_under_load(m):
    """one disk's back-end goes and comes, and the other disk is taken away and given back by its guest, ten times each under load"""
    guest = shared(m)
    guest.run("D=/sys/bus/tessera/devices/tessera1; [ $(cat $D/state) = attached ] || echo yes >$D/format")
    before, start, failed = census(m), sessions(guest), guest.counters()["integrity_errors"]
    guest.run("mount -t ext4 /dev/tsr0p1 /mnt; rm -f /tmp/fsx.rc /tmp/end")
    guest.run("(until [ -e /tmp/end ]; do guest_fsx -s 4 -n 300 -l 1048576 /mnt/load >/tmp/fsx || break; done; echo $? >/tmp/fsx.rc) "
              ">/dev/null 2>&1 &")
    guest.run("(until [ -e /tmp/end ]; do guest_cut write /dev/tsr1 0 0; usleep 50000; done) >/dev/null 2>&1 &")
    for _ in range(ROUNDS):
        guest.detach()
        guest.run("cd /sys/bus/tessera/drivers/tessera_blk; echo tessera1 >unbind; [ ! -e /sys/block/tsr1 ] && echo tessera1 >bind")
        guest.attach()
        guest.run("for n in 0 1; do until grep -q attached /sys/bus/tessera/devices/tessera$n/state; do usleep 20000; done; done")
    guest.run("touch /tmp/end; kill $(pidof guest_cut)")
    assert guest.run("until [ -s /tmp/fsx.rc ]; do usleep 100000; done; cat /tmp/fsx.rc", 400).strip() == "0", guest.run("cat /tmp/fsx")
    assert sessions(guest) == start + ROUNDS
    assert guest.counters()["integrity_errors"] == failed
    guest.run("umount /mnt && e2fsck -fn /dev/tsr0p1")
    for _ in range(100):
        if census(m) == before:
            break
    assert census(m) == before
    assert guest.run("dmesg | grep -cE 'BUG:|WARNING: CPU|Oops' || true").strip() == "0", guest.run("dmesg | tail -30")


def test_read_only(m):
    """a disk that the host gives read-only is read, and every write is refused with EPERM; so is one that the guest wants so"""
    guest = shared(m)
    guest.run("dd if=/tmp/r of=/dev/tsr0 bs=1M seek=100 oflag=direct 2>/dev/null || { dd if=/dev/urandom of=/tmp/r bs=1M count=1; "
              "dd if=/tmp/r of=/dev/tsr0 bs=1M seek=100 oflag=direct; }")
    for by in ("host", "guest"):
        guest.run("rmmod tessera_blk")
        if by == "host":
            guest.detach()
            guest.attach("--read-only")
        guest.run("modprobe tessera_blk " + ("read_only=data" if by == "guest" else "") +
                  "; until (true </dev/tsr0) 2>/dev/null; do usleep 50000; done")
        assert guest.run("cat /sys/block/tsr0/ro").strip() == "1"
        guest.run("dd if=/dev/tsr0 bs=1M skip=100 count=1 iflag=direct 2>/dev/null | cmp -n 1048576 - /tmp/r")
        status, text = guest.sh("dd if=/tmp/r of=/dev/tsr0 bs=1M seek=100 oflag=direct")
        assert status and "not permitted" in text, text
        if by == "host":
            guest.run("rmmod tessera_blk")
            guest.detach()
            guest.attach()
            guest.run("modprobe tessera_blk; until (true </dev/tsr0) 2>/dev/null; do usleep 50000; done")
    guest.run("rmmod tessera_blk; modprobe tessera_blk; until (true </dev/tsr0) 2>/dev/null; do usleep 50000; done")
    assert guest.run("cat /sys/block/tsr0/ro").strip() == "0"


def test_repair(m):
    """a damaged image is found by the check, made whole by the repair, and the guest gets an error for the lost block and for no other"""
    guest = shared(m)
    block = 100 << 8
    guest.run("dd if=/tmp/r of=/dev/tsr0 bs=1M seek=100 oflag=direct conv=fsync; rmmod tessera_blk")
    guest.detach()
    assert "does not match: 0" in m.run(f"tessera image check {IMAGE}")
    m.run(f"host_damage {IMAGE} rot-data {block + 5}")
    status, text = m.sh(f"tessera image check {IMAGE} 2>&1")
    assert status == 1 and f"block {block + 5} is lost" in text, text
    text = m.run(f"tessera image repair {IMAGE}")
    assert "lost: 1 blocks" in text, text
    m.run(f"tessera image check {IMAGE}")
    guest.attach()
    guest.run("modprobe tessera_blk; until (true </dev/tsr0) 2>/dev/null; do usleep 50000; done")
    status, text = guest.sh(f"dd if=/dev/tsr0 of=/tmp/b bs=4k skip={block + 5} count=1 iflag=direct")
    assert status and "multibyte" in text, text
    for near in (block + 4, block + 6):
        guest.run(f"dd if=/dev/tsr0 of=/tmp/b bs=4k skip={near} count=1 iflag=direct")
    assert guest.counters()["integrity_errors"] == 1
