# SPDX-License-Identifier: BSD-2-Clause-Patent
"""What happens to a host while its guests live: processors go and come back, the daemon is replaced, the module is removed and loaded
again. A guest works on its disk all the time, and verifies what it reads."""

import json

import attack
from guest import shared
from test_life import census, settled

MACHINE = dict(smp=2, mem=2048, media=True)
ROUNDS = 2
FIO = ("fio --name=life --filename=/dev/tsr0 --direct=1 --rw=randwrite --bs=16k --size=64M --ioengine=libaio --iodepth=32 --time_based "
       "--runtime=600 --verify=crc32c --verify_fatal=1 --verify_backlog=512 --output=/tmp/life.log")
CPU1 = "/sys/devices/system/cpu/cpu1/online"
# What a processor or a kernel says that something is amiss. The last: interrupts of before its INIT were still pending in its APIC.
TROUBLE = "BUG:|WARNING: CPU|Oops|stuck|stall|No irq handler|Stale IRR"


class Load:
    """fio in the guest until the end of the block, in which nothing may fail."""

    def __init__(self, m):
        self.m, self.guest = m, shared(m)

    def __enter__(self):
        self.m.run("dmesg -c >/dev/null")
        self.start = self.guest.counters()
        self.last = self.served()
        self.guest.run(f"rm -f /tmp/life.rc /tmp/life.pid; ({FIO} & echo $! >/tmp/life.pid; wait; echo ended >/tmp/life.rc) >/dev/null 2>&1 &")
        self.goes_on()
        return self

    def served(self):
        done = self.guest.counters()
        return done["reads"] + done["writes"]

    def goes_on(self, requests=100):
        """Waits until so many more requests were served."""
        goal = self.last + requests
        self.guest.run("cd /sys/bus/tessera/devices/tessera0/counters; until [ -e /tmp/life.rc ] || "
                       f"[ $(($(cat reads) + $(cat writes))) -ge {goal} ]; do usleep 20000; done; ! cat /tmp/life.rc 2>/dev/null", 240)
        self.last = self.served()

    def __exit__(self, kind, *_):
        if kind:
            return
        # On SIGINT it completes what it has begun, verifies, and says how it went.
        self.guest.run("kill -INT $(cat /tmp/life.pid); until [ -e /tmp/life.rc ]; do usleep 20000; done", 240)
        said = self.guest.run("cat /tmp/life.log")
        assert " err= 0" in said, said
        assert self.guest.counters()["integrity_errors"] == self.start["integrity_errors"]
        trouble = self.m.run(f"dmesg | grep -E '{TROUBLE}' || true")
        assert not trouble, trouble


def threads(m, guest):
    """The threads in which a guest's virtual CPUs run."""
    number = guest.show()["guest"]
    return m.run(f"grep -l '^tsr{number}/' /proc/[0-9]*/comm | cut -d/ -f3").split()


def test_processors_go_and_come(m):
    """a processor is taken offline and brought back while a guest works: its virtual CPU bound to it or not, windows mapped, pages changing hands (GUARD-1, GUARD-15, SHOOT-1)"""
    attack.load(m)
    guest = shared(m)
    before = None
    with Load(m) as load:
        for n in range(ROUNDS):
            # Bound to the processor that goes, then to none: Linux moves what is bound to one that went.
            for thread in threads(m, guest):
                m.run(f"taskset -p {(2, 3)[n % 2]} {thread}")
            load.goes_on()
            now = census(m)
            before = before or now
            assert now == before, (now, before)
            assert now["displaced"] > 0
            was = attack.info(m)["shootdowns"]
            # Pages are given and taken back meanwhile: each waits until all processors have let go, those that are off as well.
            m.run(f"(for i in 1 2; do tessera guest run --name s$i --memory 4M --raw /guests/hello.bin && tessera guest destroy s$i; done >/dev/null; echo $? "
                  f">/run/life.rc) & echo 0 >{CPU1} && tessera guest run --name off --memory 4M --raw /guests/hello.bin >/dev/null && tessera guest destroy off "
                  f">/dev/null && [ $(nproc) = 1 ]; r=$?; echo 1 >{CPU1} && wait && [ $(nproc) = 2 ] && exit $r", 240)
            assert m.run("cat /run/life.rc").strip() == "0"
            assert attack.info(m)["shootdowns"] >= was + 6
            load.goes_on()
        assert settled(m, before) == before


def test_daemon_is_replaced(m):
    """a new tesserad takes the place of the old one under load: what the old one has begun it finishes, then the new one's session begins; all is verified"""
    guest = shared(m)
    log = "/run/tesserad.shared.log"
    with Load(m) as load:
        m.run(f": >{log}")
        for _ in range(2):
            old = guest.show()["devices"][0]["backend"]
            # As a package manager does it: the running one keeps its file, which has no name any more.
            m.run("cp /bin/tesserad /bin/tesserad.new && mv /bin/tesserad.new /bin/tesserad")
            assert m.run(f"readlink /proc/{old}/exe").strip() == "/bin/tesserad (deleted)"
            load.goes_on()
            guest.detach()
            guest.attach()
            new = guest.show()["devices"][0]["backend"]
            assert new != old and m.run(f"readlink /proc/{new}/exe").strip() == "/bin/tesserad"
            assert m.sh(f"[ -e /proc/{old} ]")[0]
            load.goes_on()
    said = m.run(f"cat {log}")
    assert said.count("finishing the requests in flight") == 2, said


def guests(m):
    return {g["name"]: g for g in json.loads(m.run("tessera guest list --json"))}


def test_module_is_reloaded(m):
    """the module is removed while guests are paused; the next one takes them over: what they were doing goes on, and their memory comes back when they are destroyed (HOST-24, HOST-25)"""
    attack.load(m)
    guest = shared(m)
    # Others that earlier checks have left on this machine.
    for name in set(guests(m)) - {"shared"}:
        m.run(f"tessera guest destroy {name}")
    m.ops_guest = None
    m.run("until [ $(pidof tesserad | wc -w) = 1 ]; do usleep 20000; done")
    empty = census(m)
    m.run("tessera guest run --name spare --memory 16M --raw /guests/spin.bin")
    with Load(m) as load:
        was = guests(m)
        assert set(was) == {"shared", "spare"}, was
        for name in was:
            m.run(f"tessera guest pause {name}")
        paused = guests(m)
        assert all(g["state"] == "paused" for g in paused.values()), paused
        assert m.sh("rmmod tessera_host 2>&1")[0], "removed under a disk's back-end"
        guest.detach()
        noted = 4096 * (attack.lowest_hidden(m)[0] - 1)
        m.run("gsh close shared; rmmod tessera_host && [ ! -e /dev/tessera ]")
        # What a module of another version has noted.
        version = attack.order(m, "read", noted, 1).value
        attack.order(m, "write", noted, 1, version + 1)
        assert m.sh("modprobe tessera_host")[0] and "left by a module of another version" in m.run("dmesg")
        attack.order(m, "write", noted, 1, version)
        # If a page of theirs were free, it would be used now, and that faults.
        m.run("mount -t tmpfs -o size=100% fill /mnt && dd if=/dev/zero of=/mnt/fill bs=1M count=$(($(sed -n 's/^MemAvailable: *//p' /proc/meminfo | "
              "cut -d' ' -f1) / 1024 - 100)) && umount /mnt", 240)
        m.run("modprobe tessera_host")
        now = guests(m)
        for name in was:
            for what in ("guest", "identity", "mem_pages", "ram_pages", "table_pages", "vcpus"):
                assert now[name][what] == was[name][what], (name, what, now[name])
            assert now[name]["state"] == "paused" and now[name]["exits"] == paused[name]["exits"], now[name]
        guest.attach()
        m.run("tessera guest resume shared && gsh again shared && tessera guest resume spare")
        load.goes_on()
        assert guests(m)["spare"]["exits"] > paused["spare"]["exits"]
        # Once more, and one is destroyed by a module that has not made it.
        m.run("tessera guest pause spare && tessera guest destroy spare")
        now = settled(m, empty)
        assert now == empty, (now, empty)


def test_starved_thread(m):
    """a virtual CPU whose thread does not get to run is named in the log and its guest shown as stalled; when it runs again, that too (HOST-28)"""
    m.run("modprobe tessera_host && dmesg -c >/dev/null && echo 2 >/sys/module/tessera_host/parameters/stall_seconds")
    m.run("tessera guest run --name starved --memory 4M --raw /guests/spin.bin")
    number = guests(m)["starved"]["guest"]
    thread = m.run(f"grep -l '^tsr{number}/0$' /proc/[0-9]*/comm | cut -d/ -f3").strip()
    # Something of higher priority on the only processor where the thread may run.
    m.run(f"taskset -p 2 {thread} && echo -1 >/proc/sys/kernel/sched_rt_runtime_us && (taskset 2 chrt -f 50 sh -c 'while :; do :; done' >/dev/null 2>&1 & echo $! "
          ">/run/hog)")
    m.run("timeout 200 sh -c 'until dmesg | grep -q \"guest starved: its virtual CPU 0 has not run\"; do usleep 100000; done'")
    assert guests(m)["starved"]["state"] == "stalled"
    m.run("kill -9 $(cat /run/hog); timeout 200 sh -c 'until dmesg | grep -q \"guest starved: its virtual CPU 0 runs again\"; do usleep 100000; done'")
    assert guests(m)["starved"]["state"] == "running"
    m.run("tessera guest destroy starved; echo 950000 >/proc/sys/kernel/sched_rt_runtime_us; echo 20 >/sys/module/tessera_host/parameters/stall_seconds")
