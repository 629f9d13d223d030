# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The host boots inside its container on machines of several shapes, and runs a guest there; its devices reach the hypervisor only
where no unit keeps them out."""

import itertools
import re

import attack
import dma
from guest import Guest
from machine import Machine

# Unit, CPUs, GiB, behind bridges. Any two values of different columns meet in one of these or in a machine of other files.
SHAPES = [("amd", 1, 6, True), ("amd", 4, 1, False), ("intel39", 1, 2, True), ("intel", 4, 6, False), (None, 1, 1, False),
          (None, 4, 2, True)]
ELSEWHERE = [("amd", 2, 1, False), ("amd", 2, 2, False), ("intel", 2, 1, True), (None, 2, 2, False), (None, 2, 6, False)]


def boot(unit, smp, gib, bridges):
    port = ["-device", "pcie-root-port,id=edu,chassis=100,slot=100"] if bridges else []
    with Machine(smp=smp, mem=gib * 1024, iommu=unit, hv="" if unit else "iommu=off", bridges=bridges,
                 devices=port + ["-device", dma.EDU + (",bus=edu" if bridges else "")], name=f"boot-{unit}-{smp}cpu-{gib}g") as m:
        m.wait_ready()
        assert int(m.run("nproc")) == smp
        # The hypervisor keeps 32 MiB at most of a small machine, and a part of 96 for its tables of a large one.
        kib = int(re.search(r"MemTotal:\s+(\d+)", m.run("cat /proc/meminfo")).group(1))
        assert kib > gib * 2**20 * 0.9 - 96 * 1024, f"the host has only {kib} KiB of {gib} GiB"
        trouble = re.findall(r"^.*(?:WARNING: CPU|BUG:|Oops|soft lockup|rcu_.*stall).*$", m.run("dmesg"), re.M)
        assert not trouble, f"the host's kernel complains: {trouble}"
        attack.load(m)
        m.run("test -c /dev/tessera")
        edu = dma.Edu()
        assert dma.own_memory(m, edu)
        assert dma.passes(m, edu, *dma.hypervisor_targets(m)) == (not unit, not unit, not unit)
        if unit:
            assert ("table 4" in dma.unit_memory(m, unit.removesuffix("39"))) == (unit != "intel39"), "not the levels that the unit has"
        run_guest(m, stock=unit)
        m.power_off()


def run_guest(m, stock):
    """To its end, with as many virtual CPUs as the machine has. Without a unit, where most other files run stock guests, it is a tiny one."""
    if not stock:
        m.run("tessera guest run --name tiny --memory 4M --raw /guests/hello.bin && timeout 200 tessera console tiny --follow >/run/said && test -s /run/said")
        return
    with Guest(m, run="nothing", vcpus=int(m.run("nproc"))) as guest:
        assert guest.wait_end() == "stopped: power-off"
        assert "guest: Debian kernel" in guest.console(), guest.console()


def test_pairs():
    """the shapes of machines that are booted cover each pair of unit, CPUs, memory and place of the devices"""
    values = [(("amd",), ("intel", "intel39"), (None,)), ((1,), (2,), (4,)), ((1,), (2,), (6,)), ((False,), (True,))]
    for (i, first), (j, second) in itertools.combinations(enumerate(values), 2):
        for a, b in itertools.product(first, second):
            assert any(shape[i] in a and shape[j] in b for shape in SHAPES + ELSEWHERE), (a, b)


def test_amd_one_cpu():
    """behind AMD-Vi with 1 CPU and 6 GiB, devices behind bridges: the host boots, its device stays out, a stock guest runs to its power-off"""
    boot(*SHAPES[0])


def test_amd_four_cpus():
    """the same with 4 CPUs and 1 GiB, devices on the root bus"""
    boot(*SHAPES[1])


def test_intel_one_cpu():
    """the same behind a VT-d of 39 bits, three levels of tables, with 1 CPU and 2 GiB, devices behind bridges"""
    boot(*SHAPES[2])


def test_intel_four_cpus():
    """the same behind VT-d with 4 CPUs and 6 GiB, devices on the root bus"""
    boot(*SHAPES[3])


def test_none_one_cpu():
    """control: without a unit the same device comes through, with 1 CPU and 1 GiB, devices on the root bus; a guest runs"""
    boot(*SHAPES[4])


def test_none_four_cpus():
    """control: the same with 4 CPUs and 2 GiB, devices behind bridges"""
    boot(*SHAPES[5])
