# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Four guests attack the store at once, beside an honest one, while others come and go.

Each attack alone costs its guest the most and others little; what one of them leaves half done is where the next begins.
The honest guest's answers must all be right, it must get on, and after the last of them the store holds what it held. The
clock is the count of instructions, so a slow host changes nothing.
"""
import re
import signal

import pytest

from heap import HEAP_DOM0, Heap, difference
from machine import BUILD, OPTIONS, Machine

ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]
ATTACKS = ("conflict", "storm", "fill", "break")
STRETCH = re.compile(r"honest: (\d+) rounds in (\d+) us, (\d+) wrong")
STRETCHES = 4  # of 100 ms
SECONDS = 1800  # a slow host is no failure
LEAST = 1 / 40  # of what the honest guest has alone: about a twelfth is what it gets, as one of five


@pytest.fixture(scope="module", params=[1, 2], ids=["counted", "2cpus"])
def machine(request):
    """On one CPU in counted instructions, and on two, where a ring changes while the store looks at it."""
    counted = request.param == 1
    with Machine(cpus=request.param, append=OPTIONS, initrd=f"{HEAP_DOM0},{BUILD}/tests/store.rd",
                 extra=ICOUNT if counted else ()) as machine:
        machine.prompt(timeout=300)
        machine.heap, machine.counted = Heap(machine), counted
        yield machine


def create(machine, name, kernel, extra):
    machine.command(f"create /guests/{kernel}.cfg name={name} 'extra=\"{extra}\"'", timeout=300)
    return machine.domains()[name]["domid"]


def attack(machine, name, width, victim):
    kernel = "hostile" if name == "break" else "crowd"
    create(machine, name, f"{kernel}{width}", f"{name} {victim}")
    machine.wait_log(name, f"{name} has begun", timeout=300)


def speed(machine, stretches=STRETCHES, while_waiting=lambda: None):
    """Rounds of the honest guest in a millisecond, over some stretches that begin now."""
    first = len(STRETCH.findall(machine.log("honest"))) + 1

    def enough():
        while_waiting()
        return len(STRETCH.findall(machine.log("honest"))) >= first + stretches
    machine.wait("the honest guest to get on", enough, timeout=600)
    seen = STRETCH.findall(machine.log("honest"))[first:]
    assert {wrong for _, _, wrong in seen} == {"0"}, seen
    return sum(int(rounds) for rounds, _, _ in seen) * 1000 / sum(int(time) for _, time, _ in seen)


def held(machine):
    """What the store holds; without its bytes, of which a directory keeps what once were its children's."""
    counts = re.sub(r", \d+ bytes", "", machine.command("xenstore-control memreport"))
    return machine.command("xenstore-ls") + counts


def play(machine, width, stretches):
    """All of them from first to last; the honest guest's speed alone, beside the others, and after them."""
    other = 96 - width
    domid = create(machine, "honest", f"crowd{width}", "honest")
    alone = speed(machine, stretches)
    for name, bits in zip(ATTACKS, (other, width, other, width)):
        attack(machine, name, bits, domid)
    beside = speed(machine, stretches, lambda: machine.command(f"create /guests/compat{other}.cfg; destroy compat{other}", timeout=300))
    logs = {name: machine.log(name) for name in ATTACKS}
    for name in ATTACKS:
        machine.command(f"destroy {name}", timeout=300)
    after = speed(machine, stretches)
    machine.command("destroy honest", timeout=300)
    machine.wait("all to be gone", lambda: list(machine.domains()) == ["Domain-0"], timeout=300)
    assert not [line for log in logs.values() for line in log.splitlines() if "INTRUSION" in line]
    return alone, beside, after


@pytest.mark.parametrize("width", [32, 64])
def test_honest_among_attackers(machine, width):
    """A store that lets one guest's work stand in another's way, mixes up whose answer is whose, or keeps what it left."""
    signal.alarm(SECONDS)
    machine.command("create /guests/compat32.cfg; create /guests/compat64.cfg; destroy compat32; destroy compat64")
    play(machine, width, 1)
    before, blocks = held(machine), machine.heap.settled()
    alone, beside, after = play(machine, width, STRETCHES)
    assert machine.command("xenstore-control check").strip() == "OK"
    assert held(machine) == before
    assert not difference(blocks, machine.heap.settled())
    if machine.counted:
        assert beside >= alone * LEAST, (alone, beside)
        assert after >= alone / 2, (alone, after)
