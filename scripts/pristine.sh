#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Run a make target in a fresh clone of this repository, inside a new Debian that has nothing but apt and make: what
# someone gets who has just installed Debian. Needs root, debootstrap and about 4 GB; changes nothing outside its directory.
#
#	scripts/pristine.sh [--suite trixie] [--keep] DIRECTORY [make arguments...]	for example: scripts/pristine.sh /var/tmp/pristine test
#	scripts/pristine.sh [--suite trixie] --script FILE DIRECTORY
#
# With --script it is the lines of FILE that run, in the home of a new user who may sudo, with the repository in /srv/tessera.git.
# The suite is bookworm (Debian 12) if none is named.
# The directory is kept, and a second call uses its Debian again, with a new clone; with --keep it only brings the clone up to date
# and what was built there is used again.
#
# shellcheck disable=SC2016,SC2317	# apt's and dpkg's $(...) stay as they are; cleanup is called by trap
set -eu

usage() { sed -n 's/^#\t//p' "$0" >&2; exit 2; }
suite=bookworm
keep=
script=
while [ $# -ge 1 ]; do
	case $1 in
	--suite) [ $# -ge 2 ] || usage; suite=$2; shift 2 ;;
	--keep) keep=1; shift ;;
	--script) [ $# -ge 2 ] || usage; script=$2; shift 2 ;;
	-*) usage ;;
	*) break ;;
	esac
done
[ $# -ge 1 ] || usage
[ "$(id -u)" = 0 ] || { echo "pristine: making a Debian root takes root rights; run this as root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "pristine: debootstrap is missing; run: apt-get install debootstrap" >&2; exit 1; }
repo=$(cd "$(dirname "$0")/.." && pwd)
top=$1
shift

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' "Codename: $(sed -n 's|^VERSION_CODENAME=||p' /etc/os-release)" | head -n 1)
if [ ! -e "$top/.ready" ]; then
	echo "pristine: installing Debian $suite into $top"
	# shellcheck disable=SC2086 # without a mirror of the machine's own, debootstrap has its default
	debootstrap --variant=minbase "$suite" "$top" $mirror >"$top.log" 2>&1 || {
		tail -n 5 "$top.log" >&2
		echo "pristine: debootstrap failed, see $top.log" >&2
		exit 1
	}
	touch "$top/.ready"
fi
# Names may be resolved by a file here.
cp /etc/hosts "$top/etc/hosts"
chroot "$top" dpkg-query -W -f '${Package}\n' | sort >"$top.before"

cleanup()
{
	for m in dev/pts dev/shm dev proc sys; do
		! mountpoint -q "$top/$m" || umount "$top/$m"
	done
}
trap cleanup EXIT
mount -t proc proc "$top/proc"
mount -t sysfs -o ro sysfs "$top/sys"
mount -t tmpfs -o mode=755 dev "$top/dev"
mkdir "$top/dev/pts" "$top/dev/shm"
mount -t devpts devpts "$top/dev/pts"
mount -t tmpfs shm "$top/dev/shm"
for n in "null 1 3" "zero 1 5" "random 1 8" "urandom 1 9" "tty 5 0"; do
	# shellcheck disable=SC2086 # major and minor number
	mknod -m 666 "$top/dev/${n%% *}" c ${n#* }
done
ln -s /proc/self/fd "$top/dev/fd"

# As root in the new system, with nothing of this one's environment.
inside() { chroot "$top" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" "$@" </dev/null; }

install_first()
{
	inside sh -c "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $*" >"$top.log" 2>&1 || {
		tail -n 5 "$top.log" >&2
		echo "pristine: could not install $*" >&2
		exit 1
	}
}

status=0
if [ -n "$script" ]; then
	what="the lines of $script"
	install_first sudo
	inside sh -c 'id user >/dev/null 2>&1 || useradd -m -s /bin/bash user'
	echo 'user ALL=(ALL) NOPASSWD: ALL' >"$top/etc/sudoers.d/user"
	rm -rf "$top/srv/tessera.git" "$top/home/user/tessera"
	git clone -q --bare "$repo" "$top/srv/tessera.git"
	cp "$script" "$top/home/user/script"
	inside chown -R user: /srv/tessera.git /home/user/script
	echo "pristine: $what"
	inside su - user -c 'bash -ex script' || status=$?
else
	what="make $*"
	if [ -n "$keep" ] && [ -d "$top/root/tessera" ]; then
		git -C "$top/root/tessera" fetch -q "$repo" HEAD
		git -C "$top/root/tessera" checkout -q --detach FETCH_HEAD
	else
		rm -rf "$top/root/tessera"
		git clone -q "$repo" "$top/root/tessera"
	fi
	install_first make
	echo "pristine: $what in a fresh clone"
	inside make -C /root/tessera "$@" || status=$?
fi
chroot "$top" dpkg-query -W -f '${Package}\n' | sort >"$top.after"
echo "pristine: $what ended with status $status; packages it installed:"
comm -13 "$top.before" "$top.after" | tr '\n' ' ' | fold -s -w 120
echo
exit "$status"
