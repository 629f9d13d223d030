#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Runs the revoke race against the host's racer (tests/system/modules/revoke_main.c); options on the kernel command line.
modprobe guest_revoke
# As a kernel message, since the power-off that follows does not wait for what the terminal still has to send.
echo "<1>revoke: $(cat /sys/module/guest_revoke/parameters/result)" >/dev/kmsg
