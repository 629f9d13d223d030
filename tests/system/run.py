#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The main job, told step by step: a guest keeps its files on a disk that its host cannot read.

`make run` builds what this needs. It ends with a table of what guest, hypervisor and host could each see, all of it measured
in this run, and with status 0 only if every step did what the text says.
"""

import argparse
import json
import os
import re
import shutil
import sys
import time

import attack
import dma
import kdf
import scan
from machine import ROOT, Machine, MachineError
from nested import Memory, reachable, vmcb_roots

# Any 32 bytes: with the same ones after a restart, disks open again. A real machine would have them sealed to its TPM.
ROOT_SECRET = bytes(range(0x40, 0x60))
# A line that is in nearly every file of the tree.
KNOWN_TEXT = b"SPDX-License-Identifier: GPL-2.0"
GUEST = ("--memory 384M --kernel /guest/vmlinuz --initrd /media/guest-files.img --disk files "
         "--cmdline 'console=ttyS0 panic=-1 loglevel=4 tsr.run=files'")
DISK = "/dev/vda"


class Failed(Exception):
    """A step did not do what the story says."""


class Story:
    """Prints the steps, with the time since the start."""

    def __init__(self, steps):
        self.steps, self.step, self.start = steps, 0, time.monotonic()
        self.color = sys.stdout.isatty()

    def bold(self, text):
        return f"\033[1m{text}\033[0m" if self.color else text

    def head(self, text):
        self.step += 1
        print("\n" + self.bold(f"[{self.step}/{self.steps}] {text}"), flush=True)

    def say(self, text):
        print(f"{time.monotonic() - self.start:5.0f} s  {text}", flush=True)


class Demo:
    """The machine's two lives and what was seen in them."""

    def __init__(self, variant, mem, smp, iommu):
        self.variant, self.mem, self.smp, self.iommu = variant, mem, smp, iommu
        self.dir = os.path.join(ROOT, "build/run")
        self.image = os.path.join(self.dir, "disk.img")
        self.story = Story(7)
        self.seen = {}

    def machine(self, name):
        return Machine(smp=self.smp, mem=self.mem, hv=f"root_secret={ROOT_SECRET.hex()}", disks=[self.image], iommu=self.iommu,
                       devices=["-device", "edu,dma_mask=0xffffffffffffffff"], media=True, variant=self.variant, name=name)

    def power_on(self, m):
        m.wait_ready()
        text = bytes(m.console.text).decode(errors="replace")
        # The text wraps only where a terminal does; the console's own line ends are what they are.
        for line in re.findall(r"^tessera: ((?:Tessera on|WARNING|root_secret|AMD-Vi|VT-d).*?)\r?$", text, re.M):
            self.story.say(f"hypervisor: {line}")
        self.story.say(f"host: Debian {m.run('uname -r').strip()} on {m.run('nproc').strip()} CPUs, inside its container")
        m.run("modprobe tessera_host && modprobe host_attack")

    def start_guest(self, m, name, identity=None):
        info = json.loads(m.run(f"tessera guest run --name {name} {GUEST} --json", limit=300))
        if identity and info["identity"] != identity:
            raise Failed(f"the same image was measured to another identity, {info['identity']} and not {identity}")
        self.story.say(f"host: tessera guest run --name {name} --memory 384M --disk files ...")
        self.story.say(f"hypervisor: measured it; its identity, and with it its keys: {info['identity'][:32]}...")
        m.run(f"tessera disk attach {name} files {DISK} --log /run/tesserad.log")
        self.story.say(f"host: tessera disk attach {name} files {DISK}   (tesserad serves the disk)")

        def show(line):
            line = line.rstrip()
            if line.startswith("guest: "):
                self.story.say(line)
            if line.startswith("guest: FAILED"):
                raise Failed(line)

        # The console goes on after the last line of the story, so its reader has to be ended by hand.
        m.follow(f"rm -f /run/c; mkfifo /run/c; tessera console {name} --follow >/run/c & reader=$!; "
                 "while IFS= read -r line; do echo \"$line\"; case $line in 'guest: files: done'*) break ;; esac; done </run/c; "
                 "kill $reader", show, limit=600)
        return info

    def first_life(self):
        self.story.head("Power on: the hypervisor takes the machine and puts the host into its container")
        with self.machine("run-1") as m:
            self.power_on(m)
            self.story.head("A guest starts, formats its sealed disk, and writes Debian's kernel headers to it")
            m.run(f"tessera image create {DISK} --size 384M")
            info = self.start_guest(m, "writer")
            self.story.head("The host tries to look into the guest")
            self.look(m, info)
            self.story.head("The guest is destroyed, and the machine is switched off")
            m.run("tessera guest destroy writer")
            left = json.loads(m.run("tessera info --json"))
            self.story.say(f"hypervisor: {left['census']['guests']} frames belong to guests now; all were scrubbed")
            m.run("sync")
            m.power_off()
            self.story.say("host: switched off; all that is left of the guest is the image of its disk")
            return info

    def look(self, m, info):
        """What the host's own kernel gets by trying, then what its page tables could reach, and what the image holds."""
        before = self.counters(m)["faults_memory"]
        tries, faults = self.sweep(m)
        counted = self.counters(m)["faults_memory"] - before
        self.seen["tries"], self.seen["faults"] = tries, faults
        self.story.say(f"host: its kernel read every frame of the machine's memory, one by one: {tries} tries")
        self.story.say(f"hypervisor: refused {counted} of them, all that belong to the guest or to itself")
        if counted != faults or not faults:
            raise Failed(f"the host saw {faults} faults, the hypervisor counted {counted}")
        self.aim_device(m)
        hv = json.loads(m.run("tessera info --json"))
        diary = scan.Secrets()
        diary.add("diary", kdf.derive(ROOT_SECRET, bytes.fromhex(info["identity"]), "diary"))
        dump = os.path.join(self.dir, "memory")
        m.dump_memory(dump)
        try:
            self.scan_memory(m, dump, diary, hv)
        finally:
            for path in (dump, dump + ".high"):
                if os.path.exists(path):
                    os.unlink(path)
        m.qmp.command("cont")
        self.scan_image(diary)

    @staticmethod
    def counters(m):
        return attack.info(m)

    def sweep(self, m):
        tries = faults = 0
        now = attack.info(m)
        region = (now["hv_base_pfn"], now["hv_base_pfn"] + now["hv_pages"])
        for first, end in sorted(attack.system_ram(m) + [region]):
            done = attack.order(m, "sweep", first, end)
            tries, faults = tries + done.tries, faults + done.faults
        return tries, faults

    def scan_memory(self, m, dump, diary, hv):
        high = self.mem * 2**20 - m.low_memory
        with Memory(dump, m.low_memory, high) as memory:
            region = range(hv["hv_base_pfn"], hv["hv_base_pfn"] + hv["hv_pages"])
            hosts = None
            for root in vmcb_roots(memory, region.start, len(region)):
                seen = reachable(memory, root)
                # The host's table is the one that shows most of the machine; guests' tables show their own memory only.
                if hosts is None or sum(seen) > sum(hosts):
                    hosts = seen
            if hosts is None:
                raise Failed("no VMCB was found in the hypervisor's memory")
            open_frames = [f for f in memory.all_frames() if f < len(hosts) and hosts[f]]
            closed = [f for f in memory.all_frames() if (f >= len(hosts) or not hosts[f]) and f not in region]
            for who, frames in (("host", open_frames), ("guest", closed), ("hypervisor", list(region))):
                found, looked = scan.in_frames(diary, memory, frames)
                self.seen[who] = (len(found.get("diary", [])), looked * 4 >> 10)
        self.story.say("test: stopped the machine, dumped its memory, and looked for the guest's diary,")
        self.story.say(f"      in the guest's {self.seen['guest'][1]} MiB: there {self.seen['guest'][0]} times; in the "
                       f"{self.seen['host'][1]} MiB that the host's page tables reach: {self.seen['host'][0]} times")
        if self.seen["host"][0] or not self.seen["guest"][0]:
            raise Failed("the diary is to be in the guest's memory and nowhere in the host's")

    def scan_image(self, diary):
        text = scan.Secrets()
        text.patterns.update(diary.patterns)
        text.add("text", KNOWN_TEXT)
        found, size = scan.in_file(text, self.image)
        self.seen["image"] = sum(map(len, found.values()))
        self.story.say(f"test: looked for the diary and for the headers' text in the disk's image ({size >> 20} MiB): "
                       f"{self.seen['image']} times")
        if self.seen["image"]:
            raise Failed("plaintext is in the image: " + scan.show(found))

    def aim_device(self, m):
        """A device with a DMA engine is told to fetch from the hypervisor's memory, and to write there."""
        device = dma.Edu()
        full, empty = dma.hypervisor_targets(m)
        secret = m.peek(full, device.size)
        got = device.read(m, full)
        device.write(m, empty, b"written!")
        if got == secret or m.peek(empty, device.size).strip(b"\0"):
            raise Failed("a device reached the hypervisor's memory")
        self.story.say("host: told a device to read and to write the hypervisor's memory by DMA: it got nothing and changed nothing")

    def second_life(self, first):
        self.story.head("Power on again, with the same root secret")
        with self.machine("run-2") as m:
            self.power_on(m)
            self.story.head("Another guest of the same image starts, and the files come out")
            self.start_guest(m, "reader", first["identity"])
            self.seen["counters"] = self.counters(m)
            m.run("tessera guest destroy reader")
            m.power_off()

    def table(self):
        with open(os.path.join(ROOT, "build/payload/tree.facts"), encoding="ascii") as f:
            files, size = map(int, f.read().split())
        self.story.head("What each party could see")
        rows = [("", "guest", "hypervisor", "host"),
                ("the files", f"all {files}", "could (it makes the keys)", "no: ciphertext"),
                ("the guest's diary in memory", f"{self.seen['guest'][0]} times", f"{self.seen['hypervisor'][0]} times",
                 f"{self.seen['host'][0]} times in {self.seen['host'][1]} MiB"),
                ("diary or text in the disk's image", "-", "-", f"{self.seen['image']} times"),
                ("reads of guest and hypervisor memory", "-", f"refused {self.seen['faults']}", f"faulted {self.seen['faults']}"),
                ("the hypervisor's memory, by a device's DMA", "-", "refused", "nothing read, nothing written"),
                ("that the guest ran, and which blocks it used", "yes", "yes", "yes")]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        for n, row in enumerate(rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            self.story.say(self.story.bold(line) if n == 0 else line)
            if n == 0:
                self.story.say("-" * (sum(widths) + 6))
        passed = time.monotonic() - self.story.start
        print(f"\nDone in {passed:.0f} s: {files} files, {size / 1e6:.0f} MB, are what they were, and the host saw none of them.")
        print("Not promised yet: a measured launch, a disk's freshness over restarts, and more (README.md has the list).")

    def run(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        with open(self.image, "wb") as f:
            f.truncate(640 << 20)
        first = self.first_life()
        self.second_life(first)
        self.table()


def main():
    parser = argparse.ArgumentParser(description="the main job, told step by step")
    parser.add_argument("--variant", default="default")
    parser.add_argument("--mem", type=int, default=2048, help="MiB of the emulated machine")
    parser.add_argument("--smp", type=int, default=2)
    parser.add_argument("--iommu", default="amd", choices=["amd", "intel"], help="the emulated machine's IOMMU")
    args = parser.parse_args()
    print("Tessera: a guest keeps its files on a disk that its host cannot read.\n"
          "Everything below happens on an emulated AMD machine; guest and host are stock Debian kernels.")
    try:
        Demo(args.variant, args.mem, args.smp, args.iommu).run()
    except (MachineError, Failed) as error:
        print(f"\nrun: FAILED: {error}\nThe consoles are in build/logs/run-1.log and run-2.log.", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
