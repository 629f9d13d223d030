# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What a guest's secrets look like from outside (THREAT-1, THREAT-2, BLK-2): the machine is stopped, its memory dumped, and everything the
host can reach, by the nested table that the processor was given, is searched for markers, keys and expanded keys. What they
are is computed here from the root secret alone (THREAT-5)."""

import json
import os
import subprocess
import tempfile

import attack
import kdf
import nested
import scan
from guest import LABEL, Guest
from machine import ROOT, Machine

ROOT_SECRET = bytes.fromhex("6b1f0cde94a2573381e0d9c4bb7a26f15e83c07d4419fa6028b5931ed7ac5042")
MARKERS = [f"marker-{n}" for n in (1, 2, 3, 4)]
HELD = ["app-1", "app-2", "app-3"]
HEADER_AT, HEADER_SIZE = 65536, 65536
GCM, GCM_IMAGE = "gcm", "/tmp/gcm.img"  # a second disk, of the other suite


def run_guest(m, variant):
    """Starts the guest of run.d/secrets.sh on the disk /dev/vda and waits until it has its secrets. Returns it, and the identity that
    `tessera measure` computes for it here, on the machine that builds."""
    guest = Guest(m, name="secrets", disk="/dev/vda", run="secrets")
    guest.options += ["--disk", GCM, "--suite", "aes-256-gcm"]
    m.run(f"modprobe tessera_host; tessera image create /dev/vda --size 64M; tessera image create {GCM_IMAGE} --size 1M")
    guest.start()
    m.run(f"tessera disk attach secrets {GCM} {GCM_IMAGE}")
    m.run("timeout 240 sh -c 'until tessera console secrets | grep -q \"^secrets: ready\"; do usleep 200000; done'", limit=270)
    build = os.path.join(ROOT, "build", variant)
    options = list(guest.options)
    for option, path in (("--kernel", os.path.join(ROOT, "build/deps/vmlinuz")), ("--initrd", os.path.join(build, "guest.img"))):
        options[options.index(option) + 1] = path
    text = subprocess.check_output([os.path.join(build, "host/tessera"), "measure", "--json"] + options, text=True)
    return guest, bytes.fromhex(json.loads(text)["identity"])


def attach_salts(slots):
    """The salts of all attaches, from the disk's public header: of both slots, the one with the higher generation."""
    slots = [s for s in slots if s[:8] == b"TSRDISK1"]
    header = max(slots, key=lambda s: int.from_bytes(s[40:48], "little"))
    epochs = int.from_bytes(header[48:52], "little")
    assert 0 < epochs < 10
    return [header[128 + 16 * e:144 + 16 * e] for e in range(epochs)]


def image_slots(image):
    with open(image, "rb") as f:
        f.seek(HEADER_AT)
        return [f.read(HEADER_SIZE) for _ in range(2)]


def gcm_slots(m):
    """Their beginnings, of the image that lies in the host."""
    return [bytes.fromhex(m.run(f"od -An -v -tx1 -j{HEADER_AT + HEADER_SIZE * n} -N512 {GCM_IMAGE}")) for n in range(2)]


def all_secrets(identity, salts, gcm_salts):
    """Everything that must not be seen, and the names of what the guest itself is sure to hold. salts: of each attach of either disk."""
    secrets, kept = scan.Secrets(), []
    for name in MARKERS:
        secrets.add(name, kdf.derive(ROOT_SECRET, identity, name))
        kept.append(name)
    for name in HELD:
        secrets.add_key(name, kdf.derive(ROOT_SECRET, identity, name))
        kept.append(f"{name}, first half")
    for epoch, salt in enumerate(salts, 1):
        secrets.add_key(f"attach {epoch}", kdf.derive(ROOT_SECRET, identity, LABEL, kdf.DISK_ATTACH, salt))
    for epoch, salt in enumerate(gcm_salts, 1):
        secrets.add_key(f"attach {epoch} of {GCM}", kdf.derive(ROOT_SECRET, identity, GCM, kdf.DISK_ATTACH, salt))
    kept.append(f"attach {len(salts)}, first half")
    kept.append(f"attach {len(gcm_salts)} of {GCM}, last round key")
    for disk in (LABEL, GCM):
        secrets.add_key(f"header key of {disk}", kdf.derive(ROOT_SECRET, identity, disk, kdf.DISK_HEADER))
    for name in MARKERS + HELD + [LABEL, GCM]:
        # Only ever hashed with, so never expanded.
        middle = kdf.middle(ROOT_SECRET, identity, name)
        secrets.add(f"middle key of {name}, first half", middle[:16])
        secrets.add(f"middle key of {name}, second half", middle[16:])
    secrets.add_key("root secret", ROOT_SECRET)
    secrets.add("root secret as text", ROOT_SECRET.hex().encode())
    return secrets, kept


def in_directory(check):
    """Runs check(image, dump) with an empty disk for the machine and a place for its memory, and cleans up."""
    # Not in /tmp, which may be memory: a dump is as large as the machine.
    with tempfile.TemporaryDirectory(prefix="secrets-", dir=os.path.join(ROOT, "build")) as top:
        image = os.path.join(top, "disk.img")
        with open(image, "wb") as f:
            f.truncate(100 << 20)
        check(image, os.path.join(top, "dump"))


def hv_line():
    return f"iommu=off root_secret={ROOT_SECRET.hex()}"


def check_nothing_seen(image, dump):
    with Machine(smp=2, mem=1024, hv=hv_line(), disks=[image], name="secrets") as m:
        m.wait_ready()
        guest, predicted = run_guest(m, "default")
        assert guest.identity == predicted, "the identity computed here is not the guest's"
        now = attack.info(m)
        m.run("sync")
        gcm_salts = attach_salts(gcm_slots(m))
        m.dump_memory(dump)
        secrets, kept = all_secrets(guest.identity, attach_salts(image_slots(image)), gcm_salts)
        with nested.Memory(dump, m.low_memory) as memory:
            check_memory(memory, now, secrets, kept)
    found, looked = scan.in_file(secrets, image)
    assert looked == 100 << 20
    assert not found, f"in the disk's image: {scan.show(found)}"


def check_memory(memory, now, secrets, kept):
    roots = nested.vmcb_roots(memory, now["hv_base_pfn"], now["hv_pages"])
    assert list(roots.values()) == [now["cpus"]], f"nested tables of the host's processors: {roots}"
    seen = nested.reachable(memory, *roots)
    hv = range(now["hv_base_pfn"], now["hv_base_pfn"] + now["hv_pages"])
    assert not any(seen[frame] for frame in hv), "the host's nested table shows the hypervisor"
    found, looked = scan.in_frames(secrets, memory, (f for f in memory.all_frames() if seen[f]))
    assert looked >= now["census.host"] - now["census.displaced"], (looked, now)
    assert not found, f"in what the host can read: {scan.show(found)}"
    # The same search finds all of it where it belongs, or it would prove nothing.
    found, looked = scan.in_frames(secrets, memory, (f for f in memory.all_frames() if not seen[f] and f not in hv))
    assert looked >= now["census.guests"] - now["census.displaced"], (looked, now)
    missing = [name for name in kept if name not in found]
    assert not missing, f"not found in the guest's own memory: {missing}; found: {scan.show(found)}"
    assert not any(name.startswith("root secret") for name in found), f"in the guest's memory: {scan.show(found)}"
    found, _ = scan.in_frames(secrets, memory, hv)
    assert "root secret, first half" in found, scan.show(found)


def test_nothing_seen():
    """no marker, key or expanded key of a guest is in memory that the host can read, its daemon's included, or in the image; the
    same search finds them in the guest's own frames"""
    in_directory(check_nothing_seen)


def check_seen_without_sealing(image, _):
    with Machine(smp=2, mem=1024, hv=hv_line(), disks=[image], variant="noseal", name="noseal") as m:
        m.wait_ready()
        guest, _ = run_guest(m, "noseal")
        m.run("sync")
        secrets, _ = all_secrets(guest.identity, [], [])
        m.qmp.command("stop")
    found, _ = scan.in_file(secrets, image)
    missing = [name for name in MARKERS if name not in found]
    assert not missing, f"without sealing these are not in the image: {missing}"


def test_seen_without_sealing():
    """control: with sealing taken out of the build, the same search finds every marker in the image"""
    in_directory(check_seen_without_sealing)
