#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Take contenders and scaling parts of other results.json into build/bench/results.json, and write the page anew.

  tests/bench/merge.py FILE...

Of a contender that both have the one of more seeds is kept, of equal ones the later. Rows of programs that differ can be told by their
versions, which each carries.
"""

import argparse
import json
import sys

import page
import results


def better(new, old):
    return not old or (len(new["seeds"]), new["made"]) > (len(old["seeds"]), old["made"])


def merge(found, other):
    for name, entry in other["contenders"].items():
        if better(entry, found["contenders"].get(name)):
            found["contenders"][name] = entry
            found["retries"] = [r for r in found["retries"] if r["contender"] != name] + [r for r in other["retries"] if r["contender"] == name]
            print(f"bench: {name}: taken, {len(entry['seeds'])} seeds of {entry['versions']['tessera']}, {entry['made']}")
    for part, entry in other.get("scaling", {}).items():
        found.setdefault("scaling", {}).setdefault(part, entry)


def main():
    parser = argparse.ArgumentParser(description="merge results of the bench")
    parser.add_argument("files", nargs="+")
    for name in parser.parse_args().files:
        with open(name, encoding="utf-8") as f:
            other = json.load(f)
        if other.get("schema") != results.SCHEMA:
            raise SystemExit(f"bench: {name} is not of schema {results.SCHEMA}")
        found = results.change(lambda found, other=other: merge(found, other))
    print(page.write(found))


if __name__ == "__main__":
    sys.exit(main())
