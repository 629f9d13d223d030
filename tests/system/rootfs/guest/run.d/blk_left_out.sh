# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh
# Negative controls of blk.sh, for a driver whose checks can be left out one at a time (variant "unchecked"; the numbers are those of guest-drivers/blk.h):
# each attack is made with the check that stops it and without, where it succeeds. The word tsr.crash=CHECK on the kernel's command line says at which of
# those the machine is to end that do not leave the kernel whole.
. /run.d/blk_words.sh
W=/sys/module/tessera_blk/parameters/left_out
NONE=0 TAIL=1 ENTRY=2 SENT=3 AUTHENTIC=4 SAME=5 FRESH=6 WRITTEN=7
without() { echo "$1" >$W; }
illegal() { check "with EILSEQ" grep -q 'Illegal byte\|multibyte' /tmp/refused; }
zeros() { rd "$1" && cmp -n 4096 /tmp/read /dev/zero; }
check "tessera_blk loads" guest_insmod "$EXTRA/tessera_blk.ko"
check "it is one whose checks can be left out" test -e $W
echo 1 >$P/backend
state_is blank
echo yes >$D/format
state_is attached
wr 4000

# RING-14: what a completion says
misbehave 5
check "a read outlives an unknown status" rd_same 4000
renew
without $ENTRY
misbehave 5
refused "control: without the check it fails by it" rd 4000
without $NONE

# SEAL-10, BLK-22: an older pair
dd if=/tmp/random of=/tmp/newer bs=4k skip=8 count=1 2>/dev/null
misbehave 10
dd if=/tmp/newer of=/dev/tsr0 bs=4k seek=4000 oflag=direct 2>/dev/null
misbehave 11
refused "a replayed block is refused" rd 4000
illegal
without $FRESH
check "control: without the check it is read for what was last written" rd_same 4000
without $NONE
wr 4000

# BLK-12: a header whose table of salts is an older one
renew_to() { # STATE MISBEHAVIOUR
	echo 0 >$P/backend
	until_is backend-away state
	misbehave "$2"
	echo 1 >$P/backend
	state_is "$1"
}
again
renew_to refused 14
renew_to attached 19
wr 4001
again
check "what was written is there after an older header was refused" rd_same 4001
without $SAME
renew_to attached 14
check "control: without the check one writes to such a disk" wr 4001
check "and flushes it" sync /dev/tsr0
again
refused "and the next attach can read nothing of it" rd 4001
illegal
misbehave 19
again

# DISK-1, DISK-2: a header that the host has made
wr 4000
rmmod tessera_blk
misbehave 17
guest_insmod "$EXTRA/tessera_blk.ko"
state_is header-invalid
rmmod tessera_blk
guest_insmod "$EXTRA/tessera_blk.ko" left_out=$AUTHENTIC
check "control: without the check it is the disk's" until_is attached state
rmmod tessera_blk
misbehave 17
guest_insmod "$EXTRA/tessera_blk.ko"
until_is attached state

# SEAL-7: an empty image behind the right headers
again
misbehave 27
refused "a block that is said to be never written is refused" rd 4000
illegal
without $WRITTEN
check "control: without the check it is zeros" zeros 4000
without $NONE

# RING-11, RING-15: what a kernel does not outlive
# shellcheck disable=SC2013 # the command line is words
for w in $(cat /proc/cmdline); do
	[ "${w%%=*}" != tsr.crash ] || crash=${w#*=}
done
wr 4000
check "nothing has happened to the kernel yet" sh -c "! dmesg | grep -q 'Oops:'"
hold_64() { # as many reads as a ring holds, each of a block of its own
	misbehave 18
	for n in $(seq 0 63); do
		dd if=/dev/tsr0 of=/tmp/held.$n bs=4k skip=$((4000 + n)) count=1 iflag=direct 2>/dev/null &
	done
	check "64 requests are in flight" until_is 64 cat $D/counters/in_flight
	misbehave 26
}
held() { for n in $(seq 0 63); do cat /tmp/held.$n; done | cmp - /tmp/random; }
case $crash in
sent)
	misbehave 2
	check "a read outlives a completion of no request" rd_same 4000
	renew
	without $SENT
	misbehave 2
	;;
tail)
	dd if=/tmp/random of=/dev/tsr0 bs=4k seek=4000 oflag=direct 2>/dev/null
	hold_64
	wait
	check "64 reads outlive more completions than the ring holds" held
	renew
	without $TAIL
	hold_64
	;;
esac
rd 4000 >/dev/null &
check "control: without the check it crashes the kernel" until_is yes sh -c "dmesg | grep -q 'Oops:' && echo yes"
echo "end of checks"
