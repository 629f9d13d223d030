#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Make a disk image that starts from BIOS and from UEFI: GRUB, the hypervisor, and as its host a whole Debian with systemd, in which
# the package made by scripts/mkdeb.sh was installed by dpkg. Takes root rights, since a system's files are root's, and about 3 GB.
#
#	scripts/mkimage.sh [--plain] PACKAGE.deb IMAGE [SUITE]
#
# SUITE is this machine's release, or another one, such as trixie. With --plain the system starts without the hypervisor until it is told otherwise, as on
# a machine where the package has just been installed. The user root has no password. Without a network, sources that were fetched by an earlier run are of no help.
#
# shellcheck disable=SC2016	# $1 in a hook is mmdebstrap's
set -eu

usage() { sed -n 's/^#\t//p' "$0" >&2; exit 2; }
default=tessera
[ "${1:-}" != --plain ] || { default=debian; shift; }
[ $# -ge 2 ] || usage
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "image: a system's files belong to root; run this as root, for example: sudo make image" >&2; exit 1; }
deb=$(realpath --relative-to=. "$1")
out=$(realpath "$2")
own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
suite=${3:-$own}
uuid=54535252-0000-4000-8000-000000000001
top=$out.d
log=$out.log

cleanup() { rm -rf "$top"; }
trap cleanup EXIT
rm -rf "$top"
mkdir -p "$top"
# Another release is where this one is.
sed -n "/^deb .* $own\(-updates\|-security\)\{0,1\} /s/ $own/ $suite/p" build/deps/apt/sources.list >"$top/sources.list"
[ -s "$top/sources.list" ] || { echo "image: build/deps/apt/sources.list has no entry for $own" >&2; exit 1; }

echo "image: installing Debian $suite (a few minutes; $log tells how it goes)"
mmdebstrap --variant=minbase --mode=root --format=directory \
	--include=systemd-sysv,udev,dbus,kmod,iproute2,e2fsprogs,procps,login,passwd,sudo,less,nano \
	--include=linux-image-amd64,linux-headers-amd64,dkms,grub2-common \
	--customize-hook="scripts/deb/fill-root \"\$1\" '$deb' $uuid $default" "$suite" "$top/root" "$top/sources.list" >"$log" 2>&1 || {
	tail -n 15 "$log" >&2
	echo "image: mmdebstrap failed, see $log" >&2
	exit 1
}
mke2fs -q -t ext4 -L tessera -U "$uuid" -d "$top/root" "$top/root.ext4" "$(($(du -sm "$top/root" | cut -f 1) * 5 / 4 + 700))M"
rm -rf "$top/root"
cat >"$top/grub.cfg" <<-EOF
	search --no-floppy --fs-uuid --set=root $uuid
	set prefix=(\$root)/boot/grub
	configfile (\$root)/boot/grub/grub.cfg
EOF
scripts/mkdisk.py --out "$out" --config "$top/grub.cfg" --root "$top/root.ext4"
echo "image: $out"
