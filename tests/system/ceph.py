# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A Ceph cluster of one monitor and one OSD, in memory, on the machine that runs the tests: from Debian's packages ceph-mon, ceph-osd, ceph-common."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "rbd", "monmaptool")
CONFIGURATION = """[global]
fsid = {fsid}
mon host = v1:{address}:{port}
public addr = {address}
cluster addr = {address}
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
run dir = {dir}
log file = {dir}/$name.log
admin socket = {dir}/$name.asok
pid file = {dir}/$name.pid
keyring = {dir}/keyring
[mon.a]
mon data = {dir}/mon
[osd.0]
osd data = {dir}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
"""


def missing():
    """Programs that are not installed."""
    return [program for program in PROGRAMS if not shutil.which(program)]


def own_address():
    """An address of this machine that another one, with the emulated machine's network behind it, reaches; the OSD tells it to clients."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        # Sends nothing: it asks the routing table.
        s.connect(("192.0.2.77", 9))
        return s.getsockname()[0]


class Cluster:
    """Running from its making on, until stop()."""

    def __init__(self, image, mib):
        self.dir = tempfile.mkdtemp(prefix="tsr-ceph-")
        self.address, self.image, self.port = own_address(), image, 6789
        try:
            self.start(mib)
        except BaseException:
            self.stop()
            raise

    def call(self, *command):
        done = subprocess.run([command[0], "-c", f"{self.dir}/ceph.conf", *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120, check=False)
        if done.returncode:
            # Ceph's programs end with a number of errno, and say the rest in a log that goes with the cluster.
            raise RuntimeError(f"{' '.join(command)} failed with status {done.returncode} ({os.strerror(done.returncode)}): {done.stdout}")
        return done.stdout

    def start(self, mib):
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        for part in ("mon", "osd"):
            os.mkdir(f"{self.dir}/{part}")
        with open(f"{self.dir}/ceph.conf", "w", encoding="ascii") as f:
            f.write(CONFIGURATION.format(dir=self.dir, fsid=fsid, address=self.address, port=self.port))
        monitors = f"{self.dir}/monmap"
        self.call("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:{self.address}:{self.port}]", monitors)
        self.call("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors)
        self.call("ceph-mon", "-i", "a", "--public-addr", f"{self.address}:{self.port}")
        self.call("ceph", "osd", "new", osd)
        self.call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.call("ceph-osd", "-i", "0")
        self.call("ceph", "osd", "pool", "create", "rbd", "8")
        # Returns when the OSD serves the pool. Of the image's features the kernel knows this one.
        self.call("rbd", "create", "--size", str(mib), "--image-feature", "layering", self.image)

    def add(self):
        """What the kernel's client is told in /sys/bus/rbd/add_single_major."""
        return f"{self.address}:{self.port} name=admin rbd {self.image}"

    def stop(self):
        for name in ("osd.0", "mon.a"):
            try:
                with open(f"{self.dir}/{name}.pid", encoding="ascii") as f:
                    os.kill(int(f.read()), 9)
            except (FileNotFoundError, ProcessLookupError, ValueError):
                pass
        shutil.rmtree(self.dir, ignore_errors=True)
