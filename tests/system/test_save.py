# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Domains saved, restored and migrated within one host, by the minimal guests of both widths."""
import re

import pytest

from machine import booted

PERIOD_MS = 50


@pytest.fixture(scope="module")
def host():
    with booted(cpus=2, memory="1024M") as machine:
        yield machine


@pytest.fixture
def moving(host):
    yield host
    host.destroy_all()
    for name in ("t", "u"):
        host.command(f"rm /tmp/{name}")


def start(machine, config="ticker"):
    machine.command(f"create /examples/{config}.cfg name=mover 'extra=\"period={PERIOD_MS}\"'")
    machine.wait_log("mover", "tick 3,")


def numbers(machine, domain="mover"):
    """The ticks that a domain told, in their order; the dead are known by their numbers."""
    return [int(number) for number in re.findall(r"^tick (\d+),", machine.log(domain), re.MULTILINE)]


def goes_on(machine, before):
    """Ticks come after those of before, none twice and none left out. Returns them."""
    machine.wait("new ticks", lambda: len(numbers(machine)) > 3)
    ticks = numbers(machine)
    assert before + ticks == list(range(before[0], ticks[-1] + 1))
    return ticks


def still_ticks(machine):
    """The same domain as before, with all its ticks."""
    newest = numbers(machine)[-1]
    machine.wait("more ticks", lambda: numbers(machine)[-1] > newest + 2)
    ticks = numbers(machine)
    assert ticks == list(range(ticks[0], ticks[-1] + 1))


@pytest.mark.parametrize("config", ["ticker", "ticker64"])
def test_saved_and_restored(moving, config):
    """A tick lost, or told twice, over a save; a domain or half a file left behind; a file that restores only once."""
    start(moving, config)
    number = moving.domains()["mover"]["domid"]
    answer = moving.command("save mover /tmp/t")
    assert re.search(r"saved mover to /tmp/t \(16\.\d MiB in .*stood still \d+ ms", answer)
    assert "mover" not in moving.domains()
    for _ in range(2):
        assert "restored mover as domain" in moving.command("restore /tmp/t")
        goes_on(moving, numbers(moving, number))
        moving.command("destroy mover")


def test_checkpoint_runs_on(moving):
    """save -c must leave the same domain running: its suspend was called off, so it announces no restore."""
    start(moving)
    number = moving.domains()["mover"]["domid"]
    assert "it runs on" in moving.command("save -c mover /tmp/t")
    still_ticks(moving)
    assert moving.domains()["mover"]["domid"] == number
    assert "restored" not in moving.log("mover")


def test_older_file_outlives_a_guest_that_cannot_be_saved(moving):
    """The file of an older checkpoint was emptied before anybody looked at the guest, and removed when it was no good."""
    start(moving)
    moving.command("save -c mover /tmp/t")
    moving.command("destroy mover; create /examples/grub64.cfg name=deaf memory=48")
    moving.wait_log("deaf", "grub>")
    assert "was not saved" in moving.command("save deaf /tmp/t")
    assert "restored mover as domain" in moving.command("restore /tmp/t")


@pytest.mark.parametrize("config", ["ticker", "ticker64"])
def test_migrated_to_localhost(moving, config):
    """A page that was written and not sent: --debug compares all of them at the end. A move that leaves two, or none."""
    start(moving, config)
    for options in ("--debug", "", "--non-live", "--bandwidth=64 --rounds=3"):
        number = moving.domains()["mover"]["domid"]
        answer = moving.command(f"migrate {options} mover localhost")
        assert re.search(r"migrated mover to localhost as domain \d+: .* stood still \d+ ms", answer)
        goes_on(moving, numbers(moving, number))
        assert list(moving.domains()) == ["Domain-0", "mover"]


def test_shadowed_domain_is_migrated_and_stays_so(moving):
    """A domain on shadow tables from its start: the log's end must not take them away, nor may the move."""
    moving.command("create /examples/ticker64.cfg name=mover shadow=1 'extra=\"period=50\"'")
    moving.wait_log("mover", "tick 3,")
    moving.command("save -l -c mover /tmp/t")
    number = moving.domains()["mover"]["domid"]
    assert "migrated mover" in moving.command("migrate mover localhost")
    goes_on(moving, numbers(moving, number))


def test_what_is_no_saved_domain_is_refused(moving):
    """A file that is refused must say where it is wrong, and leave no domain, name or memory behind."""
    start(moving)
    moving.command("save mover /tmp/t")
    for path, words in (("/boot/ticker32", "not a saved domain"), ("/tmp/none", "No such file")):
        answer = moving.command(f"restore {path}")
        assert path in answer and words in answer
    assert list(moving.domains()) == ["Domain-0"]


def test_target_without_memory_says_so_first(moving):
    """A guest that was suspended, or sent, before anybody asked whether there is room for it."""
    moving.command("create /examples/ticker.cfg name=mover memory=450 'extra=\"period=50\"'")
    moving.wait_log("mover", "tick 3,")
    answer = moving.command("migrate mover localhost")
    assert "runs on here" in answer and "450 MiB asked for" in answer
    assert "suspend" not in moving.log("mover")
    answer = moving.command("save mover /tmp/t")
    assert "/tmp has room for" in answer
    still_ticks(moving)


def test_paused_domain_is_refused_before_anything_is_sent(moving):
    """Its kernel cannot hear the request: a save that waits a minute for it, or leaves a file."""
    start(moving)
    moving.command("pause mover")
    assert "paused" in moving.command("save mover /tmp/t")
    assert "paused" in moving.command("migrate mover localhost")
    assert "No such file" in moving.command("cat /tmp/t")
    moving.command("unpause mover")
    still_ticks(moving)


def test_interrupted_at_any_rate(moving):
    """A Ctrl-C that is not heard while the rate allowed has the sender wait (for an hour, here), or a guest that does not
    go on after it."""
    start(moving)
    number = moving.domains()["mover"]["domid"]
    moving.send("migrate --bandwidth=1k mover localhost\r")
    moving.expect("round 1: ")
    moving.send("\x03")
    moving.expect("runs on here and was not migrated: cancelled", timeout=10)
    moving.prompt()
    assert moving.domains()["mover"]["domid"] == number
    still_ticks(moving)


def test_reboot_during_migration(moving):
    """A guest that reboots while it is copied, and is not started again because the copy still has its name."""
    start(moving)
    number = moving.domains()["mover"]["domid"]
    answer = moving.command("reboot mover; migrate --rounds=100 --max-downtime=1 --bandwidth=20 mover localhost")
    moving.wait("a mover", lambda: moving.domains().get("mover", {}).get("domid", number) != number)
    moving.wait("that it ticks", lambda: len(numbers(moving)) > 3)
    assert "mover--incoming" not in moving.domains(), answer
