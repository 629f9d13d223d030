# SPDX-License-Identifier: BSD-2-Clause-Patent
"""One run of a contender on the emulated machine, and what the plugin counted in it."""

import json
import os
import re
import shutil
import subprocess

from contenders import BENCH

# The same for every contender; tests/bench/README.md says why each is so.
MACHINE = ["-M", "q35", "-m", "2048", "-cpu", "EPYC,+svm,+npt,-smap,-monitor,-avx,-avx2", "-icount", "shift=0,sleep=off",
           "-rtc", "base=2026-01-01,clock=vm", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
# Seconds of QEMU's own processor time, which other work beside it does not lengthen. A whole run takes 15 to 90, a load some of them;
# what says nothing for so long hangs (with this clock an idle machine is as busy as any other).
LIMIT, SILENCE = 600, 90
FAILED = re.compile(r"Failed to execute /init.*|load: error: .*|bench: error: .*|Kernel panic - not syncing.*|tessera: (?:stopped|halted):.*")


PARTS = ("instructions", "hv", "host", "guest", "watched")


class Failed(Exception):
    """The contender did not do its work; the text says what was seen."""


def interval(begin, end):
    """What happened between two marks."""
    done = {part: {name: end[part][name] - begin[part][name] for name in end[part]} for part in PARTS}
    done["domain"], done["strange"] = end["domain"], end["strange"]
    return done


def parse(lines, log):
    """The plugin's lines and the console's text: ({load: interval}, {point: what was counted until then}). Raises Failed."""
    marks = [json.loads(line) for line in lines]
    names = re.findall(r"^load: (\S+) (\d+) done\r?$", log, re.M)
    begun = [m for m in marks if m["mark"] == "begin" and not m["number"]]
    ended = [m for m in marks if m["mark"] == "end" and not m["number"]]
    if not (len(begun) == len(ended) == len(names)):
        raise Failed(f"{len(begun)} loads began, {len(ended)} ended, {len(names)} were reported")
    loads = {}
    for begin, end, (name, count) in zip(begun, ended, names):
        loads[name] = interval(begin, end)
        loads[name]["requests"] = int(count)
    points = {m["number"]: m for m in marks if m["mark"] == "point"}
    return loads, points


def numbered(lines):
    """{number: interval} of marks that have a number; of repeated ones the last."""
    begun, found = {}, {}
    for m in map(json.loads, lines):
        if m["mark"] == "begin":
            begun[m["number"]] = m
        elif m["mark"] == "end" and m["number"]:
            found[m["number"]] = interval(begun[m["number"]], m)
    return found


def run(contender, loads, seed, mib=32, machine=(), plugin=(), tag="", said=None):
    """Raises Failed. Returns the loads' intervals, the points, and the console's text; with said, what the console must say instead, the
    numbered intervals for the loads'."""
    name = f"{contender.name}{tag}-{seed}"
    logs = os.path.join(BENCH, "logs")
    os.makedirs(logs, exist_ok=True)
    log, out = os.path.join(logs, name + ".log"), os.path.join(logs, name + ".marks")
    watch = os.path.join(logs, name + ".watch")
    with open(watch, "w", encoding="ascii") as f:
        f.writelines(f"{what} {address:x}\n" for what, address in contender.watched().items())
    options = ",".join([f"file={os.path.join(BENCH, 'count.so')}", f"out={out}", f"watch={watch}"] + contender.plugin() + list(plugin))
    command = [shutil.which("qemu-system-x86_64") or "qemu-system-x86_64"] + MACHINE + list(contender.devices) + list(machine) + [
        "-seed", str(seed), "-serial", f"file:{log}", "-plugin", options] + contender.boot(loads, mib)
    with open(log, "w", encoding="utf-8"):
        pass
    # A session of its own: Linux shares out processor time among sessions, and several of these run at a time.
    with open(log + ".qemu", "w", encoding="utf-8") as errors, \
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True) as process:
        try:
            wait(process, log)
        finally:
            process.kill()
    with open(log, encoding="utf-8", errors="replace") as f:
        text = f.read()
    bad = FAILED.search(text)
    if bad:
        raise Failed(bad.group(0).strip())
    if (said or "load: verified") not in text:
        raise Failed(f"it ended without having verified its data (its console: {os.path.relpath(log)})")
    with open(out, encoding="ascii") as f:
        lines = f.readlines()
    if said:
        return numbered(lines), {}, text
    done, points = parse(lines, text)
    for name, counted in done.items():
        if name != "forks" and counted["domain"] != contender.inside:
            raise Failed(f"{name} ran in {counted['domain']}, not in {contender.inside}: the plugin lost track")
    return done, points, text


def seconds(process):
    """Of processor time that it has used."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait(process, log):
    """Until QEMU has ended; what goes wrong on the console ends it sooner."""
    size = heard = 0
    while True:
        try:
            process.wait(1)
            return
        except subprocess.TimeoutExpired:
            used = seconds(process)
        now = os.path.getsize(log)
        if now != size:
            size, heard = now, used
            with open(log, encoding="utf-8", errors="replace") as f:
                bad = FAILED.search(f.read())
            if bad:
                raise Failed(bad.group(0).strip())
        if used > min(LIMIT, heard + SILENCE):
            raise Failed(f"it hung: no word in {used - heard:.0f} of {used:.0f} s (its console: {os.path.relpath(log)})")
