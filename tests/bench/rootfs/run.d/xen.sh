# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC2086,SC1091	# variables are /init's
# Xen's first domain; one guest (type=pv or pvh), whose disk is /dev/ram0. `xl create -F` waits for its end without polling.
# The time stamp counter is native, as it is on any processor whose counter is invariant; QEMU's is not said to be.
. /run.d/brd.sh
for m in xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs; do modprobe $m; done
back=''
[ "$tune" != ungranted ] || back=feature_persistent=0
[ "$tune" != rings ] || back=max_ring_page_order=4
modprobe xen-blkback $back
mkdir -p /proc/xen /var/run /var/lib/xen /var/log/xen/console /run/xen /run/xenstored /var/lib/xenstored /var/lock
ln -sfn /run/xen /var/run/xen
mount -t xenfs xenfs /proc/xen
: >/etc/xen/xl.conf
xenstored
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen/console
cat >/guest.cfg <<END
name = "g"
type = "$type"
kernel = "/guest/vmlinuz"
ramdisk = "/none.img"
memory = 256
vcpus = 1
extra = "console=hvc0 nokaslr panic=-1 loglevel=4 cryptomgr.notests bench=xen-guest $words"
disk = [ "phy:/dev/ram0,xvda,w" ]
tsc_mode = "native"
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
END
# Of Xen itself: what neither is free nor belongs to the first domain.
xl info >/run/info
mib() { sed -n "s/^$1 *: *//p" /run/info; }
echo "bench: memory hypervisor $((($(mib total_memory) - $(mib free_memory) - 1024) * 1024))"
load point 0
xl create -F /guest.cfg
cat /var/log/xen/console/guest-g.log
