# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""The memory of Debian's Linux: its balloon down and up, and memory added beyond the size it booted with."""
import os
import re

import pytest

from linux_shell import SHELL, ask, quiet
from machine import BUILD, LEAVE_CONSOLE, booted

MIB = 1024


@pytest.fixture(scope="module")
def linux():
    """A machine with a Linux guest of 192 MiB that was told 256 MiB, its shell at the console."""
    assert os.path.exists(f"{BUILD}/cache/linux/release"), "Debian's kernel is missing: make setup fetches it"
    with booted(cpus=2, memory="1024M", append="console=com1 dom0_mem=256M loglvl=warning") as machine:
        machine.free_at_start = machine.free_mib()
        machine.send("create -c /examples/linux.cfg memory=192 maxmem=256\r")
        machine.expect(SHELL, timeout=120)
        machine.send(LEAVE_CONSOLE)
        machine.prompt()
        quiet(machine)
        yield machine


def total_kib(machine):
    """The guest's own MemTotal."""
    return int(re.search(r"MemTotal: +(\d+) kB", ask(machine, "grep MemTotal /proc/meminfo")).group(1))


def balloon(machine):
    return next(entry for entry in machine.json("list -m") if entry["name"] == "linux")


def move(machine, mib):
    """mem-set -w, and what must be true after it whatever the size."""
    before, free = balloon(machine)["current_kib"], machine.free_mib()
    output = machine.command(f"mem-set -w linux {mib}", timeout=120)
    assert f"{mib} MiB reached in " in output, output
    state = balloon(machine)
    assert (state["current_kib"], state["balloon"]) == (mib * MIB, "idle")
    assert abs(machine.free_mib() - free - (before // MIB - mib)) <= 1


def test_down_and_up(linux):
    """What Linux gives back is free for others, page by page, and gone from its MemTotal; then all of it returns."""
    total = total_kib(linux)
    move(linux, 128)
    assert total_kib(linux) == total - 64 * MIB
    move(linux, 192)
    assert total_kib(linux) == total


def test_up_to_what_it_was_told(linux):
    """maxmem above memory: the guest grows to it without a reboot and without hotplug."""
    total = total_kib(linux)
    move(linux, 256)
    assert total_kib(linux) == total + 64 * MIB


def test_beyond_what_it_booted_with(linux):
    """mem-set past the maximum names it; mem-max raises it; Linux then adds memory that it had not known of at boot."""
    assert "400 MiB is more than the 256 MiB" in linux.command("mem-set linux 400")
    assert "400 MiB asked for, 256 MiB is the maximum" in balloon(linux)["reason"]
    total = total_kib(linux)
    linux.command("mem-max linux 400")
    move(linux, 400)
    assert total_kib(linux) > total + 136 * MIB  # the rest describes the new pages
    move(linux, 192)
    move(linux, 400)


def test_movement_is_seen(linux):
    """While it shrinks list -m tells the direction and, soon, the rate."""
    output = linux.command("mem-set linux 160; list -m linux")
    assert "moves from 400 MiB to 160 MiB" in output
    assert re.search(r"^linux +\d+ +\d+ +160 +400  moving", output, re.M), output
    state = linux.wait("a rate", lambda: (s := balloon(linux)).get("rate_kib_per_s", 1) and s)
    assert state["balloon"] == "idle" or state["direction"] == "down"
    linux.wait("the end", lambda: balloon(linux)["balloon"] == "idle", timeout=60)


def test_all_comes_back(linux):
    """A guest that was shrunk, grown and grown beyond its boot leaves nothing behind."""
    linux.command("destroy linux")
    assert linux.free_mib() == linux.free_at_start
