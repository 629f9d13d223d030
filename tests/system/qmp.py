# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A minimal client for QEMU's machine protocol (QMP)."""

import json
import socket


class QmpError(Exception):
    """QEMU refused a command, or went away."""


class Qmp:
    """A connection to one QEMU; commands are answered in order."""

    def __init__(self, path, timeout=60):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.reader = self.sock.makefile("r")
        self._read()
        self.command("qmp_capabilities")

    def _read(self):
        line = self.reader.readline()
        if not line:
            raise QmpError("QEMU closed its command socket")
        return json.loads(line)

    def command(self, name, **arguments):
        """Run one command and return what it returns; events that come in between are dropped."""
        message = {"execute": name}
        if arguments:
            message["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        self.sock.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")

    def human(self, line):
        """Run a command of QEMU's human monitor, for what the protocol itself lacks."""
        return self.command("human-monitor-command", command_line=line)

    def close(self):
        self.sock.close()
