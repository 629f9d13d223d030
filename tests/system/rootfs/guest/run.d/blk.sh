# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh
# tessera_blk on a stand-in for bus and backend (guest_fake), on a bare kernel: what it does when its backend lies, breaks the
# rules, goes away and comes back. Prints "pass: ..." and "fail: ..."; test_guest_blk.py reads that. Ids are those of the spec.
. /run.d/blk_words.sh
check "tessera_blk loads" guest_insmod "$EXTRA/tessera_blk.ko"

# BLK-25: nothing is formatted by itself
state_is backend-away
echo 1 >$P/backend
state_is blank
refused "a blank disk is no block device" test -e /dev/tsr0
refused "format takes no other word" sh -c "echo please >$D/format"
check "a blank disk is formatted when told to" sh -c "echo yes >$D/format"
state_is attached
refused "an attached disk is not formatted" sh -c "echo force >$D/format"
check "progress is at its end" test "$(cat $D/format_progress)" = "16384 16384"
check "blocks are 4096 bytes" test "$(cat /sys/block/tsr0/queue/logical_block_size)" = 4096 # BLK-1

# ordinary use
mkdir -p /m
check "a file system is made" mkfs.ext4 -q /dev/tsr0
check "and mounted" mount -t ext4 /dev/tsr0 /m
cp -r "$EXTRA/.." /m/tree && sync
(cd "$EXTRA/.." && find . -type f -exec sha256sum {} +) >/tmp/sums
umount /m
echo 3 >/proc/sys/vm/drop_caches
mount -t ext4 /dev/tsr0 /m
check "files are whole" sh -c "cd /m/tree && sha256sum -c /tmp/sums"
umount /m
check "every doorbell and block is counted" sh -c "[ $(count doorbells) -gt 0 ] && [ $(count blocks) -gt 0 ] && [ $(count sealed_bytes) -gt 0 ]"

# BLK-1, BLK-29: one request of 1 MiB, with a table; also past pages that others have
dd if=/dev/urandom of=/tmp/large bs=1M count=4 2>/dev/null
check "a request may have 1 MiB" test "$(cat /sys/block/tsr0/queue/max_sectors_kb)" -ge 1024
before=$(count writes)
check "1 MiB is written" dd if=/tmp/large of=/dev/tsr0 bs=1M seek=20 count=1 oflag=direct
check "by one request" test "$(count writes)" = $((before + 1))
check "and read" sh -c "dd if=/dev/tsr0 bs=1M skip=20 count=1 iflag=direct 2>/dev/null | cmp -n 1048576 - /tmp/large"
check "with a table for each" test "$(cat $P/indirect)" -ge 2
for n in 0 1 2 3; do
	dd if=/tmp/large of=/dev/tsr0 bs=1M skip=$n seek=$((30 + n)) count=1 oflag=direct 2>/dev/null &
	dd if=/tmp/large of=/dev/tsr0 bs=20k skip=$n seek=$((1000 + n)) count=1 oflag=direct 2>/dev/null &
done
wait
check "large and small ones at once" sh -c "dd if=/dev/tsr0 bs=1M skip=30 count=4 iflag=direct 2>/dev/null | cmp -n 4194304 - /tmp/large"
check "keep to their places" sh -c "dd if=/dev/tsr0 bs=20k skip=1000 count=4 iflag=direct 2>/dev/null | cmp -n 81920 - /tmp/large"

# SEAL-5: discard and write-zeroes are seals over nothing
before=$(count sealed_bytes)
check "1 MiB is discarded" blkdiscard -o 20971520 -l 1048576 /dev/tsr0
check "without sealing a text" test "$(count sealed_bytes)" = "$before"
check "and is zeros" sh -c "dd if=/dev/tsr0 bs=1M skip=20 count=1 iflag=direct 2>/dev/null | cmp -n 1048576 - /dev/zero"
check "its neighbour is not" sh -c "dd if=/dev/tsr0 bs=1M skip=30 count=1 iflag=direct 2>/dev/null | cmp -n 1048576 - /tmp/large"
check "random operations, zeroes and discards among them, do what they should" sh -c "guest_fsx -s 5 -n 400 -l 2097152 /dev/tsr0 >/tmp/fsx"
check "and made them" grep -q 'zero=[1-9].*discard=[1-9][0-9]* ' /tmp/fsx
misbehave 12
refused "a discarded block without its seal is refused" rd 5120
misbehave 10
check "a block is written over zeros" wr 5120
check "and discarded" blkdiscard -o 20971520 -l 4096 /dev/tsr0
misbehave 11
refused "older zeros put back over newer ones are refused" rd 5120
wr 5120
mkfs.ext4 -q -F /dev/tsr0

# BLK-22, BLK-24, SEAL-9: bad pairs are refused, each counted once, and only they
wr 4000
for m in 7:flipped-data 8:flipped-seal 12:forgotten 13:data-said-to-be-zero; do
	before=$(count integrity_errors)
	misbehave ${m%%:*}
	refused "a block with ${m#*:} is refused" rd 4000
	check "and is EILSEQ" grep -q 'Illegal byte\|multibyte' /tmp/refused
	check "and counted once" test "$(count integrity_errors)" = $((before + 1))
	check "its neighbour is read" rd 4001
	check "and it again, when it is right again" rd_same 4000
done
wr 500 8k
before=$(count integrity_errors)
misbehave 9
refused "two exchanged blocks are refused" rd 500 8k
check "and counted both" test "$(count integrity_errors)" = $((before + 2))
misbehave 10
wr 4000
misbehave 11
before=$(count integrity_errors)
refused "an older pair put back is refused" rd 4000
renew
refused "in the next session too (BLK-23)" rd 4000
check "and counted both times" test "$(count integrity_errors)" = $((before + 2))
wr 4000
check "until it is written again" rd_same 4000

# BLK-20: a failed write
misbehave 6
refused "a write that the medium fails is an error" wr 4000
refused "and its block unreadable" rd 4000
wr 4000
check "until it is written again" rd_same 4000
misbehave 16
refused "a write that finds no space is an error" wr 4000
check "and the old block stands" rd_same 4000

# RING-11, RING-14, RING-15, BLK-8, BLK-14, BLK-15: whatever breaks the rules ends the session, and nothing else
for m in 1:bogus-id 2:unsent-id 3:two-completions 4:impossible-tail 5:unknown-status 15:failed; do
	before=$(count sessions)
	misbehave ${m%%:*}
	check "a request outlives ${m#*:}" rd_same 4000
	# shellcheck disable=SC2016 # for the inner shell
	check "a new session follows" until_is yes sh -c '[ $(cat '$D'/counters/sessions) -gt '"$before"' ] && echo yes'
	renew
	check "and serves" rd_same 4000
done

# BLK-3, BLK-10, BLK-11: away with requests in flight
before=$(count resubmitted)
misbehave 18
wr 4100 & writer=$!
dd if=/dev/tsr0 of=/tmp/waited bs=4k skip=4000 count=1 iflag=direct 2>/dev/null & reader=$!
check "requests are in flight" until_is 2 cat $D/counters/in_flight
echo 0 >$P/backend
state_is backend-away
check "and wait, not in flight, while the backend is away" test "$(count in_flight)" = 0
misbehave 0
echo 1 >$P/backend
check "the write goes through in the next session" wait $writer
check "and the read" wait $reader
check "with the right data" cmp -n 4096 /tmp/waited /tmp/random
check "both were sent again" test "$(count resubmitted)" = $((before + 2))

# RING-15, BLK-10: a request that was taken and is never answered
misbehave 22
dd if=/dev/tsr0 of=/tmp/waited bs=4k skip=4000 count=1 iflag=direct 2>/dev/null & reader=$!
check "a request without an answer waits" until_is 1 cat $D/counters/in_flight
check "others do not wait for it" rd 4001
renew
check "it is answered in the next session" wait $reader
check "rightly" cmp -n 4096 /tmp/waited /tmp/random

# events without any reason
before=$(count sessions)
misbehave 23 & storm=$!
check "a storm of events changes nothing" rd_same 4000
wait $storm
check "nor does what it leaves" rd_same 4000
check "and no session ends by it" test "$(count sessions)" = "$before"

# copies_over_sessions NAME COUNT: files are written to NAME1 to NAMECOUNT while the backend goes and comes; then mounted anew
copies_over_sessions() {
	rm -f /tmp/copied
	(
		for n in $(seq "$2"); do
			cp -r "$EXTRA/.." "$1$n"
			sync
		done
		echo >/tmp/copied
	) &
	while [ ! -e /tmp/copied ]; do
		echo 0 >$P/backend
		sleep 0.1
		echo 1 >$P/backend
		sleep 0.2
	done
	wait
	umount /m
	echo 3 >/proc/sys/vm/drop_caches
	mount -t ext4 /dev/tsr0 /m
}

mount -t ext4 /dev/tsr0 /m
copies_over_sessions /m/copy 3
for n in 1 2 3; do
	check "copy $n made over many sessions is whole" sh -c "cd /m/copy$n && sha256sum -c /tmp/sums"
done
umount /m
check "and so is the file system" e2fsck -fn /dev/tsr0

# BLK-21: many requests for the same blocks, from both CPUs; RING-6: an entry counted before it is written would show here
before=$(count integrity_errors)
rm -f /tmp/hammered
for n in 1 2 3 4; do
	(
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
			wr 8000 && rd 8000 && wr 8001 && wr 1000 32k && rd 1000 32k || exit
		done >/dev/null
		echo "$i" >>/tmp/hammered
	) &
done
wait
check "requests for the same blocks all end" test "$(grep -c 25 /tmp/hammered)" = 4
check "and none of them looks stale" test "$(count integrity_errors)" = "$before"
check "nothing is left in flight" test "$(count in_flight)" = 0

# RING-12, SEAL-8: data and seals that change while they are looked at: refused or right, never wrong
wr 4000
misbehave 20
good=0 stale=0 wrong=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
	if ! rd 4000 >/dev/null; then
		stale=$((stale + 1))
	elif cmp -s -n 4096 /tmp/read /tmp/random; then
		good=$((good + 1))
	else
		wrong=$((wrong + 1))
	fi
done
misbehave 0
check "changing data is never taken for right ($good right, $stale refused)" test $wrong = 0
check "and does no lasting harm" rd_same 4000

# BLK-31: more capacity in a later session, with a file system mounted; BLK-30, BLK-32: no less
mkfs.ext4 -q -F /dev/tsr0 16000
mount -t ext4 /dev/tsr0 /m
cp -r "$EXTRA/.." /m/tree && sync
echo 17000 >$P/blocks
misbehave 18
(cp -r "$EXTRA/.." /m/again && sync && echo >/tmp/over) & writer=$!
misbehave 0
renew
check "a disk that was enlarged is larger" until_is 136000 cat /sys/block/tsr0/size
wait $writer
check "what was written meanwhile is there" test -e /tmp/over
check "its new blocks are zeros" sh -c "dd if=/dev/tsr0 bs=4k skip=16384 count=616 iflag=direct 2>/dev/null | cmp -n 2523136 - /dev/zero"
wr 16999
check "and can be written" rd_same 16999
before=$(count sessions)
echo 16500 >$P/blocks
echo 0 >$P/backend
state_is backend-away
echo 1 >$P/backend
state_is refused
echo 17000 >$P/blocks
renew
check "a disk that came back smaller was refused, and serves when it is right" rd_same 16999
umount /m
check "and its file system is whole" e2fsck -fn /dev/tsr0
check "the driver unloads" rmmod tessera_blk
check "and loads with the larger disk" guest_insmod "$EXTRA/tessera_blk.ko"
state_is attached
check "which has its size" until_is 136000 cat /sys/block/tsr0/size
check "and holds what it held" rd_same 16999

# BLK-33: whether there is a cache to flush, in each session anew
check "a disk has a volatile cache" test "$(cat /sys/block/tsr0/queue/write_cache)" = "write back"
echo 1 >$P/through
renew
check "but where the backend writes through" test "$(cat /sys/block/tsr0/queue/write_cache)" = "write through"
before=$(count flushes)
wr 4000 && sync /dev/tsr0
check "nothing is flushed there" test "$(count flushes)" = "$before"
echo 0 >$P/through
renew
wr 4000 && sync /dev/tsr0
check "but is without" test "$(count flushes)" -gt "$before"

# BLK-34, BLK-35: read-only, by either side. A write that came through would be a complaint of the stand-in.
echo 1 >$P/read_only
echo 0 >$P/backend
state_is backend-away
echo 1 >$P/backend
state_is refused
echo 0 >$P/read_only
renew
check "a disk that came back read-only was refused, and serves when it is not" rd_same 4000
for by in guest host; do
	rmmod tessera_blk
	[ $by = guest ] || echo 1 >$P/read_only
	check "the driver loads for a disk that the $by has read-only" guest_insmod "$EXTRA/tessera_blk.ko" \
		"$([ $by = host ] || echo "read_only=other,$LABEL")"
	state_is attached
	check "it is" until_is 1 cat /sys/block/tsr0/ro
	check "and is read" rd_same 4000
	refused "not written" wr 4000
	check "with EPERM" grep -q 'not permitted' /tmp/refused
	refused "nor discarded" blkdiscard -o 16384000 -l 4096 /dev/tsr0
	refused "nor formatted" sh -c "echo force >$D/format"
done
rmmod tessera_blk
echo 0 >$P/read_only
guest_insmod "$EXTRA/tessera_blk.ko"
state_is attached
until_is 0 cat /sys/block/tsr0/ro
wr 4000
check "and is written by whoever may" rd_same 4000

# A disk that is taken away with requests under way, and given back
guest_cut write /dev/tsr0 2 0 >/tmp/cut & writer=$!
check "a disk is being written" until_is yes sh -c '[ -e /tmp/flushed.2 ] && echo yes'
check "when it is taken away" sh -c "echo tessera0 >/sys/bus/tessera/drivers/tessera_blk/unbind"
wait $writer
check "its writer gets an error" grep -q 'guest_cut: .*ing: ' /tmp/cut
refused "it is gone" test -e /sys/block/tsr0
check "and comes back" sh -c "echo tessera0 >/sys/bus/tessera/drivers/tessera_blk/bind"
state_is attached
check "with its block device" until_is yes sh -c "(true </dev/tsr0) 2>/dev/null && echo yes"
wr 4000
check "that serves" rd_same 4000

# BLK-9: a revoke that has not succeeded
misbehave 21
renew
check "pages are used again only after their revoke has succeeded" rd_same 4000

# BLK-40, BLK-41, BLK-42: the other ways of moving pages, on the same disk
set_mode() {
	before=$(count sessions)
	echo "$1" >$D/mode
	# shellcheck disable=SC2016 # for the inner shell
	check "a session follows in mode $1" until_is yes sh -c '[ $(cat '$D'/counters/sessions) -gt '"$before"' ] && echo yes'
	state_is attached
}
refused "there is no other mode" sh -c "echo loose >$D/mode"
for way in strict copy; do
	wr 4000
	set_mode $way
	check "in mode $way a block is what it was" rd_same 4000
	check "a large one is written" dd if=/tmp/large of=/dev/tsr0 bs=1M seek=40 count=1 oflag=direct
	check "and read back" sh -c "dd if=/dev/tsr0 bs=1M skip=40 count=1 iflag=direct 2>/dev/null | cmp -n 1048576 - /tmp/large"
	mkfs.ext4 -q -F /dev/tsr0
	mount -t ext4 /dev/tsr0 /m
	# BLK-9, BLK-10: tokens of requests in flight are revoked when the backend goes
	copies_over_sessions /m/in-$way 2
	check "files written in mode $way over many sessions are whole" sh -c "cd /m/in-${way}2 && sha256sum -c /tmp/sums"
	rm -rf /m/in-$way*
	umount /m
	check "and so is the file system" e2fsck -fn /dev/tsr0
	wr 4000
	for m in 7:flipped-data 9:exchanged-blocks; do
		wr 4000 8k
		misbehave ${m%%:*}
		refused "a block with ${m#*:} is refused" rd 4000 8k
	done
	for m in 2:unsent-id 3:two-completions; do
		misbehave ${m%%:*}
		check "a request outlives ${m#*:}" rd_same 4000
		renew
	done
	misbehave 21
	check "and a revoke that comes late" rd_same 4000
	renew
	check "and reads what it had" rd_same 4000
done
check "in strict mode every request had a token of its own" test "$(count granted)" -gt 50

# TOK-18, BLK-43: a limit makes requests wait, and fails none
set_mode strict
echo 2 >/sys/module/guest_fake/parameters/limit
for n in 1 2 3 4; do
	dd if=/tmp/random of=/dev/tsr0 bs=4k count=64 seek=$((n * 100)) oflag=direct 2>/tmp/limited$n &
done
wait
check "requests go on two tokens at a time" sh -c "dd if=/dev/tsr0 bs=4k skip=200 count=64 iflag=direct 2>/dev/null | cmp -n 262144 - /tmp/random"
echo 0 >/sys/module/guest_fake/parameters/limit
(rd_same 4000 && echo read >/tmp/waited_for_limit) >/dev/null & waiter=$!
check "without any token they wait" until_is yes sh -c "[ \$(cat $D/counters/limit_waits) -gt 3 ] && echo yes"
refused "unanswered" test -e /tmp/waited_for_limit
echo 64 >/sys/module/guest_fake/parameters/limit
wait $waiter
check "and go through when there are some again" test -e /tmp/waited_for_limit
set_mode pooled

# attaching anew
wr 4000
check "the driver unloads" rmmod tessera_blk
check "and loads again" guest_insmod "$EXTRA/tessera_blk.ko"
state_is attached
check "/dev/tsr0 is there again" until_is yes sh -c "(true </dev/tsr0) 2>/dev/null && echo yes"
check "and holds what it held, under a later epoch" rd_same 4000

# BLK-12: another state of the disk behind the same device: an older table of salts, or none, as of an empty disk
for m in 14:older 24:empty; do
	rm -f /tmp/answered
	echo 0 >$P/backend
	state_is backend-away
	misbehave ${m%%:*}
	echo 1 >$P/backend
	state_is refused
	(rd_same 4000 && echo read >/tmp/answered) >/dev/null & waiter=$!
	sleep 0.5
	refused "no request is answered from an ${m#*:} disk" test -e /tmp/answered
	refused "nor is it formatted by yes" sh -c "echo yes >$D/format"
	echo 0 >$P/backend
	state_is backend-away
	misbehave 19
	echo 1 >$P/backend
	state_is attached
	wait $waiter
	check "it is when the right one is back" test -e /tmp/answered
done

# STORE-1, SEAL-7: an empty image behind the right headers, in this attach and as the next one finds it
misbehave 27
refused "a block that was written is not taken for one that never was" rd 4000
again
refused "nor in a later attach" rd 4000
check "that is EILSEQ, too" grep -q 'Illegal byte\|multibyte' /tmp/refused
refused "nor a block that nobody has read" rd 6000
before=$(count integrity_errors)
refused "nor many of them" rd 20 1M
check "and each is counted" test "$(count integrity_errors)" = $((before + 256))

# invalid headers
check "the driver unloads again" rmmod tessera_blk
misbehave 17
check "and loads" guest_insmod "$EXTRA/tessera_blk.ko"
state_is header-invalid
refused "a disk with invalid headers is not formatted by yes" sh -c "echo yes >$D/format"
check "but by force" sh -c "echo force >$D/format"
check "and is empty" sh -c "dd if=/dev/tsr0 bs=4k skip=4000 count=1 2>/dev/null | cmp -n 4096 - /dev/zero"

# going for good
echo 0 >$P/backend
state_is backend-away
check "the driver unloads while the backend is away" rmmod tessera_blk
# BLK-4, BLK-6, BLK-7, RING-4, RING-7, RING-8, RING-9: the stand-in looks for them in all of the above
check "the driver has broken no rule" test "$(cat $P/complaints)" = 0
# The kernel was told to put red zones and poison around all allocations: slub_debug=FZPU. Or it has KASAN.
if dmesg | grep -E 'WARNING: (CPU|possible)|BUG[: ]|Oops:|hung_task|blocked for more'; then
	fail "the kernel complains"
else
	pass "the kernel has not complained"
fi
misbehave 25
check "control: it does when somebody writes behind an allocation" sh -c "dmesg | grep -q 'BUG kmalloc-.*Redzone overwritten\|BUG: KASAN: slab-out-of-bounds'"
check "and the stand-in unloads, no page of whose was left granted" rmmod guest_fake
echo "end of checks"
