#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The long form of the hostile tests, in segments that resume where the last run ended.

	tests/torture.py [--list] [--minutes N] [--again] [NAME...]

Each segment is one attack, tried many times in pieces. After every piece what was done is written to build/torture.json, so a run may
be ended at any time (Ctrl-C, SIGTERM, --minutes) and started again; --again forgets what was done. A segment that failed is tried again by the
next run. The closing table has a line for each attack: how many tries, what came of them, and what its negative control showed.
`make torture [T="NAME..."]` builds what is needed first. The bounded form of each attack is a test of `make test`.

To add a segment, put a function into a file of tests/torture/ (a new file is found by itself):

	from torture import segment

	def without_the_seal(run):
	    '''runs once, before the first piece; raises if the attack does not succeed without its protection'''
	    return "12 altered blocks read"		# what the control showed, for the table

	@segment("replayed-block", "THREAT-3", tries=1000, control=without_the_seal)
	def replay(run):
	    '''an older block is put back under a guest that reads it'''
	    with Machine(variant=run.variant, name=run.log) as m: ...
	    run.count("refused", 50)			# figures that the table adds up
	    return 50					# tries of this piece: as many as lose little when it is interrupted

A piece raises (assert, MachineError) when the attack succeeds or cannot be made. `control` may also be a text that names the test that
is the control, as in "test_integrity.py: noseal". `run.left` says how many tries are still to do, `run.done` how many were done,
`run.piece` counts the pieces, for seeds, and `run.saved` is a dictionary of the segment's own, kept between runs. What tests/system
and tests/unit share can be imported. Give a build variant as variant="name" or hv_variant="name" to Machine, and `make torture` builds it.
"""

import argparse
import glob
import importlib.util
import json
import os
import signal
import sys
import textwrap
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, "tests/torture")
sys.path[:0] = [os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests/system"), HERE]
sys.dont_write_bytecode = True
STATE = os.path.join(ROOT, "build/torture.json")
SEGMENTS = {}


class Segment:
    """One attack: its name, the ids of the rules that forbid it, how many tries the long form makes, and the control."""

    def __init__(self, name, ids, tries, control, piece):
        self.name, self.ids, self.tries, self.control, self.piece = name, ids.split(), tries, control, piece
        self.title = " ".join((piece.__doc__ or name).split())


def segment(name, ids, tries, control):
    """Registers the function below it as a segment; see the head of this file."""
    def register(piece):
        if name in SEGMENTS:
            raise ValueError(f"two segments are called {name}")
        SEGMENTS[name] = Segment(name, ids, tries, control, piece)
        return piece
    return register


class Run:
    """What a piece is given. `state` is the segment's part of the file."""

    def __init__(self, seg, state, variant):
        self.segment, self.state, self.variant = seg, state, variant
        self.log = "torture-" + seg.name
        self.figures = {}

    @property
    def done(self):
        return self.state["done"]

    @property
    def left(self):
        return max(0, self.segment.tries - self.done)

    @property
    def piece(self):
        return self.state["pieces"]

    @property
    def saved(self):
        return self.state["saved"]

    def count(self, what, many):
        """Adds to a figure of the table, once the piece has ended well."""
        self.figures[what] = self.figures.get(what, 0) + many

    def say(self, text):
        print(f"      {self.segment.name}: {text}", flush=True)


def load_state(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def save_state(path, state):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(state, f, indent=1)
    os.replace(path + ".new", path)


def one_step(run):
    """The control, if it was not made yet, else one piece."""
    seg, state = run.segment, run.state
    if "control" not in state:
        state["control"] = seg.control if isinstance(seg.control, str) else seg.control(run)
        return
    tries = seg.piece(run)
    if not tries:
        raise AssertionError("a piece came to nothing")
    state["done"] += tries
    state["pieces"] += 1
    for what, many in run.figures.items():
        state["figures"][what] = state["figures"].get(what, 0) + many


def attack(seg, state, variant, save, end):
    """Goes on with one segment until its tries are made, it fails, or the time is over."""
    while state["done"] < seg.tries and time.monotonic() < end:
        start = time.monotonic()
        state["failed"] = ""
        try:
            one_step(Run(seg, state, variant))
        except Exception as error:  # an attack that succeeds may show in any way, and the others are to go on
            state["failed"] = " ".join(str(error).split())[:200] or type(error).__name__
            print(textwrap.indent(traceback.format_exc(), "      "), flush=True)
        state["seconds"] += time.monotonic() - start
        save()
        print(f"{'FAIL' if state['failed'] else '    '}  {seg.name}: {state['done']} of {seg.tries} tries, {state['seconds']:.0f} s",
              flush=True)
        if state["failed"]:
            return


def result(seg, state):
    if state["failed"]:
        return "FAILED: " + state["failed"]
    figures = ", ".join(f"{many} {what}" for what, many in sorted(state["figures"].items()))
    held = "held" if state["done"] >= seg.tries else "held so far" if state["done"] else "not tried yet"
    return f"{held}; {figures}" if figures else held


def table(state):
    rows = [("attack", "forbidden by", "tries", "result", "control")]
    for seg in SEGMENTS.values():
        one = state[seg.name]
        rows.append((seg.name, " ".join(seg.ids), f"{one['done']} of {seg.tries}", result(seg, one), one.get("control", "not made yet")))
    for row in rows:
        print("| " + " | ".join(row) + " |")
        if row is rows[0]:
            print("|" + "---|" * len(row))


def load_segments():
    # Under its own name too, so that segments register with this very module and not with a copy.
    sys.modules.setdefault("torture", sys.modules[__name__])
    for path in sorted(glob.glob(os.path.join(HERE, "*.py"))):
        # Its name is not to hide a file of tests/system.
        spec = importlib.util.spec_from_file_location("torture_" + os.path.basename(path)[:-3], path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="segments to run; all of them if none is named")
    parser.add_argument("--list", action="store_true", help="print the segments and what was done of each, and end")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no piece after that time")
    parser.add_argument("--again", action="store_true", help="forget what was done of the segments named")
    parser.add_argument("--variant", default="default", help="the build that is attacked (%(default)s)")
    parser.add_argument("--state", default=STATE, help="where what was done is kept (build/torture.json)")
    args = parser.parse_args()
    load_segments()
    unknown = [name for name in args.names if name not in SEGMENTS]
    if unknown:
        parser.error(f"there is no segment {unknown[0]}; --list shows them")
    state = load_state(args.state)
    for name in SEGMENTS:
        if name not in state or args.again and name in (args.names or SEGMENTS):
            state[name] = dict(done=0, pieces=0, seconds=0, failed="", figures={}, saved={})
    if args.list:
        for seg in SEGMENTS.values():
            print(f"{seg.name:24} {state[seg.name]['done']:>6} of {seg.tries:<6} {seg.title} {' '.join(f'[{i}]' for i in seg.ids)}")
        return 0
    end = time.monotonic() + args.minutes * 60
    # Either way of being ended stops the emulated machine, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for name in args.names or SEGMENTS:
            attack(SEGMENTS[name], state[name], args.variant, lambda: save_state(args.state, state), end)
    except KeyboardInterrupt:
        print("ended; the next run goes on from here", flush=True)
    table(state)
    return 1 if any(state[name]["failed"] for name in args.names or SEGMENTS) else 0


if __name__ == "__main__":
    sys.exit(main())
