# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
"""Whatever way a guest ends, at whatever moment: no page, port, grant or node of the store stays behind."""
import random
import re
import time

import pytest

from machine import DOM0_MEM, LEAVE_CONSOLE, booted

OPTIONS = f"console=com1 {DOM0_MEM} loglvl=info guest_loglvl=none"
GUESTS = ["hello32", "hello64", "ticker", "balloon", "rogue", "ring", "ring-peer", "grub32", "grub64"]


def counts(machine):
    """All that a dead guest could leave behind: pages, dom0's ports, grants mapped by dom0, nodes of the store."""
    ports = re.search(r"d0 event channels: .*?(\d+) in use", machine.debug_key("e"))
    grants = re.search(r"d0 grant table: .* (\d+) entries in use, (\d+) mappings of others", machine.debug_key("g"))
    return {
        "free pages": machine.json("info")["free_pages"],
        "ports of dom0": int(ports[1]),
        "grants of dom0": int(grants[1]),
        "mappings of dom0": int(grants[2]),
        "nodes": machine.command("xenstore-ls"),
        "domains": list(machine.domains()),
    }


def settled(machine):
    """The counts once the last guest's pages are free: they are given back in the background."""
    last = None
    while (now := counts(machine)) != last:
        last = now
        time.sleep(0.2)
    return last


def assert_same(machine, before, slack=0):
    machine.wait("pages to be free again", lambda: counts(machine)["free pages"] >= before["free pages"] - slack)
    after = counts(machine)
    assert abs(after.pop("free pages") - before["free pages"]) <= slack
    assert after == {key: value for key, value in before.items() if key != "free pages"}


@pytest.fixture(scope="module", params=[1, 4], ids=["1cpu", "4cpus"])
def machine(request):
    """Warm: the first guests let dom0's heap and the hypervisor's grow to their size."""
    with booted(cpus=request.param, memory="1024M", append=OPTIONS) as machine:
        for guest in GUESTS * 2:
            machine.command(f"create /examples/{guest}.cfg; destroy {guest}")
        machine.destroy_all()
        yield machine


def test_killed_at_random_moments(machine):
    """Before its first instruction, in the middle of its boot, mapping a grant, ballooning, crashing: same counts."""
    before = settled(machine)
    moments = random.Random(1)
    made = 0
    for number in range(60):
        guest = moments.choice(GUESTS)
        name = guest if guest in ("ring", "ring-peer") else f"g{number}"
        paused = "-p " if moments.random() < 0.1 else ""
        said = machine.command(f"create {paused}/examples/{guest}.cfg name={name}")
        assert re.search(r"Domain \d+ |is taken by domain|MiB asked for", said), said
        made += "Domain" in said
        time.sleep(moments.choice((0, 0, 0.003, 0.01, 0.03, 0.1)))
        if moments.random() < 0.2:
            machine.command(f"pause {name}")
        if moments.random() < 0.5:
            machine.command(f"destroy {name}")
    machine.destroy_all()
    machine.wait("every guest to be gone", lambda: list(machine.domains()) == ["Domain-0"])
    assert made >= 20, made
    assert_same(machine, before, slack=8)


def test_both_ends_of_a_ring(machine):
    """One end dies while the other holds its page mapped and its port bound; then the other dies too."""
    before = settled(machine)
    for first, second in (("ring", "ring-peer"), ("ring-peer", "ring")):
        machine.command("create /examples/ring.cfg")
        machine.wait_log("ring", "waits for a partner")
        machine.command("create /examples/ring-peer.cfg extra=bytes=1000000000")
        machine.wait_log("ring", "mapped page reference")
        machine.command(f"destroy {first}")
        time.sleep(0.1)
        machine.command(f"destroy {second}")
        machine.wait("both to be gone", lambda: list(machine.domains()) == ["Domain-0"])
    assert_same(machine, before, slack=8)


def test_destroyed_under_its_console(machine):
    """A guest that ends while its console is shown: the prompt comes back, and the console's ring and port are free."""
    before = settled(machine)
    for _ in range(5):
        machine.send("create -c /examples/ticker.cfg 'extra=\"period=10 count=20\"'\r")
        machine.expect("tick 5,")
        machine.expect("the domain has ended")
        machine.prompt()
    machine.send("create -c /examples/rogue.cfg\r")
    machine.expect("the domain has ended")
    machine.prompt()
    machine.send("create -c /examples/grub64.cfg\r")
    machine.expect("grub> ")
    machine.send("halt\r")
    machine.expect("the domain has ended")
    machine.prompt()
    assert_same(machine, before, slack=8)


def test_reboots(machine):
    """Twenty reboots: twenty domains that came and went."""
    machine.command("create /examples/ticker.cfg")
    machine.wait_log("ticker", "tick 1,")
    before = settled(machine)
    first = machine.domains()["ticker"]["domid"]
    for number in range(1, 21):
        machine.command("reboot ticker")
        machine.wait("the next life", lambda: machine.domains().get("ticker", {}).get("domid") == first + number)
        machine.wait_log("ticker", "a tick every")
    before["nodes"] = re.sub(rf"\b{first}\b", str(first + 20), before["nodes"])
    after = settled(machine)
    assert abs(after["free pages"] - before["free pages"]) <= 8
    assert after["ports of dom0"] == before["ports of dom0"]
    assert after["mappings of dom0"] == before["mappings of dom0"]
    assert after["nodes"].count("\n") == before["nodes"].count("\n")
    machine.destroy_all()


def test_two_hundred_guests_at_once():
    """On 2 GiB: all run, all answer, the prompt stays usable, and all leave as they came."""
    with booted(cpus=2, memory="2048M", append=f"console=com1 {DOM0_MEM} loglvl=info") as machine:
        machine.command("create /examples/ticker.cfg; destroy ticker")
        before = settled(machine)
        for start in range(0, 200, 10):
            machine.command("; ".join(f"create /examples/ticker.cfg name=t{number} memory=8"
                                      for number in range(start, start + 10)), timeout=120)
        assert len(machine.domains()) == 201
        for name in ("t0", "t99", "t199"):
            machine.wait_log(name, "tick 2,", timeout=90)
        machine.send("console t150\r")
        machine.expect("tick ")
        machine.send(LEAVE_CONSOLE)
        machine.prompt()
        for start in range(0, 200, 20):
            machine.command("; ".join(f"destroy t{number}" for number in range(start, start + 20)), timeout=120)
        machine.wait("all to be gone", lambda: list(machine.domains()) == ["Domain-0"])
        assert_same(machine, before, slack=64)


def test_a_thousand_one_after_another(shared_host):
    """Ports, grants and domain numbers that were not given back would run out long before the end."""
    one = "create --json /examples/hello32.cfg memory=4 name=fly; destroy fly; "
    shared_host.command(one * 14)
    before = settled(shared_host)
    for _ in range(72):
        output = shared_host.command(one * 14, 120)
        assert "error" not in output and output.count('"domid"') == 14, output
    assert_same(shared_host, before, slack=8)
