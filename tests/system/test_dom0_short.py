# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""dom0 has no memory at the one moment when a guest stands still, or waits for an answer: it goes on with all it had.

Where `make soak-memory` lets any allocation fail, each of these lets one fail after which a guest was left without its
disk, without its clock, or waiting for ever.
"""
import re

import pytest

from heap import DISKS, Heap
from machine import DOM0_MEM, Machine

OPTIONS = f"console=com1 {DOM0_MEM} loglvl=info guest_loglvl=none"


@pytest.fixture(scope="module")
def machine():
    with Machine(cpus=1, memory="768M", append=OPTIONS, initrd=DISKS) as machine:
        machine.prompt(timeout=90)
        machine.heap = Heap(machine)
        yield machine


@pytest.fixture(autouse=True)
def alone(machine):
    """A test that failed leaves its guest to no other, and its refusals neither."""
    yield
    machine.heap.refused()
    machine.destroy_all()
    machine.command("rm /tmp/one")


def ticks(machine):
    return [int(number) for number in re.findall(r"^tick (\d+),", machine.log("one"), re.MULTILINE)]


def runs_on(machine):
    newest = ticks(machine)[-1]
    machine.wait("more ticks", lambda: ticks(machine)[-1] > newest + 2)


def test_disk_of_a_domain_that_was_not_moved(machine):
    """The target's last step fails, and the source goes on: with its disk, which was taken from it for the step."""
    machine.command("create /examples/ticker.cfg name=one 'disk=[\"/images/scratch.img,raw,xvda,w\"]' 'extra=\"period=50\"'")
    machine.wait_log("one", "tick 3,")
    disks = machine.command("block-list one")
    assert "xvda" in disks or "51712" in disks
    machine.heap.refuse("incoming_run", 1)
    said = machine.command("migrate one localhost")
    assert machine.heap.refused() == 1
    assert "runs on here and was not migrated" in said
    runs_on(machine)
    assert machine.command("block-list one") == disks


def test_memory_to_go_on(machine):
    """A checkpoint is whole, a migration was called off, and the guest that was to run on stands still: the store had no
    memory to be told so."""
    machine.command("create /examples/ticker.cfg name=one 'extra=\"period=50\"'")
    machine.wait_log("one", "tick 3,")
    machine.command("suspend one")
    assert machine.domains()["one"]["shutdown_reason"] == "suspend"
    machine.heap.refuse("xs_link_ask", 5)
    said = machine.command("resume one")
    assert machine.heap.refused() == 5
    assert said == ""
    runs_on(machine)


REFUSED = "xvda: Not enough space"  # a request of the guest that the store refuses with a word


@pytest.mark.parametrize("function, ends", [("pump", ["done"]), ("next_event", ["done"]), ("client_input", ["done"]),
                                            ("message_new", ["done", REFUSED])])
def test_disk_connects(machine, function, ends):
    """A front end says once that it is ready; when no memory carries that, or the answer, its guest waits for ever."""
    machine.command(f"create -p /examples/disk.cfg name={function}")
    machine.heap.refuse(function, 40)
    machine.command(f"unpause {function}")
    end = machine.wait_log(function, "disk: (done|xvda: .*)", timeout=90)
    assert machine.heap.refused() > 0, f"{function} asked for no memory"
    assert end[1].strip() in ends
    machine.wait_gone(function)
