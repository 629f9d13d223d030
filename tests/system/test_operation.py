# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Running guests day by day: files that describe them, what is shown of them, completion, messages."""

import json
import os
import re
import shlex
import subprocess
import tempfile

from machine import ROOT

MACHINE = dict(smp=2, mem=2048)
FILE = {"name": "conf", "memory": "4M", "raw": "/guests/spin.bin", "disks": [
    {"label": "data", "image": "/tmp/conf.img", "log": "/run/conf.log"}, {"label": "later"}]}


def describe(m, path, text):
    escaped = text.replace("\n", "\\n")
    m.run(f"printf %b {shlex.quote(escaped)} >{path}")


def ready(m):
    m.run("modprobe tessera_host && mkdir -p /etc/tessera && rm -f /tmp/conf.img && tessera image create /tmp/conf.img --size 16M")
    describe(m, "/etc/tessera/conf.json", json.dumps(FILE))


def test_guest_from_a_file(m):
    """a file of JSON describes a guest and its disks: started, measured, attached and shown by it; the log names guest and disk"""
    ready(m)
    m.run("tessera guest start --config /etc/tessera/conf.json")
    try:
        guest = json.loads(m.run("tessera guest show conf --json"))
        assert guest["identity"] == m.run("tessera measure --config /etc/tessera/conf.json").strip()
        assert [d["label"] for d in guest["devices"]] == ["data", "later"]
        assert guest["devices"][0]["backend"] > 0 and guest["devices"][1]["backend"] == 0, guest
        assert f"tesserad: guest conf ({guest['guest']}) disk data (0): " in m.run("cat /run/conf.log")
        m.run("tessera disk detach conf data")
        # What a unit of systemd runs: in one word, found in a directory, in the foreground.
        m.run("tessera disk attach --foreground --config /etc/tessera conf/data >/run/unit.log 2>&1 & "
              "timeout 200 sh -c 'until tessera guest show conf --json | grep -q \"direct\\|copy\"; do usleep 50000; done'")
        m.run("tessera disk detach conf data")
        status, text = m.sh("tessera disk attach --config /etc/tessera conf nothing 2>&1")
        assert status == 1 and 'describes no disk nothing of a guest conf with an "image"' in text, text
    finally:
        m.run("tessera guest destroy conf")


def test_a_wrong_file_starts_nothing(m):
    """a file that is not JSON, has an unknown member, or names an image that is not there: what, where, what to do; and what runs is said"""
    ready(m)
    describe(m, "/tmp/wrong.json", '{ "name": "conf",\n  "memory": 4M }')
    status, text = m.sh("tessera guest start --config /tmp/wrong.json 2>&1")
    assert status == 1 and "/tmp/wrong.json, line 2, column" in text, text
    describe(m, "/tmp/wrong.json", json.dumps(FILE | {"colour": "blue"}))
    status, text = m.sh("tessera guest start --config /tmp/wrong.json 2>&1")
    assert status == 2 and "colour" in text, text
    assert json.loads(m.run("tessera guest list --json")) == []
    describe(m, "/tmp/wrong.json", json.dumps(FILE | {"disks": [{"label": "data", "image": "/tmp/none.img"}]}))
    status, text = m.sh("tessera guest start --config /tmp/wrong.json 2>&1")
    assert status == 1 and "tessera image create" in text and "waits for its disk data" in text, text
    m.run("tessera guest destroy conf")


def test_json_and_top(m):
    """each listing command has one document of JSON for an answer; `top` shows each guest and disk"""
    ready(m)
    m.run("tessera guest start --config /etc/tessera/conf.json")
    try:
        for command in ("info", "counters", "guest list", "guest show conf", "token list", "dma-faults", "top --count 1"):
            json.loads(m.run(f"tessera {command} --json"))
        top = json.loads(m.run("tessera top --count 1 --json"))
        assert top["counters"]["exits_host"] > 0 and top["seconds"] >= 1, top
        guest, = top["guests"]
        assert guest["name"] == "conf" and guest["state"] == "running", guest
        assert [(d["label"], d["mode"]) for d in guest["disks"]] == [("data", "copy"), ("later", None)], guest
        text = m.run("tessera top --count 2")
        assert text.count("Tessera: ") == 2 and text.count(" conf ") == 2 and "later                away" in text, text
        assert m.run("tessera complete guest show c") == "conf\n"
        assert m.run("tessera complete disk detach conf ''") == "data\nlater\n"
    finally:
        m.run("tessera guest destroy conf")


def test_units_of_systemd(m):
    """what units run: a guest's prints its console, ends as the guest does and leaves nothing; a disk's waits for its guest, and says so once"""
    ready(m)
    start = "tessera guest start --no-disks --foreground --config /tmp/unit.json"
    for image, status, end in (("hello", 0, "power-off"), ("triple", 1, "triple fault"), ("reset", 1, "reset")):
        describe(m, "/tmp/unit.json", json.dumps(FILE | {"raw": f"/guests/{image}.bin"}))
        got, text = m.sh(f"timeout 200 {start} 2>&1")
        assert got == status and f"guest conf has stopped: {end}" in text and ("hello from a guest" in text) == (image == "hello"), text
        assert json.loads(m.run("tessera guest list --json")) == []
    # systemd is told when the guest is there, not before.
    text = m.run(f"host_notify 'tessera guest show conf --json' {start.replace('/tmp/unit', '/etc/tessera/conf')}")
    assert re.search(r'^READY=1\n.*"state":"running"', text, re.M | re.S), text
    assert json.loads(m.run("tessera guest list --json")) == []
    m.run("tessera disk attach --foreground --config /etc/tessera conf/data >/run/unit.log 2>&1 & echo $! >/run/disk.pid; "
          "timeout 200 sh -c 'until grep -q waiting /run/unit.log; do usleep 50000; done'")
    m.run(f"{start.replace('/tmp/unit', '/etc/tessera/conf')} >/run/guest.log 2>&1 & echo $! >/run/guest.pid; "
          "timeout 200 sh -c 'until tessera guest show conf --json 2>/dev/null | grep -q \"direct\\|copy\"; do usleep 50000; done'")
    status, text = m.sh(f"{start.replace('/tmp/unit', '/etc/tessera/conf')} 2>&1")
    assert status == 1 and "a guest of this name lives already" in text, text
    m.run("kill $(cat /run/guest.pid) && timeout 200 sh -c 'while [ -e /proc/$(cat /run/guest.pid) -o -e /proc/$(cat /run/disk.pid) ]; do usleep 50000; done'")
    assert json.loads(m.run("tessera guest list --json")) == []
    assert m.run("grep -c waiting /run/unit.log").strip() == "1"


def test_bash_completes():
    """bash completes commands and options by what the programs say"""
    script = ("source host-backend/shell/tessera.bash; COMP_WORDS=(tessera guest st); COMP_CWORD=2; _tessera tessera st guest; "
              "echo ${COMPREPLY[@]}; _tesserad tesserad --rea; echo ${COMPREPLY[@]}")
    path = os.path.join(ROOT, "build/default/host") + ":" + os.environ["PATH"]
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=dict(os.environ, PATH=path), stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.splitlines() == ["start stop", "--read-only"], done.stdout


def initrd(directory, *options):
    """tessera-initrd with this build's modules: its status, what it said, and what it wrote as {path: (mode, contents)}."""
    kernel = os.path.basename(os.path.realpath(os.path.join(ROOT, "build/deps/modules")))
    out, share, modules = (os.path.join(directory, name) for name in ("out", "share", "modules"))
    if not os.path.exists(share):
        os.makedirs(share)
        os.makedirs(os.path.join(modules, kernel))
        for link, to in ((f"{share}/mkinitramfs.py", "scripts/mkinitramfs.py"), (f"{share}/initrd", "host-backend/initrd/root"),
                         (f"{modules}/{kernel}/extra", "build/default/modules/guest")) + tuple(
                             (f"{modules}/{kernel}/{name}", f"build/deps/modules/{name}") for name in ("kernel", "modules.builtin", "modules.order")):
            os.symlink(os.path.join(ROOT, to), link)
        with open(os.path.join(ROOT, "build/deps/modules/modules.dep"), encoding="ascii") as known, \
                open(f"{modules}/{kernel}/modules.dep", "w", encoding="ascii") as f:
            f.write(known.read() + "extra/tessera.ko:\nextra/tessera_blk.ko: extra/tessera.ko\n")
    done = subprocess.run([os.path.join(ROOT, "host-backend/initrd/tessera-initrd"), "--kernel", kernel, *options, out], text=True, check=False, cwd=directory,
                          env=dict(os.environ, TESSERA_SHARE=share, TESSERA_MODULES=modules), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    files, at = {}, 0
    data = b""
    if not done.returncode:
        with open(out, "rb") as f:
            data = f.read()
    while at < len(data):
        fields = [int(data[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        body = at + 110 + fields[11] + 3 & ~3
        files[name] = fields[1], data[body:body + fields[6]]
        at = body + fields[6] + 3 & ~3
    return done.returncode, done.stdout, files


def test_initrd_takes_files():
    """tessera-initrd puts files and programs where it is told, beside the driver of sealed disks; the same files give the same bytes; a start that is no program is refused"""
    with tempfile.TemporaryDirectory() as directory:
        job = os.path.join(directory, "job.sh")
        with open(job, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\necho done\n")
        status, text, _ = initrd(directory, "--file", "job.sh:start")
        assert status == 1 and "not executable" in text, text
        os.chmod(job, 0o755)
        status, text, files = initrd(directory, "--file", "job.sh:start", "--file", f"{job}:etc/deep/copy", "--elf", "/usr/bin/env:bin/env-of-mine")
        assert status == 0, text
        assert files["start"] == files["etc/deep/copy"] == (0o100755, b"#!/bin/sh\necho done\n"), files["start"]
        assert files["bin/env-of-mine"][1][:4] == b"\x7fELF" and any(name.startswith("lib64/ld-linux") for name in files), sorted(files)
        assert any(name.endswith("extra/tessera_blk.ko") for name in files) and files["init"][0] == 0o100755, sorted(files)
        assert initrd(directory, "--file", "job.sh:start", "--file", f"{job}:etc/deep/copy", "--elf", "/usr/bin/env:bin/env-of-mine")[2] == files
        assert "start" not in initrd(directory)[2]
        for wrong in (("--file", "job.sh"), ("--file", "a b:c"), ("--file", "job.sh:"), ("--file",)):
            status, text, _ = initrd(directory, *wrong)
            assert status == 2 and "SOURCE:PATH" in text, text
