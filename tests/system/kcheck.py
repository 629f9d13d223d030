# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The kernel of `make debug-kernel` in host or guest: what it has found of our modules, and which of their allocations are to fail. `where` is a
Machine or a Guest, whose shell has rootfs/debug/bin/kcheck."""

import os
import re
import subprocess

from guest import Guest
from machine import Machine, ROOT

LINUX = os.path.join(ROOT, "build/deps/debug/vmlinuz")
KERNEL, INITRD = "/debug/vmlinuz", "/debug/initrd.img"
MEMORY = 320  # MiB of a guest: an eighth of it says which bytes may be touched
# All that it says is kept until it is asked. Each allocation may be made to fail but those for looking after allocations.
WORDS = "kasan_multi_shot log_buf_len=4M slub_debug=A;-,kmemleak_object,kmemleak_scan_area"
LIMIT = 1800
# An error made on purpose, and what the kernel says of it. Of locks it looks at no more after the first report of any kind.
ERRORS = (("locks", "possible circular locking dependency"),
          ("use-after-free", "KASAN: (?:slab-)?use-after-free in (?:order_set|use_after_free)"),
          ("out-of-bounds", "KASAN: slab-out-of-bounds in (?:order_set|out_of_bounds)"),
          ("sleep", "sleeping function called from invalid context"))
# External functions that allocate, or whose callees do.
ALLOCATES = re.compile(r"alloc|memdup|kmemdup|strdup|free_pages$|zeroed_page|register|create|getfd|pin_user|setkey|set_name|add_disk|request_threaded|"
                       r"setup_state|event_request|crypt$")
DOES_NOT = re.compile(r"unregister|deregister|^k?v?free|^__free|free_pages_exact|destroy")
PAGES = re.compile(r"page|vmalloc|vzalloc")
MANY = 1000


class Amiss(AssertionError):
    """The kernel has found something, or an operation did not come to what it must."""


def host(run, smp=2, mem=2048, **options):
    """A machine whose host has that kernel."""
    return Machine(variant=run.variant, name=run.log, smp=smp, mem=mem, linux=LINUX, cmdline=WORDS, initrd=image(run), **options)


def stock(run):
    """A machine whose host has the usual kernel, and can give the other one to guests."""
    return Machine(variant=run.variant, name=run.log, smp=2, mem=2048, initrd=image(run))


def image(run):
    return os.path.join(ROOT, "build", run.variant, "debug/host.img")


class Checked(Guest):
    """A guest with that kernel, which takes its time to start."""

    def wait_ready(self):
        self.m.run(f"gsh open {self.name} {LIMIT}", LIMIT + 30)


def guest(m, **options):
    return Checked(m, kernel=KERNEL, initrd=INITRD, memory=f"{MEMORY}M", words=WORDS, **options)


def begin(where):
    where.run("kcheck begin", LIMIT)


def said(where):
    return where.run("kcheck said", LIMIT).strip()


def quiet(where):
    """The kernel has found nothing when it happened."""
    text = said(where)
    if text:
        raise Amiss(text)


def clean(where):
    """Nor anything that is lost, now that it is asked; looking for that takes long."""
    quiet(where)
    text = where.run("kcheck leaks", LIMIT).strip()
    if text:
        raise Amiss(f"lost: {text}")
    quiet(where)


def controls(where):
    """Errors made on purpose are found. Afterwards the kernel looks at locks no more."""
    begin(where)
    clean(where)  # ends when it has found a leak
    for word, pattern in ERRORS:
        where.run(f"kcheck order {word}")
        text = said(where)
        if not re.search(pattern, text):
            raise Amiss(f"{word} was not noticed: {text}")
    return "seen: " + ", ".join(word for word, _ in ERRORS) + ", leak"


# ------------------------------------------------------------------ allocations that fail

class Site:
    """A call in a module's .text that may allocate: where it returns to."""

    def __init__(self, module, offset, function, callee):
        self.module, self.offset, self.callee = module, offset, callee
        self.name = f"{module}: {callee} in {function}"

    def arm(self, times):
        """The order by which its first allocation fails, or all do. A page that slab itself asks for it tries to get once more, so a failure there is none."""
        return f"kcheck arm {self.module} {self.offset} {times} {times if PAGES.search(self.callee) else 1}"


def sites(run, kind, module):
    """All of a module's, but those in what is called once when it is loaded, and calls that are the last thing their function does."""
    path = os.path.join(ROOT, "build", run.variant, f"debug/{kind}/{module}.ko")
    text = subprocess.check_output(["objdump", "-dr", "--no-show-raw-insn", "-j", ".text", path], text=True)
    own = set(re.findall(r"^[0-9a-f]+ <([^>]+)>:", text, re.M))
    found, function, call = [], "", False
    for line in text.splitlines():
        if match := re.match(r"[0-9a-f]+ <([^>]+)>:", line):
            function = match[1]
        elif match := re.match(r"\s+([0-9a-f]+): R_X86_64_(?:PLT32|PC32)\s+([A-Za-z_0-9]+)-0x4", line):
            if call and match[2] not in own and ALLOCATES.search(match[2]) and not DOES_NOT.search(match[2]):
                found.append(Site(module, int(match[1], 16) + 4, function, match[2]))
        call = re.search(r"\tcall ", line) is not None
    return found


def fail_at(where, site, times, operation):
    """Whether an allocation failed there while the operation was done. It may have said so; nothing else may have come of it, and it works afterwards."""
    status, text = where.sh(f"{site.arm(times)}; {operation} may; r=$?; kcheck calm; n=$(kcheck failures); [ $r != 0 ] || [ $n = 0 ] || {{ {operation} must; r=$?; }}; "
                            "echo failed=$n; exit $r", LIMIT)
    if status:
        raise Amiss(f"{site.name}, {times} times: {text.strip()}")
    return not text.strip().endswith("failed=0")
