# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC1091,SC2034	# variables are /init's, and disks brd.sh's
# The host in Tessera's container: one guest, whose sealed disk is /dev/ram0. The guest's console is shown on the host's. Before it come
# guests that are idle, with a disk each, or with tokens alone (fill=N).
disks=8
. /run.d/brd.sh
modprobe tessera_host
load point 0
option=''
[ "$suite" = plain ] || option="--suite $suite"
# shellcheck disable=SC2086
guest() { # NAME SCRIPT MEMORY INSTANCE
	# An instance of its own: of guests with one identity one has the disk.
	tessera guest run --name "$1" --memory "$3" --instance "$4" --kernel /guest/vmlinuz --initrd /guest/guest.img --disk data $option \
		--cmdline "console=ttyS0 nokaslr panic=-1 loglevel=4 cryptomgr.notests bench=$2 $words"
}
number() { tessera guest show "$1" --json | sed 's/.*"guest": *\([0-9]*\).*/\1/'; }
disk() { # NAME NUMBER
	tessera image create "/dev/ram$2" --size 64M
	time -v tesserad --guest "$(number "$1")" --device 0 --image "/dev/ram$2" --log /run/tesserad.log --foreground 2>"/run/time.$1" &
}
n=1
while [ $n -lt "$guests" ]; do
	guest "i$n" tessera-idle-guest 128M "$(printf %02x "$n")"
	[ "$fill" != 0 ] || disk "i$n" $n
	until tessera console "i$n" | grep -q 'bench: idle'; do usleep 200000; done
	n=$((n + 1))
done
if [ "$loads" = tokens ]; then
	echo 2 >/proc/sys/vm/nr_hugepages
	guest g tessera-tokens-guest 256M 00
	tokens "$(number g)" &
else
	guest g tessera-guest 256M 00
	disk g 0
fi
tessera console g --follow
cat /run/tesserad.log
tessera info --json >/run/info
cat /run/info
for what in hypervisor tables windows; do
	echo "bench: memory $what $(($(sed "s/.*\"$what\": *\([0-9]*\).*/\1/" /run/info) * 4))"
done
if [ -e /run/time.g ]; then
	until grep -q Maximum /run/time.g; do usleep 100000; done
	sed -n 's/.*Maximum resident set size (kbytes): /bench: memory daemon /p' /run/time.g
fi
