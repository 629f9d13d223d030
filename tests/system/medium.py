# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A disk with a volatile cache, for power cuts: QEMU's blklogwrites keeps a log of all that reaches the disk (the format of Linux's dm-log-writes), and
what the medium holds after the cut is made from that. All that was written before the last completed flush is there; of each sector written
since then the old or the new contents, by chance: no order between writes, and blocks of 4 KiB tear."""

import collections
import os
import random
import shutil
import struct

SECTOR = 512
FLUSH, FUA, DISCARD = 1, 2, 4
HEADER = struct.Struct("<QQQQ")  # sector, sectors, flags, bytes of text
Entry = collections.namedtuple("Entry", "sector sectors flags data")  # data: where in the log


class Medium:
    """The disk's file, which changes only when the power is cut."""

    def __init__(self, path):
        self.path, self.cache, self.log = path, path + ".cache", path + ".log"

    def make(self, mib):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "wb") as f:
            f.truncate(mib << 20)

    def arguments(self):
        """QEMU's for a machine with an IOMMU. Its log takes no writes of zeros that go side by side, so the disk offers none."""
        shutil.copyfile(self.path, self.cache)
        open(self.log, "wb").close()
        drive = (f"if=none,id=cut,driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename={self.cache},"
                 f"log.driver=raw,log.file.driver=file,log.file.filename={self.log}")
        return ["-drive", drive, "-device",
                "virtio-blk-pci,drive=cut,serial=tsr-cut,disable-legacy=on,iommu_platform=on,write-zeroes=off,discard=off"]

    def mark(self, m):
        """What was flushed by now is to be there after the cut: it falls between here and the end."""
        m.qmp.human(f'qemu-io cut "write {self._mark() * SECTOR} {SECTOR}"')

    def cut(self, m, seed, liar=False):
        """Cuts m's power, in the moment since the mark when most was unflushed. liar: a control, of all that was flushed the later half counts as
        unflushed. Returns what became of the writes."""
        # A stopped QEMU has all in its log that the disk has taken, and has flushed besides: from this mark on a flush is not the guest's.
        self.mark(m)
        m.qmp.command("stop")
        m.stop()
        entries = list(self._entries())
        marks = [n for n, entry in enumerate(entries) if entry.sector == self._mark()]
        safe, end = most_unflushed(entries, marks[0], marks[-1])
        flushes = [n for n, entry in enumerate(entries[:end]) if entry.flags & FLUSH]
        if liar:
            safe = flushes[len(flushes) // 2]
        outcome = self._replay(entries[:end], safe, random.Random(seed))
        outcome["flushes"] = len(flushes)
        return outcome

    def forget(self):
        for path in (self.path, self.cache, self.log):
            if os.path.exists(path):
                os.unlink(path)

    def _mark(self):
        return os.path.getsize(self.path) // SECTOR - 1

    def _entries(self):
        size = os.path.getsize(self.log)
        with open(self.log, "rb") as log:
            at = SECTOR  # after a header
            while at + SECTOR <= size:
                log.seek(at)
                sector, sectors, flags, _ = HEADER.unpack(log.read(HEADER.size))
                at += SECTOR
                if not sectors and not flags:
                    return
                yield Entry(sector, sectors, flags, at)
                if not flags & DISCARD:
                    at += sectors * SECTOR

    def _replay(self, entries, safe, chance):
        outcome = collections.Counter(written=0, lost=0, torn=0)
        with open(self.log, "rb") as log, open(self.path, "r+b") as disk:
            for n, entry in enumerate(entries):
                if not entry.sectors or entry.flags & DISCARD:
                    continue
                outcome["written"] += 1
                log.seek(entry.data)
                kept = range(entry.sectors)
                if n > safe and not entry.flags & FUA:
                    kept = survivors(entry.sectors, chance)
                    outcome["lost"] += not kept
                    outcome["torn"] += 0 < len(kept) < entry.sectors
                data = log.read(entry.sectors * SECTOR)
                for k in kept:
                    disk.seek((entry.sector + k) * SECTOR)
                    disk.write(data[k * SECTOR:(k + 1) * SECTOR])
        return outcome


def most_unflushed(entries, first, last):
    """Of the moments between two entries the one with most since the last flush: (that flush's number, the moment's)."""
    best, flush = None, 0
    for n, entry in enumerate(entries[:last + 1]):
        if n >= first and (not best or n - flush > best[1] - best[0]):
            best = flush, n
        if entry.flags & FLUSH:
            flush = n
    return best


def survivors(sectors, chance):
    """Of an unflushed write: all, none, or some."""
    fate = chance.randrange(3)
    if fate == 2:
        return [k for k in range(sectors) if chance.random() < 0.5]
    return range(sectors) if fate else []
