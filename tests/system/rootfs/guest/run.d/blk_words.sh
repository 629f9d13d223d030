# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2034 # some are for who reads this
# What blk.sh and blk_left_out.sh have in common: tessera_blk on guest_fake, which can be told to misbehave (tests/system/modules/fake.h).
D=/sys/bus/tessera/devices/tessera0
P=/sys/module/guest_fake/parameters
LABEL=fake
EXTRA=/lib/modules/$(uname -r)/extra

pass() { echo "pass: $*"; }
fail() { echo "fail: $*"; }
check() { # TEXT COMMAND...
	text=$1
	shift
	if "$@" >/tmp/check 2>&1; then pass "$text"; else fail "$text: $(tail -n 1 /tmp/check)"; fi
}
refused() { # TEXT COMMAND...
	text=$1
	shift
	if "$@" >/tmp/refused 2>&1; then fail "$text: it went through"; else pass "$text"; fi
}
count() { cat "$D/counters/$1"; }
# Waits until a command's output is TEXT, for 20 seconds.
until_is() {
	want=$1 tries=0
	shift
	while [ "$("$@")" != "$want" ]; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.1
	done
}
state() { cat $D/state; }
state_is() { check "state becomes $1" until_is "$1" state; }
# 4 KiB blocks, or pieces of another size; past the page cache
rd() { dd if=/dev/tsr0 of=/tmp/read bs="${2:-4k}" skip="$1" count=1 iflag=direct 2>&1; }
wr() { dd if=/tmp/random of=/dev/tsr0 bs="${2:-4k}" seek="$1" count=1 oflag=direct 2>&1; }
rd_same() { rd "$1" && cmp -n 4096 /tmp/read /tmp/random; }
misbehave() { echo "$1" >$P/misbehave; }
# The backend goes and comes: also makes the front-end try again at once.
renew() {
	echo 0 >$P/backend
	until_is backend-away state
	echo 1 >$P/backend
	until_is attached state
}
# The driver goes and comes: another attach.
again() {
	rmmod tessera_blk
	guest_insmod "$EXTRA/tessera_blk.ko"
	until_is attached state
	until_is yes sh -c "dd if=/dev/tsr0 of=/dev/null count=0 2>/dev/null && echo yes"
}

for m in gcm ctr ghash_generic aesni_intel ext4; do
	modprobe $m
done
dd if=/dev/urandom of=/tmp/random bs=4k count=64 2>/dev/null
check "the stand-in loads" insmod "$EXTRA/guest_fake.ko"
