# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Whose instruction an address is: symbols of the kernel, of modules where they were loaded, and of programs."""

import bisect
import os
import re
import subprocess
import tempfile

from contenders import BENCH, CMDLINE, KERNEL

KALLSYMS = os.path.join(BENCH, "kallsyms")
DISK_MIB = 32


def kallsyms():
    """The kernel's symbols, from the kernel itself: Debian's System.map is in a package of debugging symbols. With nokaslr they are the same in
    host and guest. Asked for once, over a disk."""
    if not os.path.exists(KALLSYMS) or os.path.getmtime(KALLSYMS) < os.path.getmtime(KERNEL):
        with tempfile.NamedTemporaryFile(dir=BENCH) as disk:
            disk.truncate(DISK_MIB << 20)
            subprocess.run(["qemu-system-x86_64", "-M", "q35", "-m", "1024", "-cpu", "EPYC", "-nodefaults", "-display", "none", "-no-reboot",
                            "-serial", "file:" + os.path.join(BENCH, "kallsyms.log"),
                            "-kernel", KERNEL, "-initrd", os.path.join(BENCH, "none.img"), "-append", CMDLINE + " bench=symbols",
                            "-drive", f"if=virtio,format=raw,file={disk.name}"], check=True, timeout=300, stderr=subprocess.DEVNULL)
            with open(disk.name, "rb") as f:
                text = f.read().rstrip(b"\0")
        if b" T _text" not in text:
            raise SystemExit(f"bench: the kernel gave no symbols: see {KALLSYMS}.log")
        with open(KALLSYMS, "wb") as f:
            f.write(text)
    with open(KALLSYMS, encoding="ascii") as f:
        for line in f:
            fields = line.split()
            # Those of modules are of that boot; per-CPU symbols are offsets.
            if len(fields) == 3 and fields[1] in "tTwW" and int(fields[0], 16) >> 63:
                yield int(fields[0], 16), fields[2], "vmlinux"


def module(path, sections):
    """A module's functions; sections: where each of its sections was loaded."""
    name = os.path.basename(path).partition(".")[0].replace("-", "_")
    for line in subprocess.check_output(["objdump", "-t", path], text=True).splitlines():
        found = re.match(r"([0-9a-f]{16}) .{7} (\S+)\t[0-9a-f]+ (?:\.hidden )?(\S+)", line)
        if found and found.group(2) in sections and not found.group(3).startswith("."):
            yield sections[found.group(2)] + int(found.group(1), 16), found.group(3), name


def program(path):
    """A statically linked program's functions, or a hypervisor's."""
    name = os.path.basename(path).partition(".")[0]
    for line in subprocess.check_output(["nm", path], text=True).splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in "tTwW" and not fields[2].startswith((".", "$")):
            yield int(fields[0], 16), fields[2], name


def loaded(text):
    """From a console's text, {domain: {module: {section: address}}}: what run.d/sections.sh prints."""
    found = {}
    for domain, mod, section, address in re.findall(r"^bench: section (\S+) (\S+) (\S+) 0x([0-9a-f]+)", text, re.M):
        found.setdefault(domain, {}).setdefault(mod, {})[section] = int(address, 16)
    return found


class Table:
    """Looks addresses up in a list of symbols."""

    def __init__(self, symbols):
        self.symbols = sorted(symbols)
        self.addresses = [s[0] for s in self.symbols]

    def find(self, address):
        """(symbol, whose), or ("?", "?")."""
        i = bisect.bisect_right(self.addresses, address) - 1
        return self.symbols[i][1:] if i >= 0 else ("?", "?")
