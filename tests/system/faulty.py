# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Memory that runs out when a test says so: the hypervisor as it is, its allocators stopped at by QEMU's gdbstub.

Breakpoints stand at the entries of hv_alloc (small objects, pages of tables) and heap_take (all frames, a guest's too).
Each stop counts one allocation; the one that is to fail returns at once with the allocator's failure, all others are
stepped over. For a machine with one CPU. A guest says when to count by calling xen_version with the command
ARM + n, the n-th from there on fails, and ARM alone, which answers how many failed since.
"""
import itertools
import os
import socket
import subprocess
import tempfile
import threading

from machine import BUILD, Machine

FAILURES = {"hv_alloc": 0, "heap_take": 2 ** 64 - 1}
VERSION = "do_xen_version"
ARM = 0x7FA00000
RAX, RDI, RSP, RIP = 0, 5, 7, 16
# Of a frame's word: allocated, of domain 0, of the type writable, validated; hypervisor/include/mm.h.
DOM0S_WRITABLE = 1 << 23 | 1 << 39 | 1 << 44
TYPE_COUNT_AND_REFERENCES = 0x1FFFF << 47 | (1 << 23) - 1


def symbols(names):
    """Addresses of functions of the hypervisor."""
    lines = subprocess.run(["nm", f"{BUILD}/paravane.elf64"], capture_output=True, text=True, check=True).stdout
    found = {name: int(address, 16) for address, _, name in (line.split() for line in lines.splitlines())
             if name in names}
    assert len(found) == len(names), f"not all of {names} are functions: {found}"
    return found


class Stub:
    """The remote protocol's client side, what little of it is needed."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.buffer = b""

    def send(self, text):
        data = text.encode()
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) % 256))

    def byte(self):
        if not self.buffer:
            self.buffer = self.socket.recv(4096)
            if not self.buffer:
                raise ConnectionError
        byte, self.buffer = self.buffer[:1], self.buffer[1:]
        return byte

    def receive(self):
        while self.byte() != b"$":
            pass
        data = b""
        while (byte := self.byte()) != b"#":
            data += byte
        self.byte(), self.byte()
        self.socket.sendall(b"+")
        return data.decode()

    def ask(self, text):
        self.send(text)
        return self.receive()

    def settle(self):
        """The machine has stopped for us, and has said so, once or twice."""
        self.ask("?")
        self.socket.settimeout(0.3)
        try:
            while True:
                self.receive()
        except TimeoutError:
            self.socket.settimeout(None)
        self.ask("qXfer:features:read:target.xml:0,fff")  # only who has asked for it may name single registers

    def must(self, text):
        answer = self.ask(text)
        assert answer == "OK", f"{text}: {answer}"

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}"))[:8], "little")

    def set_register(self, number, value):
        self.must(f"P{number:x}={value.to_bytes(8, 'little').hex()}")

    def word(self, address):
        return int.from_bytes(bytes.fromhex(self.ask(f"m{address:x},8")), "little")


class Allocations(threading.Thread):
    """Counts the allocations of a running machine, and lets the one fail that fail_at names."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.stub = Stub(path)
        self.functions = {address: name for name, address in symbols([*FAILURES, VERSION]).items()}
        self.left = self.failed = 0
        self.broken = self.errand = self.victim = None
        self.at = 0x8000
        self.stub.settle()
        for address in self.functions:
            self.stub.must(f"Z0,{address:x},1")

    def arm(self, number):
        """The number-th allocation from now on fails; 0: none does. Returns how many failed since the last call."""
        assert self.broken is None, self.broken
        failed, self.failed, self.left = self.failed, 0, number
        return failed

    def due(self):
        if self.left == 0:
            return False
        self.left -= 1
        self.failed += self.left == 0
        return self.left == 0

    def answer(self, value):
        """The function returns at once."""
        stack = self.stub.register(RSP)
        self.stub.set_register(RAX, value)
        self.stub.set_register(RIP, self.stub.word(stack))
        self.stub.set_register(RSP, stack + 8)

    def change_references(self, difference):
        """At the next stop, adds to the reference count of a frame that dom0 has mapped writable, always the same."""
        pointer = symbols(["frame_table"])["frame_table"]

        def errand():
            frames = self.stub.word(pointer)
            while self.victim is None:
                self.at += 1
                if self.stub.word(frames + 8 * self.at) & ~TYPE_COUNT_AND_REFERENCES == DOM0S_WRITABLE:
                    self.victim = self.at
            address = frames + 8 * self.victim
            self.stub.must(f"M{address:x},8:{(self.stub.word(address) + difference).to_bytes(8, 'little').hex()}")
        self.errand = errand

    def step_over(self, address):
        self.stub.must(f"z0,{address:x},1")
        self.stub.ask("s")
        self.stub.must(f"Z0,{address:x},1")

    def stopped(self):
        address = self.stub.register(RIP)
        name = self.functions.get(address)
        if self.errand:
            self.errand()
            self.errand = None
        if name == VERSION:
            number = (self.stub.register(RDI) & 0xFFFFFFFF) - ARM
            if 0 <= number < 0x10000:
                self.answer(self.arm(number))
                return
        elif name and self.due():
            self.answer(FAILURES[name])
            return
        if name:
            self.step_over(address)

    def run(self):
        try:
            while True:
                self.stub.send("c")
                self.stub.receive()
                self.stopped()
        except OSError:
            pass  # the machine has ended
        except Exception as error:
            self.broken = repr(error)
            raise


class FaultyMachine(Machine):
    """A machine at its prompt, whose allocations are counted."""

    def __init__(self, **options):
        self.directory = tempfile.TemporaryDirectory()
        path = os.path.join(self.directory.name, "gdb")
        super().__init__(extra=[*options.pop("extra", ()), "-gdb", f"unix:path={path},server=on,wait=off"], **options)
        self.prompt(timeout=90)
        self.allocations = Allocations(path)
        self.allocations.start()

    def until_it_works(self, operation, limit=400, numbers=None):
        """Calls operation with the first, the second, ... allocation failing (or those of numbers), until none fails:
        (n, results) of the calls that met a failure. operation says what it printed."""
        for attempt, number in enumerate(numbers or itertools.count(1)):
            assert attempt < limit, f"the operation met a failure {limit} times"
            self.allocations.arm(number)
            output = operation()
            if self.allocations.arm(0) == 0:
                return
            yield number, output

    def close(self):
        super().close()
        self.directory.cleanup()
