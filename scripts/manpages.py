#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Write the manual pages from what the programs say themselves, so that there is one text only.

  scripts/manpages.py DIRECTORY_OF_PROGRAMS OUTPUT_DIRECTORY

Runs `tessera --help`, the --help of each of its commands, that of tesserad and that of tessera-initrd; writes tessera.1, tesserad.8 and
tessera-initrd.1.
"""

import os
import re
import subprocess
import sys

INITRD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../host-backend/initrd/tessera-initrd")
PREFORMATTED = re.compile(r"^(Examples?|Storage engines):$")


def ask(program, *words):
    return subprocess.run([program, *words, "--help"], stdout=subprocess.PIPE, check=True, text=True).stdout


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def body(text):
    """A help text as roff: usage, paragraphs, options with their meaning, examples as they are."""
    lines, out, plain = text.splitlines(), [], False
    for number, line in enumerate(lines):
        option = re.match(r"^  (--\S+(?: [A-Z:]+)?)  +(\S.*)$", line)
        usage = re.match(r"^(?:Usage: |       )(tessera\S* .*)$", line)
        if PREFORMATTED.match(line):
            out += ["." + "PP", escape(line)]
            plain = True
        elif not line.strip():
            out.append(".PP")
        elif usage and (number < 3 or lines[number - 1].startswith("Usage: ")):
            out += [".br", "\\fB" + escape(usage.group(1)) + "\\fR"]
        elif option and not plain:
            out += [".TP", "\\fB" + escape(option.group(1)) + "\\fR", escape(option.group(2))]
        elif line.startswith("  ") and (plain or not line.startswith("          ")):
            # Something laid out by hand.
            out += [".nf", escape(line), ".fi"]
        else:
            out.append(escape(line.strip()))
    return collapse(out)


def collapse(out):
    """Without empty paragraphs, which man warns about, and blocks that end where the next begins."""
    text = "\n".join(out).replace("\n.fi\n.nf\n", "\n")
    text = re.sub(r"(\n\.PP)+(?=\n\.(PP|TP|SS|SH|br)|$)", "", "\n" + text)
    return text.strip("\n")


def heading(name, section, what):
    return (f".\\\" Made by scripts/manpages.py from `{name} --help`.\n.TH {name.upper()} {section} \"\" Tessera\n"
            f".SH NAME\n{name} \\- {what}\n")


def tessera(program):
    summary = ask(program)
    commands = re.findall(r"^  (\S+(?: \S+)?)  +(\S.*)$", summary, re.M)
    page = heading("tessera", 1, "guests of the Tessera hypervisor, their consoles and their sealed disks")
    page += ".SH SYNOPSIS\n\\fBtessera\\fR \\fICOMMAND\\fR ...\n.SH DESCRIPTION\n"
    page += escape("The host's side of the Tessera hypervisor. Each command tells about itself with --help, which is what this page is made of.")
    page += "\n.SH COMMANDS\n"
    for name, what in commands:
        text = ask(program, *name.split()).split("\n\n", 1)[1]
        page += f".SS {escape(name)}\n{escape(what[0].upper() + what[1:])}.\n.PP\n{body(text)}\n"
    page += ".SH EXIT STATUS\n0 if it was done, 1 if not, 2 if the command line was wrong; what is wrong stands on standard error.\n"
    return page + ".SH SEE ALSO\n\\fBtesserad\\fR(8), \\fBtessera-initrd\\fR(1)\n"


def tesserad(program):
    page = heading("tesserad", 8, "serves a sealed disk of a guest of the Tessera hypervisor")
    return page + ".SH DESCRIPTION\n" + body(ask(program)) + "\n.SH SEE ALSO\n\\fBtessera\\fR(1)\n"


def tessera_initrd(program):
    page = heading("tessera-initrd", 1, "makes the first file system of a guest of the Tessera hypervisor")
    return page + ".SH DESCRIPTION\n" + body(ask(program)) + "\n.SH SEE ALSO\n\\fBtessera\\fR(1)\n"


def main():
    programs, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    for name, page in (("tessera.1", tessera(os.path.join(programs, "tessera"))),
                       ("tesserad.8", tesserad(os.path.join(programs, "tesserad"))),
                       ("tessera-initrd.1", tessera_initrd(INITRD))):
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(page)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
