# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Machines to compare with: genuine Xen with a Linux dom0, and Linux with no hypervisor at all. Under QEMU, by hand over
the serial line (a shell's prompt) or running a script to its end."""
import os
import subprocess
import sys
import threading

import images

sys.path.append(os.path.join(images.HERE, "..", "system"))
from line import ESCAPES, Line  # noqa: E402

ICOUNT = ("-icount", "shift=0,sleep=off", "-rtc", "clock=vm")
# QEMU's IRET at privilege 3 reads its stack as the supervisor, so Xen's guests cannot live with SMAP on this emulator.
XEN_OPTIONS = "smap=0 console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all " \
              "dom0_mem=512M,max:512M"
DOM0_OPTIONS = "console=hvc0 quiet"


def qemu(kernel, append, initrd, cpus=1, memory="1024M", extra=()):
    return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", str(cpus), "-m", memory, "-display", "none",
            "-chardev", "stdio,id=line,signal=off", "-serial", "chardev:line", "-monitor", "none", "-no-reboot",
            *(extra if "-nic" in extra else ("-nic", "none", *extra)), "-kernel", kernel, "-append", append,
            "-initrd", initrd]


def xen_command(initrd, **options):
    """The command of a machine with genuine Xen, whose dom0 has that initial RAM disk."""
    xen_options = options.pop("xen_options", XEN_OPTIONS)
    return qemu(options.pop("hypervisor", None) or images.xen(), xen_options, f"{images.kernel(images.GENERIC)} {DOM0_OPTIONS},{initrd}", **options)


def until(command, end, limit):
    """What the machine said until that text; the machine is then stopped. An end with its last words if it never came."""
    machine = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    guard = threading.Timer(limit, machine.kill)
    guard.start()
    output, last = [], b""
    try:
        while chunk := os.read(machine.stdout.fileno(), 65536):
            output.append(chunk)
            last = (last + chunk)[-4096:]
            if end.encode() in last:
                break
    finally:
        guard.cancel()
        machine.kill()
        machine.wait()
    text = ESCAPES.sub("", b"".join(output).decode(errors="replace"))
    if end not in text:
        sys.exit(f"rival: the machine did not say {end!r} within {limit} s; its last words:\n{text[-3000:]}")
    return text


class Shell(Line):
    """A machine at a shell's prompt on its serial line."""

    def __init__(self, command, ready, limit=180):
        super().__init__(*command)
        self.expect(ready, limit)

    def command(self, line, limit=60):
        """What a shell command printed."""
        number = next(self.marks)
        self.send(f"echo be''gin{number}; {line}; echo en''d{number}\r")
        self.expect(rf"begin{number}\r*\n", limit)
        return self.expect(rf"end{number}\r*\n", limit)
