# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The block path in each mode, on 1 and on 4 virtual CPUs: fio verify, fsx and file systems, with power cuts in between that lose and tear what was not
flushed. A piece is one cut, and the check of what it left.

	make torture T="block-pooled-1 block-strict-4"

The disk of each segment, between its pieces, is build/torture-NAME.img.
"""

import collections
import hashlib
import os
import random
import re
import shutil

from direct import device, io
from machine import Machine, ROOT
from medium import Medium
from power import FILE_SYSTEMS, REGION, REGIONS, RUN, SECRET, Victim
from torture import segment

CUTS = 5
DISK, RAW, ROOM = 192, 40, 240  # MiB: of the guest's disk, its first partition, and its image
FIO_MIB = 16
INITRD = "/run/torture.img"
ENGINES = ("libaio", "io_uring")
OPERATIONS = 120  # of each fsx
RULES = "STORE-1 STORE-2 STORE-3 BLK-40 BLK-41 BLK-42"


def fio(guest, vcpus, engine, *options):
    """A job on each virtual CPU, so that each queue is used."""
    share = FIO_MIB // vcpus
    line = (f"fio --name=t --filename=/dev/tsr0p1 --direct=1 --rw=randwrite --bsrange=4k-64k --blockalign=4k --offset={REGIONS * REGION}M "
            f"--offset_increment={share}M --size={share}M --numjobs={vcpus} --ioengine={engine} --iodepth=16 --verify=crc32c --verify_fatal=1 "
            f"--end_fsync=1 --group_reporting --output=/tmp/fio.log {' '.join(options)}")
    guest.run(f"{line} >/dev/null 2>&1 || {{ cat /tmp/fio.log; false; }}", 1800)
    text = guest.run("cat /tmp/fio.log")
    assert "err= 0" in text and not re.search(r"err=\s*[1-9]", text), text


def fsx(guest, seed, path, *options):
    text = guest.run(f"guest_fsx -s {seed} -n {OPERATIONS} {' '.join(options)} {path}", 900)
    return collections.Counter({op: int(n) for op, n in re.findall(r"(\w+)=(\d+)", text) if op != "size"})


class Life:
    """The machine from one power-on to the cut."""

    def __init__(self, run, medium, vcpus, mode):
        self.run, self.medium, self.vcpus, self.mode = run, medium, vcpus, mode
        self.m = Machine(variant=run.variant, name=run.log, smp=2, mem=2048, media=True, iommu="amd", hv=f"root_secret={SECRET.hex()}",
                         devices=medium.arguments())
        self.place = self.before = None

    def __enter__(self):
        self.m.start().wait_ready()
        self.m.run(f"modprobe tessera_host; cat /media/guest-fio.img /media/guest-fs.img >{INITRD}")
        self.place = "/dev/" + device(self.m, "tsr-cut")
        return self

    def __exit__(self, *_):
        self.m.stop()

    def guest(self):
        guest = Victim(self.m, self.place, initrd=INITRD, memory="512M", vcpus=self.vcpus).begin(self.mode)
        assert guest.run("nproc").strip() == str(self.vcpus)
        # Until its mode was set, it may have looked for partitions in another one.
        self.before = io(guest)
        return guest

    def check(self, saved):
        """What the last cut has left."""
        self.m.run(f"tessera image check {self.place}")
        guest = self.guest()
        newer = guest.check(saved["cut"], saved["flushed"], saved["synced"])
        fio(guest, self.vcpus, saved["engine"], "--verify_only")
        assert guest.counters()["integrity_errors"] == 0
        self.run.count("operations flushed and there", sum(n % RUN for n in saved["flushed"]))
        self.run.count("blocks newer", newer)
        self.run.count("files synced and there", sum(saved["synced"].values()))
        return guest

    def load(self, guest, cut):
        """Everything at work; what is flushed."""
        engine = ENGINES[cut % 2]
        fio(guest, self.vcpus, engine)
        self.run.count("MiB by fio", FIO_MIB)
        done = fsx(guest, 100 + cut, "/dev/tsr0p1", "-l 2097152")
        for name, part, _, check in FILE_SYSTEMS:
            guest.mount(name, part)
            guest.run(f"rm -f /m/{name}/[0-9]* /m/{name}/x*")
            done += fsx(guest, 200 + cut, f"/m/{name}/x1", "-l 1048576") + fsx(guest, 300 + cut, f"/m/{name}/x2", "-l 524288 -d")
            status, text = guest.sh(f"rm /m/{name}/x*; umount /m/{name} && {check} /dev/tsr0p{part}", 300)
            assert status == 0, f"{name}: {text}"
        assert all(done[op] for op in ("read", "write", "mapread", "mapwrite", "truncate", "punch", "zero", "discard", "fsync", "reopen")), done
        self.run.count("operations of fsx", sum(done.values()))
        self.used(guest)
        flushed, synced = guest.work(cut, random.Random(cut).randrange(30, 100))
        self.medium.mark(self.m)
        guest.run(f"until [ $(cat /tmp/flushed.0) -ge {flushed[0] + 20} ]; do usleep 50000; done", 300)
        return dict(cut=cut, engine=engine, flushed=flushed, synced=synced)

    def used(self, guest):
        """The mode was the one asked for."""
        now = io(guest)
        done = {name: now[name] - self.before[name] for name in now if isinstance(now[name], int)}
        assert now["asked"] == self.mode and done["copied_in"] == done["copied_out"] == 0, now
        assert bool(done["hv_out"]) == (self.mode == "copy") and bool(done["direct_out"]) == (self.mode != "copy"), done
        assert bool(guest.counters()["granted"]) == (self.mode == "strict"), guest.counters()


def image(run):
    return os.path.join(ROOT, f"build/torture-{run.segment.name}.img")


def fresh(life):
    """A guest with a new disk."""
    life.m.run(f"tessera image create {life.place} --size {DISK}M")
    guest = life.guest()
    guest.prepare(RAW)
    return guest


def lying_disk(run):
    """The medium forgets what was flushed."""
    medium = Medium(image(run) + ".control")
    medium.make(ROOM)
    with Life(run, medium, 1, "pooled") as life:
        flushed, _ = fresh(life).work(0, 100)
        medium.mark(life.m)
        medium.cut(life.m, 0, liar=True)
    with Life(run, medium, 1, "pooled") as life:
        guest = life.guest()
        texts = [guest.sh(f"guest_cut check /dev/tsr0p1 {region} {number}", 300)[1] for region, number in enumerate(flushed)]
    medium.forget()
    wrong = sum("neither flushed nor newer" in text or "guest_cut: reading" in text for text in texts)
    assert wrong, texts
    return f"{wrong} of {REGIONS} regions are not as flushed on a disk that forgets flushed writes"


def made_of(run):
    """What a guest is measured by: one of another build has other keys."""
    digest = hashlib.blake2b()
    for name in ("hv/tessera.elf32", "media.ext4"):
        with open(os.path.join(ROOT, "build", run.variant, name), "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def cut(run, vcpus, mode):
    """What the last piece left is changed only when this one is done."""
    saved, number, build = run.saved.get("left"), run.piece, made_of(run)
    if saved and saved["build"] != build:
        run.say("this is another build, so it begins with a new disk")
        saved = None
    medium = Medium(image(run) + ".next")
    if saved:
        shutil.copyfile(image(run), medium.path)
    else:
        medium.make(ROOM)
    with Life(run, medium, vcpus, mode) as life:
        guest = life.check(saved) if saved else fresh(life)
        left = life.load(guest, number)
        outcome = medium.cut(life.m, number)
    run.say(f"cut {number}: {dict(outcome)}; flushed {[n % RUN for n in left['flushed']]}, synced {left['synced']}")
    for what in ("written", "lost", "torn"):
        run.count(f"writes {what}", outcome[what])
    if run.left == 1:
        with Life(run, medium, vcpus, mode) as life:
            life.check(left)
    os.replace(medium.path, image(run))
    medium.forget()
    run.saved["left"] = dict(left, build=build)
    if run.left == 1:
        os.unlink(image(run))
        run.saved.clear()
    return 1


def register(mode, vcpus):
    def piece(run):
        return cut(run, vcpus, mode)

    name = f"block-{mode}-{vcpus}"
    piece.__doc__ = f"{mode} mode, {vcpus} virtual CPU{'s' if vcpus > 1 else ''}: fio verify, fsx, three file systems, and the power goes"
    control = lying_disk if name == "block-pooled-1" else "as block-pooled-1; in each piece a flush that never was"
    segment(name, RULES, tries=CUTS, control=control)(piece)


for each in ("pooled", "strict", "copy"):
    for cpus in (1, 4):
        register(each, cpus)
