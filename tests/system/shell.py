#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""An interactive host on the emulated machine: its console is this terminal, and a guest is running in it (rootfs/host/run.d/shell.sh).

Ends when the host's shell does. QEMU's own escape is Ctrl-a x.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from machine import Machine


def main():
    parser = argparse.ArgumentParser(description="an interactive host with a guest to play with")
    parser.add_argument("--variant", default="default")
    parser.add_argument("--mem", type=int, default=2048)
    parser.add_argument("--smp", type=int, default=2)
    args = parser.parse_args()
    m = Machine(smp=args.smp, mem=args.mem, variant=args.variant, cmdline="tsr.run=shell", name="shell")
    os.makedirs(m.logs, exist_ok=True)
    m.dir = tempfile.mkdtemp(prefix="tsr-")
    line = m.arguments()
    line[line.index("-S"):line.index("-S") + 1] = []
    at = next(i for i, word in enumerate(line) if word.startswith("socket,id=console"))
    # mux: Ctrl-a x ends QEMU; signal=off: Ctrl-c reaches the host's shell.
    line[at] = f"stdio,id=console,mux=on,signal=off,logfile={m.log}"
    print("Starting the emulated machine; the prompt comes in a quarter of a minute.", flush=True)
    try:
        return subprocess.call([shutil.which("qemu-system-x86_64")] + line)
    finally:
        shutil.rmtree(m.dir, ignore_errors=True)


sys.exit(main())
