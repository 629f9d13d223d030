#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause-Patent
# Runs the test harness's commands, one a line, over a port that no log message is ever written to.
# Answers a command with its output and then "@@rc=STATUS"; "@@exit" ends the service.
echo "@@ready"
while IFS= read -r line; do
	[ "$line" != "@@exit" ] || break
	# A shell of its own, so that no command can end or change this one; no input, so that none can eat the next command.
	sh -c "$line" </dev/null 2>&1
	printf '@@rc=%d\n' $?
done
