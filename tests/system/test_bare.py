# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The emulated machine itself, before any hypervisor is in it."""

MACHINE = dict(smp=2, mem=1024, hv=None, media=True, name="bare")


def test_stock_kernel_boots(m):
    """without the hypervisor, the stock kernel boots to the same image on all CPUs"""
    assert m.run("nproc").strip() == "2"
    assert "Debian" in m.run("cat /proc/version")


def test_media(m):
    """the disk with the larger guests' images is mounted"""
    assert "guest-files.img" in m.run("ls /media")


def test_switches_off(m):
    """and switches the machine off when it is told to"""
    m.power_off()
