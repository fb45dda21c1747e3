# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""A machine under test: QEMU on the emulator, its serial line in our hands."""
import io
import json
import os
import re
import tarfile
import time

import pexpect

from line import Line

BUILD = os.environ.get("BUILD", "build")
with open(f"{BUILD}/dom0.rd.memory", encoding="ascii") as _needed:
    DOM0_MEM = f"dom0_mem={_needed.read().strip()}M"  # as the image has it
OPTIONS = f"console=com1 {DOM0_MEM} loglvl=info"
PROMPT = "vane> "
HYPERVISOR_LINE = re.compile(r"\(XEN\) [^\n]*\n")
LEAVE_CONSOLE = "\x1d"
SWITCH_INPUT = "\x01\x01\x01"
INPUT_TO = r"\*\*\* Serial input to (\w+) \(type"  # the whole word: output comes in pieces
AUDIT = re.compile(r"frame audit: \d+ frames, (\d+) wrong, (\d+) held by nobody known")
AUDITS = 5  # a call on its way may hold a reference for a moment: what it holds is gone when asked again


def torn(text):
    """A regular expression for a text that lines of the hypervisor may have broken anywhere."""
    return r"(?:\(XEN\) [^\n]*\n)*".join(re.escape(character) for character in text)


def answer_to(mark):
    """What cat says of a file that is not there: the sign that a command has begun or ended."""
    return torn(f"cat: {mark}: ") + r"[^\n]*\n"


class Machine(Line):
    """Boots Paravane (or another Multiboot kernel) and talks to its first serial port."""

    def __init__(self, cpus=1, memory="640M", kernel=None, append=OPTIONS, initrd=None, iso=None, extra=(),
                 cpu="max"):
        arguments = ["-accel", "tcg", "-cpu", cpu, "-smp", str(cpus), "-m", memory, "-display", "none",
                     "-chardev", "stdio,id=line,signal=off", "-serial", "chardev:line", "-monitor", "none",
                     "-no-reboot", "-nic", "none", *extra]
        if iso:
            arguments += ["-cdrom", iso]
        else:
            arguments += ["-kernel", kernel or f"{BUILD}/paravane", "-append", append]
            if initrd is None:
                initrd = f"{BUILD}/dom0,{BUILD}/dom0.rd"
            if initrd:
                arguments += ["-initrd", initrd]
        super().__init__("qemu-system-x86_64", *arguments)
        self.audited = False  # from the first prompt on: there is a hypervisor of ours with frames to count

    def hypervisor_lines(self):
        return HYPERVISOR_LINE.findall(self.text())

    def prompt(self, timeout=60):
        output = self.expect(torn(PROMPT), timeout)
        self.audited = True
        return output

    def command(self, line, timeout=60, keep=False):
        """Types a command; returns what it printed, without what the hypervisor said in between unless keep.

        Commands before and behind it on the same line mark the ends: a notice about some domain can repeat the prompt,
        and a line of the hypervisor break the echo, at any moment.
        """
        number = next(self.marks)
        self.send(f"cat /.begin{number}; {line}; cat /.end{number}\r")
        self.expect(answer_to(f"/.begin{number}"), timeout)
        output = self.expect(answer_to(f"/.end{number}"), timeout)
        self.prompt(timeout)
        return output if keep else HYPERVISOR_LINE.sub("", output)

    def keys(self, keys, timeout=60):
        """Types keys and Enter; all that the terminal showed until what they started has ended, redrawn lines too."""
        mark = f"/.end{next(self.marks)}"
        self.send(f"{keys}\rcat {mark}\r")
        output = self.expect(answer_to(mark), timeout)
        self.prompt(timeout)
        return output.rpartition(f"{PROMPT}cat {mark}")[0]

    def dmesg(self):
        return self.command("dmesg", keep=True)

    def json(self, line, timeout=60):
        """What a command prints with --json, parsed."""
        output = self.command(f"{line} --json", timeout, keep=True)
        for text in (output, HYPERVISOR_LINE.sub("", output)):
            try:
                return json.loads(text)
            except ValueError:
                pass
        raise AssertionError(f"{line} --json printed no JSON: {output!r}")

    def domains(self):
        """The live domains by name."""
        return {domain["name"]: domain for domain in self.json("list")}

    def free_mib(self):
        return self.json("info")["free_memory"]

    def log(self, domain):
        return self.command(f"log {domain}")

    def wait(self, what, condition, timeout=30):
        """Until condition() is true; its value."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"waited {timeout} s in vain for: {what}"
            time.sleep(0.05)

    def wait_log(self, domain, pattern, timeout=30):
        return self.wait(f"{pattern!r} in {domain}'s log", lambda: re.search(pattern, self.log(domain)), timeout)

    def wait_gone(self, name, timeout=30):
        self.wait(f"the end of {name}", lambda: name not in self.domains(), timeout)

    def destroy_all(self):
        for name in self.domains():
            if name != "Domain-0":
                self.command(f"destroy {name}")

    def debug_key(self, key):
        """The hypervisor's report for a debug key, without its prefix."""
        self.command("dmesg -c")
        before = len(self.hypervisor_lines())
        self.command(f"debug-keys {key}")
        return "".join(line.removeprefix("(XEN) ") for line in self.hypervisor_lines()[before:])

    def switch_input(self, to):
        """The serial line's input goes to Paravane itself, or to DOM0: whatever dom0 does, the keys work."""
        for _ in range(2):
            self.send(SWITCH_INPUT)
            self.expect(INPUT_TO, timeout=20)
            if self.child.match.group(1) == to:
                return

    def audit(self):
        """The last of a few frame audits: the match of AUDIT, of which no number but the frames' is to be above 0."""
        self.switch_input("Paravane")
        for _ in range(AUDITS):
            self.send("f")
            self.expect(AUDIT, timeout=30)
            if self.child.match.groups() == ("0", "0"):
                break
        result = self.child.match
        self.switch_input("DOM0")
        return result

    def audit_at_end(self):
        """Every test with a machine has this one test more: what it did left no frame with a count that is not so."""
        if not self.audited or not self.child.isalive():
            return
        try:
            found = self.audit()
        except pexpect.EOF:
            return  # it was about to power off
        assert found.groups() == ("0", "0"), f"after the test, {found.group()}: {self.text()[-3000:]}"

    def __exit__(self, failure, *_):
        try:
            if failure is None:
                self.audit_at_end()
        finally:
            self.close()


def booted(**options):
    """A machine at its first prompt."""
    machine = Machine(**options)
    try:
        machine.prompt(timeout=90)
    except Exception:
        print(machine.text()[-4000:])
        machine.close()
        raise
    return machine


def ramdisk(path, files):
    """dom0's RAM disk plus files (name to contents); the -initrd that carries it."""
    with tarfile.open(f"{BUILD}/dom0.rd") as old, tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as new:
        for member in old.getmembers():
            data = old.extractfile(member)
            if member.issparse():
                member.type = tarfile.REGTYPE
            new.addfile(member, data)
        directory = tarfile.TarInfo("guests")
        directory.type = tarfile.DIRTYPE
        directory.mode = 0o555
        new.addfile(directory)
        for name, contents in sorted(files.items()):
            data = contents.encode() if isinstance(contents, str) else contents
            info = tarfile.TarInfo(f"guests/{name}")
            info.size = len(data)
            info.mode = 0o444
            new.addfile(info, io.BytesIO(data))
    return f"{BUILD}/dom0,{path}"


def built(path):
    """The contents of a file below build/."""
    with open(f"{BUILD}/{path}", "rb") as file:
        return file.read()


def config(name, kernel, **settings):
    """The text of a configuration file."""
    settings = {"memory": 16, **settings}
    lines = [f'name = "{name}"', f'kernel = "{kernel}"']
    return "\n".join(lines + [f"{key} = {json.dumps(value)}" for key, value in settings.items()]) + "\n"
