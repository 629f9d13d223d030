# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The power goes while a guest writes (STORE-1, STORE-2): of each block the old or the new pair is there, everything flushed is, and so are files
that were synced, on three file systems that their checkers find whole. TSR_CUTS=20 cuts as often as that instead of once."""

import os
import re

from guest import Guest
from machine import Machine, ROOT

SECRET = bytes(range(32))
CUTS = int(os.environ.get("TSR_CUTS", "1"))
REGIONS = 4
RUN = 1000000  # of guest_cut: each cut begins another
TABLE = "o\\nn\\np\\n1\\n\\n+24M\\nn\\np\\n2\\n\\n+24M\\nn\\np\\n3\\n\\n+56M\\nn\\np\\n\\n\\nw\\n"
SMALL_XFS = "TEST_DIR=/mnt TEST_DEV=/dev/tsr0 QA_CHECK_FS=1"
FILE_SYSTEMS = (("ext4", 2, "mkfs.ext4 -q -F", "e2fsck -fn"),
                ("xfs", 3, f"{SMALL_XFS} mkfs.xfs -q -f", "xfs_repair -n"),
                ("btrfs", 4, "mkfs.btrfs -q -f -M", "btrfs check"))


def start(m):
    guest = Guest(m, name="cut", memory="384M", initrd="/media/guest-fs.img", words="rootfstype=ramfs", disk="/dev/vda").start()
    guest.ready_disk()
    return guest


def prepare(guest):
    guest.run(f"printf '{TABLE}' | fdisk /dev/tsr0 >/dev/null 2>&1; until [ -b /dev/tsr0p4 ]; do usleep 50000; done")
    for name, part, make, _ in FILE_SYSTEMS:
        guest.run(f"modprobe {name}; {make} /dev/tsr0p{part}", 300)


def work(guest, cut):
    """Starts writers of everything; returns, once each has flushed something, what they have flushed by then."""
    for region in range(REGIONS):
        guest.run(f"rm -f /tmp/flushed.{region}; guest_cut write /dev/tsr0p1 {region} {cut * RUN} >/tmp/cut.{region} 2>&1 &")
    for name, part, _, _ in FILE_SYSTEMS:
        guest.run(f"modprobe {name}; mkdir -p /m/{name}; mount -t {name} /dev/tsr0p{part} /m/{name}; rm -f /m/{name}/[0-9]* /tmp/synced.{name}")
        guest.run(f"(n=0; while :; do n=$((n + 1)); yes \"{name} {cut} $n\" | head -c $((n * 777)) >/m/{name}/$n; sync /m/{name}/$n /m/{name}; "
                  f"echo $n >/tmp/synced.new.{name}; mv /tmp/synced.new.{name} /tmp/synced.{name}; done) >/dev/null 2>&1 &")
    guest.run(f"until [ $(($(cat /tmp/flushed.0) - {cut * RUN})) -ge {30 + 20 * cut} ] && [ -s /tmp/synced.ext4 ] && [ -s /tmp/synced.xfs ] && "
              "[ -s /tmp/synced.btrfs ]; do usleep 50000; done", 400)
    guest.run(f"for n in $(seq 0 {REGIONS - 1}); do until [ -s /tmp/flushed.$n ]; do usleep 50000; done; done")
    flushed = [int(n) for n in guest.run("cat " + " ".join(f"/tmp/flushed.{r}" for r in range(REGIONS))).split()]
    synced = {name: int(guest.run(f"cat /tmp/synced.{name}")) for name, _, _, _ in FILE_SYSTEMS}
    return flushed, synced


def check_files(guest, cut, synced):
    for name, part, _, check in FILE_SYSTEMS:
        # Mounting replays its log; the checkers want that done.
        guest.run(f"modprobe {name}; mkdir -p /m/{name}; mount -t {name} /dev/tsr0p{part} /m/{name}", 300)
        guest.run(f"for n in $(seq {synced[name]}); do yes \"{name} {cut} $n\" | head -c $((n * 777)) | cmp - /m/{name}/$n || exit 1; done")
        status, text = guest.sh(f"umount /m/{name} && {check} /dev/tsr0p{part}", 300)
        assert status == 0, f"{name} after cut {cut}: {text}"


def check(guest, cut, flushed, synced):
    newer = 0
    for region, number in enumerate(flushed):
        status, text = guest.sh(f"guest_cut check /dev/tsr0p1 {region} {number}")
        assert status == 0, f"after cut {cut}: {text}"
        newer += int(re.search(r"(\d+) blocks newer", text).group(1))
    check_files(guest, cut, synced)
    assert guest.counters()["integrity_errors"] == 0
    print(f"cut {cut}: flushed {[n % RUN for n in flushed]} operations, {newer} blocks are newer; files synced: {synced}")


def test_power_cuts():
    """the machine is killed under load: each block is its old or new pair, all that was flushed is there, ext4, xfs and btrfs are whole"""
    disk = os.path.join(ROOT, "build/default/power-cut.img")
    options = dict(smp=2, mem=2048, media=True, hv=f"iommu=off root_secret={SECRET.hex()}", disks=[disk])
    with open(disk, "wb") as image:
        image.truncate(256 << 20)
    left = None
    try:
        for cut in range(CUTS + 1):
            with Machine(name=f"power-cut-{cut}", **options) as m:
                m.wait_ready()
                if cut == 0:
                    m.run("tessera image create /dev/vda --size 160M")
                else:
                    # A checker that could not fail would be none: after the last cut the image is also asked for what was never flushed.
                    m.run("tessera image check /dev/vda")
                guest = start(m)
                if left:
                    check(guest, cut - 1, *left)
                    status, text = guest.sh(f"guest_cut check /dev/tsr0p1 0 {left[0][0] + 5000}")
                    assert status == 1 and "neither flushed nor newer" in text, text
                else:
                    prepare(guest)
                if cut < CUTS:
                    left = work(guest, cut)
                m.stop()
    finally:
        os.unlink(disk)
