# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The host's nested page table, walked in a dump of the machine's memory: what the processor lets the host reach, not what the
hypervisor says about it. Where the table is comes from the VMCBs that the processor itself was given (APM vol. 2, appendix B)."""

import struct

PAGE = 4096
ZEROS = bytes(PAGE)
PRESENT, WRITE, LARGE, NX = 1, 2, 0x80, 1 << 63
ADDRESS = 0x000FFFFFFFFFF000


class Memory:
    """A dump by machine.Machine.dump_memory: RAM below the PCI hole, and above 4 GiB."""

    def __init__(self, path, low, high=0):
        self.parts = [(0, low, open(path, "rb"))]
        if high:
            self.parts.append((2**32, high, open(path + ".high", "rb")))
        self.frames = sum(size for _, size, _ in self.parts) // PAGE

    def close(self):
        for _, _, f in self.parts:
            f.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self, address, size):
        """Bytes of RAM; None where there is none."""
        for base, length, f in self.parts:
            if base <= address and address + size <= base + length:
                f.seek(address - base)
                return f.read(size)
        return None

    def not_zero(self, frames):
        """Those of the frames, given in rising order, that hold anything but zeros."""
        for first, end in runs(frames):
            data = self.read(first * PAGE, (end - first) * PAGE)
            for frame in range(first, end):
                at = (frame - first) * PAGE
                if data[at] or not data.startswith(ZEROS, at):
                    yield frame

    def all_frames(self):
        for base, length, _ in self.parts:
            yield from range(base // PAGE, (base + length) // PAGE)

    def is_ram(self, frame):
        return any(base <= frame * PAGE < base + length for base, length, _ in self.parts)


def vmcb_roots(memory, first, count):
    """The nested CR3 of every VMCB with nested paging in frames first..first+count-1: {root: how many}."""
    roots = {}
    for frame in range(first, first + count):
        page = memory.read(frame * PAGE, PAGE)
        vmrun, = struct.unpack_from("<I", page, 0x10)
        asid, = struct.unpack_from("<I", page, 0x58)
        nested, = struct.unpack_from("<Q", page, 0x90)
        root, = struct.unpack_from("<Q", page, 0xB0)
        efer, = struct.unpack_from("<Q", page, 0x4D0)
        # VMRUN must be intercepted and EFER.SVME set, else the processor refuses it: no other page looks like that.
        if vmrun & 1 and asid and nested & 1 and efer & 0x1000 and root and not root % PAGE and memory.is_ram(root // PAGE):
            roots[root] = roots.get(root, 0) + 1
    return roots


class Leaf:
    """One mapping: size frames from gfn on are shown from mfn on."""

    __slots__ = ("gfn", "mfn", "size", "write", "execute")

    def __init__(self, gfn, mfn, size, write, execute):
        self.gfn, self.mfn, self.size, self.write, self.execute = gfn, mfn, size, write, execute


def leaves(memory, root):
    """Every present leaf below root that shows RAM."""
    yield from _walk(memory, root, 3, 0, True, True)


def _walk(memory, table, level, base, write, execute):
    page = memory.read(table, PAGE)
    if page is None:
        raise ValueError(f"a table at {table:#x} of level {level} is not in RAM")
    step = 1 << (9 * level)
    for index, entry in enumerate(struct.unpack("<512Q", page)):
        if not entry & PRESENT:
            continue
        gfn = base + index * step
        can_write, can_execute = write and bool(entry & WRITE), execute and not entry & NX
        if level and not entry & LARGE:
            yield from _walk(memory, entry & ADDRESS, level - 1, gfn, can_write, can_execute)
            continue
        mfn = (entry & ADDRESS) // PAGE & ~(step - 1)
        # Large leaves over device memory reach beyond RAM; only the parts that are RAM count.
        if any(mfn < (b + n) // PAGE and mfn + step > b // PAGE for b, n, _ in memory.parts):
            yield Leaf(gfn, mfn, step, can_write, can_execute)


def reachable(memory, root):
    """The RAM frames that root's leaves show, as a bytearray indexed by frame: 1 = readable."""
    top = max(base + size for base, size, _ in memory.parts) // PAGE
    seen = bytearray(top)
    for leaf in leaves(memory, root):
        end = min(leaf.mfn + leaf.size, top)
        seen[leaf.mfn:end] = b"\1" * (end - leaf.mfn)
    return seen


def runs(frames):
    """Frame numbers in rising order as (first, end) runs."""
    first = end = None
    for frame in frames:
        if frame == end:
            end += 1
            continue
        if first is not None:
            yield first, end
        first, end = frame, frame + 1
    if first is not None:
        yield first, end
