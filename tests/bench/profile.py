#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Instructions of one load of one contender, by symbol. `make bench-profile T=tessera-pooled L=rr4k:32` calls it.

  tests/bench/profile.py [--top N] [--seed N] CONTENDER LOAD
"""

import argparse
import glob
import os
import sys

import emulate
import symbols
from contenders import BENCH, CONTENDERS, ROOT


def modules(where, contender):
    """Symbols of the modules that a run has loaded."""
    paths = {}
    for path in glob.glob(os.path.join(ROOT, "build/deps/modules/kernel/**/*.ko"), recursive=True) + contender.modules():
        paths[os.path.basename(path).partition(".")[0].replace("-", "_")] = path
    for name, sections in where.items():
        if name in paths:
            yield from symbols.module(paths[name], sections)


def tables(contender, text):
    """Of each class of count.c."""
    kernel, loaded = list(symbols.kallsyms()), symbols.loaded(text)
    found = {"hv": symbols.Table(symbols.program(contender.hv) if contender.hv else [])}
    for domain in ("host", "guest"):
        found[domain + "_kernel"] = symbols.Table(kernel + list(modules(loaded.get(domain, {}), contender)))
        path = os.path.join(BENCH, "load") if domain == contender.inside else contender.daemon
        found[domain + "_user"] = symbols.Table(symbols.program(path) if path else [])
    return found


def show(path, found, requests, top):
    """Prints what the plugin has written to path."""
    totals, by = {}, {}
    with open(path, encoding="ascii") as f:
        for line in f:
            who, address, count = line.split()
            count = int(count) / requests
            totals[who] = totals.get(who, 0) + count
            key = (who,) + found[who].find(int(address, 16))
            by[key] = by.get(key, 0) + count
    total = sum(totals.values())
    for who, count in sorted(totals.items(), key=lambda t: -t[1]):
        print(f"{count:12.1f} {count / total * 100:5.1f} %  {who}")
    print(f"{total:12.1f}           in all, for each request\n")
    for (who, symbol, whose), count in sorted(by.items(), key=lambda t: -t[1])[:top]:
        print(f"{count:12.1f} {count / total * 100:5.1f} %  {who:12}  {whose}: {symbol}")


def main():
    parser = argparse.ArgumentParser(description="instructions by symbol", epilog="see tests/bench/README.md")
    parser.add_argument("contender")
    parser.add_argument("load")
    parser.add_argument("--top", type=int, default=70)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    known = {c.name: c for c in CONTENDERS}
    if args.contender not in known:
        parser.error(f"there is no contender {args.contender}; there are: {', '.join(known)}")
    contender = known[args.contender]
    try:
        loads, _, text = emulate.run(contender, [args.load], args.seed, plugin=["profile=0"], tag="-profile")
    except emulate.Failed as e:
        raise SystemExit(f"bench: {contender.name}: {e}")
    out = os.path.join(BENCH, "logs", f"{contender.name}-profile-{args.seed}.marks.0")
    print(f"{contender.text}, {args.load}, seed {args.seed}: instructions for each request (all of them: {os.path.relpath(out)})")
    show(out, tables(contender, text), loads[args.load]["requests"], args.top)


if __name__ == "__main__":
    sys.exit(main())
