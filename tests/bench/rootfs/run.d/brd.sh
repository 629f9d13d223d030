# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154	# $disks is who reads this
# /dev/ram0, with all of its memory allocated, as a disk's is: else whoever writes a place first pays for its page.
modprobe brd rd_nr="${disks:-1}" rd_size=131072
dd if=/dev/zero of=/dev/ram0 bs=1M count=128 oflag=direct 2>/dev/null || echo "bench: error: /dev/ram0 could not be filled"
