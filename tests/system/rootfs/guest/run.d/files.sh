#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# The main job, from the guest's side: on an empty disk, make a file system and put the tree of files there; on a disk that has
# one, check every file against the checksums that came with this image, which were made on the build machine.
# The same image does both, because the disk's key belongs to it: another image would get another key.
D=/sys/bus/tessera/devices/tessera0
say() { echo "guest: $*"; }
stop() { say "FAILED: $*"; dmesg | tail -n 15; exit 1; }

read -r files bytes </payload/tree.facts
modprobe tessera_blk || stop "the module tessera_blk does not load"
say "waiting for the disk's backend in the host"
until grep -q 'blank\|attached' $D/state; do
	! grep -q 'invalid\|refused' $D/state || stop "the disk does not open with this guest's key: another image made it, or it was altered"
	usleep 100000
done
if [ "$(cat $D/state)" = blank ]; then
	say "the disk is empty: formatting it with seals under a key that only this image gets"
	echo yes >$D/format || stop "formatting: $(cat $D/state)"
	mkfs.ext4 -q -E lazy_itable_init=1,lazy_journal_init=1 /dev/tsr0 || stop "mkfs.ext4"
	mount -t ext4 /dev/tsr0 /mnt || stop "mount"
	say "writing $files files, $((bytes >> 20)) MiB: Debian's kernel headers and file system modules"
	tar -xzf /payload/tree.tar.gz -C /mnt || stop "unpacking"
	guest_key fill diary 65536 >/mnt/diary || stop "writing the diary"
	umount /mnt || stop "unmounting"
	say "written: $files files and a diary; unmounted, so all of it is on the disk"
	mount -t ext4 -o ro /dev/tsr0 /mnt || stop "mount"
else
	say "the disk opens with this guest's key; mounting it"
	mount -t ext4 -o ro /dev/tsr0 /mnt || stop "mount"
	say "comparing $files files with the checksums made on the build machine"
	# Eight at a time: most of it is waiting for the disk.
	for part in 0 1 2 3 4 5 6 7; do
		(cd /mnt && awk -v "part=$part" 'NR % 8 == part' /payload/tree.sha256 | sha256sum -c 2>&1) >/tmp/part.$part.result &
	done
	wait
	cat /tmp/part.*.result >/tmp/result
	good=$(grep -c ': OK$' /tmp/result)
	found=$(find /mnt/headers /mnt/modules -type f | wc -l)
	say "verified: $good of $files files have the right checksum, $found files are there"
	if [ "$good" != "$files" ] || [ "$found" != "$files" ]; then
		stop "$(grep -v ': OK$' /tmp/result | head -n 3)"
	fi
fi
for c in reads writes integrity_errors; do
	[ ! -e $D/counters/$c ] || say "counter $c: $(cat $D/counters/$c)"
done
cat /mnt/diary >/tmp/diary
say "files: done"
# The host may end this guest whenever it likes.
while :; do sleep 1000; done
