# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor's memory runs out in the middle: at every single allocation of an operation, the first, the second ...

An allocation that fails is the path that nobody walks by hand, and where what was taken before is forgotten.
"""
import re

import pytest

from faulty import FaultyMachine
from machine import DOM0_MEM
from test_leaks import assert_same, settled

OPTIONS = f"console=com1 {DOM0_MEM} loglvl=info guest_loglvl=none"


@pytest.fixture(scope="module")
def machine():
    with FaultyMachine(cpus=1, memory="768M", append=OPTIONS) as machine:
        for guest in ("ticker", "hello32", "balloon"):
            for _ in range(2):
                machine.command(f"create /examples/{guest}.cfg; destroy {guest}")
        machine.destroy_all()
        yield machine


@pytest.mark.parametrize("guest", ["hello32", "ticker"])
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
