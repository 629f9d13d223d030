#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Get everything the build needs: Debian packages for this machine (the only step that takes root), and Debian's stock
# kernel, its headers and libsodium's source, which are unpacked under build/deps and installed nowhere.
#
# shellcheck disable=SC2016,SC2046,SC2086	# apt's and make's $(...) stay as they are, and package lists are split on purpose
#
# The second part uses an apt state of its own in build/deps/apt, made from the Debian entries of this machine's sources,
# so that neither /etc/apt nor the machine's package lists are touched. Runs with nothing but apt and a POSIX shell.
#
#	scripts/deps.sh [all|packages|fetch|peers|debug]
#
# peers: what the bench compares with and the machine does not have, Xen, into build/deps/peers; only `make bench` asks for it.
# debug: the stock kernel's source and what configures it, into build/deps/debug; only `make debug-kernel` asks for it.
set -eu

cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin
DEPS=$PWD/build/deps
APT=$DEPS/apt
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'deps: %s\n' "$*"; }
die()
{
	printf 'deps: error: %s\n' "$1" >&2
	shift
	for line; do printf 'deps:        %s\n' "$line" >&2; done
	exit 1
}

wanted() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' mk/packages.txt; }

# A line may name alternatives, as A|B, for releases that call it differently.
missing()
{
	for line in $(wanted); do
		for p in $(echo "$line" | tr '|' ' '); do
			[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" != installed ] || continue 2
		done
		echo "$line"
	done
}

# The first of each line's alternatives that this release has.
offered()
{
	for line; do
		for p in $(echo "$line" | tr '|' ' '); do
			! apt-cache show "$p" 2>/dev/null | grep -q '^Version:' || break
		done
		echo "$p"
	done
}

packages()
{
	need=$(missing)
	[ -n "$need" ] || return 0
	sudo=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || die "these Debian packages are missing, and installing them takes root:" \
			"$(echo "$need" | tr '\n' ' ')" "Run 'scripts/deps.sh packages' once as root, then 'make deps' again."
		sudo=sudo
	fi
	say "installing $(echo "$need" | wc -l) Debian packages: $(echo "$need" | tr '\n' ' ')"
	log=$PWD/build/logs/deps-packages.log
	mkdir -p build/logs
	: >"$log"
	# A machine's package lists may be empty or old, so they are refreshed before the only try.
	{ $sudo apt-get -q update && $sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get -q install -y --no-install-recommends $(offered $need); } >>"$log" 2>&1 </dev/null &
	wait_for_job $! "$log" || {
		tail -n 15 "$log" >&2
		die "apt-get could not install the packages (its last lines are above, all of them in $log)." \
			"Check the network and /etc/apt's sources, then run 'make deps' again."
	}
	need=$(missing)
	[ -z "$need" ] || die "apt-get ended well, but these are still not installed: $need"
}

# Show a line every ten seconds while job $1 runs, so that a long download does not look like a hang.
wait_for_job()
{
	t=0
	while kill -0 "$1" 2>/dev/null; do
		sleep 1
		t=$((t + 1))
		[ $((t % 10)) != 0 ] || say "  ${t}s: $(tail -n 1 "$2" | cut -c1-100)"
	done
	wait "$1"
}

apt_private()
{
	tool=$1
	shift
	"$tool" -q -o Dir::State="$APT/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$APT/cache" \
		-o Dir::Etc::sourcelist="$APT/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root \
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
		-o Debug::NoLocking=true "$@"
}

# This machine's own Debian entries, as deb and deb-src lines. apt itself parses its sources, whichever of its two formats
# they are in; other vendors' entries are left out by their Origin.
private_sources()
{
	# The private state needs a keyring of Debian's own, or apt falls back to the machine's trusted keys.
	opt=
	[ ! -e "$KEYRING" ] || opt="[signed-by=$KEYRING] "
	list=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Identifier: Packages' 'Origin: Debian' 'Component: main' | sort -u -k 2)
	[ -n "$list" ] || die "apt has no package lists of Debian's on this machine." \
		"Run 'apt-get update' as root, see that /etc/apt has Debian's main component, then 'make deps' again."
	echo "$list" | while read -r uri release component; do
		echo "deb $opt$uri $release $component"
		echo "deb-src $opt$uri $release $component"
		# Debian 13's kernel, built for Debian 12.
		[ "$release" != bookworm ] || echo "deb $opt$uri bookworm-backports $component"
	done
}

# Headers of the newest kernel that this release offers besides its own, if it does: the modules are to build against both.
next_packages()
{
	next=$(apt_private apt-cache show --all-versions linux-headers-amd64 |
		sed -n 's/^Depends:.*\(linux-headers-[^ ,]*\).*/\1/p' | sort -V | tail -n 1)
	[ "$next" != "linux-headers-$1" ] || return 0
	echo "$next"; headers_of "$next"
}

# What a package of headers takes: the half that all flavours share, and the build tools.
headers_of()
{
	apt_private apt-cache show --no-all-versions "$1" | sed -n 's/^Depends: //p' | tr ',' '\n' |
		sed -n 's/^ *\(linux-headers-[^ ]*\|linux-kbuild-[^ ]*\).*/\1/p'
}

# The packages that linux-image-amd64 and its headers stand for today: image, headers (two), kbuild.
kernel_packages()
{
	image=$(apt_private apt-cache show --no-all-versions linux-image-amd64 |
		sed -n 's/^Depends:.*\(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
	[ -n "$image" ] || die "Debian's package linux-image-amd64 does not name a kernel image."
	headers=linux-headers-${image#linux-image-}
	deps=$(headers_of "$headers")
	[ -n "$deps" ] || die "the package lists have $image, but not its headers $headers."
	echo "$image" "$headers" $deps
}

# Of equal versions apt takes the first entry's, and some mirrors of the security archive carry no sources: so the plain
# release comes first in our list, and is asked for by name should a newer version be announced but not be there.
fetch_sodium()
{
	apt_private apt-get source --download-only libsodium ||
		apt_private apt-get source --download-only "libsodium/$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)"
}

step()
{
	what=$1
	log=$DEPS/fetch.log
	shift
	say "$what"
	: >"$log"
	(cd "$APT/archives" && "$@") >>"$log" 2>&1 </dev/null &
	wait_for_job $! "$log" || {
		tail -n 15 "$log" >&2
		die "that failed (the last lines are above, all of them in $log)." \
			"Check the network, then run 'make deps' again; what is here already is kept."
	}
}

fetch()
{
	# Everything that decides the result: the recipe itself and Debian's release.
	want=$( (cat scripts/deps.sh; cat /etc/debian_version) | cksum)
	[ ! -e "$DEPS/.done" ] || [ "$(cat "$DEPS/.done")" != "$want" ] || return 0
	rm -f "$DEPS/.done"
	mkdir -p "$APT/state/lists/partial" "$APT/cache/archives/partial" "$APT/archives"
	private_sources >"$APT/sources.list.new"
	mv "$APT/sources.list.new" "$APT/sources.list"
	step "reading Debian's package lists (private copy)" apt_private apt-get update
	pkgs=$(kernel_packages)
	abi=${pkgs%% *}
	abi=${abi#linux-image-}
	# apt-get download skips what is there already with the right size and checksum.
	step "fetching the stock kernel $abi, its headers and build tools (about 85 MB)" apt_private apt-get download $pkgs
	step "fetching libsodium's source" fetch_sodium
	unpack "$abi" $pkgs
	rm -rf "$DEPS/next" "$DEPS/next-headers"
	next=$(next_packages "$abi")
	[ -z "$next" ] || {
		step "fetching the headers of the next release's kernel, ${next%%[[:space:]]*} (about 16 MB)" apt_private apt-get download $next
		unpack_next $next
	}
	echo "$want" >"$DEPS/.done"
	say "ready: kernel $abi, libsodium $(basename "$(readlink "$DEPS/libsodium")")"
}

# newest_deb PACKAGE: should an older version be there from an earlier run.
newest_deb() { find "$APT/archives" -name "$1_*.deb" | sort -V | tail -n 1; }

# The headers' makefile names its common half by its installed place; here it lies beside it.
relocate_headers() { sed -i 's|/usr/src/|$(dir $(lastword $(MAKEFILE_LIST)))../|' "$1/Makefile"; }

unpack_next()
{
	for p; do
		deb=$(newest_deb "$p")
		dpkg-deb -x "$deb" "$DEPS/next" || die "cannot unpack $deb." "Delete it and run 'make deps' again."
	done
	relocate_headers "$DEPS/next/usr/src/$1"
	ln -s "next/usr/src/$1" "$DEPS/next-headers"
}

unpack()
{
	abi=$1
	shift
	say "unpacking"
	rm -rf "$DEPS/root" "$DEPS"/libsodium* "$DEPS/kernel-headers" "$DEPS/modules" "$DEPS/vmlinuz"
	mkdir -p "$DEPS/root"
	for p; do
		deb=$(newest_deb "$p")
		dpkg-deb -x "$deb" "$DEPS/root" || die "cannot unpack $deb." "Delete it and run 'make deps' again."
	done
	dsc=$(find "$APT/archives" -name 'libsodium_*.dsc' | sort -V | tail -n 1)
	(cd "$DEPS" && dpkg-source -q --no-check -x "$dsc" libsodium-source) >/dev/null ||
		die "cannot unpack $dsc." "Delete libsodium* in $APT/archives and run 'make deps' again."
	rm -f "$DEPS"/libsodium_*
	relocate_headers "$DEPS/root/usr/src/linux-headers-$abi"
	# Debian 13's packages have nothing in /lib itself.
	[ -e "$DEPS/root/lib" ] || ln -s usr/lib "$DEPS/root/lib"
	depmod -b "$DEPS/root" "$abi"
	ln -s "root/usr/src/linux-headers-$abi" "$DEPS/kernel-headers"
	ln -s "root/lib/modules/$abi" "$DEPS/modules"
	ln -s "root/boot/vmlinuz-$abi" "$DEPS/vmlinuz"
	ln -s libsodium-source "$DEPS/libsodium"
	echo "$abi" >"$DEPS/abi"
}

unpack_all() # DIRECTORY TARGET PACKAGES
{
	for p in $3; do
		deb=$(newest_deb "$p")
		dpkg-deb -x "$deb" "$1" || die "cannot unpack $deb." "Delete it and run 'make $2' again."
	done
}

# Xen with its symbols, and what its tools are linked with. The metapackage says which version this release has.
peer_packages()
{
	xen=$(apt_private apt-cache show --no-all-versions xen-system-amd64 | sed -n 's/^Depends:.*xen-hypervisor-\([0-9.]*\)-amd64.*/\1/p' | head -n 1)
	[ -n "$xen" ] || die "Debian's package xen-system-amd64 does not name a hypervisor."
	echo "xen-hypervisor-$xen-amd64" "xen-hypervisor-$xen-amd64-dbg" "xen-utils-$xen" "libxenmisc$xen" xenstore-utils
	for p in libxenstore libxencall libxendevicemodel libxenevtchn libxenforeignmemory libxengnttab libxenhypfs libxentoolcore libxentoollog libyajl; do
		apt_private apt-cache search --names-only "^${p}[0-9.]*(t64)?\$" | cut -d ' ' -f 1
	done
}

fetch_peers()
{
	[ -d "$APT/archives" ] || fetch
	pkgs=$(peer_packages)
	step "fetching Xen, to compare with (about 10 MB)" apt_private apt-get download $pkgs
	rm -rf "$DEPS/peers"
	unpack_all "$DEPS/peers" bench "$pkgs"
	for f in "$DEPS"/peers/boot/xen-*.gz; do gunzip -c "$f" >"$DEPS/peers/xen"; done
	ln -s usr/lib/debug/boot/"$(basename "$(find "$DEPS/peers/usr/lib/debug/boot" -name 'xen-syms-*64')")" "$DEPS/peers/xen-syms"
	ln -s "usr/lib/$(basename "$DEPS"/peers/usr/lib/xen-[0-9]*)/bin" "$DEPS/peers/xen-tools"
	touch "$DEPS/peers/.done"
}

# The source of the stock kernel's version; the rest of the packages is there to configure and build it, and is not installed either.
debug_packages()
{
	echo "linux-source-$(cut -d. -f1,2 "$DEPS/abi")" flex bison m4 libsigsegv2 bc zlib1g-dev libelf-dev
	for p in libelf1 libreadline8; do
		apt_private apt-cache search --names-only "^$p(t64)?\$" | cut -d ' ' -f 1
	done
}

fetch_debug()
{
	[ -d "$APT/archives" ] || fetch
	pkgs=$(debug_packages)
	step "fetching the kernel's source (about 140 MB)" apt_private apt-get download $pkgs
	rm -rf "$DEPS/debug"
	mkdir -p "$DEPS/debug"
	unpack_all "$DEPS/debug/tools" debug-kernel "$pkgs"
	tar -C "$DEPS/debug" -xf "$DEPS"/debug/tools/usr/src/linux-source-*.tar.*
	rm -r "$DEPS/debug/tools/usr/src"
	mv "$DEPS"/debug/linux-source-* "$DEPS/debug/source"
	# Frame pointers make it as good here as anywhere, but it is not offered for x86-64.
	sed -i '/^config FAULT_INJECTION_STACKTRACE_FILTER/,/help/{/depends on !X86_64/d}' "$DEPS/debug/source/lib/Kconfig.debug"
	# host_attack maps frames of any kind, which a stock kernel has for others' sake.
	sed -i '/^config VMAP_PFN/,/^$/s/^\tbool$/\tbool "vmap_pfn"/' "$DEPS/debug/source/mm/Kconfig"
	touch "$DEPS/debug/.fetched"
}

case ${1:-all} in
all) packages; fetch ;;
packages) packages ;;
fetch) fetch ;;
peers) fetch_peers ;;
debug) fetch_debug ;;
*) die "unknown part '$1': all, packages, fetch, peers or debug" ;;
esac
