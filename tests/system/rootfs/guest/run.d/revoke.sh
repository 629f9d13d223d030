#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Runs the revoke race against the host's racer (tests/system/modules/revoke_main.c); options on the kernel command line.
modprobe guest_revoke
echo "revoke: $(cat /sys/module/guest_revoke/parameters/result)"
