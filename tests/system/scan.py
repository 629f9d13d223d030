# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Looks for secrets in memory and in files: markers, keys as they are, and keys expanded for AES in both byte orders."""

import aes
from nested import PAGE, runs

CHUNK = 4 << 20


class Secrets:
    """What is looked for: {pattern bytes: name}. Every pattern is 16 bytes or longer, so none is met by chance."""

    def __init__(self):
        self.patterns = {}

    def add(self, name, data):
        assert len(data) >= 16, name
        self.patterns[bytes(data)] = name

    def add_key(self, name, key):
        """A 32-byte key: each half, the first and second half of whose expanded form they are, and two more round keys of
        both directions that would betray an expanded key of which the beginning was lost. All in both byte orders."""
        rounds, inverse = aes.expand(key), aes.expand_inverse(key)
        parts = {"first half": key[:16], "second half": key[16:], "round key 7": rounds[7], "last round key": rounds[14],
                 "inverse round key 7": inverse[7]}
        for part, data in parts.items():
            self.add(f"{name}, {part}", data)
            self.add(f"{name}, {part}, words swapped", aes.swapped(data))

    @property
    def longest(self):
        return max(map(len, self.patterns))


def in_bytes(secrets, data, found, where):
    """Adds to found, {name: [where, ...]}, each secret that is in data; where(offset) says where that is."""
    for pattern, name in secrets.patterns.items():
        at = data.find(pattern)
        while at >= 0:
            found.setdefault(name, []).append(where(at))
            at = data.find(pattern, at + 1)


def in_file(secrets, path):
    """Secrets in a file: {name: [offset, ...]}, and how many bytes of it were looked at."""
    found, done, keep = {}, 0, b""
    with open(path, "rb") as f:
        while True:
            data = f.read(CHUNK)
            if not data:
                return found, done
            # The end of the last piece once more, since a pattern may lie across the border.
            base = done - len(keep)
            if data.strip(b"\0") or keep.strip(b"\0"):
                in_bytes(secrets, keep + data, found, lambda at, base=base: base + at)
            done += len(data)
            keep = (keep + data)[-(secrets.longest - 1):]


def in_frames(secrets, memory, frames):
    """Secrets in frames of a dump: {name: [address, ...]}, and how many frames were looked at. Frames that are neighbours are
    looked at as one piece."""
    found, frames = {}, list(frames)
    for first, end in runs(memory.not_zero(frames)):
        at = first
        while at < end:
            stop = min(end, at + CHUNK // PAGE)
            # A pattern may lie across the border of two pieces: one page of the next one is looked at with both.
            data = memory.read(at * PAGE, (min(stop + 1, end) - at) * PAGE)
            in_bytes(secrets, data, found, lambda offset, base=at * PAGE: base + offset)
            at = stop
    return found, len(frames)


def show(found):
    """A text of what was found and where first."""
    return "; ".join(f"{name} at {places[0]:#x} and {len(places) - 1} more places" if len(places) > 1 else
                     f"{name} at {places[0]:#x}" for name, places in sorted(found.items())) or "nothing"
