# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A host that is followed by another kernel while the hypervisor goes on: by kexec, and by one that saves the memory of a crashed one."""

import base64
import struct

import attack
from guest import Guest
from test_life import census

MACHINE = dict(smp=2, mem=1280, cmdline="crashkernel=256M")
BOOT_LIMIT = 240
# What this kernel was started from; and a console, since /dev is hidden.
MAKE_INITRD = ("cd / && mkdir -p /tmp/d/dev && mknod /tmp/d/dev/console c 5 1 && find . -xdev | cpio -o -H newc >/tmp/next.img 2>/dev/null && "
               "cd /tmp/d && find dev | cpio -o -H newc >>/tmp/next.img 2>/dev/null")
WORDS = "console=ttyS0,115200 loglevel=5 panic=-1"


def load(m, how, words):
    m.run(f"[ -e /tmp/next.img ] || {{ {MAKE_INITRD}; }}")
    m.run(f"host_kexec {how} /guest/vmlinuz /tmp/next.img '{WORDS} {words}'")


def next_kernel(m, command, word):
    """Gives the command that ends this kernel, and waits for the next one, which is told by a word of its command line."""
    m.agent.seen = len(m.agent.text)
    m.agent.send(f"dmesg -n 7; {command}\n".encode())
    match, why = m.agent.wait("@@ready", BOOT_LIMIT)
    if not match:
        m.fail(f"no kernel came after this one: {why}")
    # What the one before said when it crashed is not this one's end.
    first = bytes(m.console.text).decode(errors="replace")
    with m.console.changed:
        m.console.text.clear()
        m.console.seen = 0
    assert word in m.run("cat /proc/cmdline").split()
    return first


def start(m, name):
    """A guest at work on its disk: windows are mapped."""
    guest = Guest(m, name=name, memory="192M", disk=f"/tmp/{name}.img", size="16M")
    guest.start()
    guest.ready_disk()
    guest.run("(while :; do dd if=/dev/urandom of=/dev/tsr0 bs=64k count=100; done >/dev/null 2>&1 &)")
    now = census(m)
    assert now["windows"] and now["displaced"] and now["guests"], now


def usable(m):
    """This host can create guests, and nothing is amiss."""
    m.run("tessera guest run --name after --memory 32M --raw /guests/hello.bin")
    assert "hello from a guest" in m.run("tessera console after --follow 2>&1")
    m.run("tessera guest destroy after")
    trouble = m.run("dmesg | grep -E 'BUG:|WARNING: CPU|Oops|general protection|refuse' || true")
    assert not trouble, trouble


def saved_page(m, frame):
    """How many bytes of a frame of the crashed kernel's this one can read, and how many of them are not zero."""
    head = base64.b64decode(m.run("head -c 4096 /proc/vmcore | base64"))
    number = struct.unpack_from("<H", head, 56)[0]
    for n in range(number):
        kind, _, offset, _, start, size = struct.unpack_from("<IIQQQQ", head, 64 + 56 * n)
        if kind == 1 and start <= 4096 * frame < start + size:
            at = (offset + 4096 * frame - start) // 4096
            m.sh(f"dd if=/proc/vmcore of=/tmp/page bs=4096 skip={at} count=1")
            return tuple(int(n) for n in m.run("wc -c </tmp/page; tr -d '\\000' </tmp/page | wc -c").split())
    return m.fail(f"no part of the crashed kernel's memory has frame {frame:#x}")


def test_kexec(m):
    """kexec destroys all guests first: the next kernel has all memory, no windows, and runs guests (HOST-27)"""
    attack.load(m)
    before = census(m)
    for name in ("one", "two"):
        m.run(f"tessera guest run --name {name} --memory 64M --raw /guests/spin.bin")
    assert census(m)["guests"] == 2 * 64 * 256
    load(m, "load", "crashkernel=256M tsr.second")
    said = next_kernel(m, "host_kexec go", "tsr.second")
    for name in ("one", "two"):
        assert f"guest {name} is destroyed, since the host goes down" in said
    m.run("modprobe tessera_host")
    assert census(m) == before, (census(m), before)
    assert "left by a kernel before" not in m.run("dmesg")
    usable(m)


def test_crash(m):
    """a kernel that saves a crashed one's memory finds its guests left over, destroys them, and gets their memory back as zeros (HOST-26, ANEW-1, ANEW-2)"""
    attack.load(m)
    before = census(m)
    assert before["windows"] + before["displaced"] + before["guests"] + before["tables"] == 0, before
    start(m, "three")
    m.run("tessera guest run --name four --memory 32M --raw /guests/spin.bin")
    first, end = attack.lowest_hidden(m)
    load(m, "crash", "nr_cpus=1 tsr.third")
    next_kernel(m, "echo c >/proc/sysrq-trigger", "tsr.third")
    # The page before them is the module's own, the host's.
    assert [saved_page(m, frame)[0] for frame in (first - 1, first, end - 1)] == [4096, 0, 0]
    m.run("dmesg -c >/dev/null; modprobe tessera_host")
    assert [saved_page(m, frame) for frame in (first, end - 1)] == [(4096, 0), (4096, 0)]
    said = m.run("dmesg")
    assert said.count("left by a kernel before, is destroyed") == 2, said
    assert census(m) == before, (census(m), before)
    usable(m)
