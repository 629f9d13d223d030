# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC2086,SC1091	# variables are /init's
# The load in a guest of Xen's, PV or PVH.
front=''
[ "$tune" != ungranted ] || front=feature_persistent=0
[ "$tune" != rings ] || front=max_ring_page_order=4
modprobe xen-blkfront $front
until [ -b /dev/xvda ]; do usleep 100000; done
disk=/dev/xvda
load point 1
. /run.d/suite.sh
load "$disk" "$mib" $loads
