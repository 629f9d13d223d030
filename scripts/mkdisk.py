#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Write a disk image that starts from BIOS and from UEFI by GRUB: GPT, a BIOS boot partition, an EFI system partition with
grub.cfg and whatever files are named, and a root file system if one is given. Takes no root rights.

	scripts/mkdisk.py --out FILE --config GRUB.CFG [--file SOURCE:NAME]... [--root EXT4-IMAGE]
"""

import argparse
import os
import struct
import subprocess
import tempfile

SECTOR = 512
MIB = 2**20
CORE_AT = 1 * MIB
ESP_AT = 2 * MIB
BIOS_GRUB, BIOS_BOOT, ESP, LINUX = "/usr/lib/grub/i386-pc", "21686148-6449-6E6F-744E-656564454649", \
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
# All that a menu of Debian's update-grub loads, so that no directory of modules is needed beside it.
MODULES = ["all_video", "configfile", "echo", "ext2", "fat", "font", "gettext", "gfxterm", "gzio", "halt", "linux", "loadenv",
           "minicmd", "multiboot2", "normal", "part_gpt", "part_msdos", "probe", "reboot", "search", "search_fs_file", "search_fs_uuid",
           "search_label", "serial", "sleep", "terminal", "test", "true", "wrmsr"]


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def grub(out, kind, prefix, modules):
    run("grub-mkimage", "-O", kind, "-p", prefix, "-o", out, *MODULES, *modules)


def round_up(size, to=MIB):
    return (size + to - 1) // to * to


def install_bios(disk, core):
    """What grub-bios-setup does, on a file: the two places that name the next sectors to read (GRUB's boot.S, diskboot.S)."""
    with open(os.path.join(BIOS_GRUB, "boot.img"), "rb") as f:
        boot = bytearray(f.read(440))
    with open(core, "rb") as f:
        data = bytearray(f.read())
    if len(data) > ESP_AT - CORE_AT:
        raise SystemExit(f"mkdisk: GRUB's core image has {len(data)} bytes, and its partition only {ESP_AT - CORE_AT}")
    struct.pack_into("<Q", boot, 0x5C, CORE_AT // SECTOR)
    struct.pack_into("<QH", data, SECTOR - 12, CORE_AT // SECTOR + 1, round_up(len(data), SECTOR) // SECTOR - 1)
    disk.seek(0)
    disk.write(boot)
    disk.seek(CORE_AT)
    disk.write(data)


def fill_esp(image, size, files):
    where = f"{image}@@{ESP_AT}"
    run("mformat", "-i", where, "-F", "-T", str(size // SECTOR), "-N", "54535231", "-v", "TESSERA", "::")
    made = set()
    for source, name in files:
        folder = ""
        for part in name.split("/")[:-1]:
            folder += "/" + part
            if folder not in made:
                made.add(folder)
                run("mmd", "-i", where, "::" + folder)
        run("mcopy", "-i", where, source, "::/" + name)


def build(out, config, files, root):
    with tempfile.TemporaryDirectory(prefix="tsr-") as tmp:
        core, efi = os.path.join(tmp, "core.img"), os.path.join(tmp, "boot.efi")
        grub(core, "i386-pc", "(,gpt2)/grub", ["biosdisk", "vbe", "vga"])
        grub(efi, "x86_64-efi", "/grub", ["efi_gop"])
        files = [(efi, "EFI/BOOT/BOOTX64.EFI"), (config, "grub/grub.cfg")] + files
        # FAT32 wants 65,525 clusters at least, and its tables some room.
        esp = max(round_up(sum(os.path.getsize(source) for source, _ in files) * 102 // 100) + 4 * MIB, 36 * MIB)
        end = root_at = ESP_AT + esp
        if root:
            end += round_up(os.path.getsize(root))
        with open(out, "wb") as f:
            f.truncate(end + MIB)
        table = "label: gpt\nlabel-id: 54535254-0000-4000-8000-000000000000\n"
        parts = [(CORE_AT, MIB, BIOS_BOOT), (ESP_AT, esp, ESP)] + ([(root_at, end - root_at, LINUX)] if root else [])
        for n, (at, size, kind) in enumerate(parts, 1):
            table += f"start={at // SECTOR}, size={size // SECTOR}, type={kind}, uuid=54535254-0000-4000-8000-{n:012}\n"
        subprocess.run(["sfdisk", "-q", out], input=table, text=True, check=True)
        with open(out, "r+b") as disk:
            install_bios(disk, core)
        fill_esp(out, esp, files)
        with open(out, "r+b") as disk:
            # mformat leaves a partition table in its boot sector, which GRUB would look into.
            disk.seek(ESP_AT + 446)
            disk.write(bytes(64))
        if root:
            run("dd", f"if={root}", f"of={out}", "bs=1M", f"seek={root_at // MIB}", "conv=notrunc,sparse", "status=none")


def main():
    parser = argparse.ArgumentParser(description="write a bootable disk image", epilog="see the head of this file")
    parser.add_argument("--out", required=True)
    parser.add_argument("--config", required=True, help="GRUB's configuration")
    parser.add_argument("--file", action="append", default=[], metavar="SOURCE:NAME", help="a file for the EFI system partition")
    parser.add_argument("--root", help="a file system for the third partition")
    args = parser.parse_args()
    new = args.out + ".new"
    build(new, args.config, [tuple(f.split(":", 1)) for f in args.file], args.root)
    os.replace(new, args.out)


main()
