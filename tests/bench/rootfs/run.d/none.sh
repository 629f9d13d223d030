# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC2086	# variables are /init's
# The load on the machine itself.
modprobe brd rd_nr=1 rd_size=131072
load point 0
load /dev/ram0 "$mib" $loads
