#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Boot Debian's stock kernel on the emulated machine, without the hypervisor, and see that the pieces around it work."""

import argparse
import sys

from machine import Machine, MachineError


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="default")
    parser.add_argument("--smp", type=int, default=2)
    args = parser.parse_args()
    print("bare: starting the emulated machine with Debian's stock kernel, without the hypervisor", flush=True)
    try:
        with Machine(smp=args.smp, hv=None, variant=args.variant, name="bare", echo=True) as m:
            m.wait_ready()
            print(m.run("uname -a; cat /proc/cpuinfo | grep -c ^processor; lsmod | wc -l"), end="")
            m.power_off()
    except MachineError as error:
        print(f"bare: error: {error}", file=sys.stderr)
        return 1
    print("bare: the machine came up and switched itself off")
    return 0


sys.exit(main())
