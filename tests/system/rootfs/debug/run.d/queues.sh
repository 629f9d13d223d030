#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# A disk with a queue for each of many processors, on a stand-in for bus and back-end (guest_fake): formatted, written, enlarged, taken away.
# Says "pass: ..." and "fail: ...", as blk.sh.
D=/sys/bus/tessera/devices/tessera0
P=/sys/module/guest_fake/parameters
EXTRA=/lib/modules/$(uname -r)/extra
check()
{
	text=$1
	shift
	if "$@" >/tmp/check 2>&1; then echo "pass: $text"; else echo "fail: $text: $(tail -n 1 /tmp/check)"; fi
}
until_is() { until [ "$(cat "$1")" = "$2" ]; do usleep 20000; done; }

kcheck begin
check "the stand-in loads" insmod "$EXTRA/guest_fake.ko"
check "tessera_blk loads" insmod "$EXTRA/tessera_blk.ko"
echo 1 >$P/backend
until_is $D/state blank
check "the disk is formatted" sh -c "echo yes >$D/format"
check "and has a queue for each of $(nproc) processors" test "$(find /sys/block/tsr0/mq -mindepth 1 -maxdepth 1 | wc -l)" = "$(nproc)"
dd if=/dev/urandom of=/tmp/random bs=64k count=16 2>/dev/null
for cpu in $(seq 0 $(($(nproc) - 1))); do
	taskset $((1 << cpu)) dd if=/tmp/random of=/dev/tsr0 bs=64k seek=$((16 * cpu)) oflag=direct 2>/dev/null &
done
wait
echo 0 >$P/backend
until_is $D/state backend-away
echo 17000 >$P/blocks
echo 1 >$P/backend
until_is $D/state attached
until_is /sys/block/tsr0/size 136000
for cpu in $(seq 0 $(($(nproc) - 1))); do
	check "it was enlarged, and what processor $cpu wrote is there" sh -c "dd if=/dev/tsr0 bs=64k skip=$((16 * cpu)) count=16 iflag=direct | cmp - /tmp/random"
done
lost=$(kcheck leaks)
check "nothing is lost: $lost" test -z "$lost"
echo 0 >$P/backend
until_is $D/state backend-away
check "the driver unloads" rmmod tessera_blk
check "and the stand-in" rmmod guest_fake
said=$(kcheck said)
check "the kernel has found nothing: $said" test -z "$said"
echo "end of checks"
