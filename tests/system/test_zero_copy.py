# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Zero copy (BLK-26, BLK-27, BLK-28): the disk's DMA goes to and from a guest's pages, and the host copies none; with controls that copy."""

import json

import attack
from direct import COPIED, MIB, costs, device, disks, io, raw
from guest import fio_guest
from machine import Machine

IOMMU = 1 << 2  # TSR_FEATURE_IOMMU
PAGES = MIB << 8
FIO = (f"fio --name=z --filename=/dev/tsr0 --direct=1 --rw=randwrite --bs=16k --size={MIB}M --ioengine=libaio --iodepth=32 "
       "--verify=crc32c --verify_fatal=1 --output=/tmp/fio.log")

MACHINE = dict(smp=2, mem=2048, media=True, hv="messages=open", iommu="amd", name="zero-copy", devices=disks())


def ready(m):
    """Only where the hypervisor says that devices follow it."""
    m.sh("modprobe tessera_host")
    assert json.loads(m.run("tessera info --json"))["features"] & IOMMU, "the hypervisor does not use the machine's IOMMU"


def cached(m):
    """MiB that the host's page cache has."""
    words = m.run("grep -E '^(Cached|Buffers):' /proc/meminfo").split()
    return (int(words[1]) + int(words[4])) >> 10


def run_fio(guest, *options):
    """On a terminal it would show its progress without ever ending the line."""
    guest.run(f"{FIO} {' '.join(options)} >/dev/null 2>&1 || {{ cat /tmp/fio.log; false; }}", 400)
    assert " err= 0" in guest.run("cat /tmp/fio.log")


def use(m, name, disk):
    """A guest writes and verifies its sealed disk, the back-end changes, and all is read again. Returns what the back-end counted, and by how
    many MiB the host's page cache grew meanwhile."""
    with fio_guest(m, name=name, disk=disk) as guest:
        guest.ready_disk()
        m.run("echo 3 >/proc/sys/vm/drop_caches")
        before, cache = io(guest), cached(m)
        run_fio(guest)
        first, grown = io(guest), cached(m) - cache
        guest.detach()
        guest.attach()
        run_fio(guest, "--verify_only")
        assert guest.counters()["integrity_errors"] == 0
        second = io(guest)
        guest.detach()
        assert "does not match: 0" in m.run(f"tessera image check {disk}")
    first = {name: first[name] - before[name] for name in before if isinstance(before[name], int)}
    return first, second, grown


def check_direct(m, name, disk):
    ready(m)
    first, second, grown = use(m, name, disk)
    print(f"{name}: {first}")
    assert second["mode"] == "direct", second
    assert first["direct_in"] >= PAGES and first["direct_out"] >= PAGES, first
    assert second["direct_out"] >= PAGES, second
    assert [first[n] for n in COPIED] + [second[n] for n in COPIED] == [0, 0, 0, 0], (first, second)
    # Records and headers are cached, data is not.
    assert grown < MIB / 2, f"the page cache grew by {grown} MiB for {MIB} MiB of data"
    m.run("dmesg | grep -qE 'I/O error|BUG:|WARNING: CPU|Oops' && dmesg | tail -30 && exit 1 || true")


def test_splits_cost_no_invalidation(m):
    """taking memory splits tables that processors walk, each with a shoot-down; devices, which do not walk them, forget once a call and no more"""
    ready(m)
    before = attack.info(m)
    m.run("tessera guest run --name tiny --memory 16M --raw /guests/spin.bin")
    after = attack.info(m)
    m.run("tessera guest destroy tiny")
    calls, shot, flushed = (after[name] - before[name] for name in ("hypercalls_host", "shootdowns", "iotlb_flushes"))
    assert 0 < flushed < calls and shot >= flushed + 4, (calls, shot, flushed)


def test_nvme(m):
    """on an NVMe disk a guest's data moves by DMA from and to the guest's pages; the host copies no page"""
    check_direct(m, "nvme", raw(m, "tsr-nvme"))


def test_ahci(m):
    """the same on an AHCI disk"""
    check_direct(m, "ahci", raw(m, "tsr-ahci"))


def test_virtio(m):
    """the same on a virtio disk behind the IOMMU"""
    check_direct(m, "virtio", raw(m, "tsr-virtio"))


def test_file_on_ext4(m):
    """the same in a file of ext4 on the NVMe disk"""
    ready(m)
    disk = "/dev/" + device(m, "tsr-nvme")
    m.run(f"mkfs.ext4 -q -F {disk} && mkdir -p /mnt/z && mount {disk} /mnt/z")
    try:
        check_direct(m, "file", "/mnt/z/image")
    finally:
        m.run("umount /mnt/z")


def test_forced_bounce(m):
    """--bounce always: what is written is copied once, what is read is not"""
    ready(m)
    disk = raw(m, "tsr-virtio")
    with fio_guest(m, name="bounce", disk=disk) as guest:
        guest.ready_disk()
        guest.detach()
        guest.attach("--bounce always")
        run_fio(guest)
        done = io(guest)
    assert done["mode"] == "bounce" and "--bounce always" in done["reason"], done
    assert done["direct_in"] == done["copied_out"] == 0, done
    assert done["copied_in"] >= PAGES and done["direct_out"] >= PAGES, done


def attached_to(m, disk, *options):
    """What a back-end of a disk says at once, and prints, for a guest that never uses it."""
    m.run("modprobe tessera_host")
    m.run("tessera guest run --name tiny --memory 4M --disk data --raw /guests/spin.bin")
    try:
        text = m.run(f"tessera disk attach tiny data {disk} {' '.join(options)}")
        said = json.loads(m.run("tessera guest show tiny --json"))["devices"][0]["io"]
        return said, text + m.run("tessera guest show tiny")
    finally:
        m.run("tessera guest destroy tiny")


def test_tmpfs_copies(m):
    """on tmpfs everything is copied, and both the log and `tessera` say why"""
    ready(m)
    m.run("tessera image create /tmp/z.img --size 4M")
    said, text = attached_to(m, "/tmp/z.img", "--log /run/z.log")
    assert said["mode"] == "copy" and "ext4 and XFS" in said["reason"], said
    assert said["reason"] in text and said["reason"] in m.run("cat /run/z.log"), text


def test_without_an_iommu():
    """control: without the IOMMU all data is copied by CPU, through the page cache, and every output says so"""
    with Machine(smp=2, mem=6144, media=True, hv="iommu=off", name="zero-copy-off", devices=disks()) as m:
        m.wait_ready()
        m.run("modprobe tessera_host")
        path = raw(m, "tsr-nvme")
        said, text = attached_to(m, path)
        assert said["mode"] == "copy" and "no IOMMU" in said["reason"] and said["reason"] in text, (said, text)
        path = raw(m, "tsr-nvme")
        first, second, grown = use(m, "copied", path)
        print(f"copied: {first}")
        assert second["mode"] == "copy", second
        assert first["copied_in"] >= PAGES and first["copied_out"] >= PAGES, first
        assert first["direct_in"] == first["direct_out"] == second["direct_in"] == second["direct_out"] == 0, (first, second)
        assert grown >= MIB / 2, f"the page cache grew by only {grown} MiB for {MIB} MiB of data"
        status, text = m.sh(f"tesserad --guest 1 --device 0 --image {path} --bounce never 2>&1")
        assert status == 2 and "not offered" in text, text


def test_cost(m):
    """what 4 KiB cost through the NVMe disk at depth 1 and 32 is printed: exits, invalidations and copies"""
    ready(m)
    with fio_guest(m, name="cost", disk=raw(m, "tsr-nvme")) as guest:
        guest.ready_disk()
        for mode, depth, each in costs(guest, 256):
            shown = [f"{name} {each[name]:.2f}" for name in each
                     if name.startswith(("exits", "hypercalls", "copied", "direct", "doorbells", "events", "shoot", "io"))]
            print(f"4 KiB, {mode}, depth {depth}: {', '.join(shown)}")
            assert each["copied_in"] == each["copied_out"] == 0, each
