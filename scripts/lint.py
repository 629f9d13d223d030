#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""The checks of `make lint` that look at text: licence lines, lengths of files, Python syntax, and that every requirement
of the specification is cited by a test. Prints each finding as file:line: what is wrong."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILE_LINES = 500
HV_LINES = 10000
BSD = "BSD-2-Clause-Patent"
DUAL = "GPL-2.0-only OR BSD-2-Clause-Patent"
# Where Linux modules live; everything else is under the first licence.
MODULES = ("guest-drivers/", "host-backend/module/", "tests/system/modules/", "tests/bench/modules/")
CODE = re.compile(r"\.(c|h|S|ld|lds|py|sh|mk|md|txt)$|(^|/)(Makefile|Kbuild)$")
TEXTS_WITHOUT_LICENCE_LINE = ("README.md", "CHANGELOG.md")


def sources():
    """All of the project's files: path, lines."""
    for where, dirs, files in os.walk(ROOT):
        dirs[:] = sorted(d for d in dirs if d not in (".git", "build", "LICENSES", "__pycache__", "corpus"))
        for name in sorted(files):
            path = os.path.relpath(os.path.join(where, name), ROOT)
            with open(os.path.join(ROOT, path), "rb") as f:
                data = f.read()
            if CODE.search(path) or data.startswith(b"#!"):
                yield path, data.decode("utf-8", errors="replace").splitlines()


def check_licence(path, lines):
    if path in TEXTS_WITHOUT_LICENCE_LINE:
        return
    want = DUAL if path.startswith(MODULES) else BSD
    at = 1 if lines and lines[0].startswith("#!") else 0
    line = lines[at] if len(lines) > at else ""
    found = re.search(r"SPDX-License-Identifier: (.*?)\s*(\*/|-->)?$", line)
    if not found:
        yield at + 1, f"this line has to be the SPDX-License-Identifier ({want})"
    elif found.group(1) != want:
        yield at + 1, f"the licence here is '{want}', not '{found.group(1)}'"


def check_lines(path, lines):
    if len(lines) > FILE_LINES and not path.endswith(".md"):
        yield len(lines), f"{len(lines)} lines; at most {FILE_LINES}, one idea a file"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "white space at the end of the line"


def check_python(path, lines):
    if not path.endswith(".py") and not (lines and "python" in lines[0] and lines[0].startswith("#!")):
        return
    try:
        compile("\n".join(lines) + "\n", path, "exec")
    except SyntaxError as error:
        yield error.lineno or 1, f"Python: {error.msg}"


def check_spec(files):
    """Every id defined in spec/ is defined once and cited by a file under tests/."""
    defined, cited = {}, set()
    for path, lines in files:
        if path.startswith("spec/") and path != "spec/README.md":
            for number, line in enumerate(lines, 1):
                for found in re.findall(r"\*\*\[([A-Z][A-Z0-9-]*)\]\*\*", line):
                    if found in defined:
                        yield path, number, f"[{found}] is defined a second time, first in {defined[found][0]}"
                    defined.setdefault(found, (path, number))
        elif path.startswith("tests/"):
            for line in lines:
                cited.update(re.findall(r"\b[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*-[0-9]+\b", line))
    for found in sorted(set(defined) - cited):
        path, number = defined[found]
        yield path, number, f"[{found}] is cited by no test under tests/"


def check_help(files):
    """Programs of the host's: every option that is taken is in the help text of its file, and every one told of is taken by some program."""
    taken, told = {}, {}
    for path, lines in files:
        if not re.match(r"host-backend/(cli|daemon)/.*\.[ch]$", path):
            continue
        text = "\n".join(lines)
        # The options of one command are taken in options.c and told of in options.h.
        name = path[:-2] + ".c"
        for number, line in enumerate(lines, 1):
            for option in re.findall(r'\{ "([a-z-]+)", (?:no|required)_argument', line):
                taken.setdefault(option, []).append((name, path, number))
        for option in re.findall(r"--([a-z]+(?:-[a-z]+)*)", "\n".join(re.findall(r'"(?:[^"\\]|\\.)*"', text))):
            told.setdefault(option, set()).add(name)
    for option, places in sorted(taken.items()):
        for name, path, number in places:
            if name not in told.get(option, ()):
                yield path, number, f"--{option} is taken here, but no text of this file tells of it"
    for option in sorted(set(told) - set(taken) - {"help"}):
        yield sorted(told[option])[0], 0, f"a text tells of --{option}, which no program takes"


def code_lines(lines):
    """Lines of C or assembly that are more than a comment."""
    return sum(1 for line in re.sub(r"/\*.*?\*/", "", "\n".join(lines), flags=re.S).split("\n") if line.strip())


def main():
    files = list(sources())
    findings = []
    for path, lines in files:
        for check in (check_licence, check_lines, check_python):
            findings += [(path, number, text) for number, text in check(path, lines)]
    findings += check_spec(files)
    findings += check_help(files)
    hv = sum(code_lines(lines) for path, lines in files if path.startswith("hv/") and path.endswith((".c", ".h", ".S")))
    if hv >= HV_LINES:
        findings.append(("hv", 0, f"{hv} lines of code; it is to stay below {HV_LINES}"))
    for path, number, text in findings:
        print(f"{path}:{number}: {text}")
    print(f"lint: {len(files)} files, hv has {hv} lines of code, {len(findings)} findings")
    return 1 if findings else 0


sys.exit(main())
