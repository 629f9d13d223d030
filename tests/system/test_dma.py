# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Devices of the host's, aimed at memory that is not the host's (THREAT-1, DMA-1, DMA-2, DMA-4, DMA-5): read and write, with the IOMMU and, as controls, without."""

import json

import attack
import dma
import revoked
from machine import Machine

FEATURE_IOMMU = 1 << 2
DEVELOPMENT_INTERRUPTS = 1 << 4
# Of the unit's registers: what it can do, and one that keeps what is written, where it looks for commands or tables.
REGISTERS = {"amd": (0x30, 0x08), "intel": (0x08, 0x20)}
# Disks whose requests in flight over a revoke are tried. QEMU 7.2's models of them take pointers into its memory when they take the request, and
# use them to the end, whatever the unit has been told since: mk/README.md.
IN_FLIGHT = {"nvme": ("guest", "guest"), "ahci": ("guest", "guest"), "virtio": ("guest", "guest")}


class Range:
    """A machine with one attacker of each kind, and the frames they aim at."""

    def __init__(self, name, hv, iommu, bridge=False, cmdline=""):
        devices, disks = dma.attackers(name, iommu, bridge)
        self.machine = Machine(smp=2, mem=1024, hv=hv, iommu=iommu, devices=devices, cmdline=cmdline, name=name)
        self.attackers = [dma.Edu()] + [dma.DiskAttacker(disk) for disk in disks]

    def __enter__(self):
        m = self.machine.start().wait_ready()
        attack.load(m)
        return self

    def __exit__(self, *_):
        self.machine.stop()

    def targets(self, unit=False):
        """{name: (address of a frame with contents, address of an empty one)}. Where a unit is at work, requests are in flight over the revoke."""
        m = self.machine
        many = 2 * len(IN_FLIGHT)
        pages = revoked.Pages(m, many + 2)
        now = attack.info(m)
        runs = [run for run in attack.hidden(m) if run[0] != now["hv_base_pfn"]]
        pages.find(runs)
        attack.order(m, "write", pages.window[-1], 1, 0)
        if unit:
            came = revoked.over_revoke(m, [a for a in self.attackers if a.kind in IN_FLIGHT], pages)
            assert came == IN_FLIGHT, came
        else:
            pages.revoke()
        return {"hypervisor": dma.hypervisor_targets(m), "guest": dma.guest_targets(m, runs), "revoked page": tuple(pages.frames[-2:])}


def registers_pass(m, iommu):
    """Which of a read and a write of the unit's own registers came through."""
    base, (fixed, kept) = dma.UNITS[iommu][0], REGISTERS[iommu]
    capability, was = m.peek(base + fixed, 8), m.peek(base + kept, 8)
    assert capability.strip(b"\0"), "there is no unit"
    got = attack.order(m, "eduread", 0, base + fixed, 8).value.to_bytes(8, "little")
    attack.order(m, "eduwrite", 0, base + kept, 8, 0x12345000)
    return got == capability, m.peek(base + kept, 8) != was


def test_devices_reach_everything_without_iommu():
    """control: with iommu=off each of edu, NVMe, AHCI and virtio-blk reads and writes the hypervisor, a guest and a page just revoked, and edu the unit"""
    # Linux would use a unit that the hypervisor leaves alone.
    with Range("dma-off", "iommu=off", "amd", cmdline="amd_iommu=off") as field:
        m = field.machine
        kinds = [attacker.kind for attacker in field.attackers]
        assert kinds == ["edu", "nvme", "ahci", "virtio", "bypass"], kinds
        assert registers_pass(m, "amd") == (True, True)
        for name, (full, empty) in field.targets().items():
            for attacker in field.attackers:
                came = dma.passes(m, attacker, full, empty)
                assert came == (True, True, True), f"{attacker.kind} at the {name}: {came}"


def configuration_stays(m):
    """The unit's PCI function takes no write, by ports or by mapped configuration space."""
    where = m.run("grep -l 0x080600 /sys/bus/pci/devices/*/class").strip().split("/")[5]
    bus, slot, function = int(where[5:7], 16), int(where[8:10], 16), int(where[11:])
    bdf, command = bus << 8 | slot << 3 | function, 4
    ecam = attack.order(m, "pciread", 0x60).value & 0xF0000000
    was = attack.order(m, "pciread", bdf << 8 | command).value
    attack.refused(m, "faults_port", "pciwrite", bdf << 8 | command, was ^ 4, 5, fault=False)
    attack.refused(m, "faults_memory", "mmwrite", ecam + (bdf << 12) + command, was ^ 4, 5)
    assert attack.order(m, "mmread", ecam + (bdf << 12) + command).value == was


def is_reported(m, edu, address):
    """DMA-5: `tessera dma-faults` shows this device, what it did and where, to the page."""
    device = m.run("cd /sys/bus/pci/devices && grep -l 0x11e8 */device").split("/")[0].removeprefix("0000:")
    total = json.loads(m.run("tessera dma-faults --json"))["total"]
    # Listed after each, since the unit keeps one fault of a device at a time.
    for access, order_it in (("read", lambda: edu.read(m, address)), ("write", lambda: edu.write(m, address, bytes(16)))):
        order_it()
        shown = json.loads(m.run("tessera dma-faults --json"))
        last, total = shown["faults"][-1], total + 1
        assert (last["device"], last["access"], last["address"], shown["total"]) == (device, access, hex(address), total), shown
        address += dma.PAGE
    line = m.run("tessera dma-faults").splitlines()[-1]
    assert line.split()[:3] == [device, "write", f"{address - dma.PAGE:#018x}"], line


def blocked(name, iommu, bridge):
    with Range(name, "", iommu, bridge) as field:
        m = field.machine
        if not attack.info(m)["features"] & FEATURE_IOMMU:
            raise AssertionError("the hypervisor does not use the machine's IOMMU")
        targets = field.targets(unit=True)
        own = dma.unit_memory(m, iommu)
        targets.update({name: (own[name], own["unused"]) for name in dma.UNITS[iommu][1] if m.peek(own[name], dma.PAGE).strip(b"\0")})
        for attacker in field.attackers:
            assert dma.own_memory(m, attacker), f"{attacker.kind} does not even read the host's own memory"
            bypass = attacker.kind == "bypass"
            for target, (full, empty) in targets.items():
                came = dma.passes(m, attacker, full, empty)
                assert came == (bypass, bypass, bypass), f"{attacker.kind} at the {target}: {came}"
            for target, frame in own.items():
                was = m.peek(frame, dma.PAGE)
                # What goes past the unit would break it.
                if not bypass:
                    attacker.write(m, frame, b"overrun!")
                assert m.peek(frame, dma.PAGE) == was, f"{attacker.kind} wrote to the {target}"
        for target, (_, empty) in targets.items():
            attack.order(m, "edumsi", 0, empty, 0x1234)
            assert not m.peek(empty, dma.PAGE).strip(b"\0"), f"edu's message wrote to the {target}"
        assert registers_pass(m, iommu) == (False, False)
        if iommu == "amd":
            configuration_stays(m)
        # [DMA-7] VT-d's messages are not stopped yet.
        assert bool(attack.info(m)["development"] & DEVELOPMENT_INTERRUPTS) == (iommu == "intel")
        if iommu == "intel":
            assert attack.info(m)["dma_faults"] > 0, "the unit recorded nothing"
            is_reported(m, field.attackers[0], attack.info(m)["hv_base_pfn"] * dma.PAGE)


def test_amd():
    """behind AMD-Vi no device reads or writes the hypervisor, a guest, a page just revoked, or what the unit reads and writes itself; virtio that
    goes past the unit, a control, does each. What requests in flight over a revoke do is as mk/README.md says"""
    blocked("dma-amd", "amd", False)


def test_intel_behind_bridges():
    """the same behind VT-d, each device behind a bridge, and the unit's faults are counted and shown"""
    blocked("dma-intel", "intel", True)
