# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Guests on the emulated machine, through the host's `tessera` command and an agent inside that takes commands."""

import json
import shlex

KERNEL, INITRD = "/guest/vmlinuz", "/guest/initrd.img"
START_LIMIT = 240
LABEL = "data"


class Guest:
    """A running guest. `with` destroys it at the end, whatever happened.

	kernel, initrd	what it starts from; /media/guest-fio.img and /media/guest-files.img need a machine with media
	disk		make and attach: an image's path on the host, or None
	size		of an image that is not there yet
	run		the script of its own (rootfs/guest/run.d)
	vcpus		virtual CPUs, or None: one
	agent		it takes commands: for run="agent"
    """

    def __init__(self, m, name="g", memory="192M", initrd=INITRD, disk=None, size="64M", run="agent", words="", instance=None,
                 vcpus=None, kernel=KERNEL):
        self.m, self.name, self.disk, self.size = m, name, disk, size
        self.agent = run == "agent"
        # Each letter on the console is an exit: without its messages and self-tests the kernel starts sooner.
        self.options = ["--memory", memory, "--kernel", kernel, "--initrd", initrd,
                        "--cmdline", f"console=ttyS0 panic=-1 loglevel=4 cryptomgr.notests tsr.run={run} {words}".strip()]
        if vcpus:
            self.options += ["--vcpus", str(vcpus)]
        if disk:
            self.options += ["--disk", LABEL]
        if instance:
            self.options += ["--instance", instance]
        if self.agent:
            self.options.append("--console-input")
        self.info = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.m.alive:
            self.m.sh(f"tessera guest destroy {self.name}")

    def start(self, wait=True):
        self.m.run("modprobe tessera_host")
        if self.disk:
            self.m.run(f"[ -e {self.disk} ] || tessera image create {self.disk} --size {self.size}")
        line = " ".join(shlex.quote(word) for word in ["tessera", "guest", "run", "--name", self.name, "--json"] + self.options)
        self.info = json.loads(self.m.run(line, limit=START_LIMIT))
        if self.disk:
            self.attach()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        """Waits until the agent, if there is one, takes commands."""
        if self.agent:
            self.m.run(f"gsh open {self.name} {START_LIMIT}", limit=START_LIMIT + 30)

    @property
    def identity(self):
        return bytes.fromhex(self.info["identity"])

    def attach(self, *options):
        self.m.run(f"tessera disk attach {self.name} {LABEL} {self.disk} --log /run/tesserad.{self.name}.log " + " ".join(options))

    def kill_daemon(self):
        """Kills the disk's back-end, and starts another as soon as the host lets it."""
        self.m.run(f"kill -9 {self.show()['devices'][0]['backend']}")
        self.m.run(f"timeout 200 sh -c 'until tessera disk attach {self.name} {LABEL} {self.disk} --log /run/tesserad.{self.name}.log "
                   "2>/run/attach; do usleep 20000; done' || { cat /run/attach; false; }")

    def detach(self):
        self.m.run(f"tessera disk detach {self.name} {LABEL}")

    def show(self):
        return json.loads(self.m.run(f"tessera guest show {self.name} --json"))

    def tokens(self):
        """Those alive."""
        number = self.show()["guest"]
        return [t for t in json.loads(self.m.run("tessera token list --json")) if t["guest"] == number]

    def console(self):
        return self.m.run(f"tessera console {self.name}").replace("\r", "")

    def sh(self, command, limit=240):
        """One line of shell inside the guest: (status, output)."""
        assert "\n" not in command
        return self.m.sh(f"gsh run {self.name} {limit} {shlex.quote(command)}", limit=limit + 30)

    def run(self, command, limit=240):
        status, text = self.sh(command, limit)
        if status:
            self.m.fail(f"guest {self.name}'s command `{command}` failed with status {status}: {text.strip()}")
        return text

    def wait_end(self, limit=START_LIMIT):
        """Waits until the guest has ended by itself; returns its state."""
        # The console ends with the guest.
        self.m.run(f"timeout {limit} tessera console {self.name} --follow >/dev/null", limit=limit + 30)
        return self.show()["state"]

    # --- its disk

    def counters(self):
        """Of the guest's block driver."""
        text = self.run("cd /sys/bus/tessera/devices/tessera0/counters && grep . *")
        return {name: int(value) for name, value in (line.split(":") for line in text.split())}

    def ready_disk(self, limit=240):
        """Formats the sealed disk if it is blank; returns its device when it can be used."""
        self.run("D=/sys/bus/tessera/devices/tessera0; until grep -qE 'blank|attached' $D/state; do usleep 100000; done; "
                 "[ \"$(cat $D/state)\" = attached ] || echo yes >$D/format", limit)
        return "/dev/tsr0"

    def destroy(self):
        self.m.run(f"tessera guest destroy {self.name}")


def fio_guest(m, **options):
    """A guest with fio, on a machine with media. Its files are larger than the half of memory that Linux would give them."""
    return Guest(m, memory="320M", initrd="/media/guest-fio.img", words="rootfstype=ramfs", **options)


def shared(m):
    """The guest that checks on one machine share: with fio and a sealed disk of 96 MiB, whose contents are nobody's. Started
    when it is first asked for; goes with its machine."""
    if not getattr(m, "shared_guest", None):
        m.shared_guest = fio_guest(m, name="shared", disk="/tmp/shared.img", size="96M").start()
        m.shared_guest.ready_disk()
    return m.shared_guest
