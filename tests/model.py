# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The life of tokens as a model (spec/model/tokens.pml), tried by SPIN: what must hold holds, and with each protection taken out
SPIN finds what is then wrong. `make model` runs the bounded form, which `make test` has too; `make model LONG=1` all of it at once, two
tokens, two CPUs and the device, which takes minutes and gigabytes."""

import fnmatch
import os
import re
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = os.path.join(ROOT, "spec/model/tokens.pml")
LIMIT = 3600  # seconds for one search, a hundred times what any takes

SAFETY = ["-DSAFETY", "-DNOCLAIM"]
PROGRESS = ["-DNFAIR=4"]
ACCESS = "access to a page that is not granted"
ASIDE = "the frame set aside, after map had returned"
ONE_TOKEN = ["TOKENS=1", "CPUS=2"]
# name, macros, kind of search, a pattern of what must be found (None: nothing)
CHECKS = [
    ("one token twice, two CPUs and a device: no access after revoke, nothing lost", ONE_TOKEN + ["ROUNDS=2"], SAFETY, None),
    ("two tokens, a CPU and a device: no access after revoke, nothing lost or in two places", ["TOKENS=2", "CPUS=1"], SAFETY, None),
    ("revoke ends, whatever the host does", ONE_TOKEN + ["DRAIN"], PROGRESS, None),
    ("control: revoke does not wait", ONE_TOKEN + ["NO_WAIT"], SAFETY, ACCESS),
    ("control: the device is not asked", ONE_TOKEN + ["NO_IOTLB"], SAFETY, ACCESS),
    ("control: a CPU enters without having looked", ONE_TOKEN + ["NO_ENTRY"], SAFETY, f"{ACCESS}|{ASIDE}"),
    ("control: an old token is good", ONE_TOKEN + ["NO_GENERATION"], SAFETY, ACCESS),
    ("control: a window page is given up at once", ONE_TOKEN + ["NO_REMOVE_WAIT"], SAFETY, "a guest's page in a page that the host has back"),
    ("control: map does not wait", ONE_TOKEN + ["NO_MAP_WAIT"], SAFETY, ASIDE),
    ("control: unmap leaves the page in the window", ONE_TOKEN + ["LOST"], SAFETY, "a page or a window page is lost, or in two places"),
    ("control: revoke needs the host's goodwill", ONE_TOKEN + ["DRAIN", "GOODWILL"], PROGRESS, "acceptance cycle"),
    ("control: one CPU never answers", ONE_TOKEN + ["DRAIN", "DEAF"], PROGRESS, "acceptance cycle"),
]
LONG = [("two tokens, two CPUs and a device: no access after revoke, nothing lost or in two places", ["TOKENS=2", "CPUS=2"], SAFETY, None)]


def search(out, macros, kind):
    """What pan prints."""
    os.makedirs(out, exist_ok=True)
    commands = [["spin"] + ["-D" + m for m in macros] + ["-a", MODEL],
                ["gcc", "-O2", "-w", "-DNOREDUCE", "-DVECTORSZ=1024", "-DMEMLIM=16384", *kind, "-o", "pan", "pan.c"],
                ["./pan", "-m2000000"] + (["-a", "-f", "-N", "revoke_ends"] if kind is PROGRESS else [])]
    text = ""
    for command in commands:
        done = subprocess.run(command, cwd=out, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        text = done.stdout.decode(errors="replace")
        if done.returncode and command[0] != "./pan":
            return f"{command[0]} fails:\n{text}"
    return text


def run(report, variant, only, everything):
    for number, (name, macros, kind, wanted) in enumerate(CHECKS + (LONG if everything else [])):
        if only and not fnmatch.fnmatch(name, only):
            continue
        start = time.monotonic()
        text = search(os.path.join(ROOT, "build", variant, "model", str(number)), macros, kind)
        states = re.search(r"(\d+) states, stored", text)
        errors = re.search(r"errors: (\d+)", text)
        complete = "Search not completed" not in text and "max search depth too small" not in text
        if wanted is None:
            good = bool(errors) and errors.group(1) == "0" and complete
        else:
            good = bool(errors) and errors.group(1) != "0" and bool(re.search(wanted, text))
        report.add("passed" if good else "failed", "model", f"{name}: {states.group(1) if states else 'no'} states", time.monotonic() - start, text)
