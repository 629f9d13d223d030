# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The stock host boots inside its container on machines of several shapes."""

import re

from guest import Guest
from machine import Machine


def boot(smp, mem, guest=True, iommu=None):
    with Machine(smp=smp, mem=mem, iommu=iommu, hv="" if iommu else "iommu=off", name=f"boot-{smp}cpu-{mem}m") as m:
        m.wait_ready()
        assert int(m.run("nproc")) == smp
        # The hypervisor keeps 32 MiB at most of a small machine, and a part of 96 for its tables of a large one.
        kib = int(re.search(r"MemTotal:\s+(\d+)", m.run("cat /proc/meminfo")).group(1))
        assert kib > mem * 1024 * 0.9 - 96 * 1024, f"the host has only {kib} KiB of {mem} MiB"
        trouble = re.findall(r"^.*(?:WARNING: CPU|BUG:|Oops|soft lockup|rcu_.*stall).*$", m.run("dmesg"), re.M)
        assert not trouble, f"the host's kernel complains: {trouble}"
        m.run("modprobe tessera_host && test -c /dev/tessera")
        if guest:
            with Guest(m, run="nothing") as stock:
                assert stock.wait_end() == "stopped: power-off"
                assert "guest: Debian kernel" in stock.console(), stock.console()
        m.power_off()


def test_one_cpu():
    """on 1 CPU with 1 GiB, behind AMD-Vi, the host boots, runs a stock guest to its power-off, and switches the machine off"""
    boot(1, 1024, iommu="amd")


def test_two_cpus():
    """the host boots on 2 CPUs with 2 GiB, finds the hypervisor and switches the machine off"""
    # Guests on a machine of this shape are in most of the other files.
    boot(2, 2048, guest=False)


def test_four_cpus():
    """on 4 CPUs with 6 GiB, behind VT-d, the host boots, runs a stock guest to its power-off, and switches the machine off"""
    boot(4, 6144, iommu="intel")
