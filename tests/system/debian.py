# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A whole Debian with systemd on the emulated machine: a disk made by scripts/mkimage.sh, started by GRUB."""

import base64
import os
import subprocess

from machine import Machine

LIMIT = 600
PROMPT = r"root@tessera:~# "


class Failed(Exception):
    """Something is not as it should be; the text says what."""


def check(right, what):
    if not right:
        raise Failed(what)


def copy_disk(source, to):
    """A disk that may be written."""
    os.makedirs(os.path.dirname(to), exist_ok=True)
    subprocess.run(["cp", "--sparse=always", source, to], check=True)


def machine(name, firmware, disk, variant, disks=()):
    return Machine(start=f"file={disk},format=raw,cache=unsafe", firmware=firmware, smp=2, mem=2048, iommu="amd", disks=disks, media=True,
                   variant=variant, name=name)


def log_in(m, show, inside=True):
    """As a person does, at the console; then the harness's agent is started there."""
    if inside:
        m.wait_for("tessera: Tessera on 2 CPUs", LIMIT)
    m.wait_for("tessera login: ", LIMIT)
    m.send("root")
    m.wait_for(PROMPT, LIMIT)
    m.send("mkdir -p /media; mount -o ro /dev/disk/by-id/virtio-tsr-media /media; "
           "sh /media/agent.sh 0<>/dev/virtio-ports/tsr-agent >&0 2>&1 &")
    m.wait_ready(LIMIT)
    state = m.sh("systemctl is-system-running --wait", LIMIT)[1].strip()
    check(state == "running", f"systemd says {state}: " + m.sh("systemctl --failed --no-legend")[1])
    show("host: " + m.run("echo $(sed -n 's/^PRETTY_NAME=//p' /etc/os-release), Linux $(uname -r), systemd $(systemctl is-system-running)").strip())


def script(m, text, limit=LIMIT):
    """Run lines of shell; the first one that fails ends them. Returns the output."""
    coded = base64.b64encode(text.encode()).decode()
    return m.run(f"cd /root && echo {coded} | base64 -d >/run/script && bash -e /run/script", limit)


def power_off(m):
    m.agent.send(b"systemctl poweroff\n")
    m.wait_off(LIMIT)
