# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The bench's counts can be trusted: the plugin against loops of known length (tests/bench/known.S), and what is made of its lines."""

import os
import re
import subprocess
import sys
import tempfile

from machine import ROOT

BENCH = os.path.join(ROOT, "tests/bench")
sys.path.insert(0, BENCH)

import contenders  # noqa: E402
import emulate  # noqa: E402


def known():
    """The plugin's intervals of known.S, and the lengths of its loops."""
    with open(os.path.join(BENCH, "known.h"), encoding="ascii") as f:
        n = {name.lower(): int(value) for name, value in re.findall(r"#define KNOWN_(\w+) (\d+)", f.read())}
    with tempfile.TemporaryDirectory(prefix="tsr-") as top:
        plugin, kernel, out = (os.path.join(top, name) for name in ("count.so", "known.elf", "out"))
        subprocess.check_call([os.path.join(BENCH, "plugin.sh"), plugin])
        subprocess.check_call(["gcc", "-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x1000000,--build-id=none", "-o", kernel,
                               os.path.join(BENCH, "known.S")])
        who = contenders.symbol(kernel, "enter")
        done = subprocess.run(["qemu-system-x86_64"] + emulate.MACHINE + ["-kernel", kernel, "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                               "-plugin", f"file={plugin},out={out},root=hv,who={who:x},check=1"], check=False, timeout=240,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 1, (done.returncode, done.stdout)
        with open(out, encoding="ascii") as f:
            lines = f.read().splitlines()
    names = "".join(f"load: known{i} 1 done\n" for i in range(len(lines) // 2))
    loads, _ = emulate.parse(lines, names)
    return list(loads.values()), n


def test_counts_are_exact():
    """the bench's plugin counts loops of known length to the instruction: hypervisor, host and guest apart, string instructions by their units,
    world switches"""
    (loop, string, runs), n = known()
    for interval in (loop, string, runs):
        assert interval["strange"] == 0, "code was counted for another domain than ran it"
    # MOV and the mark.
    assert loop["instructions"] == dict.fromkeys(loop["instructions"], 0) | {"hv": 2 * n["loop"] + 2}, loop
    assert [string["hv"][e] for e in ("rep_stos", "rep_stos_bytes", "rep_movs", "rep_movs_bytes")] == \
        [n["string"], 4 * n["string"], n["string"], n["string"]], string
    # Five MOVs, the mark, and a last try of each that finds the count at zero.
    assert string["instructions"]["hv"] == 2 * (n["string"] + 1) + 6, string
    # A run: SUB and JNZ, and twice MOV, CALL, and the 7 of enter; each guest: MOV, its loop, VMMCALL.
    assert runs["instructions"] == {"hv": n["runs"] * 20 + 2, "host_kernel": 0, "host_user": n["runs"] * (2 * n["first"] + 2),
                                    "guest_kernel": 0, "guest_user": n["runs"] * (2 * n["second"] + 2)}, runs
    assert (runs["hv"]["vmrun"], runs["host"]["vmmcall"], runs["guest"]["vmmcall"]) == (2 * n["runs"], n["runs"], n["runs"]), runs


def test_broken_runs_are_noticed():
    """what a run of the bench has printed is not taken for a result when a load is missing from it"""
    parts = emulate.PARTS
    begin = '{"mark": "begin", "number": 0, "domain": "guest", "strange": 0, ' + ", ".join(f'"{p}": {{"x": 1}}' for p in parts) + "}"
    end = begin.replace("begin", "end").replace(": 1}", ": 5}")
    loads, points = emulate.parse([begin, end, begin.replace("begin", "point")], "load: rr4k:1 500 done\r\n")
    assert loads["rr4k:1"]["instructions"] == {"x": 4} and loads["rr4k:1"]["requests"] == 500 and list(points) == [0]
    for lines, log in (([begin], "load: a 1 done\n"), ([begin, end], ""), ([begin, end, begin, end], "load: a 1 done\n")):
        try:
            emulate.parse(lines, log)
        except emulate.Failed:
            continue
        raise AssertionError((lines, log))
