# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC2086,SC1091	# variables are /init's
# The load in a guest of Xen's, PV or PVH.
modprobe xen-blkfront
until [ -b /dev/xvda ]; do usleep 100000; done
disk=/dev/xvda
load point 1
. /run.d/suite.sh
load "$disk" "$mib" $loads
