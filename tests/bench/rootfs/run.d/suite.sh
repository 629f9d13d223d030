# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154,SC2034	# variables are /init's; $disk is who reads this
# What lies on $disk: nothing (suite=plain), dm-crypt with XTS, or dm-crypt with an AEAD, whose tags dm-integrity keeps without a journal, as
# `cryptsetup luksFormat --integrity-no-journal` would have it. Sectors of 4 KiB, which is best for it. $disk is then what lies on top.
zeros=0000000000000000000000000000000000000000000000000000000000000000
key=$(echo $zeros | tr 0 b)
sectors=$(cat "/sys/class/block/${disk##*/}/size")

dm() { # NAME TABLE; $disk becomes that device
	dmsetup create --noudevsync --noudevrules "$1" --table "$2" || echo "bench: error: dmsetup: $1 failed"
	disk=/dev/dm-$(dmsetup info -c --noheadings -o minor "$1")
}
integrity() { # TAG: a size in bytes
	lower=$disk
	modprobe dm-integrity
	dd if=/dev/zero of="$disk" bs=4k count=1 oflag=direct 2>/dev/null
	# Formatted by being opened once; its superblock then says how much is left.
	dm format "0 8 integrity $disk 0 $1 D 1 block_size:4096"
	dmsetup remove --noudevsync --noudevrules format
	disk=$lower
	sectors=$(dd if="$disk" bs=4k count=1 iflag=direct 2>/dev/null | od -A n -t u8 -j 16 -N 8 | tr -d ' ')
	dm tags "0 $sectors integrity $disk 0 $1 D 1 block_size:4096"
}
# Without its queues, which is what people use on fast disks, and costs less.
fast="no_read_workqueue no_write_workqueue"
[ "$tune" != queues ] || fast=
# shellcheck disable=SC2086
options() { echo "$(($# + $(echo $fast | wc -w))) $* $fast"; }
case $suite in
plain) ;;
xts)
	modprobe dm-crypt
	dm crypt "0 $sectors crypt aes-xts-plain64 $key$key 0 $disk 0 $(options sector_size:4096)"
	;;
gcm)
	modprobe dm-crypt
	integrity 28
	dm crypt "0 $sectors crypt capi:gcm(aes)-random $key 0 $disk 0 $(options integrity:28:aead sector_size:4096)"
	;;
aegis)
	modprobe dm-crypt
	modprobe aegis128_aesni
	integrity 32
	dm crypt "0 $sectors crypt capi:aegis128-random $(echo "$key" | cut -c 1-32) 0 $disk 0 $(options integrity:32:aead sector_size:4096)"
	;;
*) echo "bench: error: there is no suite $suite" ;;
esac
