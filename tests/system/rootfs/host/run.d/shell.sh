#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# What `make shell` shows: a prompt on the host, and a guest with a sealed disk to play with.
modprobe tessera_host
mkdir -p /run/demo
echo "host: starting the guest 'demo' with a sealed disk of 64 MiB ..."
tessera image create /run/demo/disk.img --size 64M &&
	tessera guest run --name demo --memory 256M --kernel /guest/vmlinuz --initrd /guest/initrd.img --disk files \
		--console-input --cmdline "console=ttyS0 panic=-1 loglevel=4 tsr.run=shell" &&
	tessera disk attach demo files /run/demo/disk.img --log /run/demo/tesserad.log
cat <<'TEXT'

You are root on the host, a stock Debian kernel inside Tessera's container. Some things to try:
  tessera console demo --input    a shell in the guest (Ctrl-] leaves); its disk is /dev/tsr0, on /mnt
  tessera info                    the hypervisor, its memory by owner, its counters
  tessera guest show demo         the guest; tessera token list shows what it lets this host use
  tessera image check /run/demo/disk.img          (after tessera disk detach demo files)
  strings -n 12 /run/demo/disk.img | head         what this host can read of the guest's files
  modprobe host_attack            then try to read the guest's memory: tests/system/attack.py says how
  exit                            switch the machine off
TEXT
PS1='host# ' setsid cttyhack sh
