# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC1091	# variables are /init's
# KVM's host; one guest, whose disk is /dev/ram0. Its memory is huge pages. tune=poll leaves KVM's polling of halted CPUs on. Without XSAVE,
# since with it signal frames of the guest break on QEMU 7.2: KVM and the emulated processor do not agree.
. /run.d/brd.sh
modprobe kvm_amd
[ "$tune" = poll ] || echo 0 >/sys/module/kvm/parameters/halt_poll_ns
echo 136 >/proc/sys/vm/nr_hugepages
mount -t hugetlbfs hugetlbfs /dev/hugepages
load point 0
time -v qemu-system-x86_64 -L /share -M q35 -accel kvm -cpu host,-xsave -smp 1 -m 256 -mem-path /dev/hugepages -mem-prealloc -nodefaults -no-user-config \
	-display none -no-reboot -serial stdio -kernel /guest/vmlinuz -initrd /none.img \
	-append "console=ttyS0 nokaslr panic=-1 loglevel=4 cryptomgr.notests bench=kvm-guest $words" \
	-object iothread,id=io -drive if=none,id=disk,file=/dev/ram0,format=raw,aio=io_uring,cache=none \
	-device virtio-blk-pci,drive=disk,iothread=io </dev/null 2>/run/time
grep -v '^	' /run/time
sed -n 's/.*Maximum resident set size (kbytes): /bench: memory daemon /p' /run/time
