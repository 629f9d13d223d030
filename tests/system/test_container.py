# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The host's container: how the machine starts, and how it ends. What a hostile kernel tries inside is in test_attack.py."""

import os
import re
import time

import attack
from attack import order
from machine import ROOT, Machine

MACHINE = dict(smp=2, mem=1024, cmdline="reboot=t", devices=["-device", "edu,addr=5", "-device", "virtio-net-pci,addr=6"])
SECRET = bytes.fromhex("1122334455667788deadbeefcafebabe0badc0de1234567890abcdeffedcba98")
MSR_TSC = 0x10
# Texts of the console by which a machine that resets says why: each path scrubs first.
RESET = r"tessera: reset: [^\n]*%s[^\n]*; scrubbing first"


def console(m):
    return bytes(m.console.text).decode(errors="replace")


def later(m, command):
    """A command that takes the machine away from under the agent: there will be no answer."""
    m.agent.send(command.encode() + b"\n")


def test_every_cpu_is_the_hypervisors_first(m):
    """the host starts and stops its CPUs through the hypervisor, again and again [BOOT-4] [GUARD-1]"""
    assert re.search(r"tessera: Tessera on 2 CPUs", console(m))
    attack.load(m)
    before = attack.info(m)
    for _ in range(5):
        m.run("echo 0 >/sys/devices/system/cpu/cpu1/online")
        assert m.run("nproc").strip() == "1"
        m.run("echo 1 >/sys/devices/system/cpu/cpu1/online")
        assert m.run("nproc").strip() == "2"
    # A CPU outside the container would read the hypervisor's memory without a fault.
    at = before["hv_base_pfn"] << 12
    attack.refused(m, "faults_memory", "read", at, 50, cpu=1)


def test_nothing_of_ours_is_low(m):
    """neither the hypervisor nor a guest lies below 16 MiB [BOOT-5]"""
    attack.load(m)
    m.run("tessera guest create --name low --memory 128M --raw /guests/hello.bin --load-address 0x100000 --entry 0x100000")
    runs = attack.hidden(m)
    m.run("tessera guest destroy low")
    assert sum(end - first for first, end in runs) > 32768 and min(first for first, _ in runs) >= 16 << 8, runs


def test_nmis(m):
    """NMIs of the machine reach the host, those of shoot-downs do not [GUARD-4] [SHOOT-1]"""
    attack.load(m)

    def seen():
        return sum(map(int, re.search(r"NMI:\s+(\d+)\s+(\d+)", m.run("cat /proc/interrupts")).groups()))

    before, host = attack.info(m), seen()
    m.run("tessera guest create --name nmi --memory 64M --raw /guests/hello.bin --load-address 0x100000 --entry 0x100000")
    m.run("tessera guest destroy nmi")
    after = attack.info(m)
    assert after["shootdown_ipis"] > before["shootdown_ipis"], "no shoot-down sent an NMI: nothing was tried"
    assert seen() == host and after["nmis_forwarded"] == before["nmis_forwarded"]
    for n in range(1, 6):
        m.qmp.command("inject-nmi")
        end = time.monotonic() + 200
        while attack.info(m)["nmis_forwarded"] < before["nmis_forwarded"] + n and time.monotonic() < end:
            pass
    assert attack.info(m)["nmis_forwarded"] == before["nmis_forwarded"] + 5
    assert seen() > host


def test_sleep(m):
    """the host is offered no sleep from which it would wake without the hypervisor [GUARD-12]"""
    assert "LNXSYBUS" in m.run("ls /sys/bus/acpi/devices")
    # Nor the device whose driver would start with a string read of a denied port.
    m.run("! ls -d /sys/bus/acpi/devices/QEMU0002*")
    states = m.run("cat /sys/power/state").split()
    assert "mem" not in states or m.run("cat /sys/power/mem_sleep").split() == ["[s2idle]"], states
    attack.load(m)
    # PM1 control of q35: SLP_TYP 1 is S3 there, SLP_EN is bit 13. Refused, and the machine goes on.
    attack.refused(m, "faults_port", "out", 0x604, 2, 1 << 13 | 1 << 10, 3, fault=False)


def test_bars(m):
    """no base address register moves over memory, interrupt controllers or guarded ports, by whatever order of writes [GUARD-9]"""
    attack.load(m)
    edu, net = 5 << 11, 6 << 11
    bar, command = edu + 0x10, edu + 4
    was = order(m, "pciread", bar).value
    on = order(m, "pciread", command).value & 0xFFFF | 2
    order(m, "pciwrite", command, on, 1)
    for to in (attack.info(m)["hv_base_pfn"] << 12, 0x10000000, 0xFEE00000, 0xFEC00000):
        attack.refused(m, "faults_port", "pciwrite", bar, to, 3, fault=False)
        assert order(m, "pciread", bar).value == was
    order(m, "pciwrite", command, on & ~2, 1)
    order(m, "pciwrite", bar, 0x10000000, 1)
    attack.refused(m, "faults_port", "pciwrite", command, on, 3, fault=False)
    assert not order(m, "pciread", command).value & 2, "decoding is on over memory"
    order(m, "pciwrite", bar, was, 1)
    order(m, "pciwrite", command, on, 1)
    assert order(m, "pciread", command).value & 2
    io = order(m, "pciread", net + 0x10).value
    assert io & 1, "the second device has no I/O ports"
    for to in (0xCE1, 0x501):
        attack.refused(m, "faults_port", "pciwrite", net + 0x10, to, 3, fault=False)
        assert order(m, "pciread", net + 0x10).value == io


def test_time_set_back(m):
    """the host sets its processors' time stamp counters to half of what they are, again and again: its own go back, a guest's clocks never [GUEST-15]"""
    attack.load(m)
    m.run("tessera guest run --name clock --memory 4M --raw /guests/clock.bin")
    for n in range(4):
        cpu = n % 2
        before = order(m, "rdmsr", MSR_TSC, cpu=cpu).value
        order(m, "wrmsr", MSR_TSC, before // 2, 1, cpu=cpu)
        # The control: it does set back what it may, by more than passes until the next order.
        assert order(m, "rdmsr", MSR_TSC, cpu=cpu).value < before
    text = m.run("timeout 120 tessera console clock --follow")
    m.run("tessera guest destroy clock")
    assert "clock: never went back" in text, text


def test_triple_fault(m):
    """a triple fault of the host resets the machine, after scrubbing [GUARD-11]"""
    later(m, "echo b >/proc/sysrq-trigger")
    m.wait_for(RESET % "triple fault")
    m.wait_off(240)


def test_without_iommu():
    """without iommu=off the host works, no guest can be made, and everybody is told why [BOOT-2] [BOOT-3]"""
    with Machine(smp=1, mem=1024, hv="", cmdline="reboot=k", name="container-iommu") as m:
        m.wait_ready()
        assert "no guests will run; iommu=off" in console(m) and "the root secret was drawn now" in console(m)
        m.run("modprobe tessera_host")
        status, text = m.sh("tessera guest create --name no --memory 64M --raw /guests/hello.bin --load-address 0x100000 "
                            "--entry 0x100000")
        assert status != 0 and re.search("may run no guests", text), text
        assert attack.info(m)["census.guests"] == 0
        later(m, "echo b >/proc/sysrq-trigger")
        m.wait_for(RESET % "keyboard controller")
        m.wait_off(240)


def test_secrets_of_the_boot():
    """the root secret is in the hypervisor's memory only while it runs, and nowhere after power-off [BOOT-1] [BOOT-3] [GUARD-10]
    [GUARD-11] [GUARD-13]"""
    dump = os.path.join(ROOT, "build/container-memory")
    with Machine(smp=2, mem=1024, hv=f"iommu=off root_secret={SECRET.hex()}", name="container-secret", devices=["-no-shutdown"]) as m:
        try:
            m.wait_ready()
            assert "WARNING: root_secret= was given" in console(m) and "WARNING: iommu=off" in console(m)
            attack.load(m)
            now = attack.info(m)
            assert now["development"] and "SMRAM" not in console(m), now["development"]
            low, high = now["hv_base_pfn"] << 12, (now["hv_base_pfn"] + now["hv_pages"]) << 12
            m.dump_memory(dump)
            raw, text = places(dump)
            assert raw and all(low <= at < high for at in raw), [hex(at) for at in raw]
            assert not text, f"the command line's text is still at {[hex(at) for at in text]}"
            # The loader had put the modules where the hypervisor's tables are now.
            left = remains(dump, low, high, os.path.join(m.build, "host.img"))
            assert not left, f"{left} pages of what was in the hypervisor's memory before are still there"
            m.qmp.command("cont")
            # The port by which the loader's copy could be fetched again.
            assert attack.refused(m, "faults_port", "in", 0x511, 1, 10, fault=False).value == 0xFF
            later(m, "echo o >/proc/sysrq-trigger")
            m.wait_for("tessera: power off; scrubbing first")
            end = time.monotonic() + 240
            while m.qmp.command("query-status")["status"] != "shutdown":
                assert time.monotonic() < end, "the machine did not switch off"
                time.sleep(0.2)
            m.dump_memory(dump)
            assert places(dump) == ([], []), "the secret outlives the machine's power-off"
        finally:
            if os.path.exists(dump):
                os.unlink(dump)


def places(dump):
    """Where the root secret is in a dump: as it is, and as the command line's text."""
    with open(dump, "rb") as f:
        data = f.read()
    return tuple([match.start() for match in re.finditer(re.escape(what), data)] for what in (SECRET, SECRET.hex().encode()))


def remains(dump, low, high, module):
    """How many pages of a boot module are, whole, in a range of the dump."""
    with open(module, "rb") as f:
        data = f.read()
    pages = {data[at:at + 4096] for at in range(0, len(data) - 4095, 4096)} - {bytes(4096)}
    assert len(pages) > 1000
    with open(dump, "rb") as f:
        f.seek(low)
        return sum(f.read(4096) in pages for _ in range(low, high, 4096))
