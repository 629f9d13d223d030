# SPDX-License-Identifier: BSD-2-Clause-Patent
# shellcheck shell=bash
# Completion of tessera and tesserad in bash. What there is to complete they say themselves; files are bash's own affair.

_tessera()
{
	mapfile -t COMPREPLY < <("$1" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _tessera tessera

_tesserad()
{
	[[ $2 != -* ]] || mapfile -t COMPREPLY < <(compgen -W "$("$1" --help | grep -o -e '--[a-z-]*' | sort -u)" -- "$2")
}
complete -o default -F _tesserad tesserad
