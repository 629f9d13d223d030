# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Runs tests/system/test_*.py. A file holds checks, functions named test_*, whose docstring is the sentence that is shown.

A check that takes a parameter is given a running machine:

	MACHINE = dict(smp=2, mem=2048)		# arguments of machine.Machine, for the whole file

	def test_host_sees_all_its_cpus(m):
	    '''the host has every CPU of the machine'''
	    assert m.run("nproc").strip() == "2"

Files with equal MACHINE share one boot. A check that needs boots of its own takes no parameter and uses Machine itself.
A file with TAKES_LONG = True is begun before the others, so that none is left running alone at the end.
raise Skip("reason") leaves a check out, visibly. A check that leaves its machine unusable ends with m.stop(): the next
check gets a fresh one.
"""

import concurrent.futures
import fnmatch
import glob
import importlib
import os
import time
import traceback

from machine import Machine, MachineError

HERE = os.path.dirname(os.path.abspath(__file__))


class Skip(Exception):
    """Raised by a check that cannot be made here; the text says why."""


class Group:
    """Checks that share one machine, which is started when the first of them needs it."""

    def __init__(self, options, number):
        self.options, self.number = options, number
        self.takes_long = False
        self.checks = []
        self.machine = None
        self.boots = self.failed_boots = 0

    def ready(self, variant):
        if self.machine and self.machine.alive:
            return self.machine
        self.end()
        if self.failed_boots == 2:
            raise MachineError("not run: its machine failed to start twice, see above")
        self.boots += 1
        options = dict(self.options)
        options.setdefault("variant", variant)
        name = options.pop("name", f"shared{self.number}") + (f"-{self.boots}" if self.boots > 1 else "")
        try:
            self.machine = Machine(name=name, **options).start()
            self.machine.wait_ready()
        except MachineError:
            self.failed_boots += 1
            self.end()
            raise
        return self.machine

    def end(self):
        if self.machine:
            self.machine.stop()
            self.machine = None


def collect(only):
    """The groups of checks, those that take long first, else in the order of the files' names; checks without a machine are a group each."""
    groups, by_options = [], {}
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        name = os.path.basename(path)[:-3]
        module = importlib.import_module(name)
        for attr, function in vars(module).items():
            if not attr.startswith("test_") or not callable(function) or function.__module__ != name:
                continue
            if only and not fnmatch.fnmatch(name, only) and not fnmatch.fnmatch(attr, only):
                continue
            options = getattr(module, "MACHINE", {}) if function.__code__.co_argcount else None
            key = repr(sorted(options.items())) if options is not None else f"{name}.{attr}"
            if key not in by_options:
                by_options[key] = Group(options or {}, len(groups) + 1)
                groups.append(by_options[key])
            by_options[key].checks.append((name[len("test_"):], function))
            by_options[key].takes_long |= getattr(module, "TAKES_LONG", False)
    return sorted(groups, key=lambda group: not group.takes_long)


def attempt(group, function, variant):
    """One try at a check: how it came out, and what to show of it."""
    args = []
    try:
        if function.__code__.co_argcount:
            args = [group.ready(variant)]
        function(*args)
        return "passed", ""
    except Skip as reason:
        return "skipped", str(reason)
    except MachineError as error:
        return "failed", str(error)
    except Exception:  # a check may fail in any way, and the others are to be run all the same
        return "failed", traceback.format_exc() + (args[0].tail() if args else "")


def run_check(report, group, name, function, variant):
    title = f"{name}: {' '.join((function.__doc__ or function.__name__).split())}"
    start = time.monotonic()
    outcome, text = attempt(group, function, variant)
    report.add(outcome, "system", title, time.monotonic() - start, text)
    return outcome


def run_group(report, group, variant):
    try:
        for name, function in group.checks:
            if run_check(report, group, name, function, variant) == "failed":
                # What a failed check left behind is not to fail the next one.
                group.end()
    finally:
        group.end()


def run(report, variant, only, jobs):
    """Groups have machines of their own, so several go on side by side; the checks of one, one after the other."""
    pool = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        for done in [pool.submit(run_group, report, group, variant) for group in collect(only)]:
            done.result()
    finally:
        # Interrupted, it does not start what is left.
        pool.shutdown(cancel_futures=True)
