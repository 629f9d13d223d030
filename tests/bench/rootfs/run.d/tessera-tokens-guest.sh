# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=sh disable=SC2154	# variables are /init's
# Operations on tokens, with live=N others.
modprobe guest_tokens live="$live"
echo "bench: tokens: $(cat /sys/module/guest_tokens/parameters/result)"
