# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Who is compared: for each name how QEMU starts it, and how the plugin tells who runs."""

import copy
import functools
import glob
import os
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BENCH = os.path.join(ROOT, "build/bench")
PEERS = os.path.join(ROOT, "build/deps/peers")
KERNEL = os.path.join(ROOT, "build/deps/vmlinuz")
# Of every kernel. What is not said here is as Debian has it.
CMDLINE = "console=ttyS0 nokaslr panic=-1 loglevel=4 cryptomgr.notests"


class Contender:
    """One row of the table.

	name, text	for the command line, and for people
	script		what of tests/bench/rootfs/run.d the machine's first Linux runs
	image		its initramfs
	words		added to its kernel's command line
	root		whose code it is that runs outside all VMRUNs: "hv" or "host"
	inside		where the load runs: "host" or "guest"
	devices		what its machine has beside the one that is the same for all
    """

    devices = ()
    hv = daemon = None  # what programs the hypervisor and the host's user space are, for a profile

    def __init__(self, name, text, script, image, words="", root="host", inside="guest"):
        self.name, self.text, self.script, self.image = name, text, script, image
        self.words, self.root, self.inside = words, root, inside

    def with_words(self, words, image=None):
        """The same with further words on its kernel's command line, or another image."""
        other = copy.copy(self)
        other.image = image or self.image
        other.words = f"{self.words} {words}"
        return other

    def cmdline(self, loads, mib):
        return f"{CMDLINE} bench={self.script} mib={mib} loads={','.join(loads)} {self.words}".strip()

    def boot(self, loads, mib):
        """QEMU's arguments for what it starts."""
        return ["-kernel", KERNEL, "-initrd", os.path.join(BENCH, self.image), "-append", self.cmdline(loads, mib)]

    def plugin(self):
        """Options of count.c."""
        return []

    def watched(self):
        """{name: address} of routines of the hypervisor whose calls are counted."""
        return {}

    def modules(self):
        """Modules that are not Debian's."""
        return []


class Tessera(Contender):
    """With an IOMMU, as it runs: without one it starts no guests unless told to, and its daemon then copies what it would map."""

    def __init__(self, name, text, variant="release", words="", unit=True):
        super().__init__(name, text, "tessera", f"tessera-{variant}.img", words, root="hv")
        self.devices = ("-device", "amd-iommu") if unit else ()
        self.build = os.path.join(ROOT, "build", variant)
        self.hv, self.daemon = os.path.join(self.build, "hv/tessera.elf"), os.path.join(self.build, "host/tesserad")

    def boot(self, loads, mib):
        line = self.cmdline(loads, mib).replace(",", ",,")
        return ["-kernel", self.hv + "32", "-initrd", f"{KERNEL} {line},{os.path.join(BENCH, self.image)}",
                "-append", "" if self.devices else "iommu=off"]

    def plugin(self):
        return ["root=hv", f"who={symbol(self.hv, 'svm_run'):x}"]

    def watched(self):
        all_symbols = symbols(self.hv)
        calls = {"hypercall." + name[5:]: address for name, address in all_symbols.items() if name.startswith("call_") and name[5:].isupper()}
        return calls | {"shootdowns": all_symbols["arch_flush_begin"], "iotlb_flushes": all_symbols["iommu_flush"]}

    def modules(self):
        return glob.glob(os.path.join(self.build, "modules/*/*.ko"))


class Xen(Contender):
    """Its first domain is the host. PV guests run at addresses below Xen's and are entered without VMRUN: Xen's way out to one is followed."""

    def __init__(self, name, text, kind, words=""):
        super().__init__(name, text, "xen", "xen.img", f"type={kind} {words}")
        self.hv = os.path.join(PEERS, "xen-syms")

    def boot(self, loads, mib):
        line = self.cmdline(loads, mib).replace("console=ttyS0", "console=hvc0").replace(",", ",,")
        return ["-kernel", os.path.join(PEERS, "xen"), "-initrd", f"{KERNEL} {line},{os.path.join(BENCH, self.image)}",
                "-append", "console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=none dom0_mem=1024M,max:1024M dom0_max_vcpus=1"]

    def plugin(self):
        return ["hv=ffff82d040000000-ffff82d080000000", f"who={symbol(self.hv, 'restore_all_guest'):x}"]

    def watched(self):
        return {"hypercall." + name[3:]: address for name, address in symbols(self.hv).items() if name in XEN_CALLS}


# Those that a running guest and its first domain make.
XEN_CALLS = ["do_" + name for name in (
    "mmu_update", "stack_switch", "set_segment_base", "fpu_taskswitch", "update_va_mapping", "set_timer_op", "multicall", "iret", "vcpu_op",
    "mmuext_op", "sched_op", "event_channel_op", "grant_table_op", "physdev_op", "xen_version", "memory_op", "console_io", "hvm_op")]


@functools.lru_cache
def symbols(elf):
    """{name: address}"""
    lines = (line.split() for line in subprocess.check_output(["nm", elf], text=True).splitlines())
    return {fields[2]: int(fields[0], 16) for fields in lines if len(fields) == 3 and fields[1] in "tT"}


def symbol(elf, name):
    """A symbol's address."""
    if name not in symbols(elf):
        raise SystemExit(f"bench: {elf} has no symbol {name}")
    return symbols(elf)[name]


SUITES = {"plain": "plain", "xts": "XTS", "gcm": "AES-256-GCM over dm-integrity", "aegis": "AEGIS-128 over dm-integrity"}


def peers():
    for suite, text in SUITES.items():
        yield Contender(f"none-{suite}", f"no hypervisor, {text}", "none", "none.img", f"suite={suite}", inside="host")
        # Linux has a fast AEGIS-128 only on processors with XSAVE, which KVM's guests cannot have on this emulation (README.md).
        if suite != "aegis":
            yield Contender(f"kvm-{suite}", f"KVM, {text}", "kvm", "kvm.img", f"suite={suite}")
    for kind in ("pv", "pvh"):
        for suite, text in SUITES.items():
            yield Xen(f"xen-{kind}-{suite}", f"Xen {kind.upper()}, {text}", kind, f"suite={suite}")


CONTENDERS = list(peers()) + [
    Contender("kvm-plain-poll", "KVM, plain, polling halted CPUs", "kvm", "kvm.img", "tune=poll"),
    Xen("xen-pvh-plain-ungranted", "Xen PVH, plain, no persistent grants", "pvh", "tune=ungranted"),
    Xen("xen-pvh-plain-rings", "Xen PVH, plain, rings of 16 pages", "pvh", "tune=rings"),
    Tessera("tessera-pooled", "Tessera, pooled, AEGIS-128L (the default)"),
    Tessera("tessera-strict", "Tessera, strict, AEGIS-128L", words="mode=strict"),
    Tessera("tessera-copy", "Tessera, copy, AEGIS-128L", words="mode=copy"),
    Tessera("tessera-pooled-gcm", "Tessera, pooled, AES-256-GCM", words="suite=aes-256-gcm"),
    Tessera("tessera-strict-gcm", "Tessera, strict, AES-256-GCM", words="mode=strict suite=aes-256-gcm"),
    Tessera("tessera-copy-gcm", "Tessera, copy, AES-256-GCM", words="mode=copy suite=aes-256-gcm"),
    Tessera("tessera-pooled-copied", "Tessera, pooled, AEGIS-128L, no IOMMU: the daemon copies", unit=False),
    Tessera("tessera-unsealed", "Tessera, pooled, unsealed (no real build)", variant="unsealed"),
]
