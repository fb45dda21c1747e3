# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Ballooning by mem-set and mem-max: the numbers of the guest, of list and of the machine must agree."""
import re

MIB = 1024


def start_balloon(machine):
    machine.command("create /examples/balloon.cfg")
    machine.wait_log("balloon", "following memory/target")


def settle(machine, mib):
    machine.wait(f"balloon to have {mib} MiB", lambda: machine.domains()["balloon"]["memory_kib"] == mib * MIB)


def test_mem_set_moves_free_memory(host2):
    """What the guest gives back must be free for others, page by page, and come from there when it grows."""
    start_balloon(host2)
    free = host2.free_mib()
    host2.command("mem-set balloon 24")
    settle(host2, 24)
    assert abs(host2.free_mib() - (free + 8)) <= 1
    host2.command("mem-set balloon 40")
    settle(host2, 40)
    assert abs(host2.free_mib() - (free - 8)) <= 1
    host2.wait_log("balloon", "now 40960 KiB")


def test_mem_set_past_maxmem_is_refused(host2):
    """Both numbers and the way out, and nothing has changed."""
    start_balloon(host2)
    output = host2.command("mem-set balloon 41")
    assert "41 MiB is more than the 40 MiB" in output and "mem-max raises that" in output
    assert host2.domains()["balloon"]["memory_kib"] == 32 * MIB


def test_mem_max_raises_the_limit(host2):
    """After mem-max the guest may grow further; a maximum below what it is to have is refused."""
    start_balloon(host2)
    assert host2.command("mem-max balloon 64") == ""
    host2.command("mem-set balloon 60")
    settle(host2, 60)
    assert "60 MiB" in host2.command("mem-max balloon 50")


def test_mem_set_beyond_the_machine(host2):
    """More than is free: asked for and free are named, the guest is not told to try."""
    start_balloon(host2)
    host2.command("mem-max balloon 8g")
    output = host2.command("mem-set balloon 4g")
    assert re.search(r"would need 4064 MiB more, but \d+ MiB are free", output), output
    assert host2.domains()["balloon"]["memory_kib"] == 32 * MIB


def test_no_amount_of_memory(host2):
    """Words, negative numbers and zero are no amounts."""
    start_balloon(host2)
    for amount in ("much", "-5", "0", "12q", "99999999999999999999"):
        assert "is no amount of memory" in host2.command(f"mem-set balloon {amount}"), amount


def test_target_below_what_the_guest_can_do(host2):
    """A guest asked to live in 1 MiB gives what it can, stays alive and goes on listening."""
    start_balloon(host2)
    host2.command("mem-set balloon 1")
    host2.wait("a smaller balloon", lambda: host2.domains()["balloon"]["memory_kib"] < 20 * MIB)
    host2.command("mem-set balloon 32")
    settle(host2, 32)


def test_destroyed_in_the_middle_of_ballooning(host2):
    """Every page comes back whether the balloon was giving, taking or done."""
    free = host2.free_mib()
    for target in (8, 40, 20, 40):
        start_balloon(host2)
        host2.command(f"mem-set balloon {target}; destroy balloon")
        assert "balloon" not in host2.domains()
    assert host2.free_mib() == free


def test_create_larger_than_free_memory(host2):
    """The error names what was asked and what is free, and leaves no half-made domain."""
    free = host2.free_mib()
    output = host2.command("create /examples/hello32.cfg memory=4096")
    assert "4096 MiB" in output and re.search(rf"{free}|{free - 1} MiB", output), output
    assert list(host2.domains()) == ["Domain-0"]
    assert host2.free_mib() == free
