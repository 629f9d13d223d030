# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154	# variables are /init's
# The host in Tessera's container: one guest, whose sealed disk is /dev/ram0. The guest's console is shown on the host's.
modprobe brd rd_nr=1 rd_size=131072
modprobe tessera_host
load point 0
tessera image create /dev/ram0 --size 64M
tessera guest run --name g --memory 256M --kernel /guest/vmlinuz --initrd /guest/guest.img --disk data \
	--cmdline "console=ttyS0 nokaslr panic=-1 loglevel=4 cryptomgr.notests bench=tessera-guest $words"
tessera disk attach g data /dev/ram0 --log /run/tesserad.log
tessera console g --follow
cat /run/tesserad.log
tessera info --json
