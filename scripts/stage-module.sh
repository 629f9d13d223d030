#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Link a Linux module's sources, and proto/ beside them, into a directory under build/, where kbuild may leave its objects.
#
#	scripts/stage-module.sh SOURCE-DIR STAGED-DIR
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
source=$root/${1%/}
staged=$2

mkdir -p "$staged/proto"
# Links whose source has gone would otherwise still be compiled by a wildcard.
find "$staged" -type l ! -exec test -e {} \; -exec rm -f {} +
for f in "$source"/* ; do
	case $f in
	*.[chS] | */Kbuild) ln -sfn "$f" "$staged/${f##*/}" ;;
	esac
done
for f in "$root"/proto/*.[ch]; do
	[ ! -e "$f" ] || ln -sfn "$f" "$staged/proto/${f##*/}"
done
