# SPDX-License-Identifier: BSD-2-Clause-Patent
"""/dev/tessera and the `tessera` command on the machine: spec/host.md. The calls' cases are in tools/host_api.c."""

import json

import attack

MACHINE = dict(smp=2, mem=2048)
TINY = "--memory 4M --raw /guests/"


def case(m, name, limit=240):
    m.run("modprobe tessera_host")
    status, text = m.sh(f"host_api {name}", limit)
    assert status == 0 and text.strip() == "ok", text
    trouble = m.run("dmesg | grep -cE 'BUG:|WARNING: CPU|Oops|stuck|stall' || true").strip()
    assert trouble == "0", m.run("dmesg | tail -40")


def test_creation(m):
    """a guest that cannot be is refused before or after its memory was taken, and the memory is back"""
    case(m, "creation")


def test_loading(m):
    """contents are loaded ascending, inside the guest's memory, before it runs, and from readable memory only"""
    case(m, "loading")


def test_one_backend(m):
    """a device has one backend at a time, and the host knows whose"""
    case(m, "backend")


def test_mapping(m):
    """windows and mappings keep to their bounds; a token nobody issued is stale"""
    case(m, "mapping")


def test_killed_backend(m):
    """a killed backend's windows are removed and unpinned before its process is gone"""
    case(m, "killed")


def test_id_is_reused(m):
    """a dead guest's descriptors say that it ended and do not reach the next guest of its id"""
    case(m, "outlived")


def test_destroyers(m):
    """of two that destroy a guest at once, one does"""
    case(m, "destroyers")


def test_four_guests(m):
    """four guests are built, run, raised at, attached to and destroyed at once; every page comes back"""
    case(m, "four")


def test_unload(m):
    """the module stays while a guest lives or a descriptor is open, and goes afterwards (HOST-7)"""
    m.run("modprobe tessera_host")
    m.run(f"tessera guest run --name stays {TINY}spin.bin")
    assert m.sh("rmmod tessera_host")[0] != 0
    m.run("tessera guest destroy stays")
    m.run("rmmod tessera_host")
    m.run("modprobe tessera_host && tessera info")


def test_memory_of_three(m):
    """three guests hold just the memory they were given, and all of it comes back"""
    m.run("modprobe tessera_host")
    before = json.loads(m.run("tessera info --json"))["census"]
    for name in ("one", "two", "three"):
        m.run(f"tessera guest run --name {name} --memory 64M --raw /guests/spin.bin")
    during = json.loads(m.run("tessera info --json"))["census"]
    assert during["guests"] == 3 * 64 * 256
    assert during["host"] + during["guests"] + during["tables"] == before["host"]
    for name in ("one", "two", "three"):
        m.run(f"tessera guest destroy {name}")
    after = json.loads(m.run("tessera info --json"))["census"]
    assert after == before


# LRU, SLAB, BUDDY, MMAP, ANON and PGTABLE of Linux's kpageflags: in use for something, or free to be.
USED = 1 << 5 | 1 << 7 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 26


def test_kept_pages(m):
    """the page before each run of a guest's memory is the module's own, so that no word read from a string reaches over (HOST-4)"""
    attack.load(m)
    m.run("modprobe tessera_host")
    m.run("tessera guest run --name kept --memory 64M --raw /guests/spin.bin")
    hypervisor = attack.info(m)["hv_base_pfn"]
    runs = [first for first, _ in attack.hidden(m) if first != hypervisor]
    assert runs
    for first in runs:
        flags = m.run(f"dd if=/proc/kpageflags bs=8 skip={first - 1} count=1 2>/dev/null | od -An -t x8")
        assert not int(flags, 16) & USED, f"frame {first - 1:#x}: flags {flags}"
    m.run("tessera guest destroy kept")


def test_identity_is_predicted(m):
    """`tessera measure` prints the identity that the hypervisor finds (HOST-20)"""
    m.run("modprobe tessera_host")
    options = f"--disk data --instance 00ff {TINY}hello.bin"
    predicted = m.run(f"tessera measure {options}").strip()
    started = json.loads(m.run(f"tessera guest run --name known --json {options}"))
    m.run("tessera guest destroy known")
    assert started["identity"] == predicted
    assert m.run(f"tessera measure --disk data --instance 01ff {TINY}hello.bin").strip() != predicted


def test_console(m):
    """a guest's output is kept, followed to its end, and cannot be typed into unless that was measured"""
    m.run("modprobe tessera_host")
    m.run(f"tessera guest run --name talks {TINY}hello.bin")
    assert "hello from a guest" in m.run("tessera console talks --follow 2>&1")
    assert "hello from a guest" in m.run("tessera console talks")
    assert json.loads(m.run("tessera guest show talks --json"))["state"] == "stopped: power-off"
    m.run("tessera guest destroy talks")
    m.run(f"tessera guest run --name deaf {TINY}spin.bin")
    status, text = m.sh("echo hello | tessera console deaf --input 2>&1")
    assert status == 1 and "--console-input" in text
    m.run("tessera guest destroy deaf")


def test_bare_machine_has_no_tessera():
    """without the hypervisor the module refuses to load and says so (HOST-1)"""
    from machine import Machine

    with Machine(smp=1, mem=1024, hv=None, name="host-bare") as m:
        m.wait_ready()
        status, text = m.sh("modprobe tessera_host 2>&1; dmesg | grep tessera_host")
        assert "does not run under the Tessera hypervisor" in text
        assert m.sh("test -e /dev/tessera")[0] == 1
        assert "modprobe tessera_host" in m.sh("tessera info 2>&1")[1]
