#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The main job on the disk of `make image`: a whole Debian with systemd and Tessera's package, started by GRUB.

`make test-image` builds what this needs. Three lives of one machine with AMD's IOMMU: from BIOS by the first menu, where
update-grub writes the menu anew; from BIOS by that one, where a guest writes its files, and units of systemd serve another; from UEFI,
where the first one's successor reads them, and the other has come by itself.
"""

import argparse
import json
import os
import re
import shutil
import sys
import time

import debian
from debian import LIMIT, Failed, check
from machine import ROOT, MachineError

SECRET = "5b" * 32
GUEST = ("--memory 384M --kernel /media/vmlinuz --initrd /media/guest-files.img --disk files "
         "--cmdline 'console=ttyS0 panic=-1 loglevel=4 tsr.run=files'")
DISK = "/dev/vdb"

# A guest for units: the name has a dash, which the disk's unit wants escaped.
UNIT = {"name": "my-guest", "memory": "384M", "console-input": True, "cmdline": "console=ttyS0 panic=-1 loglevel=4",
        "kernel": "/var/lib/tessera/vmlinuz", "initrd": "/var/lib/tessera/initrd",
        "disks": [{"label": "data", "image": "/var/lib/tessera/data.img"}]}
GUEST_UNIT, DISK_UNIT = "tessera-guest@my-guest", r"tesserad@my\x2dguest-data"
MOUNTED = "guest: the sealed disk is on /mnt"


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


def until(m, condition):
    m.run(f"timeout {LIMIT} sh -c '{condition}' || (journalctl -b -n 50 --no-pager; false)", LIMIT + 60)


def mounted(m, times):
    """Until the unit's guest has mounted its disk that many times since the machine's start, by its own words in the journal."""
    until(m, f'until [ "$(journalctl -b -u {GUEST_UNIT} | grep -c "{MOUNTED}")" = {times} ]; do sleep 1; done')


def state(m, unit):
    return m.sh(f"systemctl is-active '{unit}'")[1].strip()


def in_guest(m, text, answer):
    """Type a line into the guest's shell, and wait for a line of its answer."""
    until(m, f'echo "{text}" | tessera console my-guest --input >/run/typed 2>&1 & p=$!; '
             f'until grep -q "^{answer}" /run/typed; do sleep 1; done; kill $p 2>/dev/null || :')


def last_words(m, text):
    """Type a line that ends the guest."""
    m.run(f"echo '{text}' | timeout {LIMIT} tessera console my-guest --input >/run/typed 2>&1", LIMIT + 60)


def units(m, show):
    """Started, killed, crashed, stopped, powered off by itself: what systemd makes of each."""
    m.run("cp /boot/vmlinuz-$(uname -r) /var/lib/tessera/vmlinuz && tessera-initrd /var/lib/tessera/initrd", LIMIT)
    m.run("tessera image create /var/lib/tessera/data.img --size 64M")
    debian.script(m, f"cat >/etc/tessera/my-guest.json <<'EOF'\n{json.dumps(UNIT)}\nEOF\n")
    check(m.run("systemd-escape --template=tesserad@.service my-guest/data").strip() == DISK_UNIT + ".service", "the disk's unit has another name")
    m.run(f"systemctl enable --now {GUEST_UNIT} '{DISK_UNIT}' 2>&1")
    mounted(m, 1)
    in_guest(m, "echo kept >/mnt/note; sync; echo answer: \\$(cat /mnt/note)", "answer: kept")
    show("host: units run a guest and its disk; the guest's console is in the journal")
    m.run(f"systemctl kill -s KILL '{DISK_UNIT}'")
    until(m, f'until [ "$(systemctl show -P NRestarts "{DISK_UNIT}")" = 1 ] && tessera guest show my-guest --json | grep -q "\\"mode\\""; do sleep 1; done')
    in_guest(m, "dd if=/dev/zero of=/mnt/more bs=1M count=2 conv=fsync 2>/dev/null; echo answer: \\$?", "answer: 0")
    show("host: the daemon was killed: another serves the disk, and the guest writes on")
    last_words(m, "echo c >/proc/sysrq-trigger")
    mounted(m, 2)
    check("has stopped: panic" in m.run(f"journalctl -b -u {GUEST_UNIT}"), "the journal does not say that the guest panicked")
    show("host: the guest crashed: the journal says so, and it was started again")
    m.run(f"systemctl stop {GUEST_UNIT}")
    check(json.loads(m.run("tessera guest list --json")) == [] and state(m, GUEST_UNIT) == "inactive", "a stopped guest is still there")
    m.run(f"systemctl start {GUEST_UNIT}")
    mounted(m, 3)
    last_words(m, "exit")
    until(m, f"while systemctl is-active -q {GUEST_UNIT}; do sleep 1; done")
    check(state(m, GUEST_UNIT) == "inactive", "a guest that powered itself off was started again, or failed: " + state(m, GUEST_UNIT))
    show("host: stopped, started, powered off by itself: the unit follows")
    m.run(f"systemctl start {GUEST_UNIT}")
    mounted(m, 4)
    text = m.run(f"journalctl -b -u '{DISK_UNIT}'")
    check("guest my-guest (" in text and "disk data (0): " in text, f"the daemon's journal does not name guest and disk:\n{text}")


def units_after_restart(m, show):
    mounted(m, 1)
    check(state(m, DISK_UNIT) == "active", "the disk's unit did not start with the machine")
    in_guest(m, "echo answer: \\$(cat /mnt/note)", "answer: kept")
    text = m.run(f"journalctl -b -1 -u {GUEST_UNIT} -u '{DISK_UNIT}'")
    end = text[text.rindex(MOUNTED):]
    for unit in ("Tessera guest my-guest", "Tessera disk my-guest/data"):
        check(re.search(f"Stopped .*{unit}", end), f"the switched-off machine's journal does not say that {unit} was stopped:\n{end}")
    check(not re.search("Failed with result|timed out|State '.*' timed", end), f"a unit did not stop as it should:\n{end}")
    show("host: at switch-off guest and daemon ended in order; after it both came by themselves, with what the guest had written")


def test(variant, disk, show):
    where = os.path.join(ROOT, "build/image")
    start, data = os.path.join(where, "debian.disk"), os.path.join(where, "files.img")
    with open(os.path.join(ROOT, "build/payload/tree.facts"), encoding="ascii") as f:
        files = f.read().split()[0]
    shutil.rmtree(where, ignore_errors=True)
    debian.copy_disk(disk, start)
    with open(data, "wb") as f:
        f.truncate(640 << 20)

    def machine(name, firmware):
        show(f"power on, {firmware}")
        return debian.machine(name, firmware, start, variant, [data])

    with machine("image-1", "bios") as m:
        debian.log_in(m, show)
        m.run("systemctl is-active tessera && test -c /dev/tessera && tessera info && dpkg -s tessera | grep -q 'install ok installed'")
        check("/updates/dkms/" in m.run("modinfo -n tessera_host"), "the host's module is not the one that DKMS built")
        m.run(f"sed -i 's/^TESSERA_CMDLINE=.*/TESSERA_CMDLINE=root_secret={SECRET}/' /etc/default/tessera")
        show("host: update-grub: " + " / ".join(re.findall("Found .*", m.run("update-grub 2>&1", LIMIT))))
        check("root_secret" in m.run("cat /boot/grub/grub.cfg"), "update-grub wrote no entry of ours")
        debian.power_off(m)
    with machine("image-2", "bios") as m:
        debian.log_in(m, show)
        check(b"root_secret= was given" in m.console.text, "the menu that update-grub wrote was not used")
        m.run(f"tessera image create {DISK} --size 384M")
        writer = run_guest(m, "writer", f"written: {files} files", show)
        units(m, show)
        debian.power_off(m)
    with machine("image-3", "uefi") as m:
        debian.log_in(m, show)
        m.run("! test -e /sys/firmware/efi")
        units_after_restart(m, show)
        reader = run_guest(m, "reader", f"verified: {files} of {files} files have the right checksum", show)
        check(reader == writer, "the same guest has another identity after a restart")
        debian.power_off(m)


def main():
    parser = argparse.ArgumentParser(description="the main job on the disk of make image")
    parser.add_argument("--variant", default="default")
    parser.add_argument("--disk", help="the disk, if it is not build/VARIANT/debian.disk")
    args = parser.parse_args()
    begin = time.monotonic()

    def show(line):
        print(f"{time.monotonic() - begin:5.0f} s  {line}", flush=True)

    try:
        test(args.variant, args.disk or os.path.join(ROOT, "build", args.variant, "debian.disk"), show)
    except (MachineError, Failed) as error:
        print(f"\nimage: FAILED: {error}", file=sys.stderr)
        return 1
    print(f"image: passed in {time.monotonic() - begin:.0f} s")
    return 0


sys.exit(main())
