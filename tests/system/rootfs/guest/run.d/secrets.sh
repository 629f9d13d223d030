#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# A guest with secrets: files on its sealed disk, whose contents are markers, and keys in its memory. All of them come from its
# sealing key, so that a test which knows the root secret can say which bytes nobody else may see. Says so and stays.
set -e
modprobe ext4
modprobe tessera_blk
device=/sys/bus/tessera/devices/tessera0
until grep -q 'blank\|attached' $device/state; do usleep 100000; done
[ "$(cat $device/state)" = attached ] || echo yes >$device/format
mkfs.ext4 -q /dev/tsr0
mount /dev/tsr0 /mnt
for n in 1 2 3 4; do
	guest_key fill "marker-$n" 262144 >/mnt/marker-$n
done
sync
# Through the disk and back.
echo 3 >/proc/sys/vm/drop_caches
cat /mnt/marker-* | md5sum
guest_key hold app-1 app-2 app-3 &
# The second disk is sealed with the other suite.
second=/sys/bus/tessera/devices/tessera1
until grep -q 'blank\|attached' $second/state; do usleep 100000; done
[ "$(cat $second/state)" = attached ] || echo yes >$second/format
# What an encrypting program would hold: the kernel's own expanded key stands for it, in use by each write.
dd if=/mnt/marker-1 of=/mnt/copy bs=64k 2>/dev/null
sync
# In each way of moving pages: whatever the host got to see of it is still lying about there.
for way in strict copy pooled; do
	sessions=$(cat $device/counters/sessions)
	echo $way >$device/mode
	until [ "$(cat $device/counters/sessions)" -gt "$sessions" ] && grep -q attached $device/state; do usleep 50000; done
	dd if=/mnt/marker-3 of=/mnt/$way bs=64k conv=fsync 2>/dev/null
	echo 3 >/proc/sys/vm/drop_caches
	cmp /mnt/marker-3 /mnt/$way
done
cat /mnt/marker-* | md5sum # all of them are in memory again
dd if=/mnt/marker-4 of=/dev/tsr1 bs=64k conv=fsync 2>/dev/null
echo "secrets: ready"
while :; do
	dd if=/mnt/marker-2 of=/mnt/copy bs=64k conv=fsync 2>/dev/null
	dd if=/mnt/marker-2 of=/dev/tsr1 bs=64k conv=fsync 2>/dev/null
	sleep 1
done
