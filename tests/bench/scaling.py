#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What an I/O costs as a machine grows, and small figures. `make bench-scaling` calls it.

  tests/bench/scaling.py [--seed N] [--jobs N] [PART...]

  guests	one guest's I/O while 0 to 7 others are idle
  memory	on machines of 1 to 16 GiB
  tokens	issue, map and revoke a page, 1, 8 and 64 in a call, with 1 to 15,000 other tokens alive
  depth, size	I/O against queue depth and size of requests, beside some of the peers
  start		boots of host and guest, and a load that forks, with and without a hypervisor
"""

import argparse
import concurrent.futures
import os
import sys

import emulate
import page
import results
from contenders import CONTENDERS

KNOWN = {c.name: c for c in CONTENDERS}
FLAT = ["rr4k:1", "rr4k:32", "rw4k:32", "sr128k:32"]
GUESTS = (1, 2, 4, 8)
MEMORY = (1024, 2048, 4096, 8192, 16384)  # MiB
# Tokens of the measured guest's own, other guests, tokens of each of those. A guest may have 1,024, all together 16,385.
TOKENS = ((1, 1, 0), (10, 1, 0), (100, 1, 0), (900, 1, 0), (100, 11, 900), (600, 16, 960))
DEPTHS = [f"rr4k:{depth}" for depth in (1, 2, 4, 8, 16, 32, 64, 128)] + [f"rw4k:{depth}" for depth in (1, 2, 4, 8, 16, 32, 64, 128)]
SIZES = [f"{what}{kib}k:32" for what in ("sr", "sw") for kib in (4, 8, 16, 32, 64, 128, 256, 512, 1024)]
CURVES = ("none-plain", "xen-pvh-plain", "kvm-plain", "xen-pvh-gcm", "tessera-pooled")
STARTS = ("none-plain", "xen-pvh-plain", "kvm-plain", "tessera-pooled")
STARTS_IMAGE = "tessera-release.img"  # of both whose hosts' boots are compared, since unpacking it is most of a boot
OPERATIONS = {1: "issue", 2: "map", 3: "revoke"}
SPARE_GIB = 3  # of this machine's memory, besides that of the emulated one


def available_gib():
    with open("/proc/meminfo", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("MemAvailable")) / 2**20


def run(name, loads, seed, words="", machine=(), tag="", said=None, image=None):
    """A contender with further words; one that fails is tried again with another seed."""
    contender = KNOWN[name].with_words(words, image)
    for again in range(3):
        try:
            done = emulate.run(contender, loads, seed + 100 * again, machine=machine, tag=tag, said=said)
            print(f"bench: {name}{tag}: done", flush=True)
            return done
        except emulate.Failed as e:
            print(f"bench: {name}{tag}, seed {seed + 100 * again}: {e}; tried again with the next seed", flush=True)
    return None


def each(done):
    return {load: results.metrics(interval) for load, interval in done[0].items()} if done else None


def guests(pool, seed):
    return {n: pool.submit(lambda n=n: each(run("tessera-pooled", FLAT, seed, f"guests={n}", tag=f"-guests{n}"))) for n in GUESTS}


def memory(pool, seed):
    def one(mib):
        if available_gib() < mib / 1024 + SPARE_GIB:
            print(f"bench: a machine of {mib} MiB is left out: this one has {available_gib():.1f} GiB free", flush=True)
            return None
        return each(run("tessera-pooled", FLAT, seed, machine=["-m", str(mib)], tag=f"-{mib}m"))
    return {mib: pool.submit(one, mib) for mib in MEMORY}


def tokens(pool, seed):
    def one(own, others, fill):
        done = run("tessera-pooled", ["tokens"], seed, f"live={own} guests={others} fill={fill}", ["-m", "4096"] if others > 1 else [],
                   f"-tokens{own + (others - 1) * fill}", "bench: tokens: error=0")
        if not done:
            return None
        return {f"{OPERATIONS[number >> 4]} {1 << (number & 15)}": {part: count / 64 for part, count in interval["instructions"].items()}
                for number, interval in done[0].items()}
    return {own + (others - 1) * fill: pool.submit(one, own, others, fill) for own, others, fill in TOKENS}


def curves(loads):
    def of(pool, seed):
        return {name: pool.submit(lambda name=name: each(run(name, loads, seed, tag="-" + loads[0].partition(":")[0]))) for name in CURVES}
    return of


def start(pool, seed):
    def one(name):
        done = run(name, ["rr4k:1"], seed, "fork=1", tag="-start", image=STARTS_IMAGE if name == "none-plain" else None)
        if not done:
            return None
        forks = done[0]["forks"]
        points = {number: sum(p["instructions"].values()) for number, p in done[1].items()}
        of = {"fork and 256 pages": sum(forks["instructions"].values()) / forks["requests"]}
        if name in ("none-plain", "tessera-pooled"):
            of["host boot"] = points[3]
        if 2 in points:
            of["guest to user space"] = points[2] - points[0]
        return of
    return {name: pool.submit(one, name) for name in STARTS}


PARTS = {"guests": guests, "memory": memory, "tokens": tokens, "depth": curves(DEPTHS), "size": curves(SIZES), "start": start}


def flatness(found):
    """How far instructions for each I/O are from those of the first, at most, load by load."""
    values = [v for v in found.values() if v]
    return {load: max(abs(v[load]["instructions"] / values[0][load]["instructions"] - 1) for v in values) for load in values[0]}


def show(part, found):
    print(f"\n{part}")
    if part in ("guests", "memory"):
        for n, of in found.items():
            print(f"{n:>8}" + ("".join(f"{load:>12} {of[load]['instructions']:>9,.0f}" for load in of) if of else "  not measured"))
        if any(found.values()):
            print("    flat within " + ", ".join(f"{load} {v * 100:.1f} %" for load, v in flatness(found).items()))
    elif part == "tokens":
        for n, of in found.items():
            print(f"{n:>8} alive, hypervisor's instructions for each page: " +
                  (", ".join(f"{op} {v['hv']:.0f}" for op, v in of.items()) if of else "not measured"))
    elif part == "start":
        for name, of in found.items():
            print(f"{name:16}" + (", ".join(f"{what} {v:,.0f}" for what, v in of.items()) if of else "not measured"))
    else:
        for name, of in found.items():
            print(f"{name:16}" + ("".join(f"{load:>11} {of[load]['instructions']:,.0f}" for load in of) if of else "not measured"))


def main():
    parser = argparse.ArgumentParser(description="what an I/O costs as a machine grows", epilog="see tests/bench/README.md")
    parser.add_argument("parts", nargs="*", help="all of them if none is named: " + ", ".join(PARTS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="emulated machines at a time (default: one for each processor)")
    args = parser.parse_args()
    for part in args.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part}; there are: {', '.join(PARTS)}")
    version = results.versions()["tessera"]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        todo = {part: PARTS[part](pool, args.seed) for part in args.parts or PARTS}
        for part, values in todo.items():
            of = {str(key): future.result() for key, future in values.items()}
            entry = {"version": version, "seed": args.seed, "values": of}
            results.change(lambda found, part=part, entry=entry: found.setdefault("scaling", {}).update({part: entry}))
            show(part, of)
    print(f"\nbench: {os.path.relpath(results.FILE)}, {os.path.relpath(page.write(results.load()))}")


if __name__ == "__main__":
    sys.exit(main())
