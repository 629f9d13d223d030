#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# blk.sh on the kernel of `make debug-kernel`: first what our modules have lost until the stand-in goes, then what the kernel has found.
kcheck begin
sh /run.d/blk.sh | sed '/^end of checks/d'
lost=$(kcheck leaks)
if [ -z "$lost" ]; then echo "pass: nothing is lost"; else echo "fail: lost: $lost"; fi
# But for its control.
said=$(kcheck said | grep -E 'KASAN|BUG[: ]|WARNING:|UBSAN|Oops' | grep -v 'slab-out-of-bounds in .*\[guest_fake\]')
if [ -z "$said" ]; then echo "pass: the kernel has found nothing"; else echo "fail: the kernel says: $said"; fi
echo "end of checks"
