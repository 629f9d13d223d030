#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Does what README.md says, to the letter: each of its blocks of commands, in order, by someone who has just installed Debian.

	sudo make test-readme		calls it: tests/system/readme.py [--suite trixie] [--whole] DIRECTORY

Takes root rights, debootstrap and about 8 GB in DIRECTORY, and half an hour. Two places stand for one machine, since building modules in an emulator takes
hours: what is built and installed is done in a new Debian (scripts/pristine.sh), the package into a disk with another new Debian (scripts/mkimage.sh);
that disk is then started on the emulated machine, where the rest is done. `make test` is left out but with --whole: it is what CI runs anyway.
"""

import argparse
import os
import re
import subprocess
import sys
import time

import debian
from debian import LIMIT, Failed, check
from machine import ROOT, MachineError

# Which headings have commands, and how many blocks of them.
BLOCKS = {"Two commands": 1, "On a Debian machine": 2, "Running guests": 4}
NOTE = "the host cannot read this"
USER = "home/user/tessera"


def blocks(text):
    """The blocks of commands under each heading."""
    found = {}
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        commands = re.findall(r"^```sh\n(.*?)^```$", body, re.M | re.S)
        if commands:
            found[title] = commands
    counted = {title: len(commands) for title, commands in found.items()}
    check(counted == BLOCKS, f"README.md has blocks of commands that this test does not know, or has lost some: {counted}")
    return found


def check_words(text):
    """What stands in the sentences: every make target, file and command named there is there."""
    known = subprocess.run(["make", "-C", ROOT, "-pqn"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    targets = set(re.findall(r"^([a-z][a-z-]*):", known, re.M))
    for words in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
        made = re.match(r"(?:sudo )?make ([a-z-]+)", words)
        check(not made or made.group(1) in targets, f"README.md names `{words}`, and there is no such target")
        path = re.fullmatch(r"(?:spec|include|proto|hv|guest-drivers|host-backend|tests|scripts|mk|LICENSES)(?:/[\w.-]*)*", words)
        check(not path or os.path.exists(os.path.join(ROOT, words)), f"README.md names `{words}`, which is not there")


def build(where, suite, whole, found, show):
    """In a new Debian: from git clone to a disk on which the package was installed."""
    first, = found["Two commands"]
    make_deb, install = found["On a Debian machine"][0].splitlines()
    check(install.startswith("sudo apt install "), f"the package is installed by another command: {install}")
    lines = first.replace("<this repository>", "/srv/tessera.git").replace("apt install", "apt-get install -y").splitlines()
    lines = [line for line in lines if whole or not line.startswith("make test")]
    # Not a line of the README's: it is how its next one comes to be run on the disk of another machine.
    lines += [make_deb, "sudo apt-get install -y mmdebstrap",
              f"sudo TESSERA_INSTALL='{install}' scripts/mkimage.sh --plain build/release/tessera_*.deb build/readme.disk"]
    script = os.path.join(where, "script")
    with open(script, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    show("in a new Debian: " + " / ".join(lines))
    root = os.path.join(where, "root")
    subprocess.run([os.path.join(ROOT, "scripts/pristine.sh"), "--suite", suite, "--script", script, root], check=True)
    os.replace(os.path.join(root, USER, "build/readme.disk"), os.path.join(where, "readme.disk"))


def typed(m, block, prompt):
    """As a person types it at the console: each line when the prompt is there."""
    for line in block.splitlines():
        m.send(line)
        m.wait_for(prompt, LIMIT)


def walk(disk, variant, found, show):
    """On the emulated machine: what the README says from the first start on."""
    choose = found["On a Debian machine"][1]
    files, start, inside, look = found["Running guests"]
    check(choose.rstrip().endswith("sudo reboot"), "the machine is not started again")

    def machine(name, firmware):
        return debian.machine(name, firmware, disk, variant)

    def reboot(m):
        m.agent.send(b"reboot\n")
        m.wait_off(LIMIT)

    with machine("readme-1", "uefi") as m:
        debian.log_in(m, show, inside=False)
        debian.script(m, choose.rstrip()[:-len("sudo reboot")])
        reboot(m)
    with machine("readme-2", "uefi") as m:
        debian.log_in(m, show)
        show("tessera info: " + m.run("tessera info").splitlines()[0])
        debian.script(m, files)
        lines = start.splitlines()
        console = lines.pop()
        debian.script(m, "\n".join(lines))
        m.send(console)
        m.wait_for("guest: the sealed disk is on /mnt", LIMIT)
        m.wait_for("guest# ", LIMIT)
        typed(m, inside, "guest# ")
        check(b"/dev/tsr0 on /mnt type ext4" in m.console.text, "the sealed disk is not on the guest's /mnt")
        m.console.send(b"\x1d")
        m.wait_for(debian.PROMPT, LIMIT)
        text = debian.script(m, look)
        check(text.startswith("0\nnot found\n"), f"the host can read what the guest wrote:\n{text}")
        check("guest: the sealed disk is on /mnt" in text and "guest demo (" in text, f"the journal does not tell of the guest:\n{text}")
        show("a guest has its sealed disk on /mnt, and the host cannot read it")
        reboot(m)
    with machine("readme-3", "uefi") as m:
        debian.log_in(m, show)
        m.send(console)
        m.wait_for("guest# ", LIMIT)
        typed(m, "cat /mnt/note", NOTE)
        show("after a restart guest and disk came by themselves, and the note is there")
        debian.power_off(m)


def main():
    parser = argparse.ArgumentParser(description="does what README.md says", epilog="see the head of this file")
    parser.add_argument("directory", help="where the new Debian and the disk are made; kept")
    parser.add_argument("--suite", default="bookworm", help="Debian's release (%(default)s)")
    parser.add_argument("--whole", action="store_true", help="`make test`, too")
    parser.add_argument("--disk", help="only what is done on the machine, with this disk of an earlier call")
    parser.add_argument("--variant", default="default", help="whose media.ext4 has the harness's agent (%(default)s)")
    args = parser.parse_args()
    begin = time.monotonic()

    def show(line):
        print(f"{time.monotonic() - begin:5.0f} s  {line}", flush=True)

    try:
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            text = f.read()
        found = blocks(text)
        check_words(text)
        os.makedirs(args.directory, exist_ok=True)
        if not args.disk:
            build(args.directory, args.suite, args.whole, found, show)
        disk = os.path.join(args.directory, "started.disk")
        debian.copy_disk(args.disk or os.path.join(args.directory, "readme.disk"), disk)
        walk(disk, args.variant, found, show)
    except (MachineError, Failed, subprocess.CalledProcessError) as error:
        print(f"\nreadme: FAILED: {error}", file=sys.stderr)
        return 1
    print(f"readme: README.md is right, seen in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
