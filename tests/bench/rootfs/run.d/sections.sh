# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154	# $where is who reads this
# Where each module's code was loaded, for a profile by symbol.
for s in /sys/module/*/sections/.*text*; do
	m=${s#/sys/module/}
	echo "bench: section $where ${m%%/*} ${s##*/} $(cat "$s")"
done
