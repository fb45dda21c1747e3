# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor's memory runs out in the middle: at every single allocation of an operation, the first, the second ...

An allocation that fails is the path that nobody walks by hand, and where what was taken before is forgotten.
"""
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
        files[f"faults{width}.cfg"] = config(f"faults{width}", f"/guests/faults{width}", memory=16, maxmem=20)
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
              "grant version": 1, "FIFO": 2}


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
