#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What a sealed disk can lie on: one guest with a disk on each kind of storage, all set up on one machine.

	tests/system/integrations.py [--short] [--on KIND]...	the long form, by hand: a whole tree of files on each disk; KIND may also be
							nvme-remote, or rbd with Debian's ceph-mon, ceph-osd and ceph-common installed

The network storage is real on one side each: the kernel's NBD client talks TCP to nbdkit on the machine that runs the tests, through
the emulated machine's network card, and so does its Ceph client to a cluster of one node; the kernel's NVMe client talks TCP to the kernel's own target
on the same machine, or (nvme-remote) on another emulated machine, which runs without the hypervisor.
"""

import argparse
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

import ceph
from guest import Guest, START_LIMIT
from machine import Machine, ROOT

# Of each disk as its guest sees it; and of the file system on it that the guest copies files to.
SHORT, LONG = 16, 192
LIMIT = 3600
KINDS = ("raw", "sparse", "partition", "nvme", "dm", "loop", "nbd", "nvme-tcp")
NQN = "nqn.2024-01.tessera:test"
SECTORS_PER_MIB = 2048


def partitioned(path, parts, mib):
    """A sparse file with a partition table of equal parts."""
    entries = b""
    for n in range(parts):
        entries += struct.pack("<B3sB3sII", 0, b"\0" * 3, 0x83, b"\0" * 3, (1 + n * mib) * SECTORS_PER_MIB, mib * SECTORS_PER_MIB)
    with open(path, "wb") as f:
        f.write(bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa")
        f.truncate((1 + parts * mib) << 20)


def empty(path, mib):
    with open(path, "wb") as f:
        f.truncate(mib << 20)


class NbdServer:
    """nbdkit on the build machine, with an export in memory, on a port that was free."""

    def __init__(self, mib):
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        # It takes the socket as from systemd, so that nobody else can have the port meanwhile.
        self.process = subprocess.Popen(["sh", "-c", f"LISTEN_FDS=1 LISTEN_PID=$$ exec nbdkit --foreground memory {mib}M"],
                                        preexec_fn=lambda: os.dup2(listening.fileno(), 3), pass_fds=(3,))
        listening.close()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Storage:
    """The machine with all of it; `place` says where each kind's image is."""

    def __init__(self, name, mib=SHORT, variant="default", kinds=KINDS):
        self.kinds = kinds
        room = image_room(mib)
        self.mib = mib
        files = {kind: os.path.join(ROOT, f"build/{name}-{kind}.img") for kind in ("files", "parts", "nvme")}
        empty(files["files"], 4 * room)
        partitioned(files["parts"], 4, room)
        empty(files["nvme"], room)
        self.files = list(files.values())
        self.server = NbdServer(room)
        self.target = RemoteTarget(room, variant) if "nvme-remote" in kinds else None
        self.cluster = ceph.Cluster("sealed", room) if "rbd" in kinds else None
        drives = []
        for kind, device in (("files", "virtio-blk-pci,disable-legacy=on,iommu_platform=on"), ("parts", "ide-hd,bus=ide.0"),
                             ("nvme", "nvme")):
            drives += ["-drive", f"if=none,id={kind},file={files[kind]},format=raw,cache=writeback", "-device",
                       f"{device},drive={kind},serial=tsr-{kind}"]
        network = ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,disable-legacy=on,iommu_platform=on"]
        network += self.target.wire_to() if self.target else []
        self.machine = Machine(smp=2, mem=3072, hv="messages=open", iommu="amd", media=True, devices=drives + network, name=name,
                               variant=variant)
        self.place = {}

    def __enter__(self):
        try:
            if self.target:
                self.target.start()
            self.machine.start().wait_ready()
            self.set_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.machine.stop()
        self.server.stop()
        for other in (self.target, self.cluster):
            if other:
                other.stop()
        for path in self.files:
            os.unlink(path)

    def set_up(self):
        m = self.machine
        # dmsetup and nbd-client, with what they need.
        m.run("cd / && cpio -idu </media/tools.cpio 2>/dev/null; for k in tessera_host dm_mod nbd nvmet_tcp nvme_tcp virtio_net; do modprobe $k; done")
        # The media are the first virtio disk.
        m.run("grep -q tsr-files /sys/block/vdb/serial && mkfs.ext4 -q /dev/vdb && mkdir -p /srv && mount /dev/vdb /srv && mdev -s")
        m.run("ifconfig lo 127.0.0.1 up && ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
        room = image_room(self.mib) << 20
        # A linear mapping: half of the second partition, then some of the third.
        half, whole = room // 2 // 512, room // 512
        table = f"0 {half} linear /dev/sda2 0\\n{half} {whole - half} linear /dev/sda3 0\\n"
        m.run(f"printf '{table}' | dmsetup create --noudevsync tsr && grep -qx tsr /sys/block/dm-0/dm/name")
        m.run(f"truncate -s {room} /srv/loop && losetup /dev/loop0 /srv/loop")
        m.run(f"nbd-client 10.0.2.2 {self.server.port} /dev/nbd0 -b 4096 -t 60 >/run/nbd 2>&1 || {{ cat /run/nbd; false; }}")
        serve_nvme(m, "/dev/sda4", "127.0.0.1")
        self.place = {"raw": "/srv/raw", "sparse": "/srv/sparse", "partition": "/dev/sda1", "nvme": "/dev/nvme0n1",
                      "dm": "/dev/dm-0", "loop": "/dev/loop0", "nbd": "/dev/nbd0", "nvme-tcp": self.connect("127.0.0.1")}
        if self.target:
            m.run("ifconfig eth1 10.9.0.2 netmask 255.255.255.0 up")
            self.place["nvme-remote"] = self.connect(self.target.address)
        if self.cluster:
            m.run("modprobe rbd && route add default gw 10.0.2.2")
            m.run(f"echo {self.cluster.add()} >/sys/bus/rbd/add_single_major && test -b /dev/rbd0 || {{ dmesg | tail -n 8; false; }}")
            self.place["rbd"] = "/dev/rbd0"

    def connect(self, address):
        """Connects to the target there; the disk that then came."""
        m = self.machine
        before = "|".join(m.run("ls /dev/nvme?n?").split())
        m.run(f"echo transport=tcp,traddr={address},trsvcid=4420,nqn={NQN}:{address} >/dev/nvme-fabrics")
        return m.run(f"until ls /dev/nvme?n? | grep -vxE '{before}'; do usleep 100000; done").strip()


def serve_nvme(m, device, address):
    """Has the kernel's NVMe target offer a disk at the machine's own address."""
    target, port = f"/sys/kernel/config/nvmet/subsystems/{NQN}:{address}", "/sys/kernel/config/nvmet/ports/1"
    m.run("modprobe nvmet_tcp && mount -t configfs none /sys/kernel/config")
    m.run(f"mkdir {target} && echo 1 >{target}/attr_allow_any_host && mkdir {target}/namespaces/1 && cd {target}/namespaces/1 && "
          f"echo {device} >device_path && echo 1 >enable")
    m.run(f"mkdir {port} && cd {port} && echo tcp >addr_trtype && echo ipv4 >addr_adrfam && echo {address} >addr_traddr && "
          f"echo 4420 >addr_trsvcid && ln -s {target} subsystems/")


class RemoteTarget:
    """Another machine, with a disk in its memory, on a wire of its own to this one."""

    address = "10.9.0.1"

    def __init__(self, mib, variant):
        self.wire = os.path.join(tempfile.mkdtemp(prefix="tsr-"), "wire")
        wire = ["-netdev", f"stream,id=wire,server=on,addr.type=unix,addr.path={self.wire}", "-device", "virtio-net-pci,netdev=wire"]
        self.mib = mib
        self.machine = Machine(smp=1, mem=512 + mib, hv=None, devices=wire, name="integrations-target", variant=variant)

    def start(self):
        m = self.machine.start().wait_ready()
        m.run(f"modprobe virtio_net && ifconfig eth0 {self.address} netmask 255.255.255.0 up")
        m.run(f"modprobe brd rd_nr=1 rd_size={self.mib << 10}")
        serve_nvme(m, "/dev/ram0", self.address)

    def wire_to(self):
        """QEMU's arguments for the other end, once it has started."""
        return ["-netdev", f"stream,id=wire,server=off,addr.type=unix,addr.path={self.wire}", "-device",
                "virtio-net-pci,netdev=wire,disable-legacy=on,iommu_platform=on"]

    def stop(self):
        self.machine.stop()
        shutil.rmtree(os.path.dirname(self.wire))


def image_room(mib):
    """MiB that hold an image for a disk of so many."""
    return mib + mib // 8 + 8


class Stored(Guest):
    """A guest with a disk on each kind of storage."""

    def __init__(self, storage, **options):
        super().__init__(storage.machine, name="stored", memory="384M", words="rootfstype=ramfs", **options)
        self.storage = storage
        for kind in storage.kinds:
            self.options += ["--disk", kind]

    def start(self, wait=True):
        super().start(wait=False)
        # All at once: each has an image to read.
        self.m.run(" & ".join(self.attach_line(kind) for kind in self.storage.kinds) + " & wait", limit=300)
        assert all(d["backend"] > 0 for d in self.disks().values()), self.disks()
        self.wait_ready()
        return self

    def attach_line(self, kind, place=None):
        return f"tessera disk attach {self.name} {kind} {place or self.storage.place[kind]} --log /run/tesserad.{kind}.log"

    def attach_one(self, kind, place=None):
        self.m.run(self.attach_line(kind, place))

    def on_each(self, command, limit):
        """A line of shell for each disk, which is /dev/tsr$n and has its attributes in $d; one typed line, since each takes its time."""
        every = " ".join(str(n) for n in range(len(self.storage.kinds)))
        return self.run(f"mkdir -p /m; for n in {every}; do d=/sys/bus/tessera/devices/tessera$n; {command} || exit 1; done", limit)

    def states(self):
        """The disks' states, once all are known."""
        return self.on_each("until grep -qE '^(blank|attached|refused|header-invalid)$' $d/state; do usleep 50000; done; cat $d/state", START_LIMIT).split()

    def disks(self):
        return {d["label"]: d for d in self.show()["devices"]}


def make_images(storage):
    m = storage.machine
    m.run("set -e; " + "; ".join(f"tessera image create {storage.place[kind]} --size {storage.mib}M" for kind in storage.kinds), limit=600)
    size = storage.mib << 20
    if "raw" in storage.kinds:
        # A file without holes.
        m.run("fallocate -l $(stat -c %s /srv/raw) /srv/raw")
        assert int(m.run("stat -c %b /srv/raw")) * 512 >= size
    if "sparse" in storage.kinds:
        assert int(m.run("stat -c %b /srv/sparse")) * 512 < 4 << 20


def write_all(storage, payload, options):
    """A guest puts the payload on every disk. Returns the checksum of the checksums that it knew the payload by."""
    with Stored(storage, **options) as guest:
        assert guest.states() == ["blank"] * len(storage.kinds)
        guest.on_each("echo yes >$d/format", 900)
        guest.on_each("mkfs.ext4 -q /dev/tsr$n && mount /dev/tsr$n /m && { " + payload + "; } && umount /m", LIMIT)
        known = guest.run("cat /run/sums | sha256sum")
        used = guest.disks()
        top, = json.loads(storage.machine.run("tessera top --count 1 --json"))["guests"]
        assert [(d["label"], bool(d["queues"])) for d in top["disks"]] == [(kind, True) for kind in storage.kinds], top
    return known, used


def verify_all(storage, known, options):
    """Another guest of the same identity finds it."""
    with Stored(storage, **options) as guest:
        assert guest.states() == ["attached"] * len(storage.kinds)
        sums = guest.on_each("mount -o ro /dev/tsr$n /m && (cd /m && sha256sum -c sums >/run/checked 2>&1 || { echo disk $n; tail -n 3 /run/checked; "
                             "exit 1; }) && sha256sum </m/sums && umount /m", LIMIT)
        assert sums == known * len(storage.kinds), sums
        errors = guest.run("cat /sys/bus/tessera/devices/tessera*/counters/integrity_errors").split()
        assert errors == ["0"] * len(storage.kinds), errors
        mixed_up(guest)


def mixed_up(guest):
    """Control: a disk served from another's place is not taken for it."""
    if "nbd" not in guest.storage.kinds:
        return
    guest.m.run(f"tessera disk detach {guest.name} loop && tessera disk detach {guest.name} nbd")
    state = f"/sys/bus/tessera/devices/tessera{guest.storage.kinds.index('nbd')}/state"
    guest.run(f"until grep -qx backend-away {state}; do usleep 50000; done")
    guest.attach_one("nbd", guest.storage.place["loop"])
    guest.run(f"until grep -qE '^(attached|refused|header-invalid)$' {state}; do usleep 50000; done; ! grep -qx attached {state}")


def run(storage, payload, say=lambda text: None, **options):
    make_images(storage)
    say("images are made; a guest writes files to each disk")
    known, used = write_all(storage, payload, options)
    say("written; the next guest reads them")
    verify_all(storage, known, options)
    say("read and the same; the images are checked")
    m = storage.machine
    checked = m.run("set -e; " + "; ".join(f"tessera image check {storage.place[kind]}" for kind in storage.kinds), limit=900)
    assert checked.count("does not match: 0") == len(storage.kinds), checked
    m.run("dmesg | grep -qE 'I/O error|BUG:|WARNING: CPU|Oops' && dmesg | tail -30 && exit 1 || true")
    return {kind: used[kind]["io"] for kind in storage.kinds}


# What is on the guest's own root: a few MiB in some files.
SMALL = "find /lib/modules /run.d -type f | xargs sha256sum | sed 's, /, ,' >/run/sums && mkdir /m/lib && cp -r /lib/modules /m/lib/ && cp -r /run.d /m/ && cp /run/sums /m/sums"
# Debian's kernel headers, with the checksums made on the machine that built them.
LARGE = "zcat /payload/tree.tar.gz | tar -x -C /m && cp /payload/tree.sha256 /run/sums && cp /run/sums /m/sums"


def main():
    parser = argparse.ArgumentParser(description="the long form: a tree of 10,000 files on each kind of storage")
    parser.add_argument("--variant", default="default")
    parser.add_argument("--short", action="store_true", help="with few files, as `make test` does it")
    parser.add_argument("--on", action="append", choices=KINDS + ("nvme-remote", "rbd"), help="this kind only; may be repeated (default: all but nvme-remote and rbd)")
    args = parser.parse_args()
    kinds = tuple(args.on or KINDS)
    if "rbd" in kinds and ceph.missing():
        sys.exit(f"integrations: these programs of Ceph's are missing: {' '.join(ceph.missing())}; apt-get install ceph-mon ceph-osd ceph-common")
    with Storage("integrations-long", SHORT if args.short else LONG, args.variant, kinds) as storage:
        begin = time.monotonic()

        def say(text):
            print(f"{time.monotonic() - begin:5.0f} s  {text}", flush=True)
        done = run(storage, SMALL, say) if args.short else run(storage, LARGE, say, initrd="/media/guest-files.img")
        for kind, io in done.items():
            print(f"{kind}: {io['mode']} {io['reason']}; {io['writes']} writes, {io['direct_in']} pages by DMA, {io['copied_in']} copied")
    print("verified on " + ", ".join(kinds))


if __name__ == "__main__":
    sys.exit(main())
