# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The heap of dom0 in the hands of a test: who holds how many blocks, and allocations that fail when the test says so.

For a machine booted with the dom0 of tests/system/dom0_heap.c: DISKS is its -initrd.
"""
import bisect
import re
import subprocess
import time

from machine import BUILD

HEAP_DOM0 = f"{BUILD}/tests/system/dom0-heap"
DISKS = f"{HEAP_DOM0},{BUILD}/dom0.rd"
# Functions that keep by design, up to a limit of their own: the logs of the last dead, what was typed, one message of each
# client of the store in advance, and what was last seen of each balloon.
KEEPERS = {"table_add", "log_append", "line_feed", "client_accepts_input", "look"}
# Of the store's nodes, which the store can list: a node keeps the room that its children once took.
NODES = {"tree_write", "node_new", "node_copy", "perm_set_new", "perm_set_parse", "value_new"}


class Heap:
    """Speaks with dom0_heap.c by way of the prompt."""

    def __init__(self, machine):
        self.machine = machine
        lines = subprocess.run(["nm", "-n", f"{HEAP_DOM0}.elf"], capture_output=True, text=True, check=True).stdout
        symbols = [line.split() for line in lines.splitlines() if line[9:10] in "tT"]
        self.addresses = [int(symbol[0], 16) for symbol in symbols]
        self.names = [symbol[2] for symbol in symbols]

    def function(self, address):
        return self.names[bisect.bisect(self.addresses, address) - 1]

    def blocks(self):
        """How many blocks each function holds that asked for any."""
        held = {}
        for address, count in re.findall(r"^heap: ([0-9a-f]+) (\d+) \d+$", self.machine.command("cat /.heap/show"),
                                         re.MULTILINE):
            name = self.function(int(address, 16))
            held[name] = held.get(name, 0) + int(count)
        assert held, "this dom0 does not answer for its heap"
        return {name: count for name, count in held.items() if name not in KEEPERS | NODES}

    def settled(self):
        """The same once the threads that serve the guests have nothing more to do."""
        before = None
        while before != (now := self.blocks()):
            before = now
            time.sleep(0.3)
        return now

    def refuse(self, function, count):
        """The next allocations that this function asks for fail; of two with one name, the library's, which lies behind."""
        at = max(index for index, name in enumerate(self.names) if name == function)
        self.machine.command(f"cat /.heap/fail-in/{self.addresses[at]:x}-{self.addresses[at + 1]:x}/{count}")

    def refused(self):
        """How many failed since they were asked to; none does from now on."""
        output = self.machine.command("cat /.heap/show; cat /.heap/fail/0")
        return int(re.search(r"^heap: \d+ allocations, (\d+) failed$", output, re.MULTILINE)[1])

    def failing(self, number, line, timeout=60):
        """A command of which the number-th allocation fails: what it printed, and how many it made and lost."""
        output = self.machine.command(f"cat /.heap/fail/{number}; {line}; cat /.heap/show", timeout)
        made, failed = re.search(r"^heap: (\d+) allocations, (\d+) failed$", output, re.MULTILINE).groups()
        said = "".join(part for part in output.splitlines(True) if "heap: " not in part and "/.heap/" not in part)
        return said, int(made), int(failed)


def difference(before, after):
    """What has changed from one count to another, as text; empty when nothing has."""
    return ", ".join(f"{name} holds {after.get(name, 0) - before.get(name, 0):+d}"
                     for name in sorted({*before, *after}) if before.get(name, 0) != after.get(name, 0))
