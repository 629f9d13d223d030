# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC2086,SC1091	# variables are /init's
# The load on the machine itself.
. /run.d/brd.sh
disk=/dev/ram0
. /run.d/suite.sh
load point 0
load "$disk" "$mib" $loads
