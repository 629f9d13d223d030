#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# A guest to play with: its sealed disk on /mnt, and a shell on its console. Whoever has the host has this shell too, because
# the guest was made with --console-input; that is measured, and gives it other keys than a guest without.
D=/sys/bus/tessera/devices/tessera0
modprobe tessera_blk
until grep -q 'blank\|attached' $D/state; do usleep 100000; done
if [ "$(cat $D/state)" = blank ]; then
	echo yes >$D/format && mkfs.ext4 -q /dev/tsr0
fi
mount -t ext4 /dev/tsr0 /mnt
echo "guest: a sealed disk is on /mnt"
cd /mnt || exit
while :; do
	PS1='guest# ' setsid cttyhack sh
done
