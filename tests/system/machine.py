# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A machine under test: QEMU on the emulator, its serial line in our hands."""
import os
import re

import pexpect

BUILD = os.environ.get("BUILD", "build")
PROMPT = "vane> "
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Machine:
    """Boots Paravane (or another Multiboot kernel) and talks to its first serial port."""

    def __init__(self, cpus=1, memory="512M", kernel=None, append="", initrd=None, iso=None, extra=()):
        arguments = ["-accel", "tcg", "-cpu", "max", "-smp", str(cpus), "-m", memory, "-display", "none",
                     "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nic", "none", *extra]
        if iso:
            arguments += ["-cdrom", iso]
        else:
            arguments += ["-kernel", kernel or f"{BUILD}/paravane", "-append", append]
            if initrd is None:
                initrd = f"{BUILD}/dom0,{BUILD}/dom0.rd"
            if initrd:
                arguments += ["-initrd", initrd]
        self.child = pexpect.spawn("qemu-system-x86_64", arguments, encoding="utf-8", codec_errors="replace",
                                   timeout=60, echo=False, dimensions=(50, 200))
        self.transcript = []
        self.child.logfile_read = self

    def write(self, text):
        self.transcript.append(text)

    def flush(self):
        pass

    def text(self):
        return ESCAPES.sub("", "".join(self.transcript))

    def expect(self, pattern, timeout=60):
        """Waits for a regular expression; returns what came before it, without terminal escapes."""
        self.child.expect(pattern, timeout=timeout)
        return ESCAPES.sub("", self.child.before)

    def prompt(self, timeout=60):
        return self.expect(re.escape(PROMPT), timeout)

    def command(self, line, timeout=60):
        """Types a command; returns what it printed, the echoed line left out."""
        self.child.send(line + "\r")
        output = self.prompt(timeout)
        head, _, rest = output.partition("\n")
        return rest if line.strip() in head else output

    def send(self, text):
        self.child.send(text)

    def close(self):
        self.child.close(force=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def booted(**options):
    """A machine at its first prompt."""
    options.setdefault("append", "console=com1 dom0_mem=96M loglvl=info")
    machine = Machine(**options)
    try:
        machine.prompt(timeout=90)
    except Exception:
        print(machine.text()[-4000:])
        machine.close()
        raise
    return machine
