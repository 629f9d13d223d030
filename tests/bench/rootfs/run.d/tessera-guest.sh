# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC2086	# variables are /init's
# The load in a guest of Tessera's; the kernel's command line may say which mode of moving pages (mode=strict).
modprobe tessera_blk ${mode:+mode=$mode}
D=/sys/bus/tessera/devices/tessera0
until grep -qE 'blank|attached' $D/state; do usleep 100000; done
[ "$(cat $D/state)" = attached ] || echo yes >$D/format
until grep -q attached $D/state; do usleep 100000; done
load point 1
load /dev/tsr0 "$mib" $loads
grep . $D/mode $D/counters/* | sed "s,$D/,bench: ,"
