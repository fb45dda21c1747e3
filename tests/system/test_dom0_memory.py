# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""dom0's own memory runs out in the middle of a command: at its first allocation, at its second ...

The command, the store, the back ends and the threads that serve them all live in one heap. Whoever of them gets no
memory says so or finds another way; what he had is given back, and the next command works. `make soak-memory` lets every
single allocation fail, `make soak-memory POINTS=n` a choice of them; FIRST=n LAST=n those of a range, ONLY=save in one
command.
"""
import collections
import itertools
import os
import re

import pytest

from heap import DISKS, Heap, difference
from machine import DOM0_MEM, Machine
from test_leaks import settled

POINTS = int(os.environ.get("POINTS", "0"))  # of each command; 0: all
FIRST, LAST = int(os.environ.get("FIRST") or 1), int(os.environ.get("LAST") or 1000000)
pytestmark = pytest.mark.skipif("POINTS" not in os.environ, reason="make soak-memory takes its time")
OPTIONS = f"console=com1 {DOM0_MEM} loglvl=info guest_loglvl=none"
DISK = "/images/scratch.img,raw,xvda,w"


NUMBERS = itertools.count(1)  # a name that no dead guest has: their logs can still be read


class Operation:
    """A command, what it needs before, and how to undo it where it worked."""

    def __init__(self, before, command, undo, after=""):
        self.before, self.command, self.undo, self.after = before, command, undo, after


# `undo` is typed whether the command worked or not: what is not there cannot be removed, and it says so.
OPERATIONS = {
    "create": Operation("", f'create -p /examples/disk.cfg name=one \'vif=["mac=00:16:3e:00:00:77"]\'', "destroy one"),
    "destroy": Operation("create -p /examples/ticker.cfg name=one", "destroy one", "create -p /examples/ticker.cfg name=one",
                         "destroy one"),
    "save": Operation("create /examples/ticker.cfg name=one", "save one /tmp/one",
                      "restore /tmp/one; rm /tmp/one", "destroy one"),
    "live-save": Operation("create /examples/ticker64.cfg name=one", "save -l -c one /tmp/one", "rm /tmp/one", "destroy one"),
    "restore": Operation("create /examples/ticker64.cfg name=one; save one /tmp/one", "restore /tmp/one", "destroy one",
                         "rm /tmp/one"),
    "migrate": Operation("create /examples/ticker.cfg name=one", "migrate one localhost", "", "destroy one"),
    "block-attach": Operation("create -p /examples/ticker.cfg name=one", f"block-attach one {DISK}",
                              "block-detach -f one xvda", "destroy one"),
    "network-attach": Operation("create -p /examples/ticker.cfg name=one", "network-attach one mac=00:16:3e:00:00:78",
                                "network-detach -f one 00:16:3e:00:00:78", "destroy one"),
}
@pytest.fixture(scope="module")
def machine():
    with Machine(cpus=1, memory="768M", append=OPTIONS, initrd=DISKS) as machine:
        machine.prompt(timeout=90)
        machine.heap = Heap(machine)
        serves(machine)
        machine.command("create /examples/ping.cfg; destroy ping")
        yield machine


@pytest.fixture(autouse=True)
def alone(machine):
    """A test that failed leaves its guest to no other."""
    yield
    machine.command("cat /.heap/fail/0")
    machine.destroy_all()
    machine.command("rm /tmp/one")


def chosen(count):
    """All allocations of the range, or POINTS of them: the last ones too, where most is to be undone."""
    numbers = range(FIRST, min(LAST, count) + 1)
    if POINTS == 0 or len(numbers) <= POINTS:
        return list(numbers)
    return sorted({numbers[number * (len(numbers) - 1) // max(POINTS - 1, 1)] for number in range(POINTS)})


def run_once(machine, operation):
    """The command with memory enough: how many allocations that are, and what it says."""
    said, made, _ = machine.heap.failing(0, operation.command)
    machine.command(operation.undo)
    return said, made


def held(machine, blocks=None):
    """All that dom0 holds: blocks of its heap by their owners, nodes of the store by their last names."""
    names = re.findall(r"^ *([^ ]+) = ", machine.command("xenstore-ls"), re.MULTILINE)
    nodes = collections.Counter("node " + name for name in names if not name.isdigit() and name.count("-") < 4)
    return {**(blocks or machine.heap.settled()), **nodes, "nodes": len(names)}


def unchanged(machine, before, number):
    """dom0 holds what it held before once the threads that serve the guests are through."""
    try:
        machine.wait("dom0 to be as before", lambda: not difference(before, held(machine, machine.heap.blocks())),
                     timeout=30)
    except AssertionError:
        raise AssertionError(f"allocation {number} failed, and {difference(before, held(machine))}") from None


@pytest.mark.parametrize("name", OPERATIONS)
def test_command(machine, name):
    """A step that fails without undoing those before it: a block, a domain, a node, a port that nobody knows any more."""
    operation = OPERATIONS[name]
    empty = settled(machine)
    machine.command(operation.before)
    for _ in range(3):  # the hypervisor's heap and the back ends' tables reach their size
        whole, made = run_once(machine, operation)
    assert made > 10, f"{name} makes {made} allocations: it did not happen\n{whole}"
    before, domains = held(machine), list(machine.domains())
    lost = 0
    points = chosen(made)
    for number in points:
        said, _, failed = machine.heap.failing(number, operation.command)
        undone = machine.command(operation.undo)
        lost += failed
        machine.wait(f"the same domains though allocation {number} failed: {said!r}, {undone!r}",
                     lambda: list(machine.domains()) == domains)
        unchanged(machine, before, number)
    assert lost >= len(points) // 2, f"only {lost} allocations failed"
    again, _ = run_once(machine, operation)
    assert len(again.splitlines()) == len(whole.splitlines()), f"after all it no longer works: {again!r}"
    machine.command(operation.after)
    machine.wait("all to be gone", lambda: list(machine.domains()) == ["Domain-0"])
    after = settled(machine)
    assert abs(after.pop("free pages") - empty.pop("free pages")) <= 16
    assert after == empty


def serves(machine):
    """What the threads of dom0 do for a guest: its console, its devices, its end."""
    name = f"served{next(NUMBERS)}"
    machine.command(f"create /examples/disk.cfg name={name}")
    machine.wait_log(name, "disk: done", timeout=60)
    machine.wait_gone(name)


# Where events pass through memory on their way from the store to whoever watches.
CARRIERS = ("pump", "next_event", "message_new")


@pytest.mark.parametrize("function", CARRIERS)
def test_events_lost(machine, function):
    """A service that gives up for good, or waits for ever, because one event found no memory: all guests after that would
    be without console or disk, and nobody would notice their end."""
    serves(machine)
    before = held(machine)
    machine.heap.refuse(function, 12)
    machine.command("create /examples/disk.cfg name=one")
    machine.command("destroy one")
    refused = machine.heap.refused()
    machine.command("destroy one")
    assert refused > 0, f"{function} asked for no memory"
    serves(machine)
    unchanged(machine, before, f"{refused} in {function}")
