#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The main job on the disk of `make image`: a whole Debian with systemd and Tessera's package, started by GRUB.

`make test-image` builds what this needs. Three lives of one machine with AMD's IOMMU: from BIOS by the first menu, where
update-grub writes the menu anew; from BIOS by that one, where a guest writes its files; from UEFI, where another reads them.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time

from machine import ROOT, Machine, MachineError

SECRET = "5b" * 32
GUEST = ("--memory 384M --kernel $(ls /boot/vmlinuz-*) --initrd /media/guest-files.img --disk files "
         "--cmdline 'console=ttyS0 panic=-1 loglevel=4 tsr.run=files'")
DISK = "/dev/vdb"
LIMIT = 600


class Failed(Exception):
    """Something is not as it should be; the text says what."""


def check(right, what):
    if not right:
        raise Failed(what)


def log_in(m, show):
    """As a person does, at the console; then the harness's agent is started there."""
    m.wait_for("tessera: Tessera on 2 CPUs", LIMIT)
    m.wait_for("tessera login: ", LIMIT)
    m.send("root")
    m.wait_for("root@tessera:~# ", LIMIT)
    m.send("mkdir -p /media; mount -o ro /dev/disk/by-id/virtio-tsr-media /media; "
           "sh /media/agent.sh 0<>/dev/virtio-ports/tsr-agent >&0 2>&1 &")
    m.wait_ready(LIMIT)
    state = m.sh("systemctl is-system-running --wait", LIMIT)[1].strip()
    check(state == "running", f"systemd says {state}: " + m.sh("systemctl --failed --no-legend")[1])
    show("host: " + m.run("echo $(sed -n 's/^PRETTY_NAME=//p' /etc/os-release), Linux $(uname -r), systemd $(systemctl is-system-running)").strip())


def power_off(m):
    m.agent.send(b"systemctl poweroff\n")
    m.wait_off(LIMIT)


def run_guest(m, name, words, show):
    info = json.loads(m.run(f"tessera guest run --name {name} {GUEST} --json", LIMIT))
    m.run(f"tessera disk attach {name} files {DISK} --log /run/tesserad.log")
    m.run(f"timeout {LIMIT} sh -c 'until tessera console {name} | grep -q \"^guest: \\(files: done\\|FAILED\\)\"; do sleep 1; done'", LIMIT + 60)
    text = m.run(f"tessera console {name}").replace("\r", "")
    for line in re.findall(r"^guest: .*$", text, re.M):
        show(line)
    check("guest: FAILED" not in text and words in text, f"'{words}' is not in the guest's console:\n{text}")
    m.run(f"tessera guest destroy {name}")
    return info["identity"]


def test(variant, show):
    where = os.path.join(ROOT, "build/image")
    start, data = os.path.join(where, "debian.disk"), os.path.join(where, "files.img")
    with open(os.path.join(ROOT, "build/payload/tree.facts"), encoding="ascii") as f:
        files = f.read().split()[0]
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where)
    subprocess.run(["cp", "--sparse=always", os.path.join(ROOT, "build", variant, "debian.disk"), start], check=True)
    with open(data, "wb") as f:
        f.truncate(640 << 20)

    def machine(name, firmware):
        show(f"power on, {firmware}")
        return Machine(start=f"file={start},format=raw,cache=unsafe", firmware=firmware, smp=2, mem=2048, iommu="amd", disks=[data], media=True,
                       variant=variant, name=name)

    with machine("image-1", "bios") as m:
        log_in(m, show)
        m.run("systemctl is-active tessera && test -c /dev/tessera && tessera info && dpkg -s tessera | grep -q 'install ok installed'")
        check("/updates/dkms/" in m.run("modinfo -n tessera_host"), "the host's module is not the one that DKMS built")
        m.run(f"sed -i 's/^TESSERA_CMDLINE=.*/TESSERA_CMDLINE=root_secret={SECRET}/' /etc/default/tessera")
        show("host: update-grub: " + " / ".join(re.findall("Found .*", m.run("update-grub 2>&1", LIMIT))))
        check("root_secret" in m.run("cat /boot/grub/grub.cfg"), "update-grub wrote no entry of ours")
        power_off(m)
    with machine("image-2", "bios") as m:
        log_in(m, show)
        check(b"root_secret= was given" in m.console.text, "the menu that update-grub wrote was not used")
        m.run(f"tessera image create {DISK} --size 384M")
        writer = run_guest(m, "writer", f"written: {files} files", show)
        power_off(m)
    with machine("image-3", "uefi") as m:
        log_in(m, show)
        m.run("! test -e /sys/firmware/efi")
        reader = run_guest(m, "reader", f"verified: {files} of {files} files have the right checksum", show)
        check(reader == writer, "the same guest has another identity after a restart")
        power_off(m)


def main():
    parser = argparse.ArgumentParser(description="the main job on the disk of make image")
    parser.add_argument("--variant", default="default")
    args = parser.parse_args()
    begin = time.monotonic()

    def show(line):
        print(f"{time.monotonic() - begin:5.0f} s  {line}", flush=True)

    try:
        test(args.variant, show)
    except (MachineError, Failed) as error:
        print(f"\nimage: FAILED: {error}", file=sys.stderr)
        return 1
    print(f"image: passed in {time.monotonic() - begin:.0f} s")
    return 0


sys.exit(main())
