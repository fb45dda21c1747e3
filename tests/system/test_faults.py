# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor's memory runs out in the middle: at every single allocation of an operation, the first, the second ...

An allocation that fails is the path that nobody walks by hand, and where what was taken before is forgotten.
"""
import itertools
import os
import re

import pexpect
import pytest

from faulty import FaultyMachine
from machine import AUDIT, DOM0_MEM, booted, built, config, ramdisk
from test_leaks import assert_same, settled

OPTIONS = f"console=com1 {DOM0_MEM} loglvl=info guest_loglvl=none"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    files = {}
    for width in (32, 64):
        files[f"faults{width}"] = built(f"guest{width}/test-faults")
        files[f"faults{width}.cfg"] = config(f"faults{width}", f"/guests/faults{width}", memory=16, maxmem=20, vcpus=4)
    initrd = ramdisk(tmp_path_factory.mktemp("rd") / "rd", files)
    with FaultyMachine(cpus=1, memory="768M", append=OPTIONS, initrd=initrd) as machine:
        for guest in ("ticker", "hello32", "balloon"):
            for _ in range(2):
                machine.command(f"create /examples/{guest}.cfg; destroy {guest}")
        machine.destroy_all()
        yield machine


@pytest.mark.parametrize("guest", ["hello32"])
def test_create(machine, guest):
    """A domain that cannot be had whole is not had at all: a sentence, no half of it in the list, no page gone."""
    before = settled(machine)
    met = worked = 0
    for number, output in machine.until_it_works(lambda: machine.command(f"create -p /examples/{guest}.cfg name=one")):
        met += 1
        if "one" in machine.domains():
            worked += 1  # what failed was not needed: another way was found
            machine.command("destroy one")
        else:
            assert re.search("memory|Not enough space", output), f"allocation {number} failed, and the person reads: {output!r}"
        if number % 16 == 0:
            assert_same(machine, before, slack=8)
    assert "one" in machine.domains()
    machine.command("destroy one")
    assert met - worked > 10, f"{met} allocations failed, {worked} in vain: create makes many more that matter"
    assert_same(machine, before, slack=8)


# Calls that must have met a failure, or the test tried nothing. Pinning allocates nothing, and a call that finds room
# in what earlier ones made does not either.
ALLOCATING = {"event channels": 1, "grant mappings": 2, "balloon": 8, "exchange": 1,
              "grant version": 1, "FIFO": 2, "vCPU up": 1}


@pytest.mark.parametrize("width", [32, 64])
def test_calls_of_a_guest(machine, width):
    """Ports, grants, frames: a refused call says that memory lacks, loses nothing, and works when there is some."""
    before = settled(machine)
    machine.command(f"create /guests/faults{width}.cfg")
    verdict = machine.wait_log(f"faults{width}", r"faults: (\d+) passed, (\d+) failed", timeout=100)
    log = machine.log(f"faults{width}")
    assert verdict[2] == "0", log
    for name, least in ALLOCATING.items():
        met = int(re.search(rf"^{name}: (\d+) failures", log, re.MULTILINE)[1])
        assert met >= least, f"{name}: {met} allocations failed\n{log}"
    machine.wait_gone(f"faults{width}")
    assert_same(machine, before, slack=8)


takes_time = pytest.mark.skipif("POINTS" not in os.environ, reason="make soak-memory takes its time")
NO_MEMORY = re.compile("memory|Not enough space|ENOMEM")


@pytest.fixture
def ticking(machine):
    """A guest that ticks; at the end all is as it was before."""
    before = settled(machine)
    machine.command("create /examples/ticker64.cfg name=one 'extra=\"period=100\"'")
    machine.wait_log("one", "tick 3,")
    yield
    machine.command("destroy one; rm /tmp/one")
    machine.wait_gone("one")
    assert_same(machine, before, slack=8)


def refusals(machine, operation, undo, works, numbers):
    """How often the command met an allocation that failed, and for how many of them it was refused, with words."""
    machine.command(operation)  # what is made only once
    machine.command(undo)
    domains = list(machine.domains())
    met = refused = 0
    for number, output in machine.until_it_works(lambda: machine.command(operation), numbers=numbers):
        met += 1
        if not re.search(works, output):
            refused += 1
            assert NO_MEMORY.search(output), f"allocation {number} failed, and the person reads: {output!r}"
        machine.command(undo)
        machine.wait(f"the same domains though allocation {number} failed: {output!r}",
                     lambda: list(machine.domains()) == domains)
    machine.command(undo)
    return met, refused


def sparse(step):
    """The first allocations one by one: they are the hypervisor's own. Of those behind, the guest's pages, some."""
    return itertools.chain(range(1, 12), itertools.count(12, step))


@takes_time
def test_live_save(machine, ticking):
    """The log of dirty pages and the shadow tables are made beside a guest that runs: it runs on when there is no room
    for them. It stands still only where resuming it is what failed, and then resume lets it go on."""
    met, refused = refusals(machine, "save -l -c one /tmp/one", "resume one; rm /tmp/one", "^saved one|[^ ]saved one",
                            sparse(3))
    assert refused >= 2, f"{met} allocations failed, and {refused} of them mattered: those of the log do"
    newest = int(re.findall(r"tick (\d+),", machine.log("one"))[-1])
    machine.wait("more ticks", lambda: int(re.findall(r"tick (\d+),", machine.log("one"))[-1]) > newest + 3)


@takes_time
def test_restore(machine, ticking):
    """Half of a domain is there when the next page is not to be had: all of it goes again."""
    machine.command("save one /tmp/one")
    met, refused = refusals(machine, "restore /tmp/one", "destroy one", "^restored one", itertools.chain(range(1, 6), itertools.count(10, 1900)))
    assert refused > 3, f"{met} allocations failed, and {refused} of them mattered"
    machine.command("restore /tmp/one")


@takes_time
def test_memory_given(machine):
    """A guest that asks for pages and gets fewer goes on with those, and has the rest when it asks again."""
    before = settled(machine)
    machine.command("create /examples/balloon.cfg name=one")
    machine.wait_log("one", "following memory/target", timeout=150)
    machine.command("mem-set -w one 32")
    pages = machine.domains()["one"]["memory_kib"]
    for number, output in machine.until_it_works(lambda: machine.command("mem-set -w one 33"), numbers=itertools.count(1, 41)):
        again = machine.command("mem-set -w one 33")
        assert machine.domains()["one"]["memory_kib"] == pages + 1024, f"allocation {number}: {output!r}, then {again!r}"
        machine.command("mem-set -w one 32")
        assert machine.domains()["one"]["memory_kib"] == pages
    machine.command("destroy one")
    machine.wait_gone("one")
    assert_same(machine, before, slack=8)


@pytest.mark.parametrize("change, found", [(1, ("0", "1")), (-1, ("1", "0"))], ids=["leak", "dangling"])
def test_audit_can_fail(machine, change, found):
    """The audit that ends every test: a reference that nobody holds is found, and one that nobody counted."""
    for difference, answer in ((change, found), (-change, ("0", "0"))):
        machine.allocations.change_references(difference)
        machine.command("create -p /examples/hello32.cfg; destroy hello32")  # allocates: only then is it done
        assert machine.allocations.errand is None
        assert machine.audit().groups() == answer


def test_audit_of_each_end():
    """debug=frames: the audit runs by itself when a domain has ended, and before the machine goes off."""
    with booted(append=OPTIONS + " debug=frames") as machine:
        lines = machine.command("create /examples/ticker.cfg; destroy ticker", keep=True)
        assert len(AUDIT.findall(lines)) == 1, lines
        machine.send("poweroff\r")
        machine.expect(pexpect.EOF)
        assert AUDIT.findall(machine.text()) == [("0", "0")] * 2


def test_debug_of_nothing_known():
    """debug= knows frames alone: anything else is a warning."""
    with booted(append=OPTIONS + " debug=everything") as machine:
        assert "not understood and ignored: debug=everything" in machine.text()
