#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The bench: what an I/O costs in instructions and in what they do not price, contender by contender. `make bench` calls it.

  tests/bench/run.py [--seeds N] [--loads "rr4k:1 ..."] [--jobs N] [CONTENDER...]

Prints a table and writes build/bench/results.json and results.html. tests/bench/README.md says what is measured and how.
"""

import argparse
import concurrent.futures
import datetime
import os
import re
import sys
import time

import page
import results
from contenders import CONTENDERS
from emulate import MACHINE, Failed, run

LOADS = ("rr4k:1", "rw4k:1", "sr128k:1", "sw128k:1", "rr4k:32", "rw4k:32", "sr128k:32", "sw128k:32")
FIRST_SEED = 7
TRIES = 4


def measure(contender, loads, seed, retries):
    """One seed of one contender: (the seed that went through, its loads, points, text). One that fails is tried again with a seed that no
    other run has."""
    for again in range(TRIES):
        now = seed + 100 * again
        start = time.monotonic()
        try:
            done, points, text = run(contender, loads, now)
        except Failed as e:
            retries.append({"contender": contender.name, "seed": now, "why": str(e)})
            print(f"bench: {contender.name}, seed {now}: {e}; tried again with seed {now + 100}", flush=True)
            continue
        print(f"bench: {contender.name}, seed {now}: done in {time.monotonic() - start:.0f} s", flush=True)
        return now, {load: results.metrics(interval) for load, interval in done.items()}, points, text
    return None


def of_no_load(points, text):
    """Instructions until the points that the contender's systems pass, and what memory it says it keeps."""
    extra = {"points": {f"point{number}": sum(p["instructions"].values()) for number, p in points.items()}}
    extra["memory_kib"] = {name: int(size) for name, size in re.findall(r"^bench: memory (\S+) (\d+)", text, re.M)}
    return extra


def put(contender, entry, retries):
    """A function for results.change()."""
    def how(found):
        found["contenders"][contender.name] = entry
        found["retries"] = [r for r in found["retries"] if r["contender"] != contender.name] + \
            [r for r in retries if r["contender"] == contender.name]
    return how


def measure_all(chosen, loads, seeds, jobs):
    """Several machines at a time: what is counted does not depend on how fast they are. Each contender is saved as it comes."""
    retries, failed = [], []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        todo = {c.name: [pool.submit(measure, c, loads, seed, retries) for seed in range(FIRST_SEED, FIRST_SEED + seeds)] for c in chosen}
        for number, contender in enumerate(chosen):
            done = [f.result() for f in todo[contender.name]]
            if None in done:
                failed.append(contender.name)
                continue
            extra = of_no_load(*done[0][2:])
            extra["made"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
            entry = results.entry(contender, MACHINE + list(contender.devices), {str(seed): of for seed, of, _, _ in done}, extra)
            results.change(put(contender, entry, retries))
            print(f"bench: {number + 1} of {len(chosen)} contenders measured", flush=True)
    return failed


def show(found, names):
    for metric, title, form in (("instructions", "instructions for each request, whole machine", ",.0f"),
                                ("switches", "world switches (VMRUN) for each request", ".3f")):
        print("\n" + "\n".join(results.table(found, names, metric, title, form)))
    for retry in found["retries"]:
        if retry["contender"] in names:
            print(f"tried again: {retry['contender']}, seed {retry['seed']}: {retry['why']}")


def main():
    parser = argparse.ArgumentParser(description="what an I/O costs, counted", epilog="see tests/bench/README.md")
    parser.add_argument("contenders", nargs="*", help="all of them if none is named: " + ", ".join(c.name for c in CONTENDERS))
    parser.add_argument("--seeds", type=int, default=1, help="runs of each contender; medians are shown (default: 1)")
    parser.add_argument("--loads", default=" ".join(LOADS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="emulated machines at a time (default: one for each processor)")
    args = parser.parse_args()
    known = {c.name: c for c in CONTENDERS}
    for name in args.contenders:
        if name not in known:
            parser.error(f"there is no contender {name}; there are: {', '.join(known)}")
    chosen = [known[n] for n in args.contenders] or CONTENDERS
    failed = measure_all(chosen, args.loads.split(), args.seeds, args.jobs)
    names = [c.name for c in chosen if c.name not in failed]
    found = results.load()
    if names:
        show(found, names)
        out = page.write(found)
        print(f"\nbench: {os.path.relpath(results.FILE)}, {os.path.relpath(out)}")
    for name in failed:
        print(f"bench: {name} failed {TRIES} times")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
