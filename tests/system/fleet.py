# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Guests with two disks each under load, while disks and guests come and go: for test_four_guests.py and the long form, tests/torture/plug.py.

Each disk's load (guest_cut load, tests/system/tools) verifies what it wrote. After each round every load has gone on, nothing was amiss in any
kernel's log, and the census is what the set of guests and disks makes it, to the page: there is no number in it that may drift.
"""

import json
import re
import time

from guest import Guest

COUNT, DISKS = 4, 2
MEMORY, SIZE = 128, 8  # MiB
REGION = 4 << 20  # of a load: its disk's number says which
RUN = 1000000  # of guest_cut: each load begins another
NEVER = 5000  # operations further than any that may have been made
MODES = ("pooled", "copy", "pooled", "strict")
# include/tessera/: of a disk's queue, and of a window of the daemon's.
CONTROL, RING, SEALS, WINDOW = 1, 3, 16, 512
# To the host's module: of a guest and what follows its console, and of a back-end.
REFERENCES = (3, 1)
# What the host's kernel says when something is amiss.
TROUBLE = re.compile(r"I/O error|BUG:|WARNING: CPU|Oops|Call Trace|blocked for more|does not come back|stay with the hypervisor|cannot be returned|"
                     r"left behind|is refused")
SETTLES = 120  # seconds: a back-end's window is unpinned a moment after it has ended
STARTS = 600  # seconds, of a guest that starts beside others under load


class Amiss(AssertionError):
    """The census or a disk's contents are not what they must be."""


class Disk:
    """One of a guest's disks, and what is known of its load."""

    def __init__(self, place, number):
        self.number, self.label, self.device = number, f"d{number}", f"/dev/tsr{number}"
        self.name, self.image, self.log = f"g{place}'s disk {number}", f"/tmp/g{place}.{number}.img", f"/run/g{place}.{number}.log"
        self.state = f"/sys/bus/tessera/devices/tessera{number}"
        self.run = 0
        self.served = self.bound = False
        self.flushed = self.verified = 0

    def fill(self, m):
        m.run(f"rm -f {self.image}; tessera image create {self.image} --size {SIZE}M")


class Member(Guest):
    """One of the guests; `serial` tells those apart that come one after the other in its place."""

    def __init__(self, m, place, serial=0, disks=None, mib=MEMORY, **options):
        super().__init__(m, name=f"g{place}", memory=f"{mib}M", instance=f"{place:02x}{serial:02x}", **options)
        self.place, self.serial, self.mode, self.pages = place, serial, MODES[place], mib << 8
        self.disks = disks or [Disk(place, n) for n in range(DISKS)]
        for disk in self.disks:
            self.options += ["--disk", disk.label]
            disk.served, disk.bound = False, True

    def serve(self, disk):
        """Attaches, once the one before has let go of guest and image."""
        self.m.run(f"rm -f {disk.log}; timeout 120 sh -c 'until tessera disk attach {self.name} {disk.label} {disk.image} --log {disk.log} 2>/run/attach; do "
                   "usleep 20000; done' || { cat /run/attach; false; }", 150)
        disk.served = True

    def leave(self, disk):
        self.m.run(f"tessera disk detach {self.name} {disk.label}")
        disk.served = False

    def plug(self, *words, limit=400):
        """What rootfs/guest/bin/plug does."""
        return self.run(" ".join(["plug"] + [str(word) for word in words]), limit)

    def bind(self, disk, yes):
        self.plug("bind" if yes else "unbind", disk.number)
        disk.bound = yes

    def wait(self, disk, state):
        self.plug("wait", disk.number, state)

    def began(self):
        """Its driver is loaded anew, in the guest's mode; no disk is there yet."""
        self.m.run(f"gsh open {self.name} {STARTS}", limit=STARTS + 30)
        self.plug("begin", self.mode)
        for disk in self.disks:
            self.serve(disk)

    def format(self, disk):
        self.wait(disk, "blank")
        self.plug("format", disk.number)

    def load(self, *disks):
        for disk in disks:
            first = disk.run * RUN
            disk.run += 1
            disk.flushed = int(self.plug("load", disk.number, first))
            disk.verified = 0

    def hurry(self, *disks):
        """So that something is under way when they are taken away."""
        self.plug("hurry", *(disk.number for disk in disks))

    def rest(self, disk):
        """Ends the disk's load between two operations."""
        disk.flushed = int(self.plug("rest", disk.number))

    def check(self, disk, flushed=None):
        """All that was flushed is there, or what the load wrote after it."""
        status, text = self.sh(f"guest_cut check {disk.device} {disk.number} {disk.flushed if flushed is None else flushed}", 400)
        if status:
            raise Amiss(f"{disk.name}: {text.strip()}")
        return int(re.search(r"(\d+) blocks newer", text).group(1))

    def look(self, more):
        """Waits until each load has flushed something new if `more`; what the kernel said since the last look."""
        *told, text = self.plug("look", *(f"{disk.number} {disk.flushed}" for disk in self.disks if more)).split("\n", DISKS)
        for disk, line in zip(self.disks, told):
            flushed, verified, integrity, status, state = line.split(" ", 4)
            disk.flushed, disk.verified = int(flushed), int(verified)
            if (integrity, status, state) != ("0", "-", "attached"):
                raise Amiss(f"{disk.name}: {line}; {self.run(f'cat /tmp/said.{disk.number}').strip()}")
        return text


def windows(sessions):
    """How many windows a back-end has after its sessions, each of which places its runs where there is room first."""
    count = 0
    for runs in sessions:
        used = [0] * count
        for pages in runs:
            at = next((i for i in range(count) if used[i] + pages <= WINDOW), count)
            if at == count:
                used.append(0)
                count += 1
            used[at] += pages
    return count


class Fleet:
    """The guests on a machine. `count(what, many)` takes figures, `kind` makes a guest."""

    def __init__(self, m, count, members=COUNT, settles=SETTLES, kind=Member):
        self.m, self.count, self.settles, self.kind = m, count, settles, kind
        m.run("modprobe tessera_host; dmesg -c >/dev/null")
        self.members = [kind(m, place) for place in range(members)]
        self.alive = []
        self.serial = 0
        first = self.snapshot()
        self.hypervisor, self.frames = first["hypervisor"], first["hypervisor"] + first["host"]
        self.expect()

    def start(self):
        # All are started before the first is waited for.
        for guest in self.members:
            for disk in guest.disks:
                disk.fill(self.m)
            guest.start(wait=False)
            self.alive.append(guest)
        for guest in self.members:
            guest.began()
        for guest in self.members:
            for disk in guest.disks:
                guest.format(disk)
            guest.load(*guest.disks)

    # --- the census

    def snapshot(self):
        """All that is counted, of the hypervisor's, the module's and the host's."""
        text = self.m.run("tessera info --json; tessera guest list --json; tessera token list --json; cat /sys/module/tessera_host/refcnt; "
                          "grep -l '^tsr[0-9]*/' /proc/[0-9]*/comm 2>/dev/null | wc -l; pidof tesserad | wc -w; "
                          "sed -n 's/^HugePages_\\(Total\\|Free\\): *//p' /proc/meminfo")
        lines = [line for line in text.splitlines() if line]
        info, guests, tokens = (json.loads(line) for line in lines[:3])
        references, threads, daemons, total, free = (int(line) for line in lines[3:])
        names = {g["guest"]: g["name"] for g in guests}
        census = info["census"]
        return dict(census, numbers=(info["guests"], info["tokens"]), references=references, threads=threads, daemons=daemons,
                    huge_pages=total - free,
                    guest={g["name"]: (g["state"], g["ram_pages"], g["table_pages"], g["tokens"], g["granted"],
                                       [(d["label"], bool(d["backend"])) for d in g["devices"]]) for g in guests},
                    token=sorted((names.get(t["guest"], "?"), t["device"], t["pages"], t["how"], t["state"]) for t in tokens))

    def runs(self, guest, disk):
        """Of each session of the disk's back-end: the pages that it placed in windows."""
        said = self.m.run(f"cat {disk.log}")
        if "huge page" in said:
            raise Amiss(f"{disk.name}: {said}")
        return [[CONTROL, RING, SEALS] + ([int(pages)] if guest.mode != "copy" else [])
                for pages in re.findall(r"session \d+: 1 queues of depth 64, (\d+) data pages each", said)], \
            int(re.findall(r"(\d+) data pages each", said)[-1])

    def wanted(self):
        """What the snapshot has to be."""
        guests, tokens, used, mapped, served = {}, [], 0, 0, 0
        for guest in self.alive:
            own = []
            for disk in guest.disks:
                if not disk.served:
                    continue
                served += 1
                sessions, data = self.runs(guest, disk)
                used += windows(sessions)
                if not disk.bound:
                    continue
                own += [(guest.name, disk.number, pages, "map", "mapped") for pages in (CONTROL, RING, SEALS)]
                if guest.mode == "pooled":
                    own.append((guest.name, disk.number, data, "map", "mapped"))
                elif guest.mode == "copy":
                    own.append((guest.name, disk.number, data, "copy", "issued"))
            tokens += own
            mapped += sum(t[2] for t in own if t[4] == "mapped")
            guests[guest.name] = ("running", guest.pages, tables(guest.pages), len(own), sum(t[2] for t in own),
                                  [(d.label, d.served) for d in guest.disks])
        frames = sum(g[1] for g in guests.values()), sum(g[2] for g in guests.values())
        return dict(hypervisor=self.hypervisor, host=self.frames - self.hypervisor - sum(frames), guests=frames[0], tables=frames[1], displaced=mapped,
                    windows=used * WINDOW, numbers=(len(guests), len(tokens)), references=REFERENCES[0] * len(guests) + REFERENCES[1] * served,
                    threads=len(guests), daemons=served, huge_pages=used, guest=guests, token=sorted(tokens))

    def expect(self):
        """The census is exact, once what has ended is gone. Guests whose pages go to and fro stand still meanwhile."""
        still = [guest for guest in self.alive if guest.mode == "strict"]
        for guest in still:
            guest.plug("pause")
        wanted, end = self.wanted(), time.monotonic() + self.settles
        while (now := self.snapshot()) != wanted:
            if time.monotonic() > end:
                raise Amiss("the census is not exact: " + "; ".join(f"{k} is {now[k]}, not {wanted[k]}" for k in wanted if now[k] != wanted[k]))
        for guest in still:
            guest.plug("go")
        self.count("censuses", 1)

    # --- what happens in a round

    def settle(self):
        """After it all loads have gone on, all logs are clean, and the census is exact."""
        for guest in self.alive:
            self.clean(guest, guest.look(True))
        self.clean_host()
        self.expect()

    def clean(self, guest, text, but=None):
        """Nothing is amiss in a guest's kernel, but for what is said of a device that was taken away."""
        for line in text.splitlines():
            if line.startswith("@"):
                self.count("requests in flight", int(line[1:]))
            elif not (but and but in line):
                raise Amiss(f"{guest.name}: {line}")

    def clean_host(self):
        bad = [line for line in self.m.run("dmesg -c").splitlines() if TROUBLE.search(line)]
        if bad:
            raise Amiss(f"the host: {bad[:5]}")

    def fails(self, guest, disk):
        """The disk was taken away under its load, which had to fail, as did what was buffered; nothing else."""
        flushed, text = guest.plug("fails", disk.number).split("\n", 1)
        disk.flushed = int(flushed)
        self.clean(guest, text, but=f"I/O error, dev tsr{disk.number},")

    def comes_back(self, guest, disk):
        guest.wait(disk, "attached")
        self.count("blocks newer than flushed", guest.check(disk))
        self.count("regions checked", 1)
        guest.load(disk)

    def another(self, guest, disk):
        """Another back-end serves it; requests that it was to answer wait no more."""
        guest.serve(disk)
        guest.wait(disk, "attached")
        self.clean(guest, guest.look(False))

    def detach(self, guest, disk, _):
        guest.leave(disk)
        self.another(guest, disk)

    def kill(self, guest, disk, _):
        self.m.run(f"kill -9 {guest.show()['devices'][disk.number]['backend']}")
        self.another(guest, disk)

    def unbind(self, guest, disk, random):
        surprise = random.random() < 0.7
        if not surprise:
            guest.rest(disk)
        guest.bind(disk, False)
        if surprise:
            self.fails(guest, disk)
        guest.bind(disk, True)
        self.comes_back(guest, disk)

    def replug(self, guest, disk, random):
        """Both ends let go, one after the other, and come back in any order."""
        first = random.random() < 0.5
        if first:
            guest.leave(disk)
        guest.bind(disk, False)
        if not first:
            guest.leave(disk)
        self.fails(guest, disk)
        self.expect()
        if random.random() < 0.5:
            guest.serve(disk)
            guest.bind(disk, True)
        else:
            guest.bind(disk, True)
            guest.serve(disk)
        self.comes_back(guest, disk)

    def renew(self, guest, disk, _):
        """A disk goes for good, and a new one comes."""
        guest.leave(disk)
        guest.bind(disk, False)
        self.fails(guest, disk)
        disk.fill(self.m)
        self.expect()
        guest.serve(disk)
        guest.bind(disk, True)
        guest.format(disk)
        guest.load(disk)

    def exchange(self, guest, *_):
        """The host puts each of a guest's disks behind the other's device: both are refused, and go on when each is in its place again."""
        one, two = guest.disks
        for state in ("refused", "attached"):
            for disk in guest.disks:
                guest.leave(disk)
                guest.wait(disk, "away")
            one.image, two.image = two.image, one.image
            for disk in guest.disks:
                guest.serve(disk)
            for disk in guest.disks:
                guest.wait(disk, state)

    def ends(self, guest, random):
        """The guest ends in the middle of its work, by its host's hand or its own."""
        self.clean(guest, guest.look(False))
        if random.random() < 0.7:
            guest.destroy()
        else:
            self.m.sh(f"gsh run {guest.name} 240 'poweroff -f'", 270)
            state = guest.wait_end()
            assert state == "stopped: power-off", state
            guest.destroy()
        self.alive.remove(guest)
        for disk in guest.disks:
            disk.served = False
        self.expect()

    def begins(self, guest):
        guest.start(wait=False)
        self.members[guest.place] = guest
        self.alive.append(guest)
        guest.began()

    def same(self, guest, _, random, meanwhile=None):
        """A new guest of the same identity gets the disks' keys, and finds what was flushed."""
        self.ends(guest, random)
        if meanwhile:
            meanwhile()
        was, guest = guest.identity, self.kind(self.m, guest.place, guest.serial, guest.disks)
        self.begins(guest)
        assert guest.identity == was
        for disk in guest.disks:
            self.comes_back(guest, disk)

    def other(self, guest, _, random):
        """A guest of another identity is not let at the disks of the one before, and gets new ones."""
        self.ends(guest, random)
        self.serial += 1
        was, guest = guest.identity, self.kind(self.m, guest.place, self.serial, guest.disks)
        self.begins(guest)
        assert guest.identity != was
        for disk in guest.disks:
            guest.wait(disk, "invalid")
            guest.leave(disk)
            guest.wait(disk, "away")
            disk.fill(self.m)
            guest.serve(disk)
            guest.format(disk)
        guest.load(*guest.disks)

    def round(self, what, random):
        guest = self.members[random.randrange(len(self.members))]
        disk = guest.disks[random.randrange(DISKS)]
        guest.hurry(*(guest.disks if what in ("same", "other", "exchange") else [disk]))
        getattr(self, what)(guest, disk, random)
        self.settle()
        self.count("by " + what, 1)

    def end(self):
        """All go, each in the middle of its work; nothing is left of them."""
        for guest in list(self.alive):
            self.clean(guest, guest.look(False))
            self.count("verified by loads", sum(disk.verified for disk in guest.disks))
            guest.destroy()
            self.alive.remove(guest)
        self.expect()
        self.clean_host()


def tables(pages):
    """TSR_GUEST_TABLE_PAGES, for one virtual CPU."""
    return pages // 512 + pages // 262144 + 4 + 8
