#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Compile the plugin for the QEMU of this machine, into the file that is named.
set -eu
here=$(dirname "$0")
qemu=$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
api=1
[ "$qemu" -lt 9 ] || api=4
exec gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla -DPLUGIN_API=$api -shared -fPIC \
	-o "$1" "$here/count.c" "$here/decode.c"
