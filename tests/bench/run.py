#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The bench: what an I/O costs in instructions and in what they do not price, contender by contender. `make bench` calls it.

  tests/bench/run.py [--seeds N] [--loads "rr4k:1 ..."] [CONTENDER...]

tests/bench/README.md says what is measured and how.
"""

import argparse
import sys
import time

from contenders import CONTENDERS
from emulate import Failed, run

LOADS = ("rr4k:1", "rw4k:1", "sr128k:1", "sw128k:1", "rr4k:32", "rw4k:32", "sr128k:32", "sw128k:32")
FIRST_SEED = 7
TRIES = 1


def measure(contender, loads, seed, retries):
    """One seed of one contender; one that fails is tried again with a seed that no other run has."""
    for again in range(TRIES):
        try:
            return run(contender, loads, seed + 100 * again)
        except Failed as e:
            retries.append({"contender": contender.name, "seed": seed + 100 * again, "why": str(e)})
            print(f"bench: {contender.name}, seed {seed + 100 * again}: {e}; tried again with the next seed", flush=True)
    raise SystemExit(f"bench: {contender.name} failed {TRIES} times")


def main():
    parser = argparse.ArgumentParser(description="what an I/O costs, counted", epilog="see tests/bench/README.md")
    parser.add_argument("contenders", nargs="*", help="all of them if none is named: " + ", ".join(c.name for c in CONTENDERS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--loads", default=" ".join(LOADS))
    args = parser.parse_args()
    known = {c.name: c for c in CONTENDERS}
    for name in args.contenders:
        if name not in known:
            parser.error(f"there is no contender {name}; there are: {', '.join(known)}")
    retries = []
    for contender in [known[n] for n in args.contenders] or CONTENDERS:
        for seed in range(FIRST_SEED, FIRST_SEED + args.seeds):
            start = time.monotonic()
            loads, points, _ = measure(contender, args.loads.split(), seed, retries)
            print(f"{contender.name}, seed {seed}: {time.monotonic() - start:.0f} s; "
                  f"points {({k: sum(p['instructions'].values()) for k, p in points.items()})}")
            for name, done in loads.items():
                n = done["requests"]
                total = sum(done["instructions"].values())
                parts = ", ".join(f"{k} {v / n:.0f}" for k, v in done["instructions"].items())
                switches = sum(done[d]["vmrun"] for d in ("hv", "host", "guest"))
                print(f"  {name:10} {total / n:10.0f}  switches {switches / n:.3f} ({parts}) strange {done['strange']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
