#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Write a Linux initramfs (cpio, newc format, not compressed) that depends on nothing but its inputs' contents.

Used by the build, and on a machine with Tessera by tessera-initrd. Guests are measured, so equal inputs must give an equal file: entries are sorted, belong to root, and carry no times and no
inode numbers of the machine that built them. Needs no root rights.

  mkinitramfs.py --out FILE (--bare | --kernel DIR/lib/modules/ABI) [--busybox /bin/busybox]
                 [--module NAME]... [--extra-module FILE.ko]... [--tree DIR]... [--file SRC:DST]... [--elf SRC:DST]...

--module takes a stock module and all it depends on; --extra-module adds one of ours, found by modprobe as well.
--bare leaves out busybox and the modules, for a part that is appended to another.
--tree copies a directory's contents to the root; --file copies one file; --elf also the shared libraries it needs.
"""

import argparse
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile


class Archive:
    """The files to write, by path; each is (mode, contents, device numbers)."""

    def __init__(self):
        self.entries = {}

    def add(self, path, mode, data=b"", rdev=(0, 0)):
        path = path.strip("/")
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.entries[path] = (mode, data, rdev)

    def add_file(self, path, source):
        with open(source, "rb") as f:
            data = f.read()
        mode = 0o755 if os.stat(source).st_mode & 0o100 else 0o644
        self.add(path, stat.S_IFREG | mode, data)

    def add_link(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def add_tree(self, top):
        for where, dirs, files in os.walk(top):
            rel = os.path.relpath(where, top)
            for name in dirs:
                self.add(os.path.join(rel, name).replace("./", ""), stat.S_IFDIR | 0o755)
            for name in files:
                self.add_file(os.path.normpath(os.path.join(rel, name)), os.path.join(where, name))

    def write(self, out):
        number = 0
        with open(out, "wb") as f:
            items = sorted(self.entries.items()) + [("TRAILER!!!", (0, b"", (0, 0)))]
            for path, (mode, data, rdev) in items:
                number += 1
                name = path.encode() + b"\0"
                links = 2 if stat.S_ISDIR(mode) else 1
                fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0)
                head = b"070701" + b"".join(b"%08X" % v for v in fields) + name
                f.write(head + b"\0" * (-len(head) % 4))
                f.write(data + b"\0" * (-len(data) % 4))


def add_busybox(archive, busybox):
    archive.add_file("bin/busybox", busybox)
    for name in subprocess.check_output([busybox, "--list"], text=True).split():
        if name != "busybox":
            archive.add_link("bin/" + name, "busybox")
    archive.add_link("sbin", "bin")
    archive.add("usr", stat.S_IFDIR | 0o755)
    archive.add_link("usr/bin", "../bin")
    archive.add_link("usr/sbin", "../bin")
    for name in ("dev", "proc", "sys", "tmp", "run", "mnt", "etc", "root"):
        archive.add(name, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    archive.add("dev/null", stat.S_IFCHR | 0o666, rdev=(1, 3))


def needed_modules(kernel, names):
    """The paths under kernel/ of the named stock modules and everything they depend on."""
    by_name, needs = {}, {}
    with open(os.path.join(kernel, "modules.dep"), encoding="ascii") as f:
        for line in f:
            path, _, deps = line.partition(":")
            by_name[os.path.basename(path).partition(".ko")[0].replace("-", "_")] = path
            needs[path] = deps.split()
    with open(os.path.join(kernel, "modules.builtin"), encoding="ascii") as f:
        builtin = {os.path.basename(line.strip())[:-len(".ko")].replace("-", "_") for line in f}
    wanted, queue = set(), []
    for name in names:
        name = name.replace("-", "_")
        if name in by_name:
            queue.append(by_name[name])
        elif name not in builtin:
            sys.exit(f"mkinitramfs: the kernel in {kernel} has no module '{name}'")
    while queue:
        path = queue.pop()
        if path not in wanted:
            wanted.add(path)
            queue.extend(needs[path])
    return sorted(wanted)


def add_modules(archive, kernel, names, extra):
    abi = os.path.basename(os.path.realpath(kernel))
    with tempfile.TemporaryDirectory() as tmp:
        base = os.path.join(tmp, "lib/modules", abi)
        for path in needed_modules(kernel, names):
            to = os.path.join(base, path)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            if path.endswith(".xz"):
                # Debian 13 compresses its modules, and its busybox cannot read that.
                with lzma.open(os.path.join(kernel, path)) as source, open(to[:-len(".xz")], "wb") as module:
                    shutil.copyfileobj(source, module)
            else:
                shutil.copyfile(os.path.join(kernel, path), to)
        os.makedirs(os.path.join(base, "extra"), exist_ok=True)
        for path in extra:
            # Debugging information is most of a module of ours, and is of no use in the image.
            subprocess.check_call(["strip", "--strip-debug", "-o",
                                   os.path.join(base, "extra", os.path.basename(path)), path])
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            if os.path.exists(os.path.join(kernel, name)):
                shutil.copyfile(os.path.join(kernel, name), os.path.join(base, name))
        depmod = shutil.which("depmod", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
        subprocess.check_call([depmod, "-b", tmp, abi])
        for name in os.listdir(base):
            # modprobe here is busybox's, which reads the text forms only.
            if name.endswith(".bin") or name in ("modules.builtin.modinfo", "modules.order", "modules.devname"):
                os.unlink(os.path.join(base, name))
        for where, _, files in os.walk(base):
            for name in files:
                full = os.path.join(where, name)
                archive.add_file(os.path.relpath(full, tmp), full)


def add_elf(archive, source, path):
    """Add a program and the shared libraries the dynamic loader would give it on this machine."""
    archive.add_file(path, source)
    for line in subprocess.check_output(["ldd", source], text=True).splitlines():
        found = re.search(r"(/\S+) \(0x", line)
        if not found:
            continue
        lib = found.group(1)
        where = "lib64" if os.path.basename(lib).startswith("ld-linux") else "lib"
        archive.add_file(os.path.join(where, os.path.basename(lib)), os.path.realpath(lib))


def main():
    parser = argparse.ArgumentParser(description="write a reproducible initramfs")
    parser.add_argument("--out", required=True)
    parser.add_argument("--busybox", default="/bin/busybox")
    parser.add_argument("--kernel")
    parser.add_argument("--bare", action="store_true")
    for name in ("module", "extra-module", "tree", "file", "elf"):
        parser.add_argument("--" + name, action="append", default=[])
    args = parser.parse_args()
    archive = Archive()
    if not args.bare:
        add_busybox(archive, args.busybox)
        add_modules(archive, args.kernel, args.module, args.extra_module)
    for top in args.tree:
        archive.add_tree(top)
    for pair in args.file:
        source, _, path = pair.partition(":")
        archive.add_file(path, source)
    for pair in args.elf:
        source, _, path = pair.partition(":")
        add_elf(archive, source, path)
    new = f"{args.out}.{os.getpid()}"
    archive.write(new)
    os.rename(new, args.out)


main()
