#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""How many lines of hv/core/ the unit tests run through: `make coverage` runs those that are built from the core and prints
a table; tests/run looks at the sum after it has run all of them.

	tests/coverage.py [--variant default] [--lines]
"""

import argparse
import glob
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 90  # percent of all lines together


def objects(variant, ending):
    return sorted(glob.glob(os.path.join(ROOT, "build", variant, "unit/obj/hv/core", "*" + ending)))


def reset(variant):
    """Forgets what earlier runs went through."""
    for path in objects(variant, ".gcda"):
        os.remove(path)


def files(variant):
    """File -> {line: times run}."""
    found = {}
    notes = [os.path.relpath(p, ROOT) for p in objects(variant, ".gcno")]
    text = subprocess.run(["gcov", "--json-format", "--stdout"] + notes, cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout.decode()
    for part in text.splitlines():
        for entry in json.loads(part)["files"] if part else []:
            if entry["file"].startswith("hv/core/") and entry["file"].endswith(".c"):
                lines = found.setdefault(entry["file"], {})
                for line in entry["lines"]:
                    lines[line["line_number"]] = lines.get(line["line_number"], 0) + line["count"]
    return found


def measure(variant, with_lines=False):
    """(enough?, percent, table as text) of what ran since reset()."""
    total = run = 0
    table = []
    for name, lines in sorted(files(variant).items()):
        hit = sum(count > 0 for count in lines.values())
        total, run = total + len(lines), run + hit
        table.append(f"{name:24} {hit:5} of {len(lines):5}  {100 * hit / len(lines):5.1f} %")
        missed = [str(n) for n, count in sorted(lines.items()) if not count]
        if with_lines and missed:
            table.append("    not run: " + " ".join(missed))
    share = 100 * run / total if total else 0
    table.append(f"{'all of the core':24} {run:5} of {total:5}  {share:5.1f} %, at least {LIMIT} % wanted")
    return share >= LIMIT, share, "\n".join(table)


def tests_of_the_core():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/unit/*.c"))):
        with open(path, encoding="utf-8") as f:
            if "/* sources: hv/core/" in f.read(400):
                yield os.path.basename(path)[:-2]


def main():
    parser = argparse.ArgumentParser(description="lines of hv/core/ that the unit tests run through")
    parser.add_argument("--variant", default="default")
    parser.add_argument("--lines", action="store_true", help="also the numbers of the lines that were not run")
    args = parser.parse_args()
    reset(args.variant)
    for name in tests_of_the_core():
        done = subprocess.run([os.path.join(ROOT, "build", args.variant, "unit", name)], cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            print(done.stdout.decode(errors="replace"), f"coverage: error: {name} fails; mend that first", sep="\n")
            return 1
    enough, _, text = measure(args.variant, args.lines)
    print(text)
    return not enough


if __name__ == "__main__":
    sys.exit(main())
