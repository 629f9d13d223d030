# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154	# variables are /init's
# A guest that does nothing: with its disk attached, or with tokens that it has issued.
if [ "$fill" = 0 ]; then
	modprobe tessera_blk
	D=/sys/bus/tessera/devices/tessera0
	until grep -qE 'blank|attached' $D/state; do usleep 100000; done
	echo yes >$D/format
	until grep -q attached $D/state; do usleep 100000; done
else
	modprobe guest_tokens live="$fill" rounds=0
	cat /sys/module/guest_tokens/parameters/result
fi
echo "bench: idle"
while :; do sleep 1000; done
