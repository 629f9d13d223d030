# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The emulated machine: QEMU with Tessera (or a bare host kernel) on it, its serial ports and its command socket.

	with Machine(smp=2, mem=2048) as m:
	    m.wait_ready()
	    status, text = m.sh("tessera list")

The serial port carries the console that hypervisor and host share, and is logged. The harness's commands go over a virtio port
of their own (tests/system/rootfs/host/agent.sh), so that no message tears an answer apart, and at more than a UART's speed.
"""

import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from qmp import Qmp

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
# Waiting is ended by what happens; these limits only end what hangs. The machine is emulated and may share its processors.
BOOT_LIMIT = 240
# All CPUs in one thread of QEMU's: with one each, QEMU 7.2 sometimes breaks a CPU's SVM state (mk/README.md).
ONE_THREAD, THREADS = "tcg,thread=single", "tcg,thread=multi"
COMMAND_LIMIT = 240
# Before the devices, which are put behind the unit as they are made.
IOMMUS = {None: [], "amd": ["-device", "amd-iommu"], "intel": ["-device", "intel-iommu,intremap=off,aw-bits=48"],
          "intel39": ["-device", "intel-iommu,intremap=off,aw-bits=39"]}
OVMF = "/usr/share/OVMF"
FATAL = re.compile(rb"tessera: (?:stopped|halted):[^\n]*|Kernel panic - not syncing[^\n]*")


class MachineError(Exception):
    """The machine did not do what was waited for; the text says what, and shows the end of its console."""


class Port:
    """One line to the machine: all it has printed so far, and waiting for a pattern in what was not looked at yet."""

    def __init__(self, name, echo=False):
        self.name, self.echo = name, echo
        self.text = bytearray()
        self.seen = 0
        self.closed = False
        self.sock = None
        self.changed = threading.Condition()

    def feed(self, data):
        with self.changed:
            if data:
                self.text += data
            else:
                self.closed = True
            self.changed.notify_all()
        if self.echo and data:
            sys.stdout.write(data.decode(errors="replace").replace("\r", ""))
            sys.stdout.flush()

    def wait(self, pattern, limit, fatal=None):
        """Wait for the regex in unseen text. Returns (match, "") or (None, why it will not come)."""
        pattern = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.S)
        end = time.monotonic() + limit
        with self.changed:
            while True:
                match = pattern.search(self.text, self.seen)
                if match:
                    self.seen = match.end()
                    return match, ""
                bad = fatal and fatal.search(self.text, self.seen)
                if bad:
                    return None, "it stopped with: " + bad.group(0).decode(errors="replace").strip()
                if self.closed:
                    return None, "the machine switched off or QEMU ended"
                left = end - time.monotonic()
                if left <= 0:
                    return None, f"nothing of the kind came in {limit:.0f} s"
                self.changed.wait(min(left, 5))

    def send(self, data):
        self.sock.sendall(data)


class Machine:
    """One run of QEMU, from start to stop. A context manager; whatever happens, its QEMU is gone afterwards.

	smp, mem	CPUs, and memory in MiB
	hv		the hypervisor's command line; None boots the host kernel without it
	cmdline		words added to the host kernel's command line
	disks		files or QEMU drive strings, attached as virtio disks vda, vdb, ...
	media		attach build/<variant>/media.ext4, which the host mounts on /media
	devices		further QEMU arguments
	iommu		"amd", "intel" or "intel39": the machine has that unit, and its virtio devices are translated; None: it has none
	bridges		its own virtio devices are each behind a bridge, not on the root bus
	variant		which build to boot, build/<variant>
	hv_variant	another build's hypervisor instead of that one's
	linux		the host's kernel, if it is not the stock one
	start		a disk to start from by GRUB: a file, which is left as it is, or a drive string; hv, cmdline and initrd are then its configuration's
	firmware	"bios" or "uefi", with start
	name		of the log files in build/logs
	echo		copy the console to standard output as it comes
    """

    def __init__(self, smp=2, mem=2048, hv="iommu=off", cmdline="", disks=(), media=False, devices=(), variant="default", hv_variant=None,
                 name="machine", echo=False, console="console=ttyS0,115200 loglevel=5", initrd=None, cpu="EPYC,+svm,+npt",
                 accel=None, iommu=None, bridges=False, linux=None, start=None,
                 firmware="bios"):
        self.build = os.path.join(ROOT, "build", variant)
        self.kernel = os.path.join(ROOT, "build", hv_variant or variant, "hv/tessera.elf32")
        self.smp, self.mem, self.hv, self.name = smp, mem, hv, name
        self.disks, self.media, self.devices = list(disks), media, list(devices)
        # On a busy machine the kernel may find that its timer is late, and give up.
        self.cmdline = f"{console} panic=-1 no_timer_check {cmdline}".strip()
        self.initrd = initrd or os.path.join(self.build, "host.img")
        self.cpu, self.accel = cpu, accel or os.environ.get("TSR_ACCEL", ONE_THREAD)
        self.iommu, self.bridges, self.ports = iommu, bridges, 0
        self.linux = linux or os.path.join(ROOT, "build/deps/vmlinuz")
        self.start_disk, self.firmware = start, firmware
        self.logs = os.path.join(ROOT, "build/logs")
        self.log = os.path.join(self.logs, name + ".log")
        self.console = Port("console", echo)
        self.agent = Port("agent")
        self.process = self.qmp = self.dir = None
        self.started = time.monotonic()

    # --- starting and stopping

    def arguments(self):
        """QEMU's command line, without its program name."""
        args = ["-machine", "q35", "-accel", self.accel, "-cpu", self.cpu, "-smp", str(self.smp), "-m", str(self.mem),
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-rtc", "base=utc",
                "-chardev", f"socket,id=console,path={self.dir}/console,server=on,wait=off,logfile={self.log}",
                "-chardev", f"socket,id=agent,path={self.dir}/agent,server=on,wait=off,logfile={self.log}.agent",
                "-serial", "chardev:console"] + IOMMUS[self.iommu] + self.virtio("virtio-serial-pci") + [
                "-device", "virtserialport,chardev=agent,name=tsr-agent",
                "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off", "-S"]
        if self.start_disk:
            drive = self.start_disk if "=" in self.start_disk else f"file={self.start_disk},format=raw,snapshot=on"
            args += ["-drive", f"if=none,id=start,{drive}"]
            args += self.virtio("virtio-blk-pci,drive=start,bootindex=0")
            if self.firmware == "uefi":
                shutil.copy(f"{OVMF}/OVMF_VARS_4M.fd", f"{self.dir}/vars")
                args += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
                         "-drive", f"if=pflash,format=raw,file={self.dir}/vars"]
        elif self.hv is None:
            args += ["-kernel", self.linux, "-initrd", self.initrd, "-append", self.cmdline]
        else:
            # A comma separates modules, so one inside the kernel's command line is doubled.
            line = self.cmdline.replace(",", ",,")
            args += ["-kernel", self.kernel,
                     "-initrd", f"{self.linux} {line},{self.initrd}", "-append", self.hv]
        for n, disk in enumerate(self.disks):
            drive = disk if "=" in disk else f"file={disk},format=raw,cache=writeback"
            args += ["-drive", f"if=none,id=disk{n},{drive}"] + self.virtio(f"virtio-blk-pci,drive=disk{n}")
        if self.media:
            args += ["-drive", f"if=none,id=media,file={self.build}/media.ext4,format=raw,readonly=on"]
            args += self.virtio("virtio-blk-pci,drive=media,serial=tsr-media")
        return args + self.devices

    def virtio(self, device):
        """Arguments for a virtio device, behind a bridge of its own if asked for. QEMU's bypass the unit unless told not to."""
        args = []
        if self.iommu:
            device += ",disable-legacy=on,iommu_platform=on"
        if self.bridges:
            self.ports += 1
            args = ["-device", f"pcie-root-port,id=own{self.ports},chassis={100 + self.ports},slot={100 + self.ports}"]
            device += f",bus=own{self.ports}"
        return args + ["-device", device]

    def start(self):
        os.makedirs(self.logs, exist_ok=True)
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            raise MachineError("qemu-system-x86_64 is not installed; run 'make deps'.")
        # Socket paths have a short limit, which a deep clone would exceed.
        self.dir = tempfile.mkdtemp(prefix="tsr-")
        self.errors = open(self.log + ".qemu", "w+", encoding="utf-8")
        self.started = time.monotonic()
        self.process = subprocess.Popen([qemu] + self.arguments(), stdin=subprocess.DEVNULL, stdout=self.errors,
                                        stderr=self.errors)
        try:
            self._connect()
        except BaseException:
            self.stop()
            raise
        return self

    def _connect(self):
        while not self.qmp:
            if self.process.poll() is not None:
                self.errors.seek(0)
                raise MachineError(f"QEMU did not start: {self.errors.read().strip()}")
            try:
                self.qmp = Qmp(f"{self.dir}/qmp")
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.02)
        for port in (self.console, self.agent):
            port.sock = socket.socket(socket.AF_UNIX)
            port.sock.connect(f"{self.dir}/{port.name}")
        threading.Thread(target=self._pump, daemon=True).start()
        # Only now, so that not one byte of the console is missed.
        self.qmp.command("cont")

    def _pump(self):
        with selectors.DefaultSelector() as selector:
            for port in (self.console, self.agent):
                selector.register(port.sock, selectors.EVENT_READ, port)
            while selector.get_map():
                for key, _ in selector.select():
                    try:
                        data = key.fileobj.recv(65536)
                    except OSError:
                        data = b""
                    key.data.feed(data)
                    if not data:
                        selector.unregister(key.fileobj)

    def stop(self):
        """End QEMU at once, like pulling the plug. Does no harm when it has ended already."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
            self.errors.close()
        for port in (self.console, self.agent):
            if port.sock:
                # Wakes the pump, which close alone does not.
                try:
                    port.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                port.sock.close()
        if self.qmp:
            self.qmp.close()
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # --- what a test does with it

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def tail(self, lines=40):
        text = bytes(self.console.text).decode(errors="replace").replace("\r", "").splitlines()
        shown = "\n".join("    | " + line for line in text[-lines:])
        return f"the last lines of its console (all of them: {os.path.relpath(self.log, ROOT)}):\n{shown}"

    def fail(self, what):
        raise MachineError(f"{what}; {self.tail()}")

    def wait_for(self, pattern, limit=BOOT_LIMIT, fatal=FATAL):
        """Wait for a pattern on the console, in what no earlier wait has passed; returns the match (of bytes)."""
        match, why = self.console.wait(pattern, limit, fatal)
        if not match:
            self.fail(f"waited for {pattern!r} on the console, but {why}")
        return match

    def wait_ready(self, limit=BOOT_LIMIT):
        """Wait until the host's agent takes commands."""
        end = time.monotonic() + limit
        while True:
            match, why = self.agent.wait("@@ready", 1)
            if match:
                return self
            bad = FATAL.search(self.console.text)
            if bad:
                self.fail("the host did not come up: " + bad.group(0).decode(errors="replace").strip())
            if self.agent.closed or time.monotonic() > end:
                self.fail(f"the host did not come up: {why}" if self.agent.closed else
                          f"the host did not come up in {limit} s")

    def _answer(self, pattern, limit):
        """Wait for the agent, but not for one whose machine has stopped: the console tells."""
        end = time.monotonic() + limit
        while True:
            left = end - time.monotonic()
            match, why = self.agent.wait(pattern, max(0, min(left, 2)))
            bad = FATAL.search(self.console.text)
            if bad:
                return match, bad.group(0).decode(errors="replace").strip()
            if match or self.agent.closed:
                return match, why
            if left <= 2:
                return None, f"nothing of the kind came in {limit:.0f} s"

    def sh(self, command, limit=COMMAND_LIMIT):
        """Run one line of shell on the host. Returns (status, output)."""
        if "\n" in command:
            raise ValueError("the agent takes one line; put longer scripts into rootfs/host/run.d")
        self.agent.seen = start = len(self.agent.text)
        self.agent.send(command.encode() + b"\n")
        match, why = self._answer(r"@@rc=(\d+)\r?\n", limit)
        if not match:
            self.fail(f"the host's command `{command}` did not end: {why}")
        return int(match.group(1)), self.agent.text[start:match.start()].decode(errors="replace").replace("\r", "")

    def run(self, command, limit=COMMAND_LIMIT):
        """Like sh(), but the command has to succeed; returns its output."""
        status, text = self.sh(command, limit)
        if status:
            self.fail(f"the host's command `{command}` failed with status {status}: {text.strip()}")
        return text

    def follow(self, command, show, limit=COMMAND_LIMIT):
        """Like run(), but hands each line of the output to show() as it comes."""
        self.agent.seen = len(self.agent.text)
        self.agent.send(command.encode() + b"\n")
        end = time.monotonic() + limit
        while True:
            match, why = self._answer(r"([^\n]*)\n", end - time.monotonic())
            if not match:
                self.fail(f"the host's command `{command}` did not end: {why}")
            line = match.group(1).decode(errors="replace").replace("\r", "")
            status = re.search(r"@@rc=(\d+)$", line)
            if not status:
                show(line)
                continue
            if status.group(1) != "0":
                self.fail(f"the host's command `{command}` failed with status {status.group(1)}")
            return

    def send(self, line):
        """Type a line on the console."""
        self.console.send(line.encode() + b"\n")

    def wait_off(self, limit=COMMAND_LIMIT):
        """Wait until the machine has switched itself off."""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.fail(f"the machine did not switch off in {limit} s")

    def power_off(self, limit=COMMAND_LIMIT):
        """Have the host's user space end and switch the machine off."""
        self.agent.send(b"@@exit\n")
        self.wait_off(limit)

    def dump_memory(self, path):
        """Stop the machine and write all its RAM to a file, as two runs of QEMU's: below and above the PCI hole."""
        self.qmp.command("stop")
        self.qmp.command("pmemsave", val=0, size=self.low_memory, filename=path)
        high = self.mem * 2**20 - self.low_memory
        if high:
            self.qmp.command("pmemsave", val=2**32, size=high, filename=path + ".high")

    def peek(self, address, size):
        """Bytes of the machine's memory, or of its devices', as nobody inside sees them."""
        path = os.path.join(self.dir, "peek")
        self.qmp.command("pmemsave", val=address, size=size, filename=path)
        with open(path, "rb") as f:
            return f.read()

    @property
    def low_memory(self):
        """Bytes of RAM below the PCI hole: q35 puts all of it there up to 2.75 GiB, else 2 GiB."""
        size = self.mem * 2**20
        return size if size < 0xB0000000 else 0x80000000
