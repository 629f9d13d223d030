# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Results of the bench: metrics of a run, medians over seeds, the file, the table. tests/bench/README.md describes the file."""

import fcntl
import json
import os
import statistics
import subprocess

from contenders import BENCH, ROOT

SCHEMA = 1
FILE = os.path.join(BENCH, "results.json")
PARTS = ("hv", "host_kernel", "host_user", "guest_kernel", "guest_user")
DOMAINS = ("hv", "host", "guest")
# Metrics that are the sum of an event over all domains.
SUMS = {"switches": "vmrun", "pv_entries": "pv_entry", "halts": "hlt", "cr3_loads": "cr3", "invlpg": "invlpg", "wrmsr": "wrmsr",
        "port_reads": "in", "port_writes": "out", "syscalls": "syscall", "irets": "iret", "bytes_copied": "rep_movs_bytes",
        "bytes_set": "rep_stos_bytes"}


def metrics(interval):
    """Of one load, for each of its requests."""
    n = interval["requests"]
    found = {"instructions": sum(interval["instructions"].values())}
    found.update({part: interval["instructions"][part] for part in PARTS})
    for name, event in SUMS.items():
        found[name] = sum(interval[d][event] for d in DOMAINS)
    found["vmmcalls_host"], found["vmmcalls_guest"] = interval["host"]["vmmcall"], interval["guest"]["vmmcall"]
    # The hypervisor's own routines: shootdowns, iotlb_flushes, notifications, and each hypercall by its name.
    found.update(interval["watched"])
    return {name: round(value / n, 4) for name, value in found.items()}


def medians(runs):
    """{load: {metric: median}} of [{load: {metric: value}}]."""
    return {load: {name: round(statistics.median(run[load].get(name, 0) for run in runs), 4) for name in runs[0][load]} for load in runs[0]}


def spread(runs):
    """The largest distance of a run's instructions from the median, as a part of it."""
    middle = medians(runs)
    return max(abs(run[load]["instructions"] / middle[load]["instructions"] - 1) for run in runs for load in run)


def output(*command):
    try:
        return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def versions():
    """Of everything that takes part."""
    found = {"tessera": output("git", "describe", "--always", "--dirty", "--abbrev=12")}
    found["qemu"] = output("qemu-system-x86_64", "--version").split("\n")[0]
    with open(os.path.join(ROOT, "build/deps/abi"), encoding="ascii") as f:
        found["kernel"] = f.read().strip()
    for path in sorted(os.listdir(os.path.join(ROOT, "build/deps/apt/archives"))):
        if path.startswith(("xen-hypervisor-", "linux-image-")) and path.endswith("_amd64.deb") and "-dbg" not in path:
            found[path.split("_")[0]] = path.split("_")[1].replace("%3a", ":")
    return found


def load():
    """What there is, or an empty one."""
    try:
        with open(FILE, encoding="utf-8") as f:
            found = json.load(f)
        if found["schema"] == SCHEMA:
            return found
    except (OSError, ValueError, KeyError):
        pass
    return {"schema": SCHEMA, "contenders": {}, "retries": []}


def change(how):
    """Has how() change what the file has; several programs may do so at a time. Returns what it has then."""
    with open(FILE + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = load()
        how(found)
        with open(FILE + ".new", "w", encoding="utf-8") as f:
            json.dump(found, f, indent=1)
            f.write("\n")
        os.rename(FILE + ".new", FILE)
    return found


def entry(contender, machine, done, extra):
    """What the file has of a contender: done is {seed: {load: {metric: value}}}, extra what belongs to no load."""
    return {"text": contender.text, "inside": contender.inside, "versions": versions(), "machine": machine, "seeds": list(done), "runs": done,
            "loads": medians(list(done.values())), **extra}


def table(found, names, metric, title, form):
    """Lines for the terminal: a row for each contender, a column for each load."""
    loads = list(dict.fromkeys(load for name in names for load in found["contenders"][name]["loads"]))
    width = max(len(found["contenders"][n]["text"]) for n in names) + 1
    yield title
    yield " " * width + "".join(f"{load:>11}" for load in loads)
    for name in names:
        of = found["contenders"][name]["loads"]
        yield found["contenders"][name]["text"].ljust(width) + "".join(
            f"{format(of[load][metric], form):>11}" if load in of else " " * 11 for load in loads)
