#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Runs the commands that the tests type on this guest's console (gsh on the host), one a line. Only guests made with
# --console-input can be told anything here.
modprobe ext4
modprobe tessera_blk
stty raw -echo
printf '@@ready\n'
while IFS= read -r line; do
	[ "$line" != "@@exit" ] || break
	sh -c "$line" </dev/null 2>&1
	printf '@@rc=%d\n' $?
done
