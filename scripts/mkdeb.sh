#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Pack the hypervisor, what `make install` installs, and the Linux modules' sources for DKMS, into build/VARIANT/tessera_VERSION_amd64.deb. Takes no
# root rights. What the package does on a machine is in scripts/deb/.
#
#	make deb	calls it: scripts/mkdeb.sh VARIANT MODULE-DEFINES
set -eu

cd "$(dirname "$0")/.."
variant=$1
defs=$2
B=build/$variant
version=$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)
tree=$B/deb
src=$tree/usr/src/tessera-$version
out=$B/tessera_${version}_amd64.deb

# fill SOURCE: with the version and the modules' defines in their places.
fill() { sed -e "s/@VERSION@/$version/g" -e "s/@DEFS@/$defs/g" "scripts/deb/$1"; }

rm -rf "$tree"
umask 022
mkdir -p "$tree/DEBIAN" "$src/guest" "$src/host" "$tree/usr/share/doc/tessera" "$tree/etc/default"
install -D -m 644 "$B/hv/tessera.elf32" "$tree/boot/tessera"
make --no-print-directory VARIANT="$variant" DESTDIR="$tree" install >/dev/null
install -D -m 755 scripts/deb/grub "$tree/etc/grub.d/11_tessera"
install -m 644 scripts/deb/default "$tree/etc/default/tessera"
cp LICENSES/* README.md CHANGELOG.md "$tree/usr/share/doc/tessera/"
find spec -name '*.md' -exec install -D -m 644 {} "$tree/usr/share/doc/tessera/{}" \;

# kbuild's view of the modules, as scripts/stage-module.sh makes it, but copied.
for kind in guest host; do
	dir=guest-drivers
	[ "$kind" = guest ] || dir=host-backend/module
	cp "$dir"/*.[ch] "$dir/Kbuild" "$src/$kind/"
	install -D -m 644 -t "$src/$kind/proto" proto/*.[ch]
done
cp -r include "$src/include"
printf '%s\n' '# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause-Patent' 'obj-m += host/ guest/' >"$src/Kbuild"
fill dkms.conf >"$src/dkms.conf"

for f in postinst prerm postrm; do
	fill "$f" >"$tree/DEBIAN/$f"
	chmod 755 "$tree/DEBIAN/$f"
done
printf '/etc/default/tessera\n/etc/grub.d/11_tessera\n' >"$tree/DEBIAN/conffiles"
fill control >"$tree/DEBIAN/control"
dpkg-deb --root-owner-group -Zxz -b "$tree" "$out" >/dev/null
echo "$out"
