#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Make the real input of the demonstration: a tree of Debian's files, and their checksums, computed here and not in a guest.

  payload.py --out DIR FOLDER[=NAME]...

Writes DIR/tree.tar.gz, DIR/tree.sha256 (for sha256sum -c) and DIR/tree.facts ("files bytes"). The same input gives the same
bytes, since the files become part of a measured guest. What ends in .xz is unpacked: some releases pack their modules, others do not.
"""

import argparse
import gzip
import hashlib
import io
import lzma
import os
import tarfile


def entries(folders):
    """All files and links below the folders: (name in the tree, path here), sorted."""
    found = []
    for folder in folders:
        top, _, name = folder.partition("=")
        name = name or os.path.basename(top.rstrip("/"))
        for where, dirs, files in os.walk(top):
            rel = os.path.normpath(os.path.join(name, os.path.relpath(where, top)))
            links = [d for d in dirs if os.path.islink(os.path.join(where, d))]
            found += [(os.path.join(rel, f), os.path.join(where, f)) for f in files + links]
    return sorted(found)


def contents(path):
    with (lzma.open if path.endswith(".xz") else open)(path, "rb") as f:
        return f.read()


def main():
    parser = argparse.ArgumentParser(description="pack the demonstration's files")
    parser.add_argument("--out", required=True)
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    sums, size = [], 0
    with open(os.path.join(args.out, "tree.tar.gz"), "wb") as raw, \
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed, \
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, path in entries(args.folders):
            info = tar.gettarinfo(path, name)
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            # gettarinfo finds hard links by the inode numbers of this machine.
            if info.islnk():
                info.type, info.linkname = tarfile.REGTYPE, ""
            if not info.isreg():
                tar.addfile(info)
                continue
            data = contents(path)
            name = info.name = name.removesuffix(".xz")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
            size += len(data)
    with open(os.path.join(args.out, "tree.sha256"), "w", encoding="utf-8") as f:
        f.writelines(sums)
    with open(os.path.join(args.out, "tree.facts"), "w", encoding="ascii") as f:
        f.write(f"{len(sums)} {size}\n")


main()
