# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The stock host boots inside its container on machines of several shapes."""

import re

from machine import Machine


def boot(smp, mem):
    with Machine(smp=smp, mem=mem, name=f"boot-{smp}cpu-{mem}m") as m:
        m.wait_ready()
        assert int(m.run("nproc")) == smp
        # The hypervisor keeps 32 MiB at most of a small machine, and a part of 64 for its tables of a large one.
        kib = int(re.search(r"MemTotal:\s+(\d+)", m.run("cat /proc/meminfo")).group(1))
        assert kib > mem * 1024 * 0.9 - 96 * 1024, f"the host has only {kib} KiB of {mem} MiB"
        trouble = re.findall(r"^.*(?:WARNING: CPU|BUG:|Oops|soft lockup|rcu_.*stall).*$", m.run("dmesg"), re.M)
        assert not trouble, f"the host's kernel complains: {trouble}"
        m.run("modprobe tessera_host && test -c /dev/tessera")
        m.power_off()


def test_one_cpu():
    """the host boots on 1 CPU with 1 GiB, finds the hypervisor and switches the machine off"""
    boot(1, 1024)


def test_two_cpus():
    """the host boots on 2 CPUs with 2 GiB, finds the hypervisor and switches the machine off"""
    boot(2, 2048)


def test_four_cpus():
    """the host boots on 4 CPUs with 6 GiB, finds the hypervisor and switches the machine off"""
    boot(4, 6144)
