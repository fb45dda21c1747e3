# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Machines to compare with: genuine Xen with a Linux dom0, and Linux with no hypervisor at all. Under QEMU, by hand over
the serial line (a shell's prompt) or running a script to its end."""
import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading

import images

ICOUNT = ("-icount", "shift=0,sleep=off", "-rtc", "clock=vm")
# QEMU's IRET at privilege 3 reads its stack as the supervisor, so Xen's guests cannot live with SMAP on this emulator.
XEN_OPTIONS = "smap=0 console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all " \
              "dom0_mem=512M,max:512M"
DOM0_OPTIONS = "console=hvc0 quiet"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


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


class Shell:
    """A machine at a shell's prompt on its serial line."""

    def __init__(self, command, ready, limit=180):
        import pexpect  # only who talks to a machine needs it
        self.child = pexpect.spawn(command[0], command[1:], encoding="utf-8", codec_errors="replace", timeout=60,
                                   echo=False, dimensions=(50, 200), maxread=65536)
        self.child.delaybeforesend = None
        self.transcript = []
        self.child.logfile_read = self
        self.marks = itertools.count(1)
        self.child.expect(ready, timeout=limit)

    def write(self, text):
        self.transcript.append(text)

    def flush(self):
        pass

    def text(self):
        return ESCAPES.sub("", "".join(self.transcript))

    def command(self, line, limit=60):
        """What a shell command printed."""
        number = next(self.marks)
        self.child.send(f"echo be''gin{number}; {line}; echo en''d{number}\r")
        self.child.expect(rf"begin{number}\r*\n", timeout=limit)
        self.child.expect(rf"end{number}\r*\n", timeout=limit)
        return ESCAPES.sub("", self.child.before)

    def close(self):
        self.child.close(force=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def xen_shell(files=None, **options):
    """Genuine Xen at dom0's shell; files (name to contents) are in dom0's file system."""
    with tempfile.TemporaryDirectory() as directory:
        initrd = images.dom0_with(f"{directory}/dom0.cpio", files or {})
        return Shell(xen_command(initrd, **options), "dom0# ")
