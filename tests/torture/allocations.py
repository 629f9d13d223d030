# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Each allocation of our modules fails once, on a kernel that can be told which (make debug-kernel). Two ways: a program's call is made again and again,
and its first allocation fails, then its second, until none is left; and each place in a module that allocates is told to fail, for those in the modules'
own threads.

	make torture T=allocations
"""

import attack
import kcheck
from guest import Guest
from kcheck import MANY, Amiss, fail_at
from test_life import census, settled
from torture import segment

EXTRA = "/lib/modules/$(uname -r)/extra"
DRIVER = "/sys/bus/tessera/drivers/tessera_blk"
SIZE = 16  # MiB of a guest's disk
SMALL = 1024  # MiB: looking for leaks goes through all memory
NONE = ("list", "doorbell", "map", "mmap")  # calls that need no memory, or only what the kernel has at hand


def forgetful(run):
    """A module of ours that forgets something only when an allocation fails."""
    with kcheck.host(run, mem=SMALL) as m:
        m.wait_ready(kcheck.LIMIT)
        kcheck.begin(m)
        order = "sh -c 'echo forget >/sys/module/faulty/parameters/order'"
        hits = [site for site in kcheck.sites(run, "test", "faulty") if "forgets" in site.name and fail_at(m, site, 1, f"{order}; :")]
        text = m.run("kcheck leaks", kcheck.LIMIT)
        assert len(hits) == 2 and text.count("forgets+0x") == 1, (len(hits), text)
    return "what is forgotten when the second of two allocations fails is found"


def calls(where, run, words):
    """host_nth's lines: what of, how many failed, how many times that made the operation fail."""
    text = where.run(f"host_nth {words}", 3000)
    for line in text.splitlines():
        if "failed, " in line:
            what, failed, refused = line.split(":")[0], int(line.split()[-4]), int(line.split()[-2])
            run.say(f"{words}: {line}")
            run.count("allocations of calls failed", failed)
            run.count("calls refused for it", refused)
            if not failed and what not in NONE:
                raise Amiss(f"{what}: nothing to fail was found")


def places(where, run, sites, operation):
    """Each that the operation comes by, once and as often as it is tried."""
    for site in sites:
        if fail_at(where, site, 1, operation):
            run.count("places failed", 1)
            run.say(site.name)
            fail_at(where, site, MANY, operation)
            yield site


# ------------------------------------------------------------------ parts

def host_calls(run):
    with kcheck.host(run, mem=SMALL) as m:
        m.wait_ready(kcheck.LIMIT)
        kcheck.begin(m)
        calls(m, run, f"insmod {EXTRA}/tessera_host.ko")
        attack.load(m)
        before = census(m)
        # The module takes over a guest that the one before has left: not at all, or as it was.
        m.run("tessera guest run --name left --memory 4M --vcpus 2 --raw /guests/spin.bin && tessera guest pause left && rmmod host_attack tessera_host")
        calls(m, run, f"insmod {EXTRA}/tessera_host.ko")
        attack.load(m)
        m.run("tessera guest resume left && tessera guest show left | grep -q running && tessera guest destroy left", kcheck.LIMIT)
        assert settled(m, before) == before
        calls(m, run, "host")
        assert settled(m, before) == before
        kcheck.clean(m)


def host_places(run):
    with kcheck.host(run) as m:
        m.wait_ready(kcheck.LIMIT)
        kcheck.begin(m)
        attack.load(m)
        before, sites = census(m), kcheck.sites(run, "host", "tessera_host")
        found = list(places(m, run, sites, "cycle tiny"))
        assert settled(m, before) == before
        with Guest(m, disk="/tmp/served.img", size="16M") as guest:
            guest.ready_disk()
            rest = [site for site in sites if site not in found]
            found += places(m, run, rest, "cycle served")
            assert guest.counters()["integrity_errors"] == 0
        assert settled(m, before) == before
        kcheck.clean(m)
        run.say("not come by: " + "; ".join(site.name for site in sites if site not in found))


def ready(m, suite="aegis-128l", **options):
    """A guest with that kernel, whose disk is formatted and has no driver. Another disk keeps its own, and waits for a back-end: Linux 6.1 does not look
    whether the table of interrupts had memory for one more (irq_insert_desc), and stops; with one of that disk's in it the table needs none."""
    guest = kcheck.guest(m, disk="/tmp/data.img", size=f"{SIZE}M", **options)
    guest.options += ["--suite", suite, "--disk", "still"]
    guest.start()
    kcheck.begin(guest)
    guest.ready_disk()
    guest.run(f"echo tessera0 >{DRIVER}/unbind")
    return guest


def guest_calls(run):
    with kcheck.stock(run) as m:
        m.wait_ready(kcheck.LIMIT)
        guest = ready(m)
        calls(guest, run, "guest")
        guest.detach()
        calls(guest, run, f"write {DRIVER}/bind tessera0 {DRIVER}/unbind tessera0")
        guest.run("rmmod tessera_blk; rmmod tessera")
        calls(guest, run, f"insmod {EXTRA}/tessera.ko")
        # The driver alone: its disks are bound above.
        guest.run(f"insmod {EXTRA}/tessera.ko && echo 0 >/sys/bus/tessera/drivers_autoprobe")
        calls(guest, run, f"insmod {EXTRA}/tessera_blk.ko")
        guest.run("echo 1 >/sys/bus/tessera/drivers_autoprobe")
        guest.attach()
        guest.run(f"modprobe tessera_blk; echo tessera0 >{DRIVER}/unbind; cycle disk must", kcheck.LIMIT)
        kcheck.clean(guest)


def grows(m, guest, run, sites):
    """Those in a disk's growing. It fails at one session, which has what the disk had before, and is done at the next."""
    size = SIZE
    if not sites:
        raise Amiss("no place that allocates was found in blk_grow")
    for site in sites:
        for times in (1, MANY):
            size += 8
            m.run(f"tessera disk resize {guest.name} data --size {size}M")
            if not fail_at(guest, site, times, "cycle disk"):
                raise Amiss(f"{site.name}: nothing to fail was found")
            guest.run(f"echo tessera0 >{DRIVER}/bind; until [ $(cat /sys/block/tsr0/size) = {size << 11} ]; do usleep 20000; done; "
                      f"cmp -n 262144 /tmp/known /dev/tsr0 && echo tessera0 >{DRIVER}/unbind", kcheck.LIMIT)
        run.count("places failed", 1)
        run.say(site.name)
    return sites


def guest_places(run):
    with kcheck.stock(run) as m:
        m.wait_ready(kcheck.LIMIT)
        guest = ready(m, vcpus=2)
        sites = kcheck.sites(run, "guest", "tessera_blk") + kcheck.sites(run, "guest", "tessera")
        found = list(places(guest, run, sites, "cycle disk"))
        found += places(guest, run, [site for site in sites if site not in found], "cycle cpu")
        found += grows(m, guest, run, [site for site in sites if "blk_grow" in site.name])
        kcheck.clean(guest)
        guest.destroy()
        m.run("rm /tmp/data.img")
        # What only a disk of the other suite comes by.
        guest = ready(m, suite="aes-256-gcm")
        found += places(guest, run, [site for site in sites if "crypto_" in site.callee or "aead" in site.name], "cycle disk")
        kcheck.clean(guest)
        run.say("not come by: " + "; ".join(site.name for site in sites if site not in found))


PARTS = (host_calls, host_places, guest_calls, guest_places)


@segment("allocations", "HOST-5 BLK-11 MEM-3", tries=len(PARTS), control=forgetful)
def allocations(run):
    """each allocation of tessera, tessera_blk and tessera_host fails once: an error or none, nothing lost, and the same works afterwards"""
    PARTS[run.done](run)
    return 1
