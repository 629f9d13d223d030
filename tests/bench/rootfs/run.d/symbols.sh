# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh
# The kernel's symbols, onto a disk.
modprobe virtio_pci
modprobe virtio_blk
cat /proc/kallsyms >/dev/vda
sync
