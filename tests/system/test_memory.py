# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Ballooning by mem-set and mem-max: the numbers of the guest, of list and of the machine must agree."""
import re

import pytest

from machine import booted

MIB = 1024


def start_balloon(machine, settings=""):
    machine.command(f"create /examples/balloon.cfg {settings}")
    machine.wait_log("balloon", "following memory/target")


def balloon_state(machine, name="balloon"):
    return next(entry for entry in machine.json("list -m") if entry["name"] == name)


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


@pytest.mark.parametrize("width", [32, 64])
def test_mem_set_waits(host2, width):
    """-w says when a size is reached, beyond the size that the guest started with too, and the machine gains and loses
    exactly that; list -m agrees."""
    start_balloon(host2, f"kernel=/boot/balloon{width}")
    host2.command("mem-max balloon 64")
    free = host2.free_mib()
    for target in (16, 64, 32):
        assert re.search(rf"^{target} MiB reached in \d+\.\d s", host2.command(f"mem-set -w balloon {target}"), re.M)
        assert abs(host2.free_mib() - (free + 32 - target)) <= 1
        state = balloon_state(host2)
        assert (state["current_kib"], state["target_kib"], state["balloon"]) == (target * MIB, target * MIB, "idle")


def test_list_names_the_limit(host2):
    """A refused request stays visible with what was asked and the limit, until one is accepted; also when somebody wrote
    the target past all checks."""
    start_balloon(host2)
    host2.command("mem-set balloon 41")
    listed = host2.command("list -m balloon")
    assert re.search(r"^balloon +\d+ +32 +32 +40  refused: 41 MiB asked for, 40 MiB is the maximum; mem-max", listed, re.M)
    host2.command("mem-set -w balloon 30")
    assert balloon_state(host2)["balloon"] == "idle"
    domid = host2.domains()["balloon"]["domid"]
    host2.command(f"xenstore-write /local/domain/{domid}/memory/target {50 * MIB}")
    state = host2.wait("a refusal", lambda: (s := balloon_state(host2))["balloon"] == "refused" and s)
    assert "50 MiB asked for, 40 MiB is the maximum" in state["reason"]


def test_list_says_why_a_guest_is_stuck(host2):
    """Paused, without a driver, squeezed below what it needs, or on a machine without memory: each has its words."""
    start_balloon(host2)
    host2.command("pause balloon")
    assert "stuck: the domain is paused" in host2.command("mem-set balloon 24")
    host2.command("unpause balloon")
    assert "24 MiB reached" in host2.command("mem-set -w balloon 24")
    host2.command("create /examples/grub32.cfg")
    assert "no balloon driver" in host2.command("mem-set -w grub32 64")
    assert "no balloon driver" in balloon_state(host2, "grub32")["reason"]
    output = host2.command("mem-set -w balloon 100k")
    assert "does not reach 0 MiB; stuck: the guest has given nothing more for" in output, output
    host2.command("destroy grub32")


def test_a_full_machine_is_named():
    """A guest that may take all memory there is gets no further, everybody else lives on, and it gives all back."""
    with booted(cpus=2, memory="256M") as machine:
        start_balloon(machine, "kernel=/boot/balloon64")
        free = machine.free_mib()
        machine.command("mem-max balloon 8g")
        domid = machine.domains()["balloon"]["domid"]
        machine.command(f"xenstore-write /local/domain/{domid}/memory/target {4096 * MIB}")
        state = machine.wait("the end of memory", lambda: (s := balloon_state(machine))["balloon"] == "stuck" and s)
        assert re.search(r"the machine has only \d MiB free", state["reason"]), state
        output = machine.command("create /examples/hello32.cfg")
        assert re.search(r"16 MiB asked for, \d MiB free; shrink another domain with mem-set", output), output
        assert "32 MiB reached" in machine.command("mem-set -w balloon 32")
        assert abs(machine.free_mib() - free) <= 1


def test_new_driver_gets_its_time(host2):
    """A target set before the guest's driver listens is waited for, and not called hopeless."""
    host2.command("create -p /examples/balloon.cfg")
    host2.send("unpause balloon; mem-set -w balloon 24\r")
    host2.expect("24 MiB reached")
    host2.prompt()
