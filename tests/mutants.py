#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Do the unit tests notice when a check of the core is wrong? `make mutants` makes small errors in hv/core/, one at a time, and
runs the unit tests of the core, and nothing else, on each. A mutant that no test notices shows a test that is missing, or a
mutant that does the same as the original; the latter are explained in tests/mutants.md.

	tests/mutants.py [--count 200] [--seed N] [--only FILE:LINE ...] [--list]

The same seed makes the same mutants of the same sources. Errors made: a condition or one side of it dropped, a condition negated, a
bound off by one, == for !=, a statement left out, a constant replaced by its neighbour.
"""

import argparse
import glob
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "build/mutants")
EXPLAINED = os.path.join(ROOT, "tests/mutants.md")
WANTED = 95  # percent of mutants that tests notice
# The oracle is left out: it judges the tests, no release has it, and tests/unit/core_oracle.c has its own controls.
NOT_MUTATED = {"hv/core/oracle.c"}
FLAGS = "-std=gnu11 -D_GNU_SOURCE -O1 -g0 -w -fPIC -I include -I . -I hv -I tests/unit -DTSR_ORACLE=1".split()
# What the first kind of build does not notice, the second may: it is slower, and so only tried on survivors.
KINDS = {"plain": [], "sanitized": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]}
PATIENCE = 10  # a test may take so many times the processor time that it takes on the original, and this many seconds more
LATE = "did not end"
LIMIT = 600  # seconds by the clock, which says little on a busy machine

NEIGHBOURS = [
    "TSR_E_ARG TSR_E_FRAME TSR_E_TOKEN TSR_E_BIND TSR_E_BUSY TSR_E_STATE TSR_E_GUEST TSR_E_LIMIT TSR_E_AGAIN TSR_E_NOMEM TSR_E_NODEV "
    "TSR_E_POLICY TSR_E_UNSAFE TSR_E_MAILBOX TSR_E_CALL",
    "FRAME_OWNED FRAME_WINDOW FRAME_MAILBOX FRAME_DISPLACED FRAME_ISSUED FRAME_MAPPED FRAME_DIRTY FRAME_TABLE FRAME_HV FRAME_NONE",
    "TSR_TOKEN_ISSUED TSR_TOKEN_MAPPED TSR_TOKEN_PLACED TSR_TOKEN_SPENT TSR_TOKEN_REVOKING TSR_TOKEN_FREE",
    "TSR_GUEST_BUILDING TSR_GUEST_RUNNING TSR_GUEST_STOPPED TSR_GUEST_DYING TSR_GUEST_NONE",
    "TSR_DIR_READ TSR_DIR_WRITE TSR_DIR_BOTH", "PERM_R PERM_W PERM_RWX", "DOMAIN_HOST DOMAIN_GUEST DOMAIN_HV",
    "TSR_HOW_MAP TSR_HOW_COPY TSR_HOW_EITHER", "true false", "A0 A1 A2", "TSR_BY_HOST TSR_BY_GUEST",
]
NEXT = {}
for group in NEIGHBOURS:
    names = group.split()
    NEXT.update(zip(names, names[1:] + names[:1]))
BOUND = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
TOKEN = re.compile(r"[A-Za-z_]\w*|0x[0-9a-fA-F]+\w*|\d+\w*|->|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]=|\S")
DECLARES = re.compile(r"(const |static |struct |enum |union |u?int\w* |unsigned |bool |size_t |[mg]fn_t |void |_Static_assert)")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_of(text):
    """The text with everything blanked that is not compiled in the tests' build: comments, strings, directives, left-out parts."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S)
    text = re.sub(r'"(\\.|[^"\\\n])*"', blank, text)
    out, stack, more = [], [], False
    for line in text.split("\n"):
        word = re.match(r"\s*#\s*(\w+)\s*(\w*)", line)
        if word and word.group(1) in ("if", "ifdef", "ifndef"):
            stack.append((word.group(2) == "TSR_ORACLE") != (word.group(1) == "ifndef"))
        elif word and word.group(1) == "else":
            stack[-1] = not stack[-1]
        elif word and word.group(1) == "endif":
            stack.pop()
        out.append(" " * len(line) if word or more or not all(stack) else line)
        more = (bool(word) or more) and line.endswith("\\")
    return "\n".join(out)


class Code:
    """Tokens of a file: (start, end, text), with the partner of each bracket."""

    def __init__(self, text):
        self.code = code_of(text)
        self.tokens = [(m.start(), m.end(), m.group()) for m in TOKEN.finditer(self.code)]
        self.partner, self.depth, stack, braces = {}, [], [], 0
        for i, (_, _, t) in enumerate(self.tokens):
            braces -= t == "}"
            self.depth.append(braces)
            braces += t == "{"
            if t in "([{":
                stack.append(i)
            elif t in ")]}":
                k = stack.pop()
                self.partner[i], self.partner[k] = k, i

    def text(self, i):
        return self.tokens[i][2] if 0 <= i < len(self.tokens) else ""

    def side(self, i, step, ends):
        """From token i the end of the operand in one direction: before a token of ends or the bracket around it."""
        while True:
            t = self.text(i + step)
            if t in ends or t in ((")", "]", "}") if step > 0 else ("(", "[", "{")):
                return i
            i += step
            if t in (("(", "[", "{") if step > 0 else (")", "]", "}")):
                i = self.partner[i]

    def span(self, first, last):
        return self.tokens[first][0], self.tokens[last][1]


ENDS = {";", ",", "?", ":", "=", "return", "&&", "||", "|=", ""}


def mutations(code):
    """Yields (start, end, replacement, kind)."""
    for i, (start, end, t) in enumerate(code.tokens):
        if not code.depth[i]:
            continue
        before = code.text(i - 1)
        if t in ("&&", "||"):
            neutral = "1" if t == "&&" else "0"
            ends = ENDS if t == "&&" else ENDS - {"&&"}
            yield code.span(code.side(i, -1, ends), i - 1) + (neutral, "side of a condition dropped")
            yield code.span(i + 1, code.side(i, 1, ends)) + (neutral, "side of a condition dropped")
        elif t in BOUND:
            yield start, end, BOUND[t], "bound or comparison"
        elif t == "if" and code.text(i + 1) == "(":
            first, last = i + 2, code.partner[i + 1] - 1
            a, b = code.span(first, last)
            yield a, b, "0", "condition dropped"
            yield a, b, "!(" + code.code[a:b] + ")", "condition negated"
        elif t in NEXT:
            yield start, end, NEXT[t], "constant"
        elif re.fullmatch(r"\d+u?", t) and before not in ("[", "="):
            yield start, end, str(int(t.rstrip("u")) + 1), "constant"
        if before in (";", "{", "}", "else", ":") or (before == ")" and code.text(code.partner[i - 1] - 1) in ("if", "for", "while")):
            last = i
            while code.text(last) not in (";", "{", "}", ""):
                last = (code.partner[last] if code.text(last) in ("(", "[") else last) + 1
            a, b = code.span(i, last)
            statement = code.code[a:b]
            if code.text(last) == ";" and re.match(r"[\w(*_+-]", statement) and not DECLARES.match(statement) and re.search(
                    r"\(|=|\+\+|--", statement) and t not in ("return", "if", "for", "while", "break", "case", "goto", "else", "."):
                yield a, b, ";", "statement left out"


class Mutant:
    def __init__(self, path, text, start, end, new, kind):
        self.path, self.kind = path, kind
        self.line = text.count("\n", 0, start) + 1
        self.text = text[:start] + new + text[end:]
        self.was = " ".join(text[start:end].split())
        self.now = " ".join(new.split())
        bol, eol = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        self.name = "%s: `%s` -> `%s`" % (path, " ".join(text[bol:eol].split()), " ".join((text[bol:start] + new + text[end:eol]).split()))


def all_mutants():
    out = []
    for path in sorted(glob.glob("hv/core/*.c", root_dir=ROOT)):
        if path in NOT_MUTATED:
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            text = f.read()
        out += [Mutant(path, text, *m) for m in dict.fromkeys(mutations(Code(text)))]
    return out


# ---------------------------------------------------------------- building and running


def build(command):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def build_or_die(command):
    done = build(command)
    if done.returncode:
        sys.exit("mutants: error: this does not build:\n" + done.stdout.decode(errors="replace")[-3000:])


class Bench:
    """One kind of build: the tests' programs, once, on a shared library of the core, made anew for each mutant."""

    def __init__(self, kind):
        self.flags = KINDS[kind]
        self.dir = os.path.join(OUT, kind)
        os.makedirs(self.dir, exist_ok=True)
        self.library = os.path.join(self.dir, "libcore.so")
        self.core = sorted(glob.glob("hv/core/*.c", root_dir=ROOT))
        for source in self.core:
            self.compile(source, self.object(source))
        self.link({})
        self.tests = sorted(((self.program(name, sources), threads, name) for name, sources, threads in core_tests()), key=lambda x: (x[1], x[0][1]))

    def object(self, source):
        return os.path.join(self.dir, source.replace("/", "_")[:-2] + ".o")

    def compile(self, source, to):
        build_or_die(["gcc", *FLAGS, *self.flags, "-c", "-o", to, source])

    def link(self, instead):
        return build(["gcc", "-shared", *self.flags, "-o", self.library] + [instead.get(s, self.object(s)) for s in self.core])

    def program(self, name, sources):
        """Builds one test; (path, seconds of processor time it takes on the original)."""
        path = os.path.join(self.dir, name)
        objects = []
        for source in sources:
            objects.append(self.object(source))
            if not os.path.exists(objects[-1]):
                self.compile(source, objects[-1])
        build_or_die(["gcc", *self.flags, "-rdynamic", "-o", path, *objects, "-L", self.dir, "-lcore", "-Wl,-rpath," + self.dir,
                      "-lcmocka", "-lsodium", "-lpthread"])
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        if self.run(path, LIMIT):
            sys.exit(f"mutants: error: {name} fails on the original")
        return path, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

    def run(self, path, limit):
        """What was wrong, or nothing."""
        try:
            done = subprocess.run([path], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                  timeout=LIMIT, check=False,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 1)))
        except subprocess.TimeoutExpired:
            return LATE
        if -done.returncode in (signal.SIGXCPU, signal.SIGKILL):
            return LATE
        return f"status {done.returncode}" if done.returncode else ""

    def original(self, mutant):
        """None if it does not compile, True if the compiler makes the same of it as of the original."""
        source, to = os.path.join(self.dir, "mutant.c"), os.path.join(self.dir, "mutant.o")
        with open(source, "w", encoding="utf-8") as f:
            f.write(f'#line 1 "{mutant.path}"\n' + mutant.text)
        if build(["gcc", *FLAGS, *self.flags, "-c", "-o", to, source]).returncode:
            return None
        dump = [build(["objdump", "-drs", "-j", ".text", "-j", ".data", "-j", ".rodata", "-j", ".data.rel.ro", "-j", ".text.unlikely", o])
                .stdout.split(b"\n", 3)[-1] for o in (to, self.object(mutant.path))]
        return dump[0] == dump[1]

    def notices(self, mutant):
        """
        The test that noticed, or nothing. One of threads comes last, and has to say what is wrong: how long threads wait for each other depends
        on what else the machine does.
        """
        if self.link({mutant.path: os.path.join(self.dir, "mutant.o")}).returncode:
            return "the linker"
        for (path, usual), threads, name in self.tests:
            wrong = self.run(path, usual * PATIENCE + PATIENCE)
            if wrong and not (threads and wrong == LATE):
                return name
        return ""


def core_tests():
    """Yields each test's name, the sources of its program but the core's, and whether it runs threads."""
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/unit/*.c"))):
        with open(path, encoding="utf-8") as f:
            head = f.read(600)
        sources = re.search(r"^/\* sources: (hv/core/\S+) (.*) \*/$", head, re.M)
        # A control with protections left out is no test of them.
        if sources and not re.search(r"^/\* flags:", head, re.M):
            yield os.path.basename(path)[:-2], [s for p in sources.group(2).split() for s in glob.glob(p, root_dir=ROOT)] + [
                os.path.relpath(path, ROOT)], "-lpthread" in head


def explanations():
    with open(EXPLAINED, encoding="utf-8") as f:
        return f.read()


def main():
    parser = argparse.ArgumentParser(description="do the unit tests notice errors made in the core?", epilog="see the head of this file")
    parser.add_argument("--count", type=int, default=200, help="how many mutants (%(default)s); 0: all there are")
    parser.add_argument("--seed", type=int, default=1, help="which of them (%(default)s)")
    parser.add_argument("--only", nargs="+", help="the mutants of these lines, as FILE:LINE, or of whole files")
    parser.add_argument("--list", action="store_true", help="show them, try none")
    args = parser.parse_args()
    mutants = all_mutants()
    if args.only:
        mutants = [m for m in mutants if m.path in args.only or f"{m.path}:{m.line}" in args.only]
    random.Random(args.seed).shuffle(mutants)
    wanted = args.count if args.count and not args.only else len(mutants)
    if args.list:
        print("\n".join(f"{m.path}:{m.line}: {m.kind}: {m.was} -> {m.now}" for m in mutants[:wanted]))
        return 0
    shutil.rmtree(OUT, ignore_errors=True)
    bench = {kind: Bench(kind) for kind in KINDS}
    tried, same, broken, survivors = 0, 0, 0, []
    for m in mutants:
        if tried == wanted:
            break
        original = bench["plain"].original(m)
        if original or original is None:
            same, broken = same + bool(original), broken + (original is None)
            continue
        tried += 1
        by = bench["plain"].notices(m)
        if not by and bench["sanitized"].original(m) is not None:
            by = bench["sanitized"].notices(m)
        survivors += [m] if not by else []
        print(f"{tried:4} {'killed by ' + by if by else 'SURVIVED':26} {m.path}:{m.line}: {m.kind}: {m.was} -> {m.now}", flush=True)
    text = explanations()
    unexplained = [m for m in survivors if m.name not in text]
    share = 100 * (tried - len(survivors)) / max(tried, 1)
    print(f"{tried} mutants: {tried - len(survivors)} noticed ({share:.1f} %, at least {WANTED} % wanted), {len(survivors)} not, of those "
          f"{len(survivors) - len(unexplained)} explained in tests/mutants.md; besides, {same} that compile to the same and {broken} that do not compile")
    for m in unexplained:
        print("not explained: " + m.name)
    return 1 if unexplained or share < WANTED else 0


if __name__ == "__main__":
    sys.exit(main())
