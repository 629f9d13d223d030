# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Orders to the module host_attack (tests/system/modules), and the machine's counters before and after."""

import json
import re

CMD = "/sys/module/host_attack/parameters/cmd"
# Numbers of attack_insn.c.
INSTRUCTIONS = {"vmrun": 0, "vmload": 1, "vmsave": 2, "stgi": 3, "clgi": 4, "skinit": 5, "invlpga": 6, "invd": 7, "vmcall": 8}


class Outcome:
    """What one order came to."""

    def __init__(self, text):
        head, _, self.text = text.partition("\n")
        fields = dict(word.split("=") for word in head.split())
        self.tries, self.faults, self.gp, self.ud, self.pf = (int(fields[k]) for k in ("tries", "faults", "gp", "ud", "pf"))
        self.value = int(fields["value"], 0)
        self.words = head

    def runs(self):
        """Of a sweep: the runs of frames that faulted."""
        return [tuple(int(x, 0) for x in word.split("-")) for word in self.text.split()]


def info(m):
    """The machine's census and counters (TSR_CALL_INFO), by name."""
    text = json.loads(m.run("tessera info --json"))
    text.update({f"census.{name}": value for name, value in text.pop("census").items()})
    text.update(text.pop("counters"))
    return text


def order(m, op, *args, cpu=None):
    """One order; it has to be carried out, whatever comes of it."""
    line = " ".join([op] + [f"{a:#x}" for a in args])
    bound = f"taskset {1 << cpu:x} " if cpu is not None else ""
    return Outcome(m.run(f"{bound}sh -c 'echo {line} >{CMD} && cat {CMD}'"))


def refused(m, counter, op, *args, fault=True, cpu=None):
    """An order whose every try is to be refused: each with #GP, or without a fault where fault is False, and each counted."""
    before = info(m)[counter]
    done = order(m, op, *args, cpu=cpu)
    counted = info(m)[counter] - before
    what = f"{op} {' '.join(f'{a:#x}' for a in args)}: {done.words}, {counter} rose by {counted}"
    assert done.tries > 0, what
    assert done.gp == done.faults == (done.tries if fault else 0), what
    assert counted == done.tries, what
    return done


def system_ram(m):
    """What Linux takes for RAM, as runs of frames; whole frames only."""
    found = []
    for line in m.run("cat /proc/iomem").splitlines():
        match = re.match(r"([0-9a-f]+)-([0-9a-f]+) : System RAM$", line)
        if match:
            first, last = (int(x, 16) for x in match.groups())
            found.append((-(-first // 4096), (last + 1) // 4096))
    return found


def load(m):
    m.run("modprobe tessera_host && modprobe host_attack")


def everywhere(m, op, *args):
    """An order to sweep or find, for all RAM and the hypervisor's region. Each fault is checked to be counted. Returns the runs of
    frames that faulted, the tries, and the sum of the values."""
    now = info(m)
    region = (now["hv_base_pfn"], now["hv_base_pfn"] + now["hv_pages"])
    runs, tries, faults, values = [], 0, 0, 0
    for first, end in sorted(system_ram(m) + [region]):
        done = order(m, op, first, end, *args)
        assert done.tries == end - first and done.gp == done.faults, done.words
        assert len(done.text) < 3000, "the runs may have been cut off"
        runs += done.runs()
        tries, faults, values = tries + done.tries, faults + done.faults, values + done.value
    counted = info(m)["faults_memory"] - now["faults_memory"]
    assert counted == faults, f"{tries} reads, {faults} faults, but {counted} were counted"
    assert tries > 100000, tries
    return runs, tries, values


def hidden(m):
    """The runs of frames of RAM and of the hypervisor's region that the host cannot read, found by reading each."""
    return everywhere(m, "sweep")[0]


def lowest_hidden(m, step=32768):
    """The lowest run of the host's own RAM that it cannot read, or the beginning of it: what it has given to a guest."""
    for first, end in system_ram(m):
        for at in range(first, end, step):
            runs = order(m, "sweep", at, min(at + step, end)).runs()
            if runs:
                return runs[0]
    return m.fail("this host can read all its memory")
